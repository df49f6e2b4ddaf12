"""How steady a video is: what is left of the difference of frames when motion is taken out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from srkit.errors import ImageError
from srkit.metrics.pairs import read_pair

Floats = NDArray[np.float64]
# Where the reference itself does not come back to within so many levels of 255, the flow is wrong
# or something was uncovered, and nothing can be said.
COVERED = 8.0


def flicker(reference: Iterable[ArrayLike], test: Iterable[ArrayLike], *, crop: int = 8) -> float:
    """Difference of consecutive frames along the optical flow of a reference.

    Each frame is compared with the next one, moved back along the flow; of the reference
    the same is taken off, since the flow is not exact. The flow is Le Besnerais and
    Champagnat's iterative Lucas-Kanade (`skimage.registration.optical_flow_ilk`), on luma.

    Parameters
    ----------
    reference
        Frames ``(H, W)``, ``(H, W, 1)`` or ``(H, W, 3)`` (RGB), uint8, uint16 or float in [0, 1]:
        the original, which gives the motion.
    test
        As many frames of the same shape and depth.
    crop
        Pixels left out on each side.

    Returns
    -------
    float
        Root of the mean square in levels of 255 over all pairs of frames; 0 is as steady as
        the reference.

    Raises
    ------
    ImageError
        If frames do not match, or there are fewer than two.

    Examples
    --------
    >>> frames = [np.roll(np.eye(64), n, axis=1) for n in range(3)]
    >>> flicker(frames, frames)
    0.0
    """
    squares: list[float] = []
    lumas = ((_luma(a), _luma(b)) for a, b in map(_pair, *_same(reference, test)))
    for (now, ours), (then, next_one) in itertools.pairwise(lumas):
        back = _along(now, then)
        apart = (ours - back(next_one)) - (now - back(then))
        seen = np.abs(now - back(then)) <= COVERED
        inner = tuple(slice(crop, n - crop) for n in now.shape)
        squares.append(float(np.mean(apart[inner][seen[inner]] ** 2)) if seen[inner].any() else 0.0)
    if not squares:
        raise ImageError("flicker needs two frames at least")
    return float(np.sqrt(np.mean(squares)))


def _same(
    reference: Iterable[ArrayLike], test: Iterable[ArrayLike]
) -> tuple[list[ArrayLike], list[ArrayLike]]:
    a, b = list(reference), list(test)
    if len(a) != len(b):
        raise ImageError(f"reference and test have as many frames, not {len(a)} and {len(b)}")
    return a, b


def _pair(reference: ArrayLike, test: ArrayLike) -> tuple[Floats, Floats]:
    pair = read_pair(reference, test, crop=0)
    return 255 / pair.peak * pair.reference, 255 / pair.peak * pair.test


def _luma(frame: Floats) -> Floats:
    return frame if frame.ndim == 2 else frame @ np.array([0.299, 0.587, 0.114])


def _along(now: Floats, then: Floats) -> Callable[[Floats], Floats]:
    """A function that brings pictures of the time of `then` to where things were `now`."""
    from scipy import ndimage
    from skimage.registration import optical_flow_ilk

    rows, columns = optical_flow_ilk(now / 255, then / 255, radius=7)  # type: ignore[no-untyped-call]
    grid = np.indices(now.shape, np.float64)
    places = [grid[0] + rows, grid[1] + columns]

    def back(picture: Floats) -> Floats:
        moved: Floats = ndimage.map_coordinates(picture, places, order=1, mode="nearest")
        return moved

    return back
