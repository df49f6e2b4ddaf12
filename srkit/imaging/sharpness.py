"""How sharp a picture is, from a bounded sample of its pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from srkit.imaging.levels import top_of
from srkit.imaging.noise import LEAST, Sliceable, looked_at

# Share of a window's differences that are weaker than the edges that are looked at.
STRONG = 0.98
# In levels of 255: where the strongest edges are weaker, there is nothing to tell by.
FAINT = 8.0
# Share of the windows with edges that are softer than the one that is taken: a face may be sharp
# before a background that is not.
FOCUS = 0.9


def estimate_sharpness(image: Sliceable, top: float | None = None) -> float | None:
    """How sudden the strong edges of a picture are.

    Of grey along rows and columns, second differences a - 2b + c over differences a - c across the
    same two pixels, each at the 98th percentile of a window of
    `srkit.imaging.noise.estimate_noise`; and of the windows that have edges, the one that a tenth
    of them is sharper than. Of a step it is 1, of one that a Gaussian of s pixels
    blurred about 0.3 / s, which is the ratio of the highest values of its derivatives. Noise makes
    it larger, and so does an edge that lies between two windows, of which only the flanks are seen.

    Parameters
    ----------
    image
        ``(H, W)`` or ``(H, W, C)``.
    top
        The value that stands for white; by default the dtype's.

    Returns
    -------
    float or None
        Of photos in their own size and of those that were shrunk, 0.8 and more; of those out of
        focus and of enlarged ones, 0.6 and less. None where no edge is to be seen.

    Examples
    --------
    >>> from scipy import ndimage
    >>> stripes = np.tile((np.arange(64) + 8) // 16 % 2 * 0.6 + 0.2, (64, 1))
    >>> blurred = [ndimage.gaussian_filter1d(stripes, s) if s else stripes for s in (0, 1, 2)]
    >>> [round(estimate_sharpness(picture), 1) for picture in blurred]
    [1.0, 0.3, 0.1]
    >>> estimate_sharpness(np.full((64, 64), 0.5)) is None
    True
    """
    top = top_of(image.dtype) if top is None else top
    found = [_sharpness(np.asarray(image[place]) / top) for place in looked_at(image.shape)]
    known = [sharpness for sharpness in found if sharpness is not None]
    return float(np.quantile(known, FOCUS)) if known else None


def _sharpness(window: NDArray[np.floating[Any]]) -> float | None:
    """Of the edges of one window, if it has any."""
    grey = window if window.ndim == 2 else window.mean(axis=2)
    second, across = [], []
    for lines in (grey, grey.T):
        before, here, after = lines[:, :-2], lines[:, 1:-1], lines[:, 2:]
        second.append(np.abs(before - 2 * here + after).ravel())
        across.append(np.abs(after - before).ravel())
    differences = np.concatenate(across)
    if differences.size < LEAST or 255 * (strong := np.quantile(differences, STRONG)) < FAINT:
        return None
    return float(np.quantile(np.concatenate(second), STRONG) / strong)
