"""Compact networks: srkit's own, and those of Real-ESRGAN's checkpoints."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.adapters.pytorch.fitting import fitted
from srkit.adapters.pytorch.nets.compact import MOST_UNSHUFFLE, Compact, Size
from srkit.adapters.pytorch.upscaler import TorchUpscaler
from srkit.card import ModelCard
from srkit.errors import WeightsError

NAME = "Compact"
_FIRST = "body.0.weight"


class CompactUpscaler(TorchUpscaler):
    """A compact network.

    Parameters
    ----------
    card, scale
        The model and its factor.
    weights
        A checkpoint or a ``.safetensors`` file, or its tensors.
    device, precision
        See `TorchUpscaler`.

    Raises
    ------
    WeightsError
        If the weights are of another network or scale.
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
        net = build_compact(tensors)
        if net.scale != scale:
            raise WeightsError(f"the weights of {card.name} are for x{net.scale}, not x{scale}")
        # Of users' files only the network tells which sides it takes.
        card = dataclasses.replace(card, multiple=math.lcm(card.multiple, net.size.unshuffle))
        super().__init__(card, scale, net, device=device, precision=precision)


def looks_like_compact(tensors: Mapping[str, Tensor]) -> bool:
    """Whether a state dict is of the form that `build_compact` takes: nothing but a body."""
    return (
        _FIRST in tensors
        and all(name.startswith("body.") and name.count(".") == 2 for name in tensors)
        and tensors[_FIRST].ndim == 4
        and "body.1.weight" in tensors
        and tensors["body.1.weight"].ndim == 1
    )


def compact_scale(tensors: Mapping[str, Tensor]) -> int:
    """The factor that a state dict of a compact network is for.

    Raises
    ------
    WeightsError
        If its layers do not tell one.
    """
    return _form(tensors)[0]


def build_compact(tensors: Mapping[str, Tensor]) -> Compact:
    """A compact network of the size that a state dict tells, with its weights.

    Raises
    ------
    WeightsError
        If tensors are missing, left over or of the wrong shape.
    """
    scale, size = _form(tensors)
    return fitted(NAME, lambda: Compact(scale, size), tensors)


def _form(tensors: Mapping[str, Tensor]) -> tuple[int, Size]:
    """Scale and size, by the shapes of the first and the last layer and the number of them."""
    if not looks_like_compact(tensors):
        raise WeightsError(f"these are no weights of {NAME}: its layers are not among them")
    numbers = [int(name.split(".")[1]) for name in tensors if name.split(".")[1].isdecimal()]
    last = tensors.get(f"body.{max(numbers)}.weight")
    if last is None or last.ndim != 4 or max(numbers) % 2 or max(numbers) < 2:
        raise WeightsError(f"these are no weights of {NAME}: it ends in a convolution")
    features, inside = tensors[_FIRST].shape[0], _root(tensors[_FIRST].shape[1])
    outside = _root(last.shape[0])
    if not (1 <= inside <= MOST_UNSHUFFLE and outside and outside % inside == 0):
        raise WeightsError(
            f"{NAME} takes RGB, in squares of up to {MOST_UNSHUFFLE} pixels a side, and gives "
            f"such; these weights take {tensors[_FIRST].shape[1]} channels and give "
            f"{last.shape[0]}"
        )
    return outside // inside, Size(features, max(numbers) // 2 - 1, inside)


def _root(channels: int) -> int:
    """Side of the square of RGB pixels that so many channels are; 0 if they are none."""
    side = math.isqrt(channels // 3)
    return side if channels == 3 * side**2 else 0
