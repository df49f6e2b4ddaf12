"""Tiles with too small a halo, blended where they meet: an approximation, without seams.

For networks whose receptive field is wider than what memory holds. Each tile overlaps its
neighbours, and across the overlap one fades into the other. What is written down is
finished, so memory holds one row of tiles, whatever the height.
"""

from __future__ import annotations

import bisect
import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from srkit.upscaling.tiling import SMALLEST_CORE, Grid, Region

log = logging.getLogger(__name__)

Floats = NDArray[np.float32]
# Rows, and the first of them in the result.
Write = Callable[[Floats, int], None]


@dataclass(frozen=True)
class Blend:
    """How one image is cut.

    Attributes
    ----------
    grid
        As for exact tiles, but with a smaller halo.
    overlap
        LR pixels in which neighbours fade into each other.
    scale
        Result pixels for each LR pixel, along a side.
    """

    grid: Grid
    overlap: int
    scale: int

    @classmethod
    def of(cls, grid: Grid, halo: int, scale: int) -> Blend:
        """Tiles that see `halo` LR pixels beyond where they count alone.

        A third of the halo is where they fade.
        """
        overlap = max(1, halo // 3)
        rows, columns = (replace(axis, halo=halo - overlap) for axis in (grid.rows, grid.columns))
        return cls(Grid(rows, columns), overlap, scale)

    @property
    def least(self) -> int:
        """The smallest side of a tile, without what it sees beyond it."""
        return 2 * self.overlap + SMALLEST_CORE

    def memory(self, side: int, bytes_per_pixel: float) -> float:
        """Bytes that tiles of a side take, with the row of results that they are put into."""
        axes = (self.grid.rows, self.grid.columns)
        window = math.prod(axis.widest(side) for axis in axes)
        # Two floats a value: the row of tiles, and what is made of it.
        row = 2 * 4 * 3 * self.scale**2 * self.grid.columns.length * min(side, axes[0].length)
        return window * bytes_per_pixel + row

    def side(self, memory: float, bytes_per_pixel: float) -> int:
        """The largest side of a tile that fits in memory, or the least."""
        longest = max(self.least, self.grid.rows.length, self.grid.columns.length)
        sides = range(self.least, longest + 1)
        fitting = bisect.bisect_right(
            sides, memory, key=lambda side: self.memory(side, bytes_per_pixel)
        )
        return sides[max(0, fitting - 1)]

    def paint(self, compute: Callable[[Region], Floats], write: Write, side: int) -> Iterator[int]:
        """Compute the image by rows of tiles; yields LR pixels as they are finished.

        Parameters
        ----------
        compute
            What the network makes of a window of the extended image: ``(h, w, C)``.
        write
            Is given rows of the result when they are finished, and where they begin.
        side
            Of tiles; on `MemoryError` half of it is tried.

        Raises
        ------
        MemoryError
            If the smallest tile does not fit.
        """
        height, width = self.grid.rows.length, self.grid.columns.length
        top, carried = 0, None
        while top < height:
            bottom = _end(top, height, side, self.overlap)
            try:
                band = self._band(compute, top, bottom, side)
            except MemoryError:
                if side == self.least:
                    raise
                side = max(self.least, side // 2)
                log.info("out of memory: going on with tiles of %d pixels", side)
                continue
            if carried is not None:
                band[: len(carried)] *= _ramp(len(carried))[:, None, None]
                band[: len(carried)] += carried
            last = bottom == height
            done = bottom if last else bottom - self.overlap
            finished = (done - top) * self.scale
            write(band[:finished], top * self.scale)
            carried = band[finished:] * _ramp(len(band) - finished)[::-1, None, None]
            yield (done - top) * width
            top = done

    def _band(
        self, compute: Callable[[Region], Floats], top: int, bottom: int, side: int
    ) -> Floats:
        """A row of tiles, faded into each other."""
        width, s = self.grid.columns.length, self.scale
        band: Floats | None = None
        left = 0
        while left < width:
            right = _end(left, width, side, self.overlap)
            core = Region(top, bottom, left, right)
            window = self.grid.window(core)
            tile = self.grid.crop(compute(window), core, window, s)
            if band is None:
                band = np.zeros(((bottom - top) * s, width * s, tile.shape[-1]), np.float32)
            fade = np.ones((right - left) * s, np.float32)
            if left:
                fade[: self.overlap * s] = _ramp(self.overlap * s)
            if right < width:
                fade[-self.overlap * s :] = _ramp(self.overlap * s)[::-1]
            band[:, left * s : right * s] += tile * fade[:, None]
            left = right if right == width else right - self.overlap
        assert band is not None  # noqa: S101
        return band


def _end(start: int, length: int, side: int, overlap: int) -> int:
    """Where a tile ends: a rest that is all overlap belongs to it."""
    end = start + side
    return length if end + overlap >= length else end


def _ramp(count: int) -> Floats:
    """From nearly 0 to nearly 1, so that it and its reverse sum to 1."""
    ramp: Floats = (np.arange(count, dtype=np.float32) + np.float32(0.5)) / np.float32(count)
    return ramp
