"""What layers of ncnn come down to, with every default filled in: one dataclass an operation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from srkit.adapters.readers.ncnn.stored import Array

Pair = tuple[int, int]
# Rows or columns: left, right, top, bottom, as torch counts them.
Sides = tuple[int, int, int, int]


@dataclass(frozen=True)
class Convolution:
    """``weight`` is (outputs, inputs / groups, rows, columns), ``bias`` one number an output."""

    weight: Array
    bias: Array | None
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    sides: Sides = (0, 0, 0, 0)
    value: float = 0.0
    groups: int = 1


@dataclass(frozen=True)
class Deconvolution:
    """``weight`` is (outputs, inputs, rows, columns); `sides` are cut off, `more` added below."""

    weight: Array
    bias: Array | None
    stride: Pair
    dilation: Pair
    sides: Sides
    more: Pair


@dataclass(frozen=True)
class Pointwise:
    """A function of each number, by torch's name, with constants behind it."""

    name: str
    constants: tuple[float, ...] = ()


@dataclass(frozen=True)
class Slopes:
    """PReLU: ``weight`` has one slope, or one a channel."""

    weight: Array


@dataclass(frozen=True)
class Arithmetic:
    """Two results, or one and a number, by torch's name; `swapped` has the second first."""

    name: str
    number: float | None = None
    swapped: bool = False


@dataclass(frozen=True)
class Combination:
    """All inputs, each times its coefficient: ``"add"``, ``"mul"`` or ``"maximum"``."""

    name: str
    coefficients: tuple[float, ...] = ()


@dataclass(frozen=True)
class Affine:
    """Each channel times a number, plus another."""

    weight: Array
    bias: Array | None


@dataclass(frozen=True)
class Shuffle:
    """A pixel shuffle to `channels`; `inner` if those of an image run fastest, unlike torch's."""

    factor: int
    channels: int
    inner: bool


@dataclass(frozen=True)
class Resample:
    """Of each `down` pixels along a side `up` are made."""

    channels: int
    mode: str
    up: int
    down: int


@dataclass(frozen=True)
class Pool:
    """The largest or the mean number of a window."""

    most: bool
    kernel: Pair
    stride: Pair
    padding: Pair
    counted: bool


@dataclass(frozen=True)
class PoolAll:
    """The largest or the mean number of a channel, over the whole picture."""

    most: bool


@dataclass(frozen=True)
class Frame:
    """Padding, or cutting off where sides are negative."""

    sides: Sides
    mode: Literal["constant", "replicate", "reflect"] = "constant"
    value: float = 0.0


@dataclass(frozen=True)
class Pick:
    """Some channels."""

    first: int
    stop: int


@dataclass(frozen=True)
class Concatenation:
    """All channels of all inputs."""


@dataclass(frozen=True)
class Constant:
    """Numbers of the file: one a channel."""

    weight: Array


Operation = (
    Convolution | Deconvolution | Pointwise | Slopes | Arithmetic | Combination | Affine | Shuffle
    | Resample | Pool | PoolAll | Frame | Pick | Concatenation | Constant
)  # fmt: skip


def numbers_of(operation: Operation) -> dict[str, Array]:
    """The numbers of the file that an operation has, by name."""
    return {name: value for name, value in vars(operation).items() if hasattr(value, "dtype")}


# ncnn's fused activations: numbers of key 9, and how many constants key 10 has for them.
ACTIVATIONS: Mapping[int, tuple[str, int]] = {
    1: ("relu", 0), 2: ("leaky_relu", 1), 3: ("clamp", 2), 4: ("sigmoid", 0), 5: ("mish", 0),
    6: ("hard_swish", 2),
}  # fmt: skip
