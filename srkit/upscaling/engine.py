"""Run a model over planes of any size in bounded memory.

Between the model, which sees float tiles, and the image, which stays in its own
dtype: pixels are converted tile by tile, so working memory does not grow with the
image.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import logging
import math
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from srkit.errors import OptionError
from srkit.imaging.planes import Layout, Planes
from srkit.progress import Meter
from srkit.upscaling.blending import Blend
from srkit.upscaling.canvas import Canvas, PlaneCanvas, Run
from srkit.upscaling.forecast import foretell
from srkit.upscaling.model import Model
from srkit.upscaling.tiling import SMALLEST_CORE, Grid, Region, grid_of, plan, reach, shrinking

log = logging.getLogger(__name__)

# Streaming models that do not tell which strips are quick get at most so many rows.
STRIP_ROWS = 64
# Lower ones cost more in calls than they save, see `Model.quick_strip_bytes`.
LOW_ROWS = 16
# From file to file, tiles lie in slabs of at most this many rows, or of four halos.
SLAB_ROWS = 256
# Models that state a short halo run exactly while tiles of so many halos a side fit in memory:
# a third of such a tile is kept, along each side.
EXACT_SIDE = 3

# Models whose blended tiles the log has told of: once is enough for a video.
_TOLD: weakref.WeakSet[Model] = weakref.WeakSet()


@dataclass
class Job:
    """One call of `Upscaler.upscale`: the model and how to run it.

    Attributes
    ----------
    memory
        Bytes to work in.
    ensemble
        Whether to average over the eight flips and quarter turns.
    progress
        A bar, or a function of pixels done and in all.
    strips
        Bytes that strips may take; less than `memory` after it ran out.
    """

    model: Model
    memory: float
    ensemble: bool
    progress: bool | Callable[[int, int], None]
    strips: float = field(default=math.inf, init=False)

    @classmethod
    def within(
        cls,
        memory: int | None,
        model: Model,
        planes: Planes,
        *,
        ensemble: bool,
        progress: bool | Callable[[int, int], None],
    ) -> Job:
        """A job on planes in so much memory, or in what the model finds available.

        Raises
        ------
        OptionError
            If not even the smallest tile fits in `memory`.
        """
        available = model.available_memory() if memory is None else memory
        job = cls(model, memory=available, ensemble=ensemble, progress=progress)
        if memory is not None and memory < (least := job.least_memory(planes)):
            raise OptionError(
                f"memory={memory} is too little for one tile of {model.card.name} "
                f"x{model.scale}: give at least {least} bytes"
            )
        return job

    def upscale_colour(
        self,
        colour: NDArray[Any],
        top: float,
        layout: Layout,
        dtype: DTypeLike,
        out_top: float,
        advance: Callable[[int], None],
    ) -> NDArray[Any]:
        """Upscale colour planes ``(N, H, W, C)`` once, into planes of `dtype`.

        For a model with a window they may be ``(N, T, H, W, C)``, T frames for each one that
        is made; where they are not, the picture stands for all of them. `top` and `out_top`
        are the values that stand for 1.0 before and after; `advance` is told of pixels done.
        """
        canvas = PlaneCanvas(self.model, colour, top, layout, np.dtype(dtype), out_top)
        for pixels in self._paint(canvas):
            advance(pixels)
        return canvas.result

    def meter(self, planes: Planes, passes: int) -> Meter:
        """A meter of all pixels that the model will see in so many passes.

        It is said before how long that is going to take, if it is long.
        """
        scale = self.model.scale
        pixels = planes.pixels * sum(scale ** (2 * n) for n in range(passes))
        label = f"{self.model.card.name} x{scale}"
        self.foretell(pixels if passes else 0, planes.shape)
        return Meter(self.progress if passes else False, pixels, label, preparing=True)

    def foretell(self, pixels: int, shape: tuple[int, int]) -> None:
        """Say how long so many LR pixels are going to take, if it is long."""
        turns = 8 if self.ensemble else 1
        foretell([self.model], turns * pixels, shape, seamless=self._streams)

    def least_memory(self, planes: Planes) -> int:
        """Bytes in which the smallest tile or strip fits that these planes can be cut into."""
        model, grid = self.model, grid_of(self.model, *planes.shape)
        least = grid.least * model.bytes_per_pixel
        if model.short_halo is not None:
            blend = Blend.of(grid, model.short_halo, model.scale)
            least = min(least, blend.memory(blend.least, model.bytes_per_pixel))
        if self._streams:
            narrowest = _window_width(grid, self._least_width(grid))
            least = min(least, model.strip_bytes(grid.rows.multiple, narrowest))
        return math.ceil(least)

    def paint_rows(
        self, canvas: Canvas, canvas_bytes: Callable[[int], float], keep: Callable[[int], None]
    ) -> Iterator[int]:
        """Fill a canvas of one picture from top to bottom; yields how many LR rows are done.

        By strips of all columns where they fit, else by slabs of tiles. `canvas_bytes` says what
        the canvas takes while so many LR rows are worked on, and `keep` tells it how many.
        """
        whole, done = canvas.grid.whole, 0
        if rows := self._strips_by_rows(canvas, canvas_bytes):
            keep(rows)
            for done in canvas.paint_strips(0, rows, 0, whole.right):
                yield done
        if done < whole.bottom and self.model.short_halo is not None:
            raise MemoryError(f"{self.model.card.name}: no strip of rows fits in memory")
        heights = range(SMALLEST_CORE, max(SLAB_ROWS, 4 * reach(canvas.grid.rows)))
        # Half for rows, half for tiles.
        fitting = bisect.bisect_right(heights, self.memory / 2, key=canvas_bytes)
        tall = heights[max(0, fitting - 1)]
        pixels = max(1, int((self.memory - canvas_bytes(tall)) / self.model.bytes_per_pixel))
        keep(tall)
        while done < whole.bottom:
            slab = whole._replace(top=done, bottom=min(done + tall, whole.bottom))
            for _ in self._tiles(canvas, range(1), slab, pixels, SMALLEST_CORE):
                pass
            done = slab.bottom
            yield done

    def paint_region(self, canvas: Canvas, core: Region) -> None:
        """Paint a part of a canvas of one picture, whatever lies around it."""
        pixels = max(1, int(self.memory / self.model.bytes_per_pixel))
        for _ in self._tiles(canvas, range(1), core, pixels, SMALLEST_CORE):
            pass

    def least_by_rows(self, canvas: Canvas, canvas_bytes: Callable[[int], float]) -> float:
        """Bytes in which `paint_rows` can do its work."""
        model, grid = self.model, canvas.grid
        tiles = canvas_bytes(SMALLEST_CORE) + grid.least * model.bytes_per_pixel
        least = tiles if model.short_halo is None else math.inf
        if self._streams:
            few = grid.rows.multiple
            strips = model.strip_bytes(few, grid.columns.extended) + canvas.write_bytes(few)
            least = min(least, strips + canvas_bytes(few))
        return least

    def _strips_by_rows(self, canvas: Canvas, canvas_bytes: Callable[[int], float]) -> int:
        if not self._streams:
            return 0
        width = canvas.grid.columns.length
        return self._strip_rows(
            canvas.grid, width, lambda rows: canvas_bytes(rows) + canvas.write_bytes(rows)
        )

    @property
    def _streams(self) -> bool:
        return self.model.streams and not self.ensemble

    def _paint(self, canvas: Canvas) -> Iterator[int]:
        """Fill the canvas; yields the number of LR pixels done each time."""
        pixels = max(1, int(self.memory / self.model.bytes_per_pixel))
        bands = [] if _share_a_run(canvas, pixels) else self._bands(canvas.grid)
        yield 0  # from here on it computes: what had to be measured is
        if self.model.short_halo is None:
            yield from self._exactly(canvas, bands, pixels)
        else:
            yield from self._wide(canvas, bands, pixels, self.model.short_halo)

    def _exactly(
        self, canvas: Canvas, bands: list[Region], pixels: int, smallest: int = SMALLEST_CORE
    ) -> Iterator[int]:
        """Paint by strips of each band, or by tiles if there are no bands."""
        units = range(canvas.units)
        for unit, band in itertools.product(units, bands):
            yield from self._strips(canvas, unit, band, pixels, smallest)
        if not bands:
            yield from self._tiles(canvas, units, canvas.grid.whole, pixels, smallest)

    def _bands(self, grid: Grid) -> list[Region]:
        """The fewest parts side by side whose smallest strips fit in memory; none if none do."""
        whole = grid.whole
        if not self._streams:
            return []
        for across in range(1, math.ceil(whole.right / self._least_width(grid)) + 1):
            width = math.ceil(whole.right / across)
            if self._strip_rows(grid, width):
                starts = range(0, whole.right, width)
                return [whole._replace(left=x, right=min(x + width, whole.right)) for x in starts]
        return []

    def _least_width(self, grid: Grid) -> int:
        """Columns of the narrowest part that is worth its halo."""
        least = SMALLEST_CORE if self.model.short_halo is None else reach(grid.columns)
        return min(grid.columns.length, least)

    def _strip_rows(
        self, grid: Grid, width: int, beside: Callable[[int], float] = lambda rows: 0.0
    ) -> int:
        """Rows of the strips that a part of so many columns had best have; 0 if none fit.

        `beside` is what strips of so many rows take beside the model.
        """
        axis, window = grid.rows, _window_width(grid, width)
        most = axis.extended if self.model.quick_strip_bytes < math.inf else STRIP_ROWS
        tallest = -(-min(most, axis.extended) // axis.multiple)
        heights = range(axis.multiple, axis.multiple * tallest + 1, axis.multiple)
        strip_bytes = functools.partial(self.model.strip_bytes, width=window)
        fitting = bisect.bisect_right(
            heights,
            min(self.memory, self.strips),
            key=lambda rows: strip_bytes(rows) + beside(rows),
        )
        quick = bisect.bisect_right(heights, self.model.quick_strip_bytes, key=strip_bytes)
        if strip_bytes(heights[-1]) <= self.model.quick_whole_bytes:
            quick = len(heights)
        low = max(2, -(-LOW_ROWS // axis.multiple))
        best = min(fitting, max(quick, low))
        return heights[best - 1] if best else 0

    def _strips(
        self, canvas: Canvas, unit: int, band: Region, pixels: int, smallest: int
    ) -> Iterator[int]:
        """Stream a part of one unit, and what is left by tiles where memory runs out."""
        done, width = 0, band.right - band.left
        # None, if memory ran out for the lowest ones before.
        rows = self._strip_rows(canvas.grid, width)
        streamed = canvas.paint_strips(unit, rows, band.left, band.right) if rows else ()
        for row in streamed:
            yield (row - done) * width
            done = row
        if done < band.bottom and self.model.wants_height:
            # Its tiles would each see the whole picture: it is begun again, and blended.
            raise MemoryError(f"{self.model.card.name}: no strip of rows fits in memory")
        if done < band.bottom:
            if rows:
                self._lower(canvas.grid, rows, width)
            rest = band._replace(top=done)
            yield from self._tiles(canvas, range(unit, unit + 1), rest, pixels, smallest)

    def _lower(self, grid: Grid, rows: int, width: int) -> None:
        """After memory ran out: the units and bands to come get strips of half the height."""
        half = rows // 2 // grid.rows.multiple * grid.rows.multiple
        window = _window_width(grid, width)
        self.strips = self.model.strip_bytes(half, window) if half else 0

    def _wide(self, canvas: Canvas, bands: list[Region], pixels: int, halo: int) -> Iterator[int]:
        """Paint by a model that sees far: exactly where memory allows, else by blended tiles."""
        blend = Blend.of(canvas.grid, halo, canvas.scale)
        least = blend.memory(blend.least, self.model.bytes_per_pixel)
        done = 0
        if bands or _fits_exactly(canvas.grid, pixels) or least > self.memory:
            smallest = reach(canvas.grid.rows) if least <= self.memory else SMALLEST_CORE
            try:
                for part in self._exactly(canvas, bands, pixels, smallest):
                    done += part
                    yield part
                return
            except MemoryError:
                if least > self.memory:
                    raise
        # What was painted is painted again; the meter goes on where it was.
        for part in self._blended(canvas, blend, halo):
            done -= part
            if done < 0:
                yield -done
                done = 0

    def _blended(self, canvas: Canvas, blend: Blend, halo: int) -> Iterator[int]:
        """Paint by tiles with too small a halo, which fade into each other."""
        run = ensemble(self.model.run) if self.ensemble else self.model.run
        side = blend.side(self.memory, self.model.bytes_per_pixel)
        if self.model not in _TOLD:
            _TOLD.add(self.model)
            log.warning(
                "%s: memory is too little for %s; tiles with a halo of %d are blended, which is "
                "not exact",
                self.model.card.name,
                _what_it_sees(canvas.grid),
                halo,
            )
        for unit in range(canvas.units):

            def compute(window: Region, unit: int = unit) -> NDArray[np.float32]:
                tile: NDArray[np.float32] = canvas.run_window(run, range(unit, unit + 1), window)[0]
                return tile

            def write(rows: NDArray[np.float32], top: int, unit: int = unit) -> None:
                canvas.write(unit, slice(top, top + len(rows)), slice(0, rows.shape[1]), rows)

            yield from blend.paint(compute, write, side)

    def _tiles(
        self,
        canvas: Canvas,
        units: range,
        part: Region,
        pixels: int,
        smallest: int,
    ) -> Iterator[int]:
        """Paint a part of some units by tiles; several small images share a run."""
        run = ensemble(self.model.run) if self.ensemble else self.model.run
        if canvas.grid.least == canvas.grid.window(canvas.grid.whole).area:
            # All of it is seen from everywhere: parts of it would take as much memory each.
            cores, smallest = [part], max(smallest, part.bottom - part.top, part.right - part.left)
        else:
            cores = plan(canvas.grid, part, pixels)
        together = max(1, pixels // canvas.grid.window(cores[0]).area) if len(cores) == 1 else 1
        for first in range(units.start, units.stop, together):
            group = range(first, min(first + together, units.stop))
            paint = functools.partial(canvas.paint_tile, run, group)
            for core in shrinking(cores, paint, smallest):
                yield core.area * len(group)


def _what_it_sees(grid: Grid) -> str:
    """For the log. A reach beyond the picture may be a stand-in for one that nobody knows."""
    if grid.rows.halo >= max(grid.rows.length, grid.columns.length):
        return "the whole picture, all of which it may look at"
    return f"its receptive field of {grid.rows.halo} pixels"


def _window_width(grid: Grid, width: int) -> int:
    """Columns that the network sees of a part of so many, at most."""
    axis = grid.columns
    return axis.extended if width >= axis.length else min(axis.extended, width + 2 * reach(axis))


def _share_a_run(canvas: Canvas, pixels: int) -> bool:
    """Whether pictures are so small and so many that two of them had better be run at once."""
    rows, columns = canvas.grid.rows.extended, canvas.grid.columns.extended
    return canvas.units > 1 and rows <= STRIP_ROWS and 2 * rows * columns <= pixels


def _fits_exactly(grid: Grid, pixels: int) -> bool:
    """Whether a tile fits that keeps as much as its halo is wide."""
    axes = (grid.rows, grid.columns)
    return math.prod(min(axis.extended, EXACT_SIDE * reach(axis)) for axis in axes) <= pixels


def ensemble(run: Run) -> Run:
    """The mean of `run` over the eight flips and quarter turns of its tiles."""

    def run_all(tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        total = np.zeros(1, np.float32)
        for turns in range(4):
            for flip in (False, True):
                turned = np.rot90(tiles, turns, axes=(-3, -2))
                # A copy: numpy calls a turned line contiguous, whose stride is negative still.
                output = run((turned[..., ::-1, :] if flip else turned).copy())
                back = np.rot90(output[:, :, ::-1] if flip else output, -turns, axes=(1, 2))
                total = total + back
        return total / np.float32(8)

    return run_all
