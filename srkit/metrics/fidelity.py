"""PSNR and SSIM: how near two images are, sample by sample."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from srkit.errors import ImageError, OptionError
from srkit.metrics.pairs import Channel, on_channel, read_pair

Window = Literal["gaussian", "uniform"]

# Side of each SSIM window. The Gaussian, sigma 1.5, ends at 3.5 sigma: 11 samples.
_SIDE: dict[Window, int] = {"gaussian": 11, "uniform": 7}


def psnr(
    reference: ArrayLike,
    test: ArrayLike,
    *,
    channel: Channel = "y",
    crop: int = 0,
    data_range: float | None = None,
) -> float:
    """Peak signal-to-noise ratio, 10 log10(peak² / mean squared error).

    Parameters
    ----------
    reference, test
        Images ``(H, W)``, ``(H, W, 1)`` or ``(H, W, 3)`` (RGB) of one shape and
        depth: uint8, uint16 or float in [0, 1]; torch tensors have channels first.
        With `data_range` their depths may differ.
    channel
        ``"y"``: BT.601 studio-range luma as in MATLAB's rgb2ycbcr, on the scale
        0-255 and not rounded, whatever the depth; give `rounded_luma` of both
        images to compare rounded luma. Grey images are compared on their raw
        values. ``"rgb"``: all samples alike.
    crop
        Pixels left out on each side; benchmarks use the scale.
    data_range
        The value of white, where it is not the dtype's (255, 65535, 1.0): 1023 for
        10-bit video in uint16, 255 for floats on that scale.

    Returns
    -------
    float
        In dB; infinite for equal images. A benchmark's figure is the mean of its
        images' dB, not the dB of their mean error.

    Raises
    ------
    ImageError
        If shapes or depths differ or are not as above, or values are not finite or beyond
        [0, 1], of floats with `data_range` beyond 1e30.
    OptionError
        If `channel` is unknown, `crop` leaves nothing or `data_range` is not positive or beyond
        1e30.

    Examples
    --------
    >>> import numpy as np
    >>> black = np.zeros((4, 4), np.uint8)
    >>> round(psnr(black, black + 1), 4)
    48.1308
    """
    pair = on_channel(read_pair(reference, test, crop=crop, data_range=data_range), channel)
    error = float(np.mean(np.square(pair.reference - pair.test)))
    return math.inf if error == 0 else 10 * math.log10(pair.peak**2 / error)


def ssim(
    reference: ArrayLike,
    test: ArrayLike,
    *,
    channel: Channel = "y",
    crop: int = 0,
    data_range: float | None = None,
    window: Window = "gaussian",
) -> float:
    """Structural similarity (Wang et al., "Image Quality Assessment", TIP 2004, eq. 13).

    Parameters
    ----------
    reference, test, channel, crop, data_range
        As in `psnr`; ``"rgb"`` is the mean of the three colours' SSIM.
    window
        ``"gaussian"``: 11x11, sigma 1.5, population moments, the standard
        (MATLAB's reference code). ``"uniform"``: 7x7 with sample moments,
        scikit-image's default, which some tutorials report. K1 = 0.01, K2 = 0.03;
        windows that reach beyond the image are left out.

    Returns
    -------
    float
        At most 1, which equal images reach.

    Raises
    ------
    ImageError
        As in `psnr`, or if what `crop` leaves is smaller than the window.
    OptionError
        As in `psnr`, or if `window` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> grey = np.full((16, 16), 100, np.uint8)
    >>> round(ssim(grey, grey + 50), 4)  # (2 * 100 * 150 + C1) / (100² + 150² + C1)
    0.9231
    """
    if window not in _SIDE:
        raise OptionError(f"window is 'gaussian' or 'uniform', not {window!r}")
    pair = on_channel(read_pair(reference, test, crop=crop, data_range=data_range), channel)
    side = _SIDE[window]
    if min(pair.reference.shape[:2]) < side:
        raise ImageError(
            f"SSIM's {window} window needs {side} pixels a side; after crop={crop} the "
            f"images have {pair.reference.shape[:2]}"
        )
    # Here, since it takes half a second that `import srkit` need not spend.
    from skimage.metrics import structural_similarity

    similarity: Callable[..., float] = structural_similarity
    options = (
        {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        if window == "gaussian"
        else {"win_size": side}
    )
    colours = zip(_colours(pair.reference), _colours(pair.test), strict=True)
    values = [similarity(a, b, data_range=pair.peak, **options) for a, b in colours]
    return float(np.mean(values))


def _colours(image: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    return [image] if image.ndim == 2 else [image[:, :, c] for c in range(3)]
