"""How much noise is in a picture, from a bounded sample of its pixels."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from srkit.imaging.levels import top_of

# Windows along each axis, and pixels along a window: at most a megapixel is looked at.
WINDOWS, SIDE = 32, 32
# Of pictures with a side below so many pixels, windows have half the side, and begin at every block
# of a JPEG that they were: large ones would be few, and hardly one of them smooth.
SMALL, BLOCK = 128, 8
# Squares of 2x2 pixels that a window has to have away from black and white.
LEAST = 32
# Of normal numbers, the median of absolute ones.
MEDIAN = 0.6745
# Share of windows that are smoother than the one that is taken.
SMOOTH = 0.1
# Share of a window's squares that have to be away from black and white, where such windows are.
WHOLE = 0.95


class Sliceable(Protocol):
    """A picture of which parts are read: an array, or rows of a file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width, and channels but of a grey array."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8, uint16 or floats in [0, 1]."""

    def __getitem__(self, part: tuple[slice, slice], /) -> Any:
        """Some rows and columns."""


def estimate_noise(image: Sliceable, top: float | None = None) -> float:
    """The deviation of a picture's noise, in levels of 255.

    Of 2x2 pixels a, b, c, d the Haar transform has (a - b - c + d) / 2 as its finest diagonal
    detail, in which a smooth picture leaves little and noise of each pixel its own deviation. The
    median of absolute ones, divided by 0.6745, estimates it whatever a few edges add (Donoho and
    Johnstone, "Ideal spatial adaptation by wavelet shrinkage", Biometrika 1994, section 4.2). Since
    texture is everywhere in some windows, it is worked out for each, and the lowest tenth
    of windows ends at the result: so much of a picture is as a rule smooth.

    Parameters
    ----------
    image
        ``(H, W)`` or ``(H, W, C)``. Up to 32x32 windows are looked at, that lie where the picture's
        shape alone says, so that a file read by rows gives what an array does. Squares with a
        black or white value tell nothing, since noise is cut off there, nor do windows with
        a whole row or column of one colour, such as those at a frame.
    top
        The value that stands for white; by default the dtype's.

    Returns
    -------
    float
        0 for pictures too small or too dark to tell.

    Examples
    --------
    >>> flat = np.full((200, 300), 0.5)
    >>> estimate_noise(flat)
    0.0
    >>> noisy = flat + np.random.default_rng(0).normal(0, 10 / 255, flat.shape)
    >>> 8.5 < estimate_noise(noisy) < 11.5
    True
    """
    top = top_of(image.dtype) if top is None else top
    found = [_deviation(np.asarray(image[place]), top) for place in looked_at(image.shape)]
    known = [entry for entry in found if entry is not None]
    if not known:
        return 0.0
    # What is cut off makes a window look smoother than it is.
    best = [deviation for deviation, whole in known if whole]
    return float(np.quantile(best or [deviation for deviation, _ in known], SMOOTH))


def looked_at(shape: Sequence[int]) -> list[tuple[slice, slice]]:
    """The windows of a picture of that shape that `estimate_noise` looks at.

    Examples
    --------
    >>> looked_at((128, 32 * 128))[-1]
    (slice(96, 128, None), slice(4064, 4096, None))
    """
    places = _within_small if min(shape[:2]) < SMALL else _places
    return list(itertools.product(places(shape[0]), places(shape[1])))


def bounds(part: tuple[slice, slice]) -> tuple[int, ...]:
    """What a part is remembered by, since slices have no hash before Python 3.12.

    Examples
    --------
    >>> bounds((slice(0, 32), slice(38, 70)))
    (0, 32, 38, 70)
    """
    return tuple(bound for along in part for bound in (along.start, along.stop))


def _within_small(length: int) -> list[slice]:
    """Windows along an axis of a small picture, one beside the other."""
    side = SIDE // 2
    count = min(WINDOWS, max(1, -(-length // side)))
    starts = np.linspace(0, max(0, length - side), count).astype(int) // BLOCK * BLOCK
    return [slice(int(start), min(length, int(start) + side)) for start in starts]


def _places(length: int) -> list[slice]:
    """Windows along an axis, with even distances between them."""
    count = min(WINDOWS, max(1, length // SIDE))
    starts = np.linspace(0, max(0, length - SIDE), count).astype(int)
    return [slice(int(start), min(length, int(start) + SIDE)) for start in starts]


def _deviation(window: NDArray[Any], top: float) -> tuple[float, bool] | None:
    """Noise of a window in levels, and whether hardly any is cut off; None if most of it is."""
    height, width = (n // 2 * 2 for n in window.shape[:2])
    values = window[:height, :width].astype(np.float64)
    squares = [values[row::2, column::2] for row in (0, 1) for column in (0, 1)]
    a, b, c, d = squares
    whole = (np.minimum.reduce(squares) > 0) & (np.maximum.reduce(squares) < top)
    if np.count_nonzero(whole) < LEAST or _is_drawn(values):
        return None
    # In steps of half a level, which is what 8 bits have: the result then is that of other depths.
    steps = np.rint(np.abs(a - b - c + d)[whole] * (255 / top)).astype(np.int64)
    return _median(steps) / 2 / MEDIAN, bool(whole.mean() >= WHOLE)


def _is_drawn(values: NDArray[np.float64]) -> bool:
    """Whether a row or a column is of one colour from end to end: of a frame, or a margin."""
    if min(values.shape[:2]) < SIDE // 2:
        return False
    flat = [np.ptp(values, axis=axis) == 0 for axis in (0, 1)]
    return any(bool(lines.reshape(len(lines), -1).all(axis=1).any()) for lines in flat)


def _median(steps: NDArray[np.int64]) -> float:
    """The median of numbers that were rounded, spread over the steps that they were rounded to."""
    middle = int(np.partition(steps, len(steps) // 2)[len(steps) // 2])
    below, there = np.count_nonzero(steps < middle), np.count_nonzero(steps == middle)
    if there == len(steps):
        return float(middle)
    # Absolute ones end at 0, of which half a step is left.
    first = max(0.0, middle - 0.5)
    return first + (middle + 0.5 - first) * (len(steps) / 2 - below) / there
