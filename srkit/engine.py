"""Run a model over planes of any size in bounded memory.

Between the model, which sees float tiles, and the image, which stays in its own
dtype: pixels are converted tile by tile, so working memory does not grow with the
image.
"""

from __future__ import annotations

import functools
import logging
import math
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from srkit.blending import Blend
from srkit.errors import BrokenPluginError, WeightsError
from srkit.imaging.luma import luma_of
from srkit.imaging.planes import Layout, Planes
from srkit.imaging.resize import resample
from srkit.meter import Meter
from srkit.tiling import SMALLEST_CORE, Grid, Region, plan, reach, shrinking

if TYPE_CHECKING:
    from srkit.upscaler import Upscaler

log = logging.getLogger(__name__)

# Pixels of the border rule that most models see around the image. The network's own
# zero padding then acts outside the picture, where its dark rim does no harm.
RIM = 8
# Streaming models get strips of at most this many rows.
STRIP_ROWS = 64
# Rows of a resized plane computed at a time.
RESIZE_ROWS = 64
# Models that state a short halo run exactly while tiles of so many halos a side fit in memory:
# a third of such a tile is kept, along each side.
EXACT_SIDE = 3

# Upscalers whose blended tiles the log has told of: once is enough for a video.
_TOLD: weakref.WeakSet[Any] = weakref.WeakSet()

Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]


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
    """

    upscaler: Upscaler
    memory: float
    ensemble: bool
    progress: bool | Callable[[int, int], None]

    def colour(
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
        canvas = Canvas(self.upscaler, colour, top, layout, np.dtype(dtype), out_top)
        for pixels in self._paint(canvas):
            advance(pixels)
        return canvas.result

    def meter(self, planes: Planes, passes: int) -> Meter:
        """A meter of all pixels that the model will see in so many passes."""
        count, height, width, channels = planes.colour.shape
        units = channels if planes.layout == "cmyk" else count
        scale = self.upscaler.scale
        pixels = units * height * width * sum(scale ** (2 * n) for n in range(passes))
        label = f"{self.upscaler.card.name} x{scale}"
        return Meter(self.progress if passes else False, pixels, label)

    def least_memory(self, planes: Planes) -> int:
        """Bytes in which the smallest tile fits that these planes can be cut into."""
        if self.upscaler.streams and not self.ensemble:
            return 1
        upscaler, grid = self.upscaler, grid_of(self.upscaler, *planes.shape)
        least = grid.least * upscaler.bytes_per_pixel
        if upscaler.short_halo is not None:
            blend = Blend.of(grid, upscaler.short_halo, upscaler.scale)
            least = min(least, blend.memory(blend.least, upscaler.bytes_per_pixel))
        return math.ceil(least)

    def _paint(self, canvas: Canvas) -> Iterator[int]:
        """Fill the canvas; yields the number of LR pixels done each time."""
        upscaler = self.upscaler
        pixels = max(1, int(self.memory / upscaler.bytes_per_pixel))
        if upscaler.short_halo is not None:
            yield from self._wide(canvas, pixels, upscaler.short_halo)
            return
        if not upscaler.streams or self.ensemble:
            yield from self._tiles(canvas, range(canvas.units), canvas.grid.whole, pixels)
            return
        for unit in range(canvas.units):
            done = 0
            for row in canvas.stream(unit, max(1, min(STRIP_ROWS, pixels // canvas.width))):
                yield (row - done) * canvas.grid.columns.length
                done = row
            if done < canvas.grid.rows.length:
                rest = canvas.grid.whole._replace(top=done)
                yield from self._tiles(canvas, range(unit, unit + 1), rest, pixels)

    def _wide(self, canvas: Canvas, pixels: int, halo: int) -> Iterator[int]:
        """Paint by a model that sees far: exactly where memory allows, else by blended tiles."""
        blend = Blend.of(canvas.grid, halo, canvas.scale)
        least = blend.memory(blend.least, self.upscaler.bytes_per_pixel)
        done = 0
        if _fits_exactly(canvas.grid, pixels) or least > self.memory:
            smallest = reach(canvas.grid.rows) if least <= self.memory else SMALLEST_CORE
            units = range(canvas.units)
            try:
                for part in self._tiles(canvas, units, canvas.grid.whole, pixels, smallest):
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
        run = ensemble(self.upscaler.run) if self.ensemble else self.upscaler.run
        side = blend.side(self.memory, self.upscaler.bytes_per_pixel)
        if self.upscaler not in _TOLD:
            _TOLD.add(self.upscaler)
            log.warning(
                "%s: memory is too little for its receptive field of %d pixels; tiles with a halo "
                "of %d are blended, which is not exact",
                self.upscaler.card.name,
                canvas.grid.rows.halo,
                halo,
            )
        for unit in range(canvas.units):

            def compute(window: Region, unit: int = unit) -> NDArray[np.float32]:
                return canvas.made(run, range(unit, unit + 1), window)[0]  # type: ignore[no-any-return]

            def write(rows: NDArray[np.float32], top: int, unit: int = unit) -> None:
                canvas.write(unit, slice(top, top + len(rows)), slice(0, rows.shape[1]), rows)

            yield from blend.paint(compute, write, side)

    def _tiles(
        self,
        canvas: Canvas,
        units: range,
        part: Region,
        pixels: int,
        smallest: int = SMALLEST_CORE,
    ) -> Iterator[int]:
        """Paint a part of some units by tiles; several small images share a run."""
        run = ensemble(self.upscaler.run) if self.ensemble else self.upscaler.run
        cores = plan(canvas.grid, part, pixels)
        together = max(1, pixels // canvas.grid.window(cores[0]).area) if len(cores) == 1 else 1
        for first in range(units.start, units.stop, together):
            group = range(first, min(first + together, units.stop))
            paint = functools.partial(canvas.tiles, run, group)
            for core in shrinking(cores, paint, smallest):
                yield core.area * len(group)


class Canvas:
    """Source planes, result planes, and the way of a tile from one to the other.

    A unit is what the network sees as one image: a picture of a batch, one channel of a
    CMYK picture, or for models with a window the frames around one of a video.
    """

    def __init__(
        self,
        upscaler: Upscaler,
        colour: NDArray[Any],
        top: float,
        layout: Layout,
        dtype: np.dtype[Any],
        out_top: float,
    ) -> None:
        count, (height, width, channels) = len(colour), colour.shape[-3:]
        self.upscaler = upscaler
        self.scale = upscaler.scale
        self.luma = upscaler.card.colour == "luma"
        self.result = np.empty((count, height * self.scale, width * self.scale, channels), dtype)
        # CMYK channels are run one by one, as grey pictures.
        source = _apart(colour) if layout == "cmyk" else colour
        if upscaler.window > 1 and source.ndim == 4:
            # A still picture is a video in which nothing moves; no copies are made of it.
            source = np.broadcast_to(
                source[:, None], (len(source), upscaler.window, *source.shape[1:])
            )
        self.source = source
        self.target = _apart(self.result) if layout == "cmyk" else self.result
        self.top, self.out_top = top, out_top
        self.units = len(self.source)
        self.grid = grid_of(upscaler, height, width)

    @property
    def width(self) -> int:
        """Width that the network sees."""
        return self.grid.columns.extended

    def read(self, units: range, window: Region) -> NDArray[np.float32]:
        """A window of some units as the network takes it, ``(N, [T,] h, w, 3 or 1)``."""
        picked = self.grid.gather(self.source[units.start : units.stop], window)
        tiles = np.ascontiguousarray(picked, np.float32)
        if self.top != 1:
            tiles /= np.float32(self.top)
        np.clip(tiles, 0, 1, out=tiles)
        if self.luma:
            grey = tiles.shape[-1] == 1
            return tiles if grey else self.upscaler.luma_rule.luma(tiles, self.top)
        return tiles if tiles.shape[-1] == 3 else tiles.repeat(3, axis=-1)

    def write(self, unit: int, rows: slice, columns: slice, values: NDArray[np.float32]) -> None:
        """Put the network's output for a part of the result into its place."""
        if not np.isfinite(values).all():
            raise WeightsError(
                f"{self.upscaler.card.name} gave values that are not numbers: its weights are "
                "damaged, or do not bear this precision (try precision='float32')"
            )
        source, target = self.source[unit], self.target[unit]
        if source.ndim == 4:
            source = source[len(source) // 2]
        if source.shape[-1] == 1:
            values = luma_of(values)
        elif self.luma:
            size = target.shape[:2]
            rule = self.upscaler.luma_rule
            values = rule.colour(values, source, self.top, size, rows, columns)
        levels = np.clip(values, 0, 1)
        if self.out_top != 1:
            levels *= np.float32(self.out_top)
        if np.issubdtype(target.dtype, np.integer):
            np.rint(levels, out=levels)
        target[rows, columns] = levels

    def tiles(self, run: Run, units: range, core: Region) -> None:
        """`tile`, with fewer units at a time where memory runs out."""
        try:
            self.tile(run, units, core)
            return
        except MemoryError:
            if len(units) == 1:
                raise
        middle = len(units) // 2
        self.tiles(run, units[:middle], core)
        self.tiles(run, units[middle:], core)

    def tile(self, run: Run, units: range, core: Region) -> None:
        """Compute one core of some units and write it."""
        window, s = self.grid.window(core), self.scale
        made = self.grid.crop(self.made(run, units, window), core, window, s)
        rows = slice(core.top * s, core.bottom * s)
        columns = slice(core.left * s, core.right * s)
        for unit, values in zip(units, made, strict=True):
            self.write(unit, rows, columns, values)

    def made(self, run: Run, units: range, window: Region) -> NDArray[np.float32]:
        """What the network makes of a window of some units."""
        tiles, s = self.read(units, window), self.scale
        made = run(tiles)
        n, (h, w, c) = len(tiles), tiles.shape[-3:]
        if made.shape != (n, h * s, w * s, c):
            raise BrokenPluginError(
                f"run of {self.upscaler.card.name} made {made.shape} of {tiles.shape}; "
                f"{(n, h * s, w * s, c)} was expected"
            )
        return made

    def stream(self, unit: int, height: int) -> Iterator[int]:
        """Feed a unit through `run_rows`; yields LR rows done, and ends early out of memory."""
        axis, s = self.grid.rows, self.scale
        height = max(axis.multiple, height // axis.multiple * axis.multiple)
        strips = (
            self.read(
                range(unit, unit + 1), Region(y, min(y + height, axis.extended), 0, self.width)
            )
            for y in range(0, axis.extended, height)
        )
        left = self.grid.columns.rim * s
        columns = slice(0, self.grid.columns.length * s)
        at = -axis.rim * s
        try:
            for part in self.upscaler.run_rows(strips):
                self._check_rows(part)
                first, last = max(0, at), min(axis.length * s, at + part.shape[1])
                if last > first:
                    kept = part[0, first - at : last - at, left : left + columns.stop]
                    self.write(unit, slice(first, last), columns, kept)
                at += part.shape[1]
                if last >= s:
                    yield last // s
        except MemoryError:
            return
        if at != (axis.extended - axis.rim) * s:
            raise BrokenPluginError(
                f"run_rows of {self.upscaler.card.name} gave {at + axis.rim * s} rows; "
                f"{axis.extended * s} were expected"
            )

    def _check_rows(self, part: NDArray[np.float32]) -> None:
        wanted = (1, self.width * self.scale, 1 if self.luma else 3)
        if part.ndim != 4 or (part.shape[0], *part.shape[2:]) != wanted:
            raise BrokenPluginError(
                f"run_rows of {self.upscaler.card.name} gave rows of shape {part.shape}; "
                f"(1, rows, {wanted[1]}, {wanted[2]}) was expected"
            )


def grid_of(upscaler: Upscaler, height: int, width: int) -> Grid:
    """How a model's tiles may lie on an image."""
    return Grid.of(
        height,
        width,
        rim=min(upscaler.rim, upscaler.radius),
        halo=upscaler.radius,
        multiple=upscaler.card.multiple,
        border=upscaler.card.border,
    )


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
                made = run((turned[..., ::-1, :] if flip else turned).copy())
                made = np.rot90(made[:, :, ::-1] if flip else made, -turns, axes=(1, 2))
                total = total + made
        return total / np.float32(8)

    return run_all


def resize(planes: NDArray[Any], top: float, size: tuple[int, int], like: Planes) -> NDArray[Any]:
    """Planes ``(N, H, W, C)`` resized (antialiased bicubic) into the dtype of `like`."""
    dtype = like.colour.dtype
    result = np.empty((len(planes), *size, planes.shape[-1]), dtype)
    gain = np.float32(like.top / top)
    for source, target in zip(planes, result, strict=True):
        for first in range(0, size[0], RESIZE_ROWS):
            rows = slice(first, min(first + RESIZE_ROWS, size[0]))
            part = np.clip(resample(source, size, rows, slice(None)) * gain, 0, like.top)
            target[rows] = np.rint(part) if np.issubdtype(dtype, np.integer) else part
    return result


def _apart(planes: NDArray[Any]) -> NDArray[Any]:
    """A view of ``(1, H, W, C)`` as C grey pictures ``(C, H, W, 1)``."""
    apart: NDArray[Any] = planes[0].transpose(2, 0, 1)[..., None]
    return apart
