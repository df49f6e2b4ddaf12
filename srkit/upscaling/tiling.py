"""Cut an image into tiles that a network can be given apart, exactly.

An output pixel depends on input pixels within the receptive field alone. A tile
with a halo of that radius therefore gives the pixels of its core just as the whole
image would. Here is the geometry, and the loop that goes on with smaller tiles when
memory runs out; of a model only how far it sees is known, and nothing of files.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from srkit.upscaling.model import Model

log = logging.getLogger(__name__)

Border = Literal["reflect", "mirror", "edge", "zero"]

# A tile whose core is smaller than this on both sides is not split any further.
SMALLEST_CORE = 8


class Region(NamedTuple):
    """A rectangle of input pixels, ends excluded."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def area(self) -> int:
        """Pixels inside."""
        return (self.bottom - self.top) * (self.right - self.left)

    def halves(self) -> tuple[Region, Region]:
        """Cut across the longer side."""
        if self.bottom - self.top >= self.right - self.left:
            middle = (self.top + self.bottom) // 2
            return self._replace(bottom=middle), self._replace(top=middle)
        middle = (self.left + self.right) // 2
        return self._replace(right=middle), self._replace(left=middle)


def border_index(index: NDArray[np.intp], length: int, border: Border) -> NDArray[np.intp]:
    """Fold indices beyond an axis of `length` samples back into it.

    Examples
    --------
    >>> outside = np.arange(-2, 5)
    >>> border_index(outside, 3, "reflect").tolist()
    [2, 1, 0, 1, 2, 1, 0]
    >>> border_index(outside, 3, "mirror").tolist()
    [1, 0, 0, 1, 2, 2, 1]
    """
    if border == "reflect" and length > 1:
        index = np.abs(index) % (2 * length - 2)
        return np.where(index < length, index, 2 * length - 2 - index)
    if border == "mirror":
        index = index % (2 * length)
        return np.where(index < length, index, 2 * length - 1 - index)
    return np.clip(index, 0, length - 1)


@dataclass(frozen=True)
class Axis:
    """One axis of the image, as the network sees it.

    Attributes
    ----------
    length
        Samples of the image.
    rim
        Samples that the border rule adds before it; after it, as many and what it
        takes to reach `multiple`. Beyond the rim the network pads for itself.
    halo
        Radius of the receptive field.
    multiple
        Tiles begin and end at multiples of this.
    border
        How the rim is filled.
    least
        Samples that every tile has, a multiple of `multiple`; a shorter image is filled up.
    """

    length: int
    rim: int
    halo: int
    multiple: int
    border: Border
    least: int = 1

    @property
    def extended(self) -> int:
        """Length with rim."""
        aligned = math.ceil((self.length + 2 * self.rim) / self.multiple) * self.multiple
        return max(aligned, self.least)

    def widest(self, core: int) -> int:
        """Samples of the largest window of a core of so many."""
        return min(self.extended, max(self.least, core + 2 * reach(self)))

    def window(self, start: int, stop: int) -> tuple[int, int]:
        """First and past-the-last sample of the extended axis that a core needs."""
        m = self.multiple
        first = max(0, start + self.rim - self.halo) // m * m
        last = min(self.extended, math.ceil((stop + self.rim + self.halo) / m) * m)
        if last - first < self.least:
            last = min(self.extended, first + self.least)
            first = max(0, last - self.least)
        return first, last

    def source(self, first: int, last: int) -> NDArray[np.intp]:
        """Image samples that fill a window of the extended axis."""
        return border_index(np.arange(first, last) - self.rim, self.length, self.border)


@dataclass(frozen=True)
class Grid:
    """Both axes of an image, and how tiles lie on it."""

    rows: Axis
    columns: Axis

    @classmethod
    def of(
        cls,
        height: int,
        width: int,
        *,
        rim: int,
        halo: int,
        multiple: int,
        border: Border,
        least: tuple[int, int] = (1, 1),
    ) -> Grid:
        """The grid of an image; a ``"zero"`` border leaves padding to the network."""
        fill: Border = "reflect" if border == "zero" else border
        rim = 0 if border == "zero" else rim
        rows, columns = (
            Axis(length, rim, halo, multiple, fill, few)
            for length, few in zip((height, width), least, strict=True)
        )
        return cls(rows, columns)

    @property
    def whole(self) -> Region:
        """All of the image."""
        return Region(0, self.rows.length, 0, self.columns.length)

    def window(self, core: Region) -> Region:
        """The part of the extended image that a core needs, halo included."""
        return Region(
            *self.rows.window(core.top, core.bottom), *self.columns.window(core.left, core.right)
        )

    @property
    def least(self) -> int:
        """Pixels in which a window of every smallest core fits."""
        sides = (axis.widest(min(axis.length, SMALLEST_CORE)) for axis in (self.rows, self.columns))
        return math.prod(sides)

    def gather(self, image: NDArray[np.generic], window: Region) -> NDArray[np.generic]:
        """Pixels of a window of the extended image, from ``(..., H, W, C)``."""
        rows = self.rows.source(window.top, window.bottom)
        columns = self.columns.source(window.left, window.right)
        return image[..., rows[:, None], columns, :]

    def crop(
        self, result: NDArray[np.float32], core: Region, window: Region, scale: int
    ) -> NDArray[np.float32]:
        """The core's share of what the network made of a window."""
        top = (core.top + self.rows.rim - window.top) * scale
        left = (core.left + self.columns.rim - window.left) * scale
        height = (core.bottom - core.top) * scale
        width = (core.right - core.left) * scale
        return result[..., top : top + height, left : left + width, :]


