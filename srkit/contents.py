"""What a weights file holds, as its format's adapter tells it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class TensorFacts:
    """A tensor without its numbers.

    Attributes
    ----------
    shape
        Its sides; empty for a single number.
    dtype
        As numpy names it: ``"float32"``; torch's name where numpy has none: ``"bfloat16"``.
    """

    shape: tuple[int, ...]
    dtype: str

    @property
    def numbers(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Contents:
    """What a weights file holds.

    Attributes
    ----------
    tensors
        Tensors by name, in the file's order.
    header
        What the file says of itself: metadata of a header, or a config.
    """

    tensors: Mapping[str, TensorFacts]
    header: Mapping[str, str] = field(default_factory=dict)

    @property
    def numbers(self) -> int:
        """How many numbers all tensors hold."""
        return sum(tensor.numbers for tensor in self.tensors.values())
