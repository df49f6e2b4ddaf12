"""U-Net on a ResNet encoder."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from srkit.adapters.pytorch.architectures.base import Architecture
from srkit.adapters.pytorch.architectures.fitting import fitted
from srkit.adapters.pytorch.architectures.training import Training, later
from srkit.adapters.pytorch.nets.resnet import Form, form_of
from srkit.adapters.pytorch.nets.srresnet import IMAGENET_MEAN, IMAGENET_STD
from srkit.adapters.pytorch.nets.unet import UNet, add_weight_norm
from srkit.errors import WeightsError
from srkit.imaging.resize import phase_kernels

NAME = "UNet"
# HR pixels that a tile sees beyond its core where memory is too little for its receptive field,
# which is 400 pixels wide in the small form: docs/unet.md states the error.
SHORT_HALO = 96


class Interpolated(nn.Module):
    """U-Net between [0, 1] planes of LR and HR: bicubic interpolation goes before it.

    The interpolation is that of MATLAB, as a convolution to all phases of a pixel.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, net: UNet) -> None:
        super().__init__()
        self.net = net
        self.resize: nn.Module = nn.Identity()
        if net.scale > 1:
            self.resize = nn.Sequential(_phases(net.scale), nn.PixelShuffle(net.scale))
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))

    def forward(self, rgb: Tensor) -> Tensor:
        """RGB ``(N, 3, H, W)`` in [0, 1] to the same at `scale` times the size."""
        made = self.net((self.resize(rgb) - self.mean) / self.std)
        return cast(Tensor, made * self.std + self.mean)


def _phases(scale: int) -> nn.Conv2d:
    """Bicubic interpolation at each phase of a pixel, as channels for a pixel shuffle."""
    kernels = phase_kernels(scale, 5)
    conv = nn.Conv2d(3, 3 * scale**2, 5, padding=2, groups=3, bias=False)
    planes = np.stack([np.outer(row, column) for row in kernels for column in kernels])
    # A buffer, since it is not trained.
    del conv.weight
    conv.register_buffer("weight", torch.from_numpy(planes).float().repeat(3, 1, 1)[:, None])
    return conv


def multiple_of(form: Form, scale: int) -> int:
    """LR pixels of which sides are multiples, since the network halves HR sides."""
    return form.multiple // math.gcd(form.multiple, scale)


def looks_like_unet(tensors: Mapping[str, Tensor]) -> bool:
    """Whether a state dict is of the form that `build_unet` takes."""
    return "encoder.conv1.weight" in tensors and "middle.0.weight" in tensors


def build_unet(tensors: Mapping[str, Tensor], scale: int) -> UNet:
    """U-Net of the form that a state dict tells, with its weights.

    Raises
    ------
    WeightsError
        If tensors are missing, left over or of the wrong shape.
    """
    if not looks_like_unet(tensors):
        raise WeightsError("these are no weights of U-Net: its layers are not among them")
    form = form_of(tensors, "encoder.")
    return fitted(NAME, lambda: UNet(scale, form), tensors)


_new_unet = later("srkit.training.starts.unet:new_unet")

ARCHITECTURE = Architecture(
    name=NAME,
    fits=looks_like_unet,
    scale=None,
    build=build_unet,
    planes=Interpolated,
    least=1,
    multiple=lambda net: multiple_of(net.form, net.scale),
    short_halo=SHORT_HALO,
    training={
        "unet": Training(
            scales=(1, 2, 4),
            build=_new_unet,
            start=later("srkit.training.starts.unet:start_unet"),
            groups=lambda net: net.groups,
            shares=(0.1, 0.1, 1.0),
            # The network keeps sizes: its weights know of no scale.
            rescale={
                (old, new): functools.partial(build_unet, scale=new)
                for old, new in itertools.permutations((1, 2, 4), 2)
            },
            encoded=_new_unet,
            tells_scale=False,
            weight_norm=add_weight_norm,
        )
    },
)
