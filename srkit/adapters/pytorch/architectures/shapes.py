"""What shapes of tensors tell of a network: the figures that its architecture is built by."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from torch import Tensor

from srkit.errors import WeightsError


def kernel(name: str, tensors: Mapping[str, Tensor], key: str) -> tuple[int, int]:
    """Channels out and in of a convolution.

    Raises
    ------
    WeightsError
        If it is missing, or no convolution.
    """
    found = tensors.get(key)
    if found is None or found.ndim != 4:
        raise WeightsError(f"these are no weights of {name}: {key} is missing, or no kernel")
    return found.shape[0], found.shape[1]


def shuffled_scale(name: str, tensors: Mapping[str, Tensor], key: str) -> int:
    """The factor of a pixel shuffle to RGB after a convolution.

    Raises
    ------
    WeightsError
        If its channels are no squares of RGB pixels.
    """
    channels = kernel(name, tensors, key)[0]
    if not (side := side_of(channels)):
        raise WeightsError(
            f"these are no weights of {name}: {channels} channels of {key} are no squares of pixels"
        )
    return side


def side_of(channels: int) -> int:
    """Side of the square of RGB pixels that so many channels are; 0 if they are none.

    Examples
    --------
    >>> side_of(48), side_of(50)
    (4, 0)
    """
    side = math.isqrt(channels // 3)
    return side if channels == 3 * side**2 else 0


def numbered(tensors: Mapping[str, Tensor], pattern: str) -> int:
    """How many modules have names of a pattern that ends in a number, such as ``"block_"``.

    Examples
    --------
    >>> from torch import zeros
    >>> numbered({"B1.c.bias": zeros(1), "B2.c.bias": zeros(1), "Bright.bias": zeros(1)}, "B")
    2
    """
    names = (re.match(rf"{pattern}(\d+)\.", name) for name in tensors)
    return len({found[1] for found in names if found})
