"""The way of a tile or a strip from the source to the result, and both as planes in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srkit.errors import BrokenPluginError, WeightsError
from srkit.imaging.luma import luma_of
from srkit.imaging.planes import Layout
from srkit.imaging.resize import Pixels
from srkit.upscaling.model import Model, rows_of
from srkit.upscaling.tiling import Region, grid_of

Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]


class Canvas(ABC):
    """Where pixels come from, where they go, and the way of a tile between them.

    A unit is what the network sees as one image: a picture of a batch, one channel of a
    CMYK picture, or for models with a window the frames around one of a video. Where the
    pixels lie is said by `source_pixels`, `source_picture` and `put`.
    """

    def __init__(
        self,
        model: Model,
        units: int,
        shape: tuple[int, int],
        top: float,
        dtype: np.dtype[Any],
        out_top: float,
    ) -> None:
        self.model = model
        self.scale = model.scale
        self.luma = model.card.colour == "luma"
        self.units, self.dtype = units, dtype
        self.top, self.out_top = top, out_top
        self.grid = grid_of(model, *shape)

    @abstractmethod
    def source_pixels(self, units: range, window: Region) -> NDArray[Any]:
        """Pixels of a window of some units, ``(N, [T,] h, w, C)``, up to `top`."""

    @abstractmethod
    def source_picture(self, unit: int) -> Pixels:
        """The picture ``(H, W, C)`` whose colours a unit has."""

    @abstractmethod
    def put(self, unit: int, rows: slice, columns: slice, levels: NDArray[np.float32]) -> None:
        """Take a part of a unit's result, on the scale of `out_top`."""

    def read(self, units: range, window: Region) -> NDArray[np.float32]:
        """A window of some units as the network takes it, ``(N, [T,] h, w, 3 or 1)``."""
        tiles = np.ascontiguousarray(self.source_pixels(units, window), np.float32)
        if self.top != 1:
            tiles /= np.float32(self.top)
        np.clip(tiles, 0, 1, out=tiles)
        if self.luma:
            grey = tiles.shape[-1] == 1
            return tiles if grey else self.model.luma_rule.luma(tiles, self.top)
        return tiles if tiles.shape[-1] == 3 else tiles.repeat(3, axis=-1)

    def write(self, unit: int, rows: slice, columns: slice, values: NDArray[np.float32]) -> None:
        """Put the network's output for a part of the result into its place."""
        if not np.isfinite(values).all():
            raise WeightsError(
                f"{self.model.card.name} gave values that are not numbers: its weights are damaged"
            )
        source = self.source_picture(unit)
        if source.shape[-1] == 1:
            values = luma_of(values)
        elif self.luma:
            size = self.grid.rows.length * self.scale, self.grid.columns.length * self.scale
            rule = self.model.luma_rule
            values = rule.colour(values, source, self.top, size, rows, columns)
        # What is refined has to keep what lies beyond: only then is it right.
        levels = values if self.model.refines else np.clip(values, 0, 1)
        if self.out_top != 1:
            levels *= np.float32(self.out_top)
        if np.issubdtype(self.dtype, np.integer):
            np.rint(levels, out=levels)
        self.put(unit, rows, columns, levels)

    def write_bytes(self, rows: int) -> float:
        """Bytes that `write` works in for so many LR rows of all columns."""
        # Copies of the floats: of finite values, and with luma the colours and their luma.
        copies = 5 if self.luma else 2
        return copies * 4 * 3 * self.scale**2 * rows * self.grid.columns.length

    def paint_tile(self, run: Run, units: range, core: Region) -> None:
        """Compute one core of some units and write it; fewer at a time where memory runs out."""
        try:
            self._paint_together(run, units, core)
            return
        except MemoryError:
            if len(units) == 1:
                raise
        middle = len(units) // 2
        self.paint_tile(run, units[:middle], core)
        self.paint_tile(run, units[middle:], core)

    def _paint_together(self, run: Run, units: range, core: Region) -> None:
        window, s = self.grid.window(core), self.scale
        tiles = self.grid.crop(self.run_window(run, units, window), core, window, s)
        rows = slice(core.top * s, core.bottom * s)
        columns = slice(core.left * s, core.right * s)
        for unit, values in zip(units, tiles, strict=True):
            self.write(unit, rows, columns, values)

    def run_window(self, run: Run, units: range, window: Region) -> NDArray[np.float32]:
        """What the network makes of a window of some units."""
        tiles, s = self.read(units, window), self.scale
        output = run(tiles)
        n, (h, w, c) = len(tiles), tiles.shape[-3:]
        if output.shape != (n, h * s, w * s, c):
            raise BrokenPluginError(
                f"run of {self.model.card.name} made {output.shape} of {tiles.shape}"
                f"{told_scale(output.shape, (n, h, w, c))}; {(n, h * s, w * s, c)} was expected, "
                f"as its scale is {s}"
            )
        return output

    def paint_strips(self, unit: int, height: int, left: int, right: int) -> Iterator[int]:
        """Feed columns of a unit through `run_rows`, in strips of so many rows.

        Yields LR rows done, and ends early out of memory.
        """
        axis, s = self.grid.rows, self.scale
        first_column, last_column = self.grid.columns.window(left, right)
        strips = (
            self.read(
                range(unit, unit + 1),
                Region(y, min(y + height, axis.extended), first_column, last_column),
            )
            for y in range(0, axis.extended, height)
        )
        indent = (left + self.grid.columns.rim - first_column) * s
        inner = slice(indent, indent + (right - left) * s)
        at = -axis.rim * s
        try:
            for part in rows_of(self.model, strips, axis.extended):
                self._check_rows(part, last_column - first_column)
                first, last = max(0, at), min(axis.length * s, at + part.shape[1])
                if last > first:
                    kept = part[0, first - at : last - at, inner]
                    self.write(unit, slice(first, last), slice(left * s, right * s), kept)
                at += part.shape[1]
                if last >= s:
                    yield last // s
        except MemoryError:
            return
        if at != (axis.extended - axis.rim) * s:
            raise BrokenPluginError(
                f"run_rows of {self.model.card.name} gave {at + axis.rim * s} rows; "
                f"{axis.extended * s} were expected"
            )

    def _check_rows(self, part: NDArray[np.float32], width: int) -> None:
        expected = (1, width * self.scale, 1 if self.luma else 3)
        if part.ndim != 4 or (part.shape[0], *part.shape[2:]) != expected:
            factor, rest = divmod(part.shape[2], width) if part.ndim == 4 else (0, 0)
            which = f", which is x{factor}" if factor not in (0, self.scale) and not rest else ""
            raise BrokenPluginError(
                f"run_rows of {self.model.card.name} gave rows of shape {part.shape} for "
                f"{width} columns{which}; (1, rows, {expected[1]}, {expected[2]}) was expected, "
                f"as its scale is {self.scale}"
            )


