"""The models srresnet and srgan, and users' own checkpoints of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.adapters.pytorch.nets.srresnet import SRResNet, denormalise, normalise
from srkit.adapters.pytorch.upscaler import TorchUpscaler
from srkit.card import ModelCard
from srkit.errors import WeightsError


class UnitRange(nn.Module):
    """SRResNet between [0, 1] planes: normalises its input, and its output back."""

    def __init__(self, net: SRResNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, rgb: Tensor) -> Tensor:
        """RGB ``(N, 3, H, W)`` in [0, 1] to the same at `scale` times the size."""
        return denormalise(self.net(normalise(rgb)))


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
        super().__init__(card, scale, UnitRange(net), device=device, precision=precision)


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
    blocks = _count(tensors, "residual_blocks.")
    doublings = _count(tensors, "subpixel_convolutional_blocks.")
    try:
        net = SRResNet(2**doublings, first.shape[0], blocks, first.shape[-1], middle.shape[-1])
        net.load_state_dict({k: v.float() for k, v in tensors.items()})
    except (RuntimeError, ValueError, IndexError) as error:
        raise WeightsError(f"the weights do not fit SRResNet: {error}") from error
    return net


def _count(tensors: Mapping[str, Tensor], prefix: str) -> int:
    """How many numbered modules the keys below a prefix name."""
    return len({key[len(prefix) :].split(".")[0] for key in tensors if key.startswith(prefix)})
