"""Where a video cuts from one scene to another.

The difference of two frames is the mean absolute difference of their thumbnails: colour
means of 16x16 blocks, in which noise averages out and motion within a scene moves little.
A frame begins a scene if it differs from the one before

- by at least `CERTAIN`, which no motion does; or
- by at least `LIKELY`, and `PEAK` times as much as the frames beside do from each other. In a
  pan or a fade every frame differs much from the last, whereas a cut stands alone. For this
  the frame after has to be known: one frame of look-ahead.

A fade is no cut, nor is a flash that lights up a scene for a moment, unless it is so bright
that it is a `CERTAIN` one; then the flash is a scene by itself, which costs a little detail
and mixes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Frame = TypeVar("Frame")

BLOCKS = 16
CERTAIN = 0.15
LIKELY = 0.025
PEAK = 3.0

# Frames before one whose scene is asked for that decide on it, besides the one itself.
MEMORY = 2


def thumbnail(colour: NDArray[Any], top: float) -> NDArray[np.float32]:
    """Mean colours of 16x16 blocks of a frame ``(H, W, C)``, in [0, 1].

    Examples
    --------
    >>> thumbnail(np.full((90, 160, 3), 51, np.uint8), 255).shape
    (16, 16, 3)
    """
    means = colour
    for axis in (0, 1):
        length = means.shape[axis]
        # In small frames some blocks are one pixel, and some pixels are in two blocks.
        edges = np.arange(BLOCKS) * length // BLOCKS
        sums = np.add.reduceat(means, edges, axis=axis, dtype=np.float32)
        sizes = np.maximum(1, np.diff(edges, append=length)).astype(np.float32)
        means = sums / (sizes[:, None, None] if axis == 0 else sizes[None, :, None])
    return np.asarray(means / np.float32(top), np.float32)


def difference(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Mean absolute difference of two thumbnails; infinite if their colours are no match.

    Examples
    --------
    >>> difference(np.zeros((16, 16, 3), np.float32), np.ones((16, 16, 3), np.float32))
    1.0
    """
    if one.shape != other.shape:
        return float("inf")
    return float(np.abs(one - other).mean())


def is_cut(before: float, here: float, after: float) -> bool:
    """Whether a scene begins, from three differences of neighbours in a row.

    Parameters
    ----------
    before, here, after
        Difference of the two frames before, of this frame from the last, and of the next
        from this.

    Examples
    --------
    >>> is_cut(0.01, 0.2, 0.01), is_cut(0.05, 0.06, 0.05), is_cut(0.01, 0.06, 0.01)
    (True, False, True)
    """
    return here >= CERTAIN or (here >= LIKELY and here >= PEAK * max(before, after))


def mark_scenes(
    frames: Iterable[Frame], look: Callable[[Frame], NDArray[np.float32]]
) -> Iterator[tuple[Frame, bool]]:
    """Tell of each frame whether a scene begins with it.

    Parameters
    ----------
    frames
        A video. One frame is read ahead.
    look
        Gives a frame's `thumbnail`.

    Yields
    ------
    (frame, begins)
        The first frame begins a scene.

    Examples
    --------
    >>> grey = [np.full((8, 8, 3), n, np.uint8) for n in (10, 12, 90, 92)]
    >>> [begins for _, begins in mark_scenes(grey, lambda frame: thumbnail(frame, 255))]
    [True, False, True, False]
    """
    waiting: Frame | None = None
    seen: NDArray[np.float32] | None = None
    before, here = 0.0, float("inf")
    for frame in frames:
        view = look(frame)
        if seen is not None and waiting is not None:
            after = difference(seen, view)
            yield waiting, is_cut(before, here, after)
            # The jump into a scene says nothing of how much moves in it.
            before, here = (0.0 if here == float("inf") else here), after
        waiting, seen = frame, view
    if waiting is not None:
        yield waiting, is_cut(before, here, 0.0)
