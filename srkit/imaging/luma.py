"""How a model that sees brightness alone is given a colour image, and gives one back."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from srkit.imaging.color import rgb_to_ycbcr
from srkit.imaging.resize import Pixels, resample

Floats = NDArray[np.float32]


class LumaRule(Protocol):
    """What is luma, and where colour comes from."""

    def luma(self, rgb: Floats, top: float) -> Floats:
        """Luma ``(..., 1)`` of RGB ``(..., 3)``, both in [0, 1].

        `top` is the image's value for 1.0: 255 for 8-bit images.
        """

    def colour(
        self,
        luma: Floats,
        source: Pixels,
        top: float,
        size: tuple[int, int],
        rows: slice,
        columns: slice,
    ) -> Floats:
        """A part of the result in RGB.

        Parameters
        ----------
        luma
            What the model made, ``(h, w, 1)`` in about [0, 1].
        source
            The image, ``(H, W, 3)``, in its own dtype up to `top`.
        size
            Height and width of the whole result.
        rows, columns
            Where in it `luma` lies.
        """


class BicubicChroma:
    """srkit's rule: full-range BT.601 luma, chroma by mirrored bicubic, nothing rounded."""

    def luma(self, rgb: Floats, top: float) -> Floats:
        """See `LumaRule`."""
        return luma_of(rgb)

    def colour(
        self,
        luma: Floats,
        source: Pixels,
        top: float,
        size: tuple[int, int],
        rows: slice,
        columns: slice,
    ) -> Floats:
        """The interpolated colours with their luma replaced."""
        smooth = resample(source, size, rows, columns) / np.float32(top)
        return smooth + (luma - luma_of(smooth))


# OpenCV's conversion in whole numbers, 14 bits after the point (color_yuv.simd.hpp).
_BITS = 14
_HALF = 1 << (_BITS - 1)
_Y = np.array([4899, 9617, 1868])
_CR, _CB = 11682, 9241
_R_OF_CR, _G_OF_CR, _G_OF_CB, _B_OF_CB = 22987, -11698, -5636, 29049


class OpenCVColour:
    """The rule of OpenCV's ``dnn_superres``: 8-bit YCrCb, bilinear chroma.

    Images that are not 8-bit go through the same formulas without rounding.
    """

    def luma(self, rgb: Floats, top: float) -> Floats:
        """See `LumaRule`."""
        if top != 255:
            return luma_of(rgb)
        levels = np.rint(rgb * 255).astype(np.int64)
        y = (levels @ _Y + _HALF) >> _BITS
        return np.asarray(y[..., None] / 255, np.float32)

    def colour(
        self,
        luma: Floats,
        source: Pixels,
        top: float,
        size: tuple[int, int],
        rows: slice,
        columns: slice,
    ) -> Floats:
        """See `LumaRule`."""
        (iy, wy), (ix, wx) = (
            _bilinear(new, old, part)
            for new, old, part in zip(size, source.shape[:2], (rows, columns), strict=True)
        )
        top_row, left = int(iy.min()), int(ix.min())
        window = source[top_row : int(iy.max()) + 1, left : int(ix.max()) + 1]
        corners = (iy - top_row, wy, ix - left, wx)
        chroma = _chroma(window, top)
        if top != 255:
            wide = _resized(chroma, *corners)
            return _rgb_of_floats(luma[..., 0], np.asarray(wide, np.float32))
        y = np.rint(np.clip(luma[..., 0] * np.float32(255), 0, 255)).astype(np.int64)
        # OpenCV resizes chroma as floats in [0, 1]: what lies at a half goes where their
        # rounding takes it.
        wide = _resized(chroma * np.float32(1 / 255), *corners)
        levels = np.rint(wide * np.float32(255)).astype(np.int64)
        return _rgb_of_levels(y, levels - 128)


def luma_of(values: Floats) -> Floats:
    """Full-range BT.601 luma of ``(..., 3)``, or one channel as it is; ``(..., 1)``."""
    return values if values.shape[-1] == 1 else rgb_to_ycbcr(values)[..., :1]


def _bilinear(new: int, old: int, part: slice) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Two samples and weights for each of a part of a resized axis; pixel centres at half."""
    place = (np.arange(part.start, part.stop) + 0.5) * (old / new) - 0.5
    first = np.floor(place).astype(np.intp)
    share = (place - first).astype(np.float32)
    index = np.clip(np.stack([first, first + 1]), 0, old - 1)
    return index, np.stack([1 - share, share])


def _resized(
    chroma: Floats,
    iy: NDArray[np.intp],
    wy: Floats,
    ix: NDArray[np.intp],
    wx: Floats,
) -> Floats:
    """Bilinear: across first, in single precision with fused multiply-add, as OpenCV 5 does."""
    wide = _between(chroma[:, ix[0]], chroma[:, ix[1]], wx[1][:, None])
    return _between(wide[iy[0]], wide[iy[1]], wy[1][:, None, None])


def _between(first: Floats, second: Floats, share: Floats) -> Floats:
    # A fused multiply-add rounds once; the product of two singles is exact in a double.
    way = (second - first).astype(np.float64) * share
    return np.asarray(first + way, np.float32)


def _chroma(window: NDArray[Any], top: float) -> Floats:
    """Cr and Cb of pixels: levels of 8 bits, or for other depths in [0, 1]."""
    if top != 255:
        ycc = rgb_to_ycbcr((window / np.float32(top)).astype(np.float32))
        return ycc[..., [2, 1]]
    levels = window.astype(np.int64)
    y = (levels @ _Y + _HALF) >> _BITS
    # Half above 128, before bits are dropped.
    middle = (128 << _BITS) + _HALF
    cr = ((levels[..., 0] - y) * _CR + middle) >> _BITS
    cb = ((levels[..., 2] - y) * _CB + middle) >> _BITS
    return np.asarray(np.clip(np.stack([cr, cb], axis=-1), 0, 255), np.float32)


def _rgb_of_levels(y: NDArray[np.int64], chroma: NDArray[np.int64]) -> Floats:
    cr, cb = chroma[..., 0], chroma[..., 1]
    red = y + ((cr * _R_OF_CR + _HALF) >> _BITS)
    green = y + ((cb * _G_OF_CB + cr * _G_OF_CR + _HALF) >> _BITS)
    blue = y + ((cb * _B_OF_CB + _HALF) >> _BITS)
    levels = np.clip(np.stack([red, green, blue], axis=-1), 0, 255)
    return np.asarray(levels / 255, np.float32)


def _rgb_of_floats(y: Floats, chroma: Floats) -> Floats:
    cr, cb = chroma[..., 0] - np.float32(0.5), chroma[..., 1] - np.float32(0.5)
    unit = np.float32(1 << _BITS)
    red = y + cr * (_R_OF_CR / unit)
    green = y + cr * (_G_OF_CR / unit) + cb * (_G_OF_CB / unit)
    blue = y + cb * (_B_OF_CB / unit)
    return np.stack([red, green, blue], axis=-1)
