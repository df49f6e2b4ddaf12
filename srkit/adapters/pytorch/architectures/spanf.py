"""SPANF, of its authors' checkpoints."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from srkit.adapters.pytorch.architectures.base import Architecture
from srkit.adapters.pytorch.architectures.fitting import fitted
from srkit.adapters.pytorch.architectures.shapes import shuffled_scale
from srkit.adapters.pytorch.architectures.span_merging import merged, renamed
from srkit.adapters.pytorch.nets.spanf import SPANF
from srkit.errors import WeightsError

NAME = "SPANF"
# By these a state dict is told: of the form here, and of upstream's.
_OWN = {"near.weight", "blocks.0.conv1.weight", "join.weight", "last.weight"}
_UPSTREAM = {"conv_near.weight", "conv_cat.weight"}
# Layers of upstream's, and what they are called here.
_NAMES = {"conv_near": "near", "conv_cat": "join", "conv_2": "last"}


def looks_like_spanf(tensors: Mapping[str, Tensor]) -> bool:
    """Whether a state dict is of the form that `build_spanf` takes."""
    return tensors.keys() >= _OWN or tensors.keys() >= _UPSTREAM


def spanf_scale(tensors: Mapping[str, Tensor]) -> int:
    """The factor that a state dict of SPANF is for.

    Raises
    ------
    WeightsError
        If the layer that repeats pixels does not tell one.
    """
    near = next((key for key in ("near.weight", "conv_near.weight") if key in tensors), "near")
    return shuffled_scale(NAME, tensors, near)


def build_spanf(tensors: Mapping[str, Tensor]) -> SPANF:
    """SPANF of the size that a state dict tells, with its weights.

    Raises
    ------
    WeightsError
        If tensors are missing, left over or of the wrong shape.
    """
    scale = spanf_scale(tensors)
    own = tensors if tensors.keys() >= _OWN else renamed(merged(NAME, tensors), _NAMES)
    if (join := own.get("join.weight")) is None or join.ndim != 4:
        raise WeightsError(f"these are no weights of {NAME}: the layer that joins is missing")
    return fitted(NAME, lambda: SPANF(scale, join.shape[0]), own)


ARCHITECTURE = Architecture(
    name=NAME,
    fits=looks_like_spanf,
    scale=spanf_scale,
    build=lambda tensors, scale: build_spanf(tensors),
    least=1,
    foreign_border="zero",
    restores_colours=True,
)
