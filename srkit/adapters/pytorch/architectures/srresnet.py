"""SRResNet, and SRGAN's generator, which is the same network."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from srkit.adapters.pytorch.architectures.base import Architecture
from srkit.adapters.pytorch.architectures.fitting import fitted
from srkit.adapters.pytorch.architectures.training import Training, last_apart, later
from srkit.adapters.pytorch.nets.srresnet import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    SRResNet,
    denormalise,
)
from srkit.errors import WeightsError


class UnitRange(nn.Module):
    """SRResNet between [0, 1] planes: normalises its input, and its output back."""

    mean: Tensor
    std: Tensor

    def __init__(self, net: SRResNet) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))

    def forward(self, rgb: Tensor) -> Tensor:
        """RGB ``(N, 3, H, W)`` in [0, 1] to the same at `scale` times the size."""
        return denormalise(self.net((rgb - self.mean) / self.std))


def looks_like_srresnet(tensors: Mapping[str, Tensor]) -> bool:
    """Whether a state dict is of the form that `build_srresnet` takes."""
    return (
        "conv_block3.conv_block.0.weight" in tensors
        and "conv_block2.conv_block.0.weight" in tensors
    )


def build_srresnet(tensors: Mapping[str, Tensor]) -> SRResNet:
    """SRResNet of the size that a state dict tells, with its weights.

    Raises
    ------
    WeightsError
        If tensors are missing, left over or of the wrong shape.
    """
    try:
        first = tensors["conv_block1.conv_block.0.weight"]
        middle = tensors["conv_block2.conv_block.0.weight"]
    except KeyError as error:
        raise WeightsError(f"these are no weights of SRResNet: {error} is missing") from error
    if not first.ndim == middle.ndim == 4:
        raise WeightsError("these are no weights of SRResNet: its first tensors are no kernels")
    blocks = _count(tensors, "residual_blocks.")
    scale, wide, narrow = scale_of(tensors), first.shape[-1], middle.shape[-1]
    return fitted(
        "SRResNet", lambda: SRResNet(scale, first.shape[0], blocks, wide, narrow), tensors
    )


def scale_of(tensors: Mapping[str, Tensor]) -> int:
    """The factor that a state dict of SRResNet is for: twice for each sub-pixel layer."""
    doublings = _count(tensors, "subpixel_convolutional_blocks.")
    if not 1 <= doublings <= 3:
        raise WeightsError(f"SRResNet has 1 to 3 sub-pixel layers; these weights have {doublings}")
    return int(2**doublings)


def _count(tensors: Mapping[str, Tensor], prefix: str) -> int:
    """How many numbered modules the keys below a prefix name."""
    return len({key[len(prefix) :].split(".")[0] for key in tensors if key.startswith(prefix)})


ARCHITECTURE = Architecture(
    name="SRResNet",
    fits=looks_like_srresnet,
    scale=scale_of,
    build=lambda tensors, scale: build_srresnet(tensors),
    planes=UnitRange,
    restores_colours=True,
    training={
        "srresnet": Training(
            scales=(2, 4),
            build=SRResNet,
            start=later("srkit.training.starts.srresnet:start_bicubic"),
            groups=last_apart(lambda net: net.conv_block3),
            rescale={(4, 2): later("srkit.training.starts.rescaling:halve_scale")},
        )
    },
)
