"""From file to file by rows, in memory that does not grow with the height."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srkit.errors import NotByRowsError, OptionError
from srkit.imaging import notes
from srkit.imaging.files import by_rows as row_files
from srkit.imaging.files.rows import Rows
from srkit.imaging.fitting import fit
from srkit.progress import Meter
from srkit.upscaling.canvas import PictureCanvas
from srkit.upscaling.decisions import decided
from srkit.upscaling.engine import Job
from srkit.upscaling.model import Model
from srkit.upscaling.tiling import reach


class RowCanvas(PictureCanvas):
    """Source rows in a file, and result rows that wait here until they are taken.

    Parameters
    ----------
    model
        What upscales it.
    picture
        The file.
    """

    def __init__(self, model: Model, picture: Rows) -> None:
        super().__init__(model, picture, picture.top, picture.dtype)
        height, width, channels = picture.shape
        self.picture = picture
        self.shape = height * self.scale, width * self.scale, channels
        # Result rows from `_first` on.
        self._first, self._rows = 0, np.empty((0, *self.shape[1:]), self.dtype)

    def put(self, unit: int, rows: slice, columns: slice, levels: NDArray[np.float32]) -> None:
        """See `Canvas.put`."""
        missing = rows.stop - self._first - len(self._rows)
        if missing > 0:
            more = np.empty((missing, *self.shape[1:]), self.dtype)
            self._rows = np.concatenate([self._rows, more])
        place = slice(rows.start - self._first, rows.stop - self._first)
        self._rows[place, columns] = levels

    def take(self, stop: int) -> NDArray[Any]:
        """Result rows that were not taken yet, up to `stop`; they are let go of."""
        count = stop - self._first
        taken, self._rows = self._rows[:count], self._rows[count:].copy()
        self._first = stop
        return taken

    def rows_bytes(self, rows: int) -> float:
        """Bytes of source and result while so many LR rows are worked on."""
        source = rows + 2 * reach(self.grid.rows) + 2 * self.picture.band
        # A window is copied out of the rows that are kept, and the result grows by copying.
        return self.picture.row_bytes * (source + rows + 2 * self.scale**2 * rows)

    def keep(self, rows: int) -> None:
        """Keep the source of so many LR rows, that nothing is decoded twice."""
        self.picture.kept = rows + 2 * reach(self.grid.rows)


def upscale_file(
    model: Model,
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    memory: int | None,
    ensemble: bool,
    progress: bool | Callable[[int, int], None],
) -> None:
    """See `Upscaler.upscale_file`."""
    _check(model)
    source, target = row_files.local(source), row_files.local(target)
    stamp = row_files.stamp_of(source)
    with notes.about(source), row_files.open_rows(source) as picture:
        writer = row_files.writer(target, picture.dtype)
        model = decided(model, picture, picture.top)
        canvas = RowCanvas(model, picture)
        available = model.available_memory() if memory is None else memory
        job = Job(model, memory=available, ensemble=ensemble, progress=progress)
        if available < (least := job.least_by_rows(canvas, canvas.rows_bytes)):
            need = f"{source}: rows of {picture.shape[1]} pixels take at least {least:.0f} bytes"
            if memory is None:
                raise NotByRowsError(
                    f"{need}, but there are {available}: it has to be read whole"
                    + row_files.whole()
                )
            raise OptionError(f"{need}, and memory={memory}")
        height, width, channels = canvas.shape
        with notes.about(target):
            metadata = fit(picture.metadata, row_files.format_of(target), width, height)
        shape = (height, width, channels) if channels > 1 else (height, width)
        label = f"{model.card.name} x{model.scale}"
        pixels = picture.shape[0] * picture.shape[1]
        job.foretell(pixels, picture.shape[:2])
        meter = Meter(progress, pixels, label)
        with row_files.placed(target) as file, meter as advance:
            strips = _strips(job, canvas, writer.rows_per_strip(shape, canvas.dtype), advance)
            writer.write_rows(file, strips, metadata, shape, canvas.dtype)
            for _ in strips:  # the writer asks for no more than it needs; the model ends, too
                pass
            row_files.check_unchanged(source, stamp)


def _strips(
    job: Job, canvas: RowCanvas, step: int, advance: Callable[[int], None]
) -> Iterator[NDArray[Any]]:
    """Result rows, `step` at a time, as soon as the model has made them."""
    height, width = canvas.shape[0], canvas.grid.columns.length
    done = taken_to = 0
    for row in job.paint_rows(canvas, canvas.rows_bytes, canvas.keep):
        ready = row * canvas.scale
        stop = ready if ready == height else ready // step * step
        if stop > taken_to:
            taken = canvas.take(stop)
            yield from (taken[first : first + step] for first in range(0, len(taken), step))
            del taken
        advance((row - done) * width)
        done, taken_to = row, max(taken_to, stop)


def _check(model: Model) -> None:
    """Refuse models whose results are not made by rows."""
    if model.refines or model.window > 1 or (model.sees_all and not model.streams):
        raise NotByRowsError(
            f"{model.card.name} looks at whole pictures: the file has to be read whole"
            + row_files.whole()
        )
