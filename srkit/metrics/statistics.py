"""Statistics of natural scenes, of which NIQE and BRISQUE are made.

Mittal, Moorthy and Bovik, "No-Reference Image Quality Assessment in the Spatial Domain", TIP
2012: brightness, freed of its local mean and contrast, is spread in photos as a generalised
Gaussian is; blur, noise and blocks change its shape.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SIGMA, _REACH = 7 / 6, 3  # of the 7x7 Gaussian window


class Spread(NamedTuple):
    """An asymmetric generalised Gaussian: its shape, and deviations below and above zero."""

    shape: float
    left: float
    right: float

    @property
    def mean(self) -> float:
        """Its mean, in units of its scales: eq. 8 without the factor of `scale`."""
        from scipy.special import gamma

        return float((self.right - self.left) * gamma(2 / self.shape) / gamma(1 / self.shape))

    @property
    def scale(self) -> float:
        """What makes scales of the deviations: eq. 6."""
        from scipy.special import gamma

        return float(np.sqrt(gamma(1 / self.shape) / gamma(3 / self.shape)))


def normalised(grey: Floats, border: Literal["nearest", "constant"]) -> Floats:
    """Brightness of 0-255 less its local mean, by its local deviation and one: eq. 1.

    Parameters
    ----------
    grey
        ``(H, W)``.
    border
        What lies beyond: the nearest pixel, or black.

    Examples
    --------
    >>> float(abs(normalised(np.full((16, 16), 200.0), "nearest")).max()) < 1e-9
    True
    """
    mean = _local(grey, border)
    deviation = np.sqrt(np.abs(_local(grey * grey, border) - mean * mean))
    values: Floats = (grey - mean) / (deviation + 1)
    return values


def _local(plane: Floats, border: str) -> Floats:
    from scipy.ndimage import correlate1d

    weights = np.exp(-(np.arange(-_REACH, _REACH + 1) ** 2) / (2 * _SIGMA**2))
    weights /= weights.sum()
    rows = correlate1d(plane, weights, axis=0, mode=border)
    means: Floats = correlate1d(rows, weights, axis=1, mode=border)
    return means


def spread(values: Floats) -> Spread:
    """Fit by moments: Lasmar, Stitou and Berthoumieu, ICIP 2009; as NIQE's authors do.

    Zeros count on neither side; the shape is the nearest in steps of 0.001. Of what has
    no values on a side, as a flat image, the fit is not a number.

    Examples
    --------
    >>> normal = np.random.default_rng(0).normal(size=100_000)
    >>> [round(value, 1) for value in spread(normal)]
    [2.0, 1.0, 1.0]
    """
    left, right = _deviation(values[values < 0]), _deviation(values[values > 0])
    shapes, moments = _shapes()
    wanted = _moments(values, left, right)
    nearest = shapes[np.argmin(np.abs(moments - wanted))] if np.isfinite(wanted) else np.nan
    return Spread(float(nearest), left, right)


def spread_with_zeros(values: Floats) -> Spread:
    """The same as the package `brisque` does: zeros count as positive, the shape has no steps.

    Examples
    --------
    >>> normal = np.random.default_rng(0).normal(size=100_000)
    >>> round(spread_with_zeros(normal).shape, 1)
    2.0
    """
    left, right = _deviation(values[values < 0]), _deviation(values[values >= 0])
    shapes, moments = _shapes()
    # Between the entries of the table, which rises.
    shape = np.interp(_moments(values, left, right), moments, shapes)
    return Spread(float(shape), left, right)


def _moments(values: Floats, left: float, right: float) -> float:
    """What tells the shape: the ratio of moments, freed of what the sides differ by."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.float64(left) / right
        moments = np.mean(np.abs(values)) ** 2 / np.mean(values * values)
        return float(moments * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2)


def _deviation(values: Floats) -> float:
    return float(np.sqrt(np.mean(values * values))) if values.size else float("nan")


@lru_cache(maxsize=1)
def _shapes() -> tuple[Floats, Floats]:
    """Shapes from 0.2 to 10, and the ratio of moments of each."""
    from scipy.special import gamma

    shapes = np.linspace(0.2, 10, 9801)
    ratios: Floats = gamma(2 / shapes) ** 2 / (gamma(1 / shapes) * gamma(3 / shapes))
    return shapes, ratios
