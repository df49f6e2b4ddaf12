"""MATLAB's ``imresize`` (bicubic), the kernel on which published results rest."""

from __future__ import annotations

import math
import operator
from numbers import Real
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from srkit.errors import ImageError, OptionError
from srkit.imaging import tensors
from srkit.memory import kept

Border = Literal["mirror", "clamp"]

# Samples of one working strip of a pass: 1 MB in double precision.
_STRIP_SAMPLES = 1 << 17


def keys_cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' cubic convolution kernel with a = -1/2 (Keys 1981, eq. 15)."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


@kept(16 << 20, 16, lambda found: sum(array.nbytes for array in found))
def taps(
    n_in: int, n_out: int, scale: float, antialias: bool, border: Border
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Source indices and weights that make each output sample of one axis.

    Returns
    -------
    (indices, weights)
        Both of shape ``(n_out, taps)``; each row of weights sums to one. They
        are normalised before indices beyond the border are folded back, as
        MATLAB does, so nothing is renormalised at the border.
    """
    stretch = scale if antialias and scale < 1 else 1.0
    width = 4.0 / stretch
    centre = (np.arange(n_out) + 0.5) / scale - 0.5
    first = np.floor(centre - width / 2)
    index = first[:, None] + np.arange(math.ceil(width) + 2)
    weight = stretch * keys_cubic(stretch * (centre[:, None] - index))
    weight /= weight.sum(axis=1, keepdims=True)
    index = index.astype(np.intp)
    if border == "clamp":
        index = np.clip(index, 0, n_in - 1)
    else:
        index = index % (2 * n_in)
        index = np.where(index < n_in, index, 2 * n_in - 1 - index)
    used = np.any(weight != 0, axis=0)
    index, weight = index[:, used], weight[:, used]
    index.flags.writeable = weight.flags.writeable = False
    return index, weight


def _resize_axis(
    image: NDArray[Any], axis: int, n_out: int, scale: float, antialias: bool, border: Border
) -> NDArray[Any]:
    index, weight = taps(image.shape[axis], n_out, scale, antialias, border)
    work = np.float32 if image.dtype == np.float32 else np.float64
    columns = weight.T.astype(work)[..., None, None]
    n_across = image.shape[1 - axis]
    out = np.empty((*image.shape[:axis], n_out, *image.shape[axis + 1 :]), image.dtype)
    # One layout for both passes, (along the axis, across it, channels), as views.
    source, target = (np.moveaxis(a.reshape(*a.shape[:2], -1), axis, 0) for a in (image, out))
    # Strips across the axis keep the sums in cache and the working memory small.
    per_line = max(source.shape[0], n_out) * source.shape[2]
    width = max(1, _STRIP_SAMPLES // per_line)
    for start in range(0, n_across, width):
        strip = np.ascontiguousarray(source[:, start : start + width], dtype=work)
        total = np.zeros((n_out, *strip.shape[1:]), work)
        part = np.empty_like(total)
        for k, column in enumerate(columns):
            # mode="clip" only spares take a buffered copy: indices are in range.
            np.take(strip, index[:, k], axis=0, out=part, mode="clip")
            part *= column
            total += part
        target[:, start : start + width] = _to_dtype(total, image.dtype)
    return out


def _to_dtype(total: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Round half away from zero and saturate for integers; floats stay as they are."""
    if np.issubdtype(dtype, np.integer):
        # np.round would round half to even; below zero both ways end at zero.
        return np.clip(np.floor(total + 0.5), 0, np.iinfo(dtype).max)
    return total


def imresize(
    image: NDArray[Any],
    scale: float | None = None,
    *,
    size: tuple[int, int] | None = None,
    antialias: bool = True,
    border: Border = "mirror",
) -> NDArray[Any]:
    """Resize an image by bicubic interpolation exactly as MATLAB's ``imresize``.

    Parameters
    ----------
    image
        Array ``(H, W)`` or ``(H, W, C)``, uint8, uint16, float32 or float64; or a torch
        tensor of these, ``(H, W)`` or ``(C, H, W)``.
        Integers are rounded and clipped after each of the two passes, as in
        MATLAB; floats are neither rounded nor clipped.
    scale
        Factor for both axes; the output has ``ceil(n * scale)`` samples.
    size
        Output ``(height, width)``, instead of `scale`.
    antialias
        Widen the kernel when shrinking, so that no detail aliases.
    border
        ``"mirror"`` is today's MATLAB; ``"clamp"`` that of older releases,
        with which the common benchmark LR files were made.

    Returns
    -------
    NDArray
        The resized image, of the same dtype and number of channels.

    Raises
    ------
    ImageError
        If `image` is empty or of a wrong shape or dtype.
    OptionError
        If not exactly one of `scale` and `size` is given, or it is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> row = np.arange(16.0).reshape(1, 16)
    >>> imresize(row, size=(1, 4)).round(4)
    array([[ 1.3599,  5.4839,  9.5161, 13.6401]])
    """
    if tensors.is_tensor(image):
        array, like = tensors.as_array(image)
        resized: NDArray[Any] = like(
            imresize(array, scale, size=size, antialias=antialias, border=border)
        )
        return resized
    image = np.asarray(image)
    if image.dtype not in (np.uint8, np.uint16, np.float32, np.float64):
        raise ImageError(
            f"imresize takes uint8, uint16, float32 or float64, not {image.dtype}; "
            "convert with image.astype(...)"
        )
    if image.ndim not in (2, 3) or image.size == 0:
        raise ImageError(f"imresize takes a non-empty (H, W) or (H, W, C) array, not {image.shape}")
    plan = _plan(image.shape, scale, size)
    if border not in ("mirror", "clamp"):
        raise OptionError(f"border is 'mirror' or 'clamp', not {border!r}")
    result = image
    # MATLAB resizes the axis that shrinks most first; rows first when equal.
    for axis in sorted((0, 1), key=lambda a: plan[a][1]):
        n_out, factor = plan[axis]
        if n_out != image.shape[axis] or factor != 1:
            result = _resize_axis(result, axis, n_out, factor, antialias, border)
    # Never the input itself, so that callers may write into what they get.
    return image.copy() if result is image else result


def _plan(
    shape: tuple[int, ...], scale: float | None, size: tuple[int, int] | None
) -> list[tuple[int, float]]:
    """Output length and factor of each axis."""
    if scale is not None and size is None:
        if not (isinstance(scale, Real) and scale > 0 and math.isfinite(scale)):
            hint = "; size= takes (height, width)" if isinstance(scale, tuple | list) else ""
            raise OptionError(f"scale is a positive number, not {scale!r}{hint}")
        return [(math.ceil(shape[axis] * scale), float(scale)) for axis in (0, 1)]
    if size is not None and scale is None:
        try:
            height, width = (operator.index(n) for n in size)
        except (TypeError, ValueError):
            raise OptionError(f"size is (height, width) in whole pixels, not {size!r}") from None
        if min(height, width) < 1:
            raise OptionError(f"size is (height, width), both at least 1, not {size!r}")
        return [(height, height / shape[0]), (width, width / shape[1])]
    raise OptionError(f"give exactly one of scale and size, not scale={scale!r}, size={size!r}")


class Pixels(Protocol):
    """A picture ``(H, W, C)`` that is read in parts: an array, or rows of a file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width and channels."""

    def __getitem__(self, part: tuple[slice, slice], /) -> NDArray[Any]:
        """Some rows and columns."""


def resample(
    image: Pixels, size: tuple[int, int], rows: slice, columns: slice
) -> NDArray[np.float32]:
    """Part of an image resized by `imresize` (antialiased, mirror), unrounded.

    Parameters
    ----------
    image
        ``(H, W, C)`` of any real dtype.
    size
        ``(height, width)`` of the whole result.
    rows, columns
        The part of the result to compute; only the pixels it needs are read.

    Returns
    -------
    NDArray
        float32, on the scale of `image`.
    """
    (iy, wy), (ix, wx) = (
        taps(old, new, new / old, True, "mirror")
        for old, new in zip(image.shape[:2], size, strict=True)
    )
    iy, wy, ix, wx = iy[rows], wy[rows], ix[columns], wx[columns]
    (top, bottom), (left, right) = ((int(i.min()), int(i.max()) + 1) for i in (iy, ix))
    part = image[top:bottom, left:right]
    # By the whole sizes, so that every part of a result is computed alike, to the last bit.
    if size[0] < image.shape[0]:
        # Many rows become few: no copy of all of them is made.
        tall = np.zeros((len(iy), *part.shape[1:]), np.float32)
        for k in range(iy.shape[1]):
            tall += wy[:, k, None, None].astype(np.float32) * part[iy[:, k] - top]
        return _columns(tall, ix - left, wx)
    # Columns first, since what is transposed for them is small before rows are added.
    wide = _columns(part.astype(np.float32), ix - left, wx)
    matrix = taps_matrix(iy - top, wy.astype(np.float32), len(wide))
    made: NDArray[np.float32] = matrix @ wide.reshape(len(wide), -1)
    return made.reshape(len(iy), *wide.shape[1:])


def _columns(
    part: NDArray[np.float32], index: NDArray[Any], weight: NDArray[Any]
) -> NDArray[np.float32]:
    """Resample the columns of ``(H, W, C)``."""
    height, width, channels = part.shape
    lines = np.ascontiguousarray(part.transpose(1, 0, 2)).reshape(width, -1)
    matrix = taps_matrix(index, weight.astype(np.float32), width)
    wide = (matrix @ lines).reshape(len(index), height, channels)
    return np.ascontiguousarray(wide.transpose(1, 0, 2))


def taps_matrix(index: NDArray[Any], weight: NDArray[Any], length: int) -> Any:
    """Taps of one axis as a sparse matrix, ``(outputs, length)``, of the weights' dtype.

    Weights of one place, as at mirrored borders, count together.
    """
    # Not with srkit, which is to be imported quickly.
    from scipy import sparse

    starts = np.arange(0, index.size + 1, index.shape[1])
    taken = (weight.ravel(), index.ravel(), starts)
    return sparse.csr_array(taken, shape=(len(index), length))


def phase_kernels(scale: int, size: int) -> NDArray[np.float64]:
    """Weights of each phase of one axis as a centred kernel of `size` taps."""
    n = 2 * size
    index, weight = taps(n, n * scale, float(scale), True, "mirror")
    kernels = np.zeros((scale, size))
    for phase in range(scale):
        # Rows in the middle of a long axis, so that no tap meets its border.
        row = size * scale + phase
        np.add.at(kernels[phase], index[row] - size + size // 2, weight[row])
    return kernels