class PlaneCanvas(Canvas):
    """Source planes and result planes in memory.

    Attributes
    ----------
    result
        ``(N, scale*H, scale*W, C)``.
    """

    def __init__(
        self,
        model: Model,
        colour: NDArray[Any],
        top: float,
        layout: Layout,
        dtype: np.dtype[Any],
        out_top: float,
    ) -> None:
        count, (height, width, channels), s = len(colour), colour.shape[-3:], model.scale
        self.result = np.empty((count, height * s, width * s, channels), dtype)
        # CMYK channels are run one by one, as grey pictures.
        source = _apart(colour) if layout == "cmyk" else colour
        if model.window > 1 and source.ndim == 4:
            # A still picture is a video in which nothing moves; no copies are made of it.
            source = np.broadcast_to(
                source[:, None], (len(source), model.window, *source.shape[1:])
            )
        self._source = source
        self._target = _apart(self.result) if layout == "cmyk" else self.result
        super().__init__(model, len(source), (height, width), top, dtype, out_top)

    def source_pixels(self, units: range, window: Region) -> NDArray[Any]:
        """See `Canvas.source_pixels`."""
        return self.grid.gather(self._source[units.start : units.stop], window)

    def source_picture(self, unit: int) -> NDArray[Any]:
        """See `Canvas.source_picture`; of frames, the one in the middle."""
        source: NDArray[Any] = self._source[unit]
        return source[len(source) // 2] if source.ndim == 4 else source

    def put(self, unit: int, rows: slice, columns: slice, levels: NDArray[np.float32]) -> None:
        """See `Canvas.put`."""
        self._target[unit][rows, columns] = levels


class PictureCanvas(Canvas):
    """One picture of which rectangles are read: rows of a file, or a part with its surroundings.

    Parameters
    ----------
    picture
        Grey or RGB, up to `top`; the result is of the same `dtype` and as bright.
    """

    def __init__(self, model: Model, picture: Pixels, top: float, dtype: np.dtype[Any]) -> None:
        super().__init__(model, 1, (picture.shape[0], picture.shape[1]), top, dtype, top)
        self._picture = picture

    def source_pixels(self, units: range, window: Region) -> NDArray[Any]:
        """See `Canvas.source_pixels`; one rectangle is read, and the rim folded out of it."""
        rows = self.grid.rows.source(window.top, window.bottom)
        columns = self.grid.columns.source(window.left, window.right)
        top, left = int(rows.min()), int(columns.min())
        pixels = self._picture[top : int(rows.max()) + 1, left : int(columns.max()) + 1]
        folded: NDArray[Any] = pixels[None, rows[:, None] - top, columns - left]
        return folded

    def source_picture(self, unit: int) -> Pixels:
        """See `Canvas.source_picture`."""
        return self._picture


def told_scale(made: tuple[int, ...], given: tuple[int, ...]) -> str:
    """Which scale a result of tiles ``(N, H, W, C)`` has, for messages, where it has one.

    Examples
    --------
    >>> told_scale((1, 9, 12, 3), (1, 3, 4, 3)), told_scale((1, 9, 12, 3), (1, 4, 4, 3))
    (', which is x3', '')
    """
    if len(made) != 4 or (made[0], made[3]) != (given[0], given[3]):
        return ""
    factor, rest = divmod(made[1], given[1])
    alike = not rest and made[2] == factor * given[2]
    return f", which is x{factor}" if alike and factor else ""


def _apart(planes: NDArray[Any]) -> NDArray[Any]:
    """A view of ``(1, H, W, C)`` as C grey pictures ``(C, H, W, 1)``."""
    apart: NDArray[Any] = planes[0].transpose(2, 0, 1)[..., None]
    return apart
