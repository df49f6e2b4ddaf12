"""Frames around each frame of a video, never across the end of a scene."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TypeVar

Frame = TypeVar("Frame")


def windows(frames: Iterable[tuple[Frame, bool]], size: int) -> Iterator[tuple[Frame, ...]]:
    """Windows of `size` frames, one around each frame of a video, in order.

    Where a window reaches beyond the scene of the frame in its middle, the first or last
    frame of that scene stands in.

    Parameters
    ----------
    frames
        Each with whether a scene begins with it, as of `srkit.upscaling.scenes.mark_scenes`.
    size
        An odd number. No more frames than that are held at a time.

    Yields
    ------
    tuple
        Frames t-r ... t+r, where r is half of `size` rounded down.

    Examples
    --------
    >>> letters = [("a", True), ("b", False), ("c", False), ("X", True)]
    >>> ["".join(window) for window in windows(letters, 3)]
    ['aab', 'abc', 'bcc', 'XXX']
    """
    radius = size // 2
    past: deque[Frame] = deque(maxlen=radius)
    coming: deque[Frame] = deque()

    def window() -> tuple[Frame, ...]:
        middle = coming.popleft()
        before, after = list(past), list(coming)[:radius]
        past.append(middle)
        first, last = (before or [middle])[0], (after or [middle])[-1]
        return (
            *[first] * (radius - len(before)), *before,
            middle,
            *after, *[last] * (radius - len(after)),
        )  # fmt: skip

    for frame, begins in frames:
        if begins:
            while coming:
                yield window()
            past.clear()
        coming.append(frame)
        if len(coming) > radius:
            yield window()
    while coming:
        yield window()
