"""Two images checked and made ready for comparison."""

from __future__ import annotations

import operator
from numbers import Real
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from srkit.errors import ImageError, OptionError
from srkit.imaging import tensors

Channel = Literal["y", "rgb"]

# Thousandths of BT.601's studio-range luma: Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255.
_LUMA = np.array([65481, 128553, 24966])
_MOST = 1e30  # of values: the squares of their squares are numbers, still


class Pair(NamedTuple):
    """Two images made ready for comparison.

    Attributes
    ----------
    reference, test
        float64 of one shape, ``(H, W)`` or ``(H, W, 3)``, in ``[0, peak]``.
    peak
        The value of white.

    Examples
    --------
    >>> white = np.ones((2, 2))
    >>> pair = Pair(white, white - 0.25, peak=1.0)
    >>> float(((pair.reference - pair.test) ** 2).mean())
    0.0625
    """

    reference: NDArray[np.float64]
    test: NDArray[np.float64]
    peak: float


def read_pair(
    reference: ArrayLike, test: ArrayLike, *, crop: int = 0, data_range: float | None = None
) -> Pair:
    """Check two images, crop them and bring them to float64.

    What `psnr`, `ssim` and the perceptual distances do first.

    Parameters
    ----------
    reference, test, crop, data_range
        As in `psnr`.

    Returns
    -------
    Pair
        float64, without the cropped pixels.

    Raises
    ------
    ImageError, OptionError
        As `psnr`.

    Examples
    --------
    >>> import numpy as np
    >>> pair = read_pair(np.zeros((4, 4, 1), np.uint8), np.ones((4, 4), np.uint8), crop=1)
    >>> pair.test.tolist(), pair.peak
    ([[1.0, 1.0], [1.0, 1.0]], 255.0)
    """
    a, a_peak = _read(reference, "the reference", data_range)
    b, b_peak = _read(test, "the test image", data_range)
    if a.shape != b.shape:
        raise ImageError(
            f"the images differ in shape: reference {np.shape(reference)}, test "
            f"{np.shape(test)}; bring both to one size and both to grey or to RGB"
        )
    if a_peak != b_peak:
        raise ImageError(
            f"the images differ in depth: reference {a.dtype} {a.shape}, test {b.dtype} "
            f"{b.shape}; convert one of them, or give data_range if both have one white"
        )
    kept = _kept(a.shape[:2], crop)
    return Pair(a[kept].astype(np.float64), b[kept].astype(np.float64), a_peak)


def read_one(image: ArrayLike, *, crop: int = 0) -> tuple[NDArray[np.float64], float]:
    """Check an image that is judged without an original, and crop it.

    Parameters
    ----------
    image, crop
        As in `niqe`.

    Returns
    -------
    tuple
        float64, without the cropped pixels, and the value of white.

    Raises
    ------
    ImageError, OptionError
        As `niqe`.

    Examples
    --------
    >>> import numpy as np
    >>> read_one(np.full((4, 4, 1), 7, np.uint8), crop=1)[0].tolist()
    [[7.0, 7.0], [7.0, 7.0]]
    """
    array, peak = _read(image, "the image", None)
    return array[_kept(array.shape[:2], crop)].astype(np.float64), peak


def _kept(shape: tuple[int, ...], crop: int) -> tuple[slice, slice]:
    """The pixels that a crop leaves."""
    crop = _whole("crop", crop, least=0)
    height, width = shape
    if 2 * crop >= min(height, width):
        raise OptionError(f"crop={crop} leaves nothing of images of {height}x{width} pixels")
    return slice(crop, height - crop), slice(crop, width - crop)


def _read(image: ArrayLike, what: str, data_range: float | None) -> tuple[NDArray[Any], float]:
    """Check one image and tell its value of white."""
    if tensors.is_tensor(image):
        image, _ = tensors.as_array(image)
    # A memory-mapped array has a mode too, that of its file.
    mode = "RGB" if isinstance(image, np.ndarray) else getattr(image, "mode", "RGB")
    if mode not in ("L", "RGB", "I;16", "F"):
        raise ImageError(f"{what} is a PIL image of mode {mode}; convert it to L or RGB")
    try:
        array = np.asarray(image)
    except ValueError as error:
        raise ImageError(f"{what} is not an array: {error}") from error
    array = _plane_or_rgb(array, what)
    floating = np.issubdtype(array.dtype, np.floating)
    if not floating and array.dtype not in (np.uint8, np.uint16):
        raise ImageError(f"{what} is {array.dtype}; metrics take uint8, uint16 or float")
    if floating and not np.isfinite(array).all():
        raise ImageError(f"{what} has values that are not finite")
    if data_range is not None:
        if not (isinstance(data_range, Real) and 1 / _MOST <= data_range <= _MOST):
            raise OptionError(
                f"data_range is a positive number, of 1e-30 to 1e30, not {data_range!r}"
            )
        if floating and (largest := np.abs(array).max()) > _MOST:
            raise ImageError(f"{what} has values up to {largest:g}, beyond 1e30")
        return array, float(data_range)
    if floating and (array.min() < 0 or array.max() > 1):
        raise ImageError(
            f"{what} is float with values in [{array.min():g}, {array.max():g}], and float "
            "means [0, 1]: clip or scale it, or give data_range"
        )
    return array, 1.0 if floating else float(np.iinfo(array.dtype).max)


