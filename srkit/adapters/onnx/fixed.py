"""Networks that take images of one size: pictures of any size in tiles of it."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger(__name__)

Floats = NDArray[np.float32]
# Of a side, what a tile has to keep: with less, exact tiles would be little but halo.
KEPT = 8
# Of a side, what neighbours share where they are blended.
SHARED = 3


@dataclass(frozen=True)
class FixedTiles:
    """How pictures are cut for a network of one size.

    Attributes
    ----------
    sides
        Height and width that it takes, in LR pixels; None where that side is free.
    halo
        LR pixels around a pixel on which the result depends; None where that is all of a tile.
    multiple
        Tiles begin at multiples of it.
    scale
        Factor of both sides.
    """

    sides: tuple[int | None, int | None]
    halo: int | None
    multiple: int
    scale: int

    @property
    def exact(self) -> bool:
        """Whether tiles can be as the whole picture would be."""
        return self.halo is not None and all(
            side is None or self._step(side) * KEPT >= side for side in self.sides
        )

    def run(self, run: Callable[[Floats], Floats], picture: Floats) -> Floats:
        """What the network makes of a picture ``(h, w, C)`` at least as large as a tile.

        Where a tile ends at an edge of the picture it sees what the network puts there; within
        the picture only what lies a halo within a tile counts, or tiles fade into each other.
        """
        height, width, channels = picture.shape
        total = np.zeros((height * self.scale, width * self.scale, channels), np.float32)
        weights = np.zeros((*total.shape[:2], 1), np.float32)
        rows, columns = (
            self._shares(length, side or length)
            for length, side in zip((height, width), self.sides, strict=True)
        )
        for top, down in rows:
            for left, across in columns:
                tile = picture[top : top + len(down), left : left + len(across)]
                made = run(np.ascontiguousarray(tile)[None])[0]
                share = np.outer(*(part.repeat(self.scale) for part in (down, across)))[..., None]
                place = tuple(
                    slice(first * self.scale, (first + len(part)) * self.scale)
                    for first, part in ((top, down), (left, across))
                )
                # Not even what is not a number is taken from where a tile does not count.
                total[place] += np.where(share > 0, made * share, np.float32(0))
                weights[place] += share
        total /= weights
        return total

    def _step(self, side: int) -> int:
        """LR pixels from one tile to the next."""
        shared = side // SHARED if self.halo is None else 2 * self.halo
        return (side - shared) // self.multiple * self.multiple

    def _shares(self, length: int, side: int) -> list[tuple[int, Floats]]:
        """Where tiles begin along an axis, and how much each pixel of them counts."""
        if length <= side:
            return [(0, np.ones(side, np.float32))]
        step = self._step(side) if self.exact else self._blended_step(side)
        starts = [
            min(n * step, length - side) for n in range(1 + math.ceil((length - side) / step))
        ]
        cut = self._cut if self.exact else _faded
        return [(start, cut(starts, n, side)) for n, start in enumerate(starts)]

    def _blended_step(self, side: int) -> int:
        return max(self.multiple, (side - side // SHARED) // self.multiple * self.multiple)

    def _cut(self, starts: list[int], number: int, side: int) -> Floats:
        """One for the pixels that a tile alone gives, from a halo within it on; else zero."""
        halo = self.halo or 0
        first = 0 if number == 0 else halo
        last = side
        if number + 1 < len(starts):
            last = starts[number + 1] + halo - starts[number]
        share = np.zeros(side, np.float32)
        share[first:last] = 1
        return share


def _faded(starts: list[int], number: int, side: int) -> Floats:
    """Less and less towards the edges that another tile lies beyond."""
    shared = max(1, side // SHARED)
    ramp = np.minimum((np.arange(side, dtype=np.float32) + 1) / (shared + 1), 1)
    share = np.ones(side, np.float32)
    if number > 0:
        share *= ramp
    if number + 1 < len(starts):
        share *= ramp[::-1]
    return share
