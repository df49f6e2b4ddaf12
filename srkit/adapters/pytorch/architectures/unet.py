"""The models unet and unet-repair, and users' own weights of the network."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from srkit.adapters.pytorch.architectures.fitting import fitted
from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.adapters.pytorch.nets.resnet import Form, form_of
from srkit.adapters.pytorch.nets.srresnet import IMAGENET_MEAN, IMAGENET_STD
from srkit.adapters.pytorch.nets.unet import UNet
from srkit.adapters.pytorch.runtime.upscaler import TorchUpscaler
from srkit.adapters.readers.luma_weights import stated_scale
from srkit.card import ModelCard
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


class UNetUpscaler(TorchUpscaler):
    """U-Net on a ResNet encoder.

    Parameters
    ----------
    card, scale
        The model and its factor.
    weights
        A checkpoint or a ``.safetensors`` file, or its tensors.
    device, precision
        See `TorchUpscaler`.
    """

    def __init__(
        self,
        card: ModelCard,
        scale: int,
        weights: Path | Mapping[str, Tensor],
        *,
        device: str = "auto",
        precision: str = "auto",
    ) -> None:
        if isinstance(weights, Path):
            checkpoint = read_checkpoint(weights)
            weights = checkpoint.tensors
            if (found := stated_scale(checkpoint.metadata, least=1)) not in (None, scale):
                raise WeightsError(f"the weights of {card.name} are for x{found}, not x{scale}")
        net = build_unet(weights, scale)
        # Of users' files only the network tells which sides it takes.
        multiple = math.lcm(card.multiple, multiple_of(net.form, scale))
        card = dataclasses.replace(card, multiple=multiple)
        super().__init__(card, scale, Interpolated(net), device=device, precision=precision)
        # A small form may see no farther than that.
        if SHORT_HALO // scale < self.radius:
            self.short_halo = SHORT_HALO // scale


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
