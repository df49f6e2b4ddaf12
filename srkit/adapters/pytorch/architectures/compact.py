"""Compact networks: srkit's own, and those of Real-ESRGAN's checkpoints."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from torch import Tensor

from srkit.adapters.pytorch.architectures.base import Architecture
from srkit.adapters.pytorch.architectures.fitting import fitted
from srkit.adapters.pytorch.architectures.shapes import side_of
from srkit.adapters.pytorch.architectures.training import Training, last_apart, later
from srkit.adapters.pytorch.nets.compact import MOST_UNSHUFFLE, Compact, Size
from srkit.errors import WeightsError

NAME = "Compact"


def looks_like_compact(tensors: Mapping[str, Tensor]) -> bool:
    """Whether a state dict is of the form that `build_compact` takes: a body from RGB to RGB."""
    return _form(tensors) is not None


def compact_scale(tensors: Mapping[str, Tensor]) -> int:
    """The factor that a state dict of a compact network is for.

    Raises
    ------
    WeightsError
        If its layers do not tell one.
    """
    return _known_form(tensors)[0]


def build_compact(tensors: Mapping[str, Tensor]) -> Compact:
    """A compact network of the size that a state dict tells, with its weights.

    Raises
    ------
    WeightsError
        If tensors are missing, left over or of the wrong shape.
    """
    scale, size = _known_form(tensors)
    return fitted(NAME, lambda: Compact(scale, size), tensors)


def _known_form(tensors: Mapping[str, Tensor]) -> tuple[int, Size]:
    form = _form(tensors)
    if form is None:
        raise WeightsError(
            f"these are no weights of {NAME}: convolutions and PReLU in turn, named body, from RGB "
            f"to RGB, which may lie in squares of up to {MOST_UNSHUFFLE} pixels a side"
        )
    return form


def _form(tensors: Mapping[str, Tensor]) -> tuple[int, Size] | None:
    """Scale and size, by the shapes of the first and the last layer and the number of them."""
    places = [name.split(".") for name in tensors]
    if not all(len(p) == 3 and p[0] == "body" and p[1].isdecimal() for p in places):
        return None
    count = max((int(number) for _, number, _ in places), default=0)
    first, slopes, last = (tensors.get(f"body.{n}.weight") for n in (0, 1, count))
    if first is None or slopes is None or last is None or count % 2 or count < 2:
        return None
    if (first.ndim, slopes.ndim, last.ndim) != (4, 1, 4):
        return None
    inside, outside = side_of(first.shape[1]), side_of(last.shape[0])
    if not (1 <= inside <= MOST_UNSHUFFLE and outside and outside % inside == 0):
        return None
    if not first.shape[0]:
        return None
    return outside // inside, Size(first.shape[0], count // 2 - 1, inside)


_deepen = later("srkit.training.starts.compact:deepen_compact")

ARCHITECTURE = Architecture(
    name=NAME,
    fits=looks_like_compact,
    scale=compact_scale,
    build=lambda tensors, scale: build_compact(tensors),
    least=1,
    foreign_border="zero",
    multiple=lambda net: net.size.unshuffle,
    restores_colours=True,
    training={
        "compact": Training(
            scales=(1, 2, 3, 4),
            build=Compact,
            start=later("srkit.training.starts.compact:start_compact"),
            groups=last_apart(lambda net: net.last),
            shares=(1.0, 1.0),
            rescale=dict.fromkeys(
                [(4, 2), (2, 1)], later("srkit.training.starts.compact:halve_compact")
            ),
            sized=lambda scale, stated: Compact(scale, Size(**stated)),
            grow=lambda net, stated: _deepen(net, dataclasses.replace(net.size, **stated)),
        )
    },
)
