"""The quality of the JPEG that a picture once was, told by its pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srkit.imaging.color import KB, KG, KR
from srkit.imaging.files.jpeg_quality import luminance_table
from srkit.imaging.levels import top_of
from srkit.imaging.noise import Sliceable, looked_at

# The luma that JPEG quantises is BT.601's (JFIF, ITU-T T.871).
_LUMA = np.array([KR, KG, KB])
_SIDE = 8
_STEP = np.arange(_SIDE)
_DCT = np.cos((2 * _STEP[None] + 1) * _STEP[:, None] * np.pi / (2 * _SIDE)) / 2
_DCT[0] /= np.sqrt(2)
# Coefficients that most photos have: down, and across.
_ROWS = np.array([0, 1, 1, 0, 2, 1, 2, 2, 0, 3])
_COLUMNS = np.array([1, 0, 1, 2, 0, 2, 1, 2, 3, 0])
# Deviation that rounding to 8 bits, of luma and then of colours, leaves in a coefficient.
_ROUNDING = 0.45
# What one coefficient can speak against a quality: clipped ones say nothing true.
_LEAST = -3.0
# Above the best quality steps are as fine as rounding; below the worst nothing is left to tell.
_QUALITIES = range(10, 96)
_ENOUGH = 150
_EVIDENCE = 0.25


def estimate_jpeg_quality(image: Sliceable, top: float | None = None) -> int | None:
    """The quality of the JPEG file that a picture was, though it is an array or a PNG now.

    JPEG rounds the cosine transform of each 8x8 pixels to multiples of steps that its quality
    sets, and pixels that were not changed since still have such multiples. For each quality of the
    IJG's tables it is asked how much likelier what is not zero becomes by its steps than without
    (after Fan and de Queiroz, "Identification of bitmap compression history", IEEE Transactions on
    Image Processing 2003). The windows are those of `estimate_noise`.

    Parameters
    ----------
    image
        ``(H, W)`` or ``(H, W, C)``, whose corner is that of the JPEG.
    top
        The value that stands for white; by default the dtype's.

    Returns
    -------
    int or None
        From 10 to 95, within 1 where tables are alike; None if nothing speaks for a JPEG, as in
        a picture that was resized, cropped or turned since, or had another kind of tables.

    Examples
    --------
    >>> from PIL import Image
    >>> import io
    >>> photo = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    >>> photo = Image.fromarray(photo).resize((160, 160), Image.Resampling.BICUBIC)
    >>> estimate_jpeg_quality(np.asarray(photo)) is None
    True
    >>> file = io.BytesIO()
    >>> photo.save(file, "JPEG", quality=60)
    >>> estimate_jpeg_quality(np.asarray(Image.open(file)))
    60
    """
    top = top_of(image.dtype) if top is None else top
    parts = [_coefficients(image, place, top) for place in looked_at(image.shape)]
    found = np.concatenate(parts) if parts else np.empty((0, len(_ROWS)))
    # What a drawing repeats counts once.
    distinct = [np.unique(column.round(3)) for column in found.T]
    evidence = {quality: _evidence(distinct, quality) for quality in _QUALITIES}
    best = max(evidence, key=lambda quality: evidence[quality])
    return best if evidence[best] > _EVIDENCE else None


def _coefficients(image: Sliceable, place: tuple[slice, slice], top: float) -> NDArray[np.float64]:
    """``(N, 10)``: of a window's whole 8x8 blocks in which no value is black or white."""
    window = np.asarray(image[place], np.float64)
    window = window.reshape(*window.shape[:2], -1)
    down, across = (-part.start % _SIDE for part in place)
    rows, columns = (window.shape[0] - down) // _SIDE, (window.shape[1] - across) // _SIDE
    if rows < 1 or columns < 1:
        return np.empty((0, len(_ROWS)))
    whole = window[down : down + rows * _SIDE, across : across + columns * _SIDE]
    values = whole[..., :3] @ _LUMA if whole.shape[2] >= 3 else whole[..., 0]
    cut = np.any((whole <= 0) | (whole >= top), axis=2)
    kept = ~_blocks(cut, rows, columns).any(axis=(1, 2))
    blocks = _blocks(values, rows, columns)[kept] * (255 / top)
    found: NDArray[np.float64] = (_DCT @ blocks @ _DCT.T)[:, _ROWS, _COLUMNS]
    return found


def _blocks(plane: NDArray[Any], rows: int, columns: int) -> NDArray[Any]:
    """``(N, 8, 8)`` of a plane."""
    parted = plane.reshape(rows, _SIDE, columns, _SIDE).transpose(0, 2, 1, 3)
    return parted.reshape(-1, _SIDE, _SIDE)


def _evidence(found: Sequence[NDArray[np.float64]], quality: int) -> float:
    """How much likelier, in the mean of logarithms, coefficients are by a quality's steps."""
    steps = luminance_table(quality)[_ROWS * _SIDE + _COLUMNS]
    parts = [_likelier(values, step) for values, step in zip(found, steps, strict=True)]
    likelier = np.concatenate(parts)
    return float(likelier.mean()) if len(likelier) >= _ENOUGH else 0.0


def _likelier(values: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """The same for each value of one coefficient that was not rounded to 0.

    Those that were say nothing: smooth pictures are full of them.
    """
    large = values[np.abs(values) >= step / 2]
    apart = (large - step * np.rint(large / step)) / _ROUNDING
    density = np.log(step / (_ROUNDING * np.sqrt(2 * np.pi))) - apart**2 / 2
    likelier: NDArray[np.float64] = np.maximum(density, _LEAST)
    return likelier
