"""The models srresnet and srgan, and users' own checkpoints of them."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from pathlib import Path

import torch
from torch import Tensor, nn

from srkit.adapters.pytorch.architectures.fitting import fitted
from srkit.adapters.pytorch.architectures.interpolation import interpolate
from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.adapters.pytorch.colours import even_colours
from srkit.adapters.pytorch.nets.srresnet import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    SRResNet,
    denormalise,
)
from srkit.adapters.pytorch.runtime.upscaler import TorchUpscaler
from srkit.card import ModelCard
from srkit.errors import OptionError, WeightsError
from srkit.models.builtin import SRRESNET
from srkit.models.weights import weights_path


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


class SRResNetUpscaler(TorchUpscaler):
    """SRResNet, or SRGAN's generator, which is the same network.

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
        tensors = read_checkpoint(weights).tensors if isinstance(weights, Path) else weights
        net = build_srresnet(tensors)
        if net.scale != scale:
            raise WeightsError(f"the weights of {card.name} are for x{net.scale}, not x{scale}")
        kept = even_colours(UnitRange(net), card, scale)
        super().__init__(card, scale, kept, device=device, precision=precision)


class SRGANUpscaler(SRResNetUpscaler):
    """SRGAN, or any network on the way from SRResNet to it.

    Parameters
    ----------
    card, scale, weights, device, precision
        See `SRResNetUpscaler`.
    perception
        0 is SRResNet, 1 is SRGAN; between them lie networks that trade fidelity for
        sharpness (Wang et al., "ESRGAN", 2018, Section 3.4).
    """

    def __init__(
        self,
        card: ModelCard,
        scale: int,
        weights: Path,
        *,
        perception: float = 1.0,
        device: str = "auto",
        precision: str = "auto",
    ) -> None:
        if not (isinstance(perception, Real) and 0 <= perception <= 1):
            raise OptionError(f"perception is from 0 (srresnet) to 1 (srgan), not {perception!r}")
        tensors = read_checkpoint(weights).tensors
        if perception < 1:
            if scale not in SRRESNET.weights:
                raise OptionError(f"perception below 1 needs srresnet, which has no x{scale}")
            faithful = read_checkpoint(weights_path(SRRESNET.weights[scale])).tensors
            tensors = interpolate(faithful, tensors, float(perception))
            # The card tells of SRGAN itself.
            precision = "float32" if precision == "auto" else precision
        super().__init__(card, scale, tensors, device=device, precision=precision)


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
