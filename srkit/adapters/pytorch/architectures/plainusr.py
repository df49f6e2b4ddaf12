"""PlainUSR, as its authors' files hold it, merged or as it was trained."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from srkit.adapters.pytorch.architectures.base import Architecture
from srkit.adapters.pytorch.architectures.fitting import fitted
from srkit.adapters.pytorch.architectures.plainusr_merging import merged
from srkit.adapters.pytorch.architectures.shapes import kernel, shuffled_scale
from srkit.adapters.pytorch.nets.plainusr import LEAST_SIDE, Part, PlainUSR, Size
from srkit.adapters.pytorch.nets.resizing import COARSE_HALO

NAME = "PlainUSR"


def looks_like_plainusr(tensors: Mapping[str, Tensor]) -> bool:
    """Whether a state dict is of the form that `build_plainusr` takes."""
    middle = ("blockm.body.0.weight", "blockm.body.0.expand_conv.weight")
    return "tail.0.weight" in tensors and any(name in tensors for name in middle)


def plainusr_scale(tensors: Mapping[str, Tensor]) -> int:
    """The factor that a state dict of PlainUSR is for.

    Raises
    ------
    WeightsError
        If its layers do not tell one.
    """
    return shuffled_scale(NAME, tensors, "tail.0.weight")


def build_plainusr(tensors: Mapping[str, Tensor]) -> PlainUSR:
    """PlainUSR of the size that a state dict tells, with its weights, merged.

    Raises
    ------
    WeightsError
        If tensors are missing, left over or of the wrong shape.
    """
    tensors = merged(NAME, tensors)
    scale = plainusr_scale(tensors)
    parts = tuple(_part(name, tensors) for name in _order(tensors))
    features = kernel(NAME, tensors, "head.weight")[0] - 3
    return fitted(NAME, lambda: PlainUSR(scale, Size(features, parts)), tensors)


def _order(tensors: Mapping[str, Tensor]) -> list[str]:
    """Names of the blocks as they are run: the one in the middle has no number."""
    found = (re.match(r"block(\d+)\.", name) for name in tensors)
    numbers = sorted({int(match[1]) for match in found if match})
    half = len(numbers) // 2
    names = [f"block{n}" for n in numbers]
    return [*names[:half], "blockm", *names[half:]]


def _part(name: str, tensors: Mapping[str, Tensor]) -> Part:
    """What a block is, by its layers: convolutions at 0, 2, ..., and attention after the last."""
    body = f"{name}.body"
    count = 0
    while f"{body}.{2 * count}.weight" in tensors:
        count += 1
    channels = kernel(NAME, tensors, f"{body}.0.weight")[0]
    attention = f"{body}.{2 * count - 1}.body"
    if f"{attention}.2.weight" in tensors:
        inner = kernel(NAME, tensors, f"{attention}.2.weight")[0]
        return Part(name, channels, count, "local", inner)
    fast = f"{attention}.0.weight" in tensors
    return Part(name, channels, count, "fast" if fast else "none")


ARCHITECTURE = Architecture(
    name=NAME,
    fits=looks_like_plainusr,
    scale=plainusr_scale,
    build=lambda tensors, scale: build_plainusr(tensors),
    least=1,
    foreign_border="zero",
    least_side=lambda net: LEAST_SIDE if net.looks_coarsely else 1,
    short_halo=COARSE_HALO,
)