def plan(grid: Grid, part: Region, pixels: int) -> list[Region]:
    """Cores that cover a part of the image, so that no window has more than `pixels` pixels.

    Of all numbers of columns the one is taken that computes the fewest pixels,
    halos included. Where no window is small enough, the smallest cores are used.
    """
    if grid.window(part).area <= pixels:
        return [part]
    height, width = part.bottom - part.top, part.right - part.left
    best: tuple[int, int, int] | None = None
    for across in range(1, math.ceil(width / SMALLEST_CORE) + 1):
        core_width = math.ceil(width / across)
        widest = grid.columns.widest(core_width)
        if pixels < widest * grid.rows.widest(1):
            continue
        core_height = min(height, pixels // widest - 2 * reach(grid.rows))
        if grid.rows.extended * widest <= pixels:
            core_height = height
        if core_height < min(height, SMALLEST_CORE):
            continue
        tall = grid.rows.widest(core_height)
        cost = across * widest * math.ceil(height / core_height) * tall
        if best is None or cost < best[0]:
            best = cost, core_height, core_width
    if best is None:
        log.warning(
            "memory for %d pixels at a time is too little for a tile and its halo: "
            "the smallest tiles are used, which is slow",
            pixels,
        )
    _, core_height, core_width = best or (0, SMALLEST_CORE, SMALLEST_CORE)
    core_height = math.ceil(height / math.ceil(height / core_height))
    return [
        Region(y, min(y + core_height, part.bottom), x, min(x + core_width, part.right))
        for y in range(part.top, part.bottom, core_height)
        for x in range(part.left, part.right, core_width)
    ]


def reach(axis: Axis) -> int:
    """Halo, or rim where wider, and what alignment to the multiple may add."""
    return max(axis.halo, axis.rim) + axis.multiple - 1


def shrinking(
    cores: list[Region], work: Callable[[Region], None], smallest: int = SMALLEST_CORE
) -> Iterator[Region]:
    """Do `work` on each core; on `MemoryError` halve that core and go on from it.

    Each core is computed and written by itself, so what is done stays done, and
    nothing depends on where memory ran out. Cores still to come are halved to the
    size that fitted. `MemoryError` is raised when a core of the smallest size does not fit.

    Yields
    ------
    Region
        Each core after it was done.
    """
    todo = deque(cores)
    limit = math.inf
    while todo:
        core = todo.popleft()
        small = max(core.bottom - core.top, core.right - core.left) <= smallest
        fitted = (small or core.area <= limit) and _fits(core, work)
        if fitted:
            yield core
            continue
        if small:
            raise MemoryError(
                f"a tile of {core.bottom - core.top}x{core.right - core.left} pixels and its halo "
                "does not fit in memory; close other programs, or use a smaller model"
            )
        if core.area <= limit:
            limit = core.area / 2
            log.info("out of memory: going on with tiles of at most %d pixels", limit)
        todo.extendleft(reversed(core.halves()))


def _fits(core: Region, work: Callable[[Region], None]) -> bool:
    """Whether `work` was done; a traceback would keep its arrays alive, so none is kept."""
    try:
        work(core)
    except MemoryError:
        return False
    return True


def rim_of(model: Model) -> int:
    """Pixels beyond an image that a model gets: its rim, or the whole blocks that it sees."""
    multiple = model.card.multiple
    return min(model.rim, -(-model.radius // multiple) * multiple)


def grid_of(model: Model, height: int, width: int) -> Grid:
    """How a model's tiles may lie on an image: their halo is how far the model sees."""
    return Grid.of(
        height,
        width,
        rim=rim_of(model),
        halo=model.radius,
        multiple=model.card.multiple,
        border=model.card.border,
        least=model.least_sides,
    )
