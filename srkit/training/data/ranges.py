"""Ranges from which strengths are drawn."""

from __future__ import annotations

import numpy as np

Range = tuple[float, float]


def uniform(limits: Range, rng: np.random.Generator) -> float:
    """A value drawn uniformly from a range."""
    return float(rng.uniform(*limits))


def odd(limits: tuple[int, int], rng: np.random.Generator) -> int:
    """An odd number from one odd number to another, both included.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> sorted({odd((7, 13), rng) for _ in range(99)})
    [7, 9, 11, 13]
    """
    first, last = limits
    return first + 2 * int(rng.integers((last - first) // 2 + 1))


def around_one(limits: Range, rng: np.random.Generator) -> float:
    """A value that is as often below 1 as above, where the range has both: for exponents."""
    middle = min(max(1.0, limits[0]), limits[1])
    if rng.random() < 0.5:
        return uniform((limits[0], middle), rng)
    return uniform((middle, limits[1]), rng)
