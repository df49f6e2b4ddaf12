"""How sure a mean over images is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean, and where the mean of ever more such images lies with 95 % confidence.

    Attributes
    ----------
    mean
        Of the figures.
    half
        Half the width of the interval.
    images
        How many there are.

    Examples
    --------
    >>> Interval(30.0, 0.5, 5).low
    29.5
    """

    mean: float
    half: float
    images: int

    @property
    def low(self) -> float:
        """The lower end."""
        return self.mean - self.half

    @property
    def high(self) -> float:
        """The upper end."""
        return self.mean + self.half


def interval(figures: Sequence[float | None]) -> Interval | None:
    """Student's t-interval of a mean; None of fewer than two finite figures.

    What is missing or infinite is left out.

    The images are taken as drawn at random from all of their kind. Few of them, as Set5 has,
    say little about others: the interval is then wide.

    Examples
    --------
    >>> found = interval([1.0, 2.0, 3.0])
    >>> found.mean, round(found.half, 4)  # 4.3027 times 1 / sqrt(3)
    (2.0, 2.4841)
    """
    known = [one for one in figures if one is not None and math.isfinite(one)]
    if len(known) < 2:
        return None
    # Here, since it takes time that other uses need not spend.
    from scipy.special import stdtrit

    times = float(stdtrit(len(known) - 1, (1 + LEVEL) / 2))
    half = times * float(np.std(known, ddof=1)) / math.sqrt(len(known))
    return Interval(float(np.mean(known)), half, len(known))
