"""MS-SSIM: structural similarity at five sizes of an image."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from srkit.errors import ImageError
from srkit.metrics.pairs import Channel, on_channel, read_pair

Floats = NDArray[np.float64]

# Of the five scales, the finest first (section 3.2 of the paper).
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_WINDOW = 11
# At the coarsest scale the window must fit: 161, 81, 41, 21, 11.
SMALLEST = (_WINDOW - 1) * 2 ** (len(_WEIGHTS) - 1) + 1


def ms_ssim(
    reference: ArrayLike,
    test: ArrayLike,
    *,
    channel: Channel = "y",
    crop: int = 0,
    data_range: float | None = None,
) -> float:
    """Multi-scale structural similarity (MS-SSIM).

    Wang, Simoncelli and Bovik, "Multi-scale Structural Similarity for Image Quality
    Assessment", Asilomar 2003, eq. 7: contrast and structure at five scales, luminance at the
    coarsest, each to the power of its weight.

    Parameters
    ----------
    reference, test, channel, crop, data_range
        As in `ssim`; ``"rgb"`` is the mean of the three colours. At least 161 pixels a side.

    Returns
    -------
    float
        From 0 to 1, which equal images reach. A factor below zero, of which there is no
        power, counts as 0.

    Raises
    ------
    ImageError, OptionError
        As in `ssim`.

    Examples
    --------
    >>> import numpy as np
    >>> grey = np.full((176, 176), 100, np.uint8)
    >>> round(ms_ssim(grey, grey + 50), 4)  # that of luminance, to the power of 0.1333
    0.9894
    """
    pair = on_channel(read_pair(reference, test, crop=crop, data_range=data_range), channel)
    if min(pair.reference.shape[:2]) < SMALLEST:
        raise ImageError(
            f"MS-SSIM needs {SMALLEST} pixels a side; after crop={crop} the images have "
            f"{pair.reference.shape[:2]}"
        )
    if pair.reference.ndim == 2:
        return _of_plane(pair.reference, pair.test, pair.peak)
    colours = range(pair.reference.shape[2])
    values = [_of_plane(pair.reference[..., c], pair.test[..., c], pair.peak) for c in colours]
    return float(np.mean(values))


def _of_plane(a: Floats, b: Floats, peak: float) -> float:
    """Equation 7 on one plane."""
    product = 1.0
    for number, weight in enumerate(_WEIGHTS):
        luminance, structure = _terms(a, b, peak)
        last = number == len(_WEIGHTS) - 1
        factor = float(np.mean(luminance * structure if last else structure))
        product *= max(factor, 0.0) ** weight
        a, b = _halved(a), _halved(b)
    return product


def _terms(a: Floats, b: Floats, peak: float) -> tuple[Floats, Floats]:
    """Luminance, and contrast times structure, of each window that lies inside."""
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    mean_a, mean_b = _windowed(a), _windowed(b)
    variances = _windowed(a * a) - mean_a**2 + _windowed(b * b) - mean_b**2
    covariance = _windowed(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return luminance, (2 * covariance + c2) / (variances + c2)


def _windowed(plane: Floats) -> Floats:
    """Mean under an 11x11 Gaussian, sigma 1.5, of each place where it lies inside."""
    # Here, since it takes time that `import srkit.metrics` need not spend.
    from scipy.ndimage import correlate1d

    weights = np.exp(-((np.arange(_WINDOW) - _WINDOW // 2) ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    inner = slice(_WINDOW // 2, -(_WINDOW // 2))
    rows = correlate1d(plane, weights, axis=0)[inner]
    means: Floats = correlate1d(rows, weights, axis=1)[:, inner]
    return means


def _halved(plane: Floats) -> Floats:
    """Mean of each 2x2; the last of an odd number stands for its mirror image, too."""
    height, width = plane.shape
    even = np.pad(plane, ((0, height % 2), (0, width % 2)), mode="symmetric")
    halved: Floats = even.reshape(-(-height // 2), 2, -(-width // 2), 2).mean(axis=(1, 3))
    return halved
