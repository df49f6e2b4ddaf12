"""How sharp a picture is, from a bounded sample of its pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from srkit.imaging.levels import top_of
from srkit.imaging.noise import Sliceable, looked_at

# Share of the sample that is weaker than the edges that are looked at.
STRONG = 0.98
# In levels of 255: where the strongest edges are weaker, there is nothing to tell by.
FAINT = 8.0


def estimate_sharpness(image: Sliceable, top: float | None = None) -> float | None:
    """How sudden the strong edges of a picture are.

    Of grey along rows and columns, second differences a - 2b + c over differences a - c across the
    same two pixels, each at the 98th percentile of the windows of
    `srkit.imaging.noise.estimate_noise`. Of a step it is 1, of one that a Gaussian of s pixels
    blurred about 0.3 / s, which is the ratio of the highest values of its derivatives. Noise makes
    it larger.

    Parameters
    ----------
    image
        ``(H, W)`` or ``(H, W, C)``.
    top
        The value that stands for white; by default the dtype's.

    Returns
    -------
    float or None
        Of photos in their own size and of those that were shrunk, 0.6 and more; of those out of
        focus and of enlarged ones, less. None where no edge is to be seen.

    Examples
    --------
    >>> from scipy import ndimage
    >>> stripes = np.tile(np.arange(64) // 16 % 2 * 0.6 + 0.2, (64, 1))
    >>> blurred = [ndimage.gaussian_filter1d(stripes, s) if s else stripes for s in (0, 1, 2)]
    >>> [round(estimate_sharpness(picture), 1) for picture in blurred]
    [1.0, 0.3, 0.1]
    >>> estimate_sharpness(np.full((64, 64), 0.5)) is None
    True
    """
    top = top_of(image.dtype) if top is None else top
    found = [_differences(np.asarray(image[place]) / top) for place in looked_at(image.shape)]
    second, across = (np.concatenate(part) for part in zip(*found, strict=True))
    if not across.size or 255 * (strong := np.quantile(across, STRONG)) < FAINT:
        return None
    return float(np.quantile(second, STRONG) / strong)


def _differences(window: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Second differences, and differences across two pixels, of grey along rows and columns."""
    grey = window if window.ndim == 2 else window.mean(axis=2)
    second, across = [], []
    for lines in (grey, grey.T):
        before, here, after = lines[:, :-2], lines[:, 1:-1], lines[:, 2:]
        second.append(np.abs(before - 2 * here + after).ravel())
        across.append(np.abs(after - before).ravel())
    return np.concatenate(second), np.concatenate(across)
