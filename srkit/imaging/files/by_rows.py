"""Which files are read and written by rows, and by what."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from srkit.advice import advise
from srkit.errors import CorruptFileError, ImageError, NotByRowsError
from srkit.guard import refuse_pipes
from srkit.imaging import notes
from srkit.imaging.files import formats, remote
from srkit.imaging.files.formats import BY_ROWS, listed
from srkit.imaging.files.image_format import ImageFormat, RowWriter
from srkit.imaging.files.rows import Rows


def whole() -> str:
    """How a picture is upscaled that has to be read whole, for who calls srkit."""
    return advise(", by model.upscale(source).save(target)", "")


def local(place: str | os.PathLike[str]) -> Path:
    """A path of this machine, also by a URL such as ``file:///photos/a.tif``.

    Raises
    ------
    NotByRowsError
        If it is a URL of another place.

    Examples
    --------
    >>> local("file:///photos/a.tif").name
    'a.tif'
    """
    text = os.fspath(place)
    if not remote.is_url(text):
        return Path(place)
    if (path := remote.local_path(text)) is None:
        raise NotByRowsError(
            f"{remote.shown(text)}: only files of this machine are upscaled by rows; what has a "
            f"URL is read and written whole{whole()}"
        )
    return Path(path)


def open_rows(path: Path) -> AbstractContextManager[Rows]:
    """Open a picture whose rows are read as they are asked for; the content decides.

    Raises
    ------
    NotByRowsError
        If it is of a kind that is read whole.
    ImageError, CorruptFileError, OSError
        As `read_image`.
    """
    if reader := _reader_of(path):
        return reader.open(path)
    raise NotByRowsError(
        f"{path}: only {listed(BY_ROWS, 'and')} are read by rows, all else has to be read whole"
        + whole()
    )


def size_of(path: Path) -> tuple[int, int, int] | None:
    """Height, width and bytes a pixel that a file states; None for what is not read by rows."""
    try:
        reader = _reader_of(path)
        return reader.size_of(path) if reader else None
    except Exception:  # noqa: BLE001  # reading it whole tells what is wrong
        return None


def stamp_of(path: Path) -> tuple[object, ...]:
    """What changes when a file, or any chunk of a store, is written anew."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    stats = [(p, p.stat()) for p in files]
    return tuple((p, s.st_ino, s.st_size, s.st_mtime_ns) for p, s in stats)


def check_unchanged(path: Path, stamp: tuple[object, ...]) -> None:
    """Refuse what was read of a file that is another than when `stamp_of` was called."""
    try:
        same = stamp_of(path) == stamp
    except OSError:
        same = False
    if not same:
        raise CorruptFileError(
            f"{path} changed while it was read: parts of it belong to different pictures, and "
            "nothing was written; upscale it again"
        )


def writer(path: Path, dtype: np.dtype[Any]) -> RowWriter:
    """What writes a file, by its suffix, or a `NotByRowsError`."""
    form, row_writer = _written(path)
    if dtype.kind == "f" and "float32" not in form.dtypes:
        raise NotByRowsError(f"{path}: floats become {form.title} where they are read whole")
    return row_writer


def format_of(path: Path) -> ImageFormat:
    """The format that a file is written in, by its suffix, or a `NotByRowsError`."""
    return _written(path)[0]


def is_written(path: Path) -> bool:
    """Whether a file of this name can be written by rows."""
    return formats.written_as(path) in BY_ROWS


@contextmanager
def placed(path: Path) -> Iterator[Any]:
    """A file, or for Zarr a folder, that appears under its name at the end, if all goes well."""
    form = format_of(path)
    form.check_target(path)
    with form.placed(path) as target:
        yield target


def _written(path: Path) -> tuple[ImageFormat, RowWriter]:
    form = formats.written_as(path)
    if form is None or form.row_writer is None:
        usual = notes.joined([form.suffixes[0] for form in BY_ROWS])
        raise NotByRowsError(
            f"{path}: only {listed(BY_ROWS, 'and')} are written by rows; name a {usual} file"
        )
    return form, form.row_writer


def _reader_of(path: Path) -> type[Rows] | None:
    """What reads a file by rows; the content decides."""
    refuse_pipes(path, ImageError)
    form = formats.of_folder(path)
    if form is None:
        with path.open("rb") as file:
            form = formats.of_file(file.read(formats.HEAD), path)
    return form.rows if form else None
