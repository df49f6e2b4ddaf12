"""A rectangle of a picture by itself, of no more than the pixels around it.

For those who cut one picture into parts that are worked on apart, by threads or machines: each
part of the result has the pixels that it has in the result of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srkit.advice import advise
from srkit.errors import ImageError, OptionError
from srkit.imaging.levels import check_range, top_of
from srkit.upscaling.canvas import PictureCanvas
from srkit.upscaling.engine import Job
from srkit.upscaling.model import Model
from srkit.upscaling.tiling import Axis, Region, grid_of

# Chroma of models that see luma alone is interpolated from so many pixels around.
CHROMA = 4


@dataclass(frozen=True)
class Part:
    """Pixels of a part of a picture, which are asked for by their places in the whole.

    Attributes
    ----------
    pixels
        ``(h, w, C)``.
    top, left
        Where the part lies.
    shape
        Of the whole picture, ``(H, W, C)``.

    Examples
    --------
    >>> part = Part(np.arange(6).reshape(2, 3, 1), top=10, left=20, shape=(100, 100, 1))
    >>> part[11:12, 20:22].ravel().tolist()
    [3, 4]
    """

    pixels: NDArray[Any]
    top: int
    left: int
    shape: tuple[int, int, int]

    @property
    def region(self) -> Region:
        """The part as a rectangle of the whole."""
        height, width = self.pixels.shape[:2]
        return Region(self.top, self.top + height, self.left, self.left + width)

    def __getitem__(self, place: tuple[slice, slice], /) -> NDArray[Any]:
        """Some rows and columns; both slices have ends."""
        rows, columns = place
        here = self.region
        inside = here.top <= rows.start and rows.stop <= here.bottom
        if not (inside and here.left <= columns.start and columns.stop <= here.right):
            raise IndexError(f"{place} is not within {here}")
        return self.pixels[
            rows.start - self.top : rows.stop - self.top,
            columns.start - self.left : columns.stop - self.left,
        ]


def around(model: Model, shape: tuple[int, int], core: Region) -> Region:
    """What a part of the result is made of: the least rectangle that holds all of it.

    Parameters
    ----------
    model
        The model.
    shape
        Height and width of the whole picture.
    core
        The part, in pixels of the input.
    """
    grid = grid_of(model, *shape)
    top, bottom = _along(grid.rows, core.top, core.bottom)
    left, right = _along(grid.columns, core.left, core.right)
    return Region(top, bottom, left, right)


def _along(axis: Axis, start: int, stop: int) -> tuple[int, int]:
    seen = axis.source(*axis.window(start, stop))
    first = min(int(seen.min()), start - CHROMA)
    last = max(int(seen.max()) + 1, stop + CHROMA)
    return max(0, first), min(axis.length, last)


def check(model: Model) -> None:
    """Refuse models whose results are not made of parts.

    Raises
    ------
    OptionError
    """
    name = model.card.name
    if model.decides:
        raise OptionError(
            f"{name} decides its options for whole pictures: give upscaler.for_picture(...)"
        )
    if model.refines:
        whole = advise("use srkit.upscale on the whole picture", "do it without --dask")
        raise OptionError(
            f"{name} sets whole planes right after its network, which cannot be done in parts; "
            f"{whole}"
        )
    if model.window > 1:
        other = advise("srkit.upscale_video", "srkit upscale-video")
        raise OptionError(f"{name} is for videos; use {other}")
    if model.short_halo is not None or model.sees_all:
        whole = advise("use srkit.upscale on the whole picture", "do it without --dask")
        seen = "all of a picture" if model.sees_all else f"{model.radius} pixels"
        raise OptionError(
            f"{name} sees {seen} in every direction, and parts that wide are "
            f"hardly parts; {whole}, or take another model"
        )


def upscale_part(
    model: Model,
    part: Part,
    core: Region,
    *,
    memory: float,
    ensemble: bool = False,
) -> NDArray[Any]:
    """Upscale a rectangle of a picture.

    Parameters
    ----------
    model
        A model that passes `check`.
    part
        Its pixels and those `around`, grey or RGB: uint8, uint16, or floats in [0, 1].
    core
        The rectangle, in pixels of the whole picture.
    memory
        Bytes to work in.
    ensemble
        See `Upscaler.upscale`.

    Returns
    -------
    NDArray
        ``(scale*h, scale*w, C)``, of the dtype of `part`.

    Raises
    ------
    ImageError
        If the dtype is no image's, or floats are not within [0, 1].
    MemoryError
        If the smallest tile does not fit.
    """
    top = top_of(part.pixels.dtype)
    if part.shape[2] not in (1, 3):
        raise ImageError(f"a picture in parts is grey or RGB, not of {part.shape[2]} channels")
    if part.pixels.dtype.kind == "f":
        check_range(part.pixels, top)
    canvas = _PartCanvas(model, part, core, top)
    Job(model, memory=memory, ensemble=ensemble, progress=False).paint_region(canvas, core)
    return canvas.result


class _PartCanvas(PictureCanvas):
    """Source pixels of a part, and the result of its core."""

    def __init__(self, model: Model, part: Part, core: Region, top: float) -> None:
        super().__init__(model, part, top, part.pixels.dtype)
        self._core = core
        height, width = core.bottom - core.top, core.right - core.left
        shape = height * self.scale, width * self.scale, part.shape[2]
        self.result: NDArray[Any] = np.empty(shape, self.dtype)

    def put(self, unit: int, rows: slice, columns: slice, levels: NDArray[np.float32]) -> None:
        """See `Canvas.put`."""
        top, left = self._core.top * self.scale, self._core.left * self.scale
        self.result[
            rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
        ] = levels
