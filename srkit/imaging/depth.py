"""Values of 8, 10 or 12 bits in an array of 16: told of, since they make a dark picture."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger(__name__)

# Depths of cameras and scanners that are kept in 16 bits, but for 14, whose values a picture of
# 16 bits may well have.
_DEPTHS = (8, 10, 12)
# Fewer levels, or a darker white, may be anything; and of numbers that stand for things, as masks
# hold them, most neighbours are equal.
_LEAST_LEVELS, _LEAST_WHITE, _LEAST_CHANGES = 32, 64, 0.25
# Rows that are looked at, of each picture.
_ROWS = 64

# Depths of which the log has told: once is enough for a series of pictures.
_TOLD: set[int] = set()


def shallow_depth(colour: NDArray[Any]) -> int | None:
    """Bits that values seem to have been made with, where that is far fewer than their dtype has.

    Parameters
    ----------
    colour
        ``(N, H, W, C)``, without transparency.

    Returns
    -------
    int or None
        8, 10 or 12, of uint16 alone. None where the evidence is weak: where values reach up to
        4096 or end below 64, are few, or are mostly equal to their neighbours'.

    Examples
    --------
    >>> ramp = np.add.outer(np.arange(60), 2 * np.arange(100)).astype(np.uint16)[None, :, :, None]
    >>> shallow_depth(ramp), shallow_depth(8 * ramp), shallow_depth(100 * ramp)
    (10, 12, None)
    """
    most = 1 << max(_DEPTHS)
    if colour.dtype != np.uint16:
        return None
    rows = colour[:, :: max(1, colour.shape[1] // _ROWS)]
    if rows.max() >= most or not _LEAST_WHITE <= (white := int(colour.max())) < most:
        return None
    levels = np.count_nonzero(np.bincount(rows.ravel(), minlength=most))
    if levels < _LEAST_LEVELS or rows.shape[2] < 2:
        return None
    if (rows[:, :, 1:] != rows[:, :, :-1]).mean() < _LEAST_CHANGES:
        return None
    return next(bits for bits in _DEPTHS if white < 1 << bits)


def tell_of_depth(colour: NDArray[Any]) -> None:
    """Warn, once for each depth, of values that seem to have far fewer bits than their dtype.

    Files and Pillow's images say how deep they are, so this is for arrays alone.

    Parameters
    ----------
    colour
        As `shallow_depth` takes it.
    """
    bits = shallow_depth(colour)
    if bits is None or bits in _TOLD:
        return
    _TOLD.add(bits)
    remedy = "image.astype(numpy.uint8)" if bits == 8 else f"image * {1 << (16 - bits)}"
    log.warning(
        "uint16 stands for 0 to 65535, and these values, up to %d, look like %d bits: so taken the "
        "picture is nearly black, and its detail is lost; if they are, pass %s",
        *(colour.max(), bits, remedy),
    )
