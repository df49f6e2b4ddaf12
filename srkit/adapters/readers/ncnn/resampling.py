"""Interpolation by a short fraction as a filter that moves by whole pixels.

Of each `down` pixels along a side it makes `up`, always in the same way. So a tile that begins
at any multiple of `down` gets what the whole image gets, to the last bit, where interpolation
by positions rounds them differently far from the origin.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from srkit.errors import WeightsError

# By the numbers that a .param file has for them.
MODES = {1: "nearest", 2: "bilinear", 3: "bicubic"}
MOST_PARTS = 16
# Keys' free parameter as ncnn, OpenCV and torch have it.
CUBIC = -0.75


def short_fraction(factor: float) -> Fraction:
    """The fraction that a factor was meant to be, in single precision.

    Raises
    ------
    WeightsError
        If there is none with small parts: sizes would follow from rounding.

    Examples
    --------
    >>> short_fraction(0.6666667)
    Fraction(2, 3)
    """
    meant = Fraction(factor).limit_denominator(MOST_PARTS)
    parts = meant.numerator, meant.denominator
    if not 1 <= min(parts) <= max(parts) <= MOST_PARTS or np.float32(factor) != np.float32(meant):
        raise WeightsError(f"it resizes by {factor:g}, which is no fraction of small numbers")
    return meant


def phases(mode: str, up: int, down: int) -> NDArray[np.float64]:
    """Weights for each of `up` pixels, of `down` pixels and as many around them on both sides.

    Positions are those of pixels' centres; nearest takes the pixel at or before the place.

    Returns
    -------
    NDArray
        ``(up, down + 2 * reach)``.

    Examples
    --------
    >>> phases("bilinear", 2, 1)
    array([[0.25, 0.75, 0.  ],
           [0.  , 0.75, 0.25]])
    """
    reach = {"nearest": 0, "bilinear": 1, "bicubic": 2}[mode]
    weights = np.zeros((up, down + 2 * reach))
    for number in range(up):
        if mode == "nearest":
            weights[number, number * down // up] = 1
            continue
        place = Fraction(down * (2 * number + 1), 2 * up) - Fraction(1, 2)
        whole = place.numerator // place.denominator
        taps = np.array(_LINES[mode](float(place - whole)))
        begin = whole + reach - (len(taps) // 2 - 1)
        weights[number, begin : begin + len(taps)] = taps
    return weights


def spans(weights: NDArray[np.float64], down: int) -> list[tuple[int, int]]:
    """First and last pixel that each row of `phases` sees, from the first of `down` on."""
    reach = (weights.shape[1] - down) // 2
    seen = (np.flatnonzero(row) - reach for row in weights)
    return [(int(places[0]), int(places[-1])) for places in seen]


def _linear(part: float) -> tuple[float, ...]:
    return 1 - part, part


def _cubic(part: float) -> tuple[float, ...]:
    """Keys' kernel at the four pixels around a place `part` behind the second of them."""

    def near(t: float) -> float:
        return ((CUBIC + 2) * t - (CUBIC + 3)) * t * t + 1

    def far(t: float) -> float:
        return ((CUBIC * t - 5 * CUBIC) * t + 8 * CUBIC) * t - 4 * CUBIC

    return far(1 + part), near(part), near(1 - part), far(2 - part)


_LINES = {"bilinear": _linear, "bicubic": _cubic}
