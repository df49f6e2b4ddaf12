"""SPAN: srkit's own, and those of its authors' checkpoints."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from srkit.adapters.pytorch.architectures.base import Architecture
from srkit.adapters.pytorch.architectures.fitting import fitted
from srkit.adapters.pytorch.architectures.training import Training, last_apart, later
from srkit.adapters.pytorch.nets.span import SPAN

NAME = "SPAN"


def looks_like_span(tensors: Mapping[str, Tensor]) -> bool:
    return "join.weight" in tensors and "blocks.0.conv1.weight" in tensors


def span_scale(tensors: Mapping[str, Tensor]) -> int:
    return round((tensors["last.weight"].shape[0] / 3) ** 0.5)


def build_span(tensors: Mapping[str, Tensor]) -> SPAN:
    return fitted(NAME, lambda: SPAN(span_scale(tensors), tensors["first.weight"].shape[0]), tensors)


ARCHITECTURE = Architecture(
    name=NAME,
    fits=looks_like_span,
    scale=span_scale,
    build=lambda tensors, scale: build_span(tensors),
    least=1,
    foreign_border="zero",
    restores_colours=True,
    training={
        "span": Training(
            scales=(2, 3, 4),
            build=SPAN,
            start=later("srkit.training.starts.span:start_span"),
            groups=last_apart(lambda net: net.last),
            shares=(1.0, 1.0),
            sized=lambda scale, stated: SPAN(scale, **stated),
        )
    },
)