def _plane_or_rgb(array: NDArray[Any], what: str) -> NDArray[Any]:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.size == 0 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)):
        raise ImageError(
            f"{what} has shape {array.shape}; metrics take a non-empty (H, W), (H, W, 1) or "
            "(H, W, 3) array, without alpha"
        )
    return array


def on_channel(pair: Pair, channel: Channel) -> Pair:
    """Reduce a colour pair to luma on the scale 0-255, or leave it as it is.

    Parameters
    ----------
    pair
        As `read_pair` makes it.
    channel
        As in `psnr`.

    Raises
    ------
    OptionError
        If `channel` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> white = np.ones((1, 1, 3))
    >>> on_channel(read_pair(white, white), "y").test.round(9).tolist()
    [[235.0]]
    """
    if channel not in ("y", "rgb"):
        raise OptionError(f"channel is 'y' or 'rgb', not {channel!r}")
    if channel == "rgb" or pair.reference.ndim == 2:
        return pair
    weights = _LUMA / 1000 / pair.peak
    return Pair(16 + pair.reference @ weights, 16 + pair.test @ weights, 255.0)


def mod_crop(image: NDArray[Any], scale: int) -> NDArray[Any]:
    """Leave out what, at the bottom and right, exceeds a multiple of `scale`.

    Parameters
    ----------
    image
        ``(H, W)`` or ``(H, W, C)``.
    scale
        A whole number, at least 1.

    Returns
    -------
    NDArray
        A view of `image`.

    Raises
    ------
    ImageError
        If `image` has another number of axes or a side below `scale`.
    OptionError
        If `scale` is not a whole number above zero.

    Examples
    --------
    >>> import numpy as np
    >>> mod_crop(np.zeros((10, 7, 3)), 3).shape
    (9, 6, 3)
    """
    tensors.refuse(image)
    scale = _whole("scale", scale, least=1)
    if image.ndim not in (2, 3) or min(image.shape[:2]) < scale:
        raise ImageError(
            f"mod_crop takes (H, W) or (H, W, C) of at least {scale} pixels a side, "
            f"not {image.shape}"
        )
    height, width = image.shape[:2]
    return image[: height - height % scale, : width - width % scale]


def rounded_luma(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Luma rounded to 8 bits, as MATLAB's rgb2ycbcr gives it for a uint8 image.

    Parameters
    ----------
    image
        uint8, ``(H, W)``, ``(H, W, 1)`` or ``(H, W, 3)`` (RGB).

    Returns
    -------
    NDArray
        ``(H, W)``, uint8, in 16-235 (BT.601 studio range); a grey image's own values.

    Raises
    ------
    ImageError
        If `image` is of another shape or dtype.

    Examples
    --------
    >>> import numpy as np
    >>> rounded_luma(np.array([[[0, 0, 0], [255, 0, 0], [255, 255, 255]]], np.uint8))
    array([[ 16,  81, 235]], dtype=uint8)
    """
    tensors.refuse(image)
    image = np.asarray(image)
    if image.dtype != np.uint8:
        raise ImageError(f"rounded luma is defined for uint8 images, not {image.dtype}")
    image = _plane_or_rgb(image, "the image")
    if image.ndim == 2:
        return image
    # In whole numbers, so that a half is a half: 255000 parts to a level.
    parts: NDArray[np.int64] = image.astype(np.int64) @ _LUMA
    rounded = 16 + (2 * parts + 255000) // 510000
    return rounded.astype(np.uint8)


def _whole(name: str, value: int, least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = -1
    if number < least:
        raise OptionError(f"{name} is a whole number, at least {least}, not {value!r}")
    return number
