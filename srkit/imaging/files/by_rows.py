"""Which files are read and written by rows, and by what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from srkit.atomic import replacing, replacing_folder
from srkit.errors import CorruptFileError, ImageError, NotByRowsError
from srkit.guard import refuse_pipes
from srkit.imaging.files import png, png_chunks, rows_png, rows_tiff, rows_zarr, tiff
from srkit.imaging.files import zarr as zarrs
from srkit.imaging.files.rows import Rows
from srkit.imaging.metadata import Metadata

_KINDS = {".tif": "TIFF", ".tiff": "TIFF", ".png": "PNG", zarrs.SUFFIX: "ZARR"}
# Endings of files that are written by rows.
SUFFIXES = tuple(_KINDS)


class Writer(Protocol):
    """A module that writes a format; the file is a folder for Zarr."""

    def rows_per_strip(self, shape: tuple[int, ...], dtype: np.dtype[Any], /) -> int:
        """Rows that a strip has best."""

    def write_rows(
        self,
        file: Any,
        strips: Iterator[NDArray[Any]],
        metadata: Metadata,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        /,
    ) -> None:
        """Write a picture of strips of so many rows."""


_SIZES: dict[str, Callable[[Path], tuple[int, int, int]]] = {
    "TIFF": rows_tiff.size_of,
    "PNG": rows_png.size_of,
    "ZARR": zarrs.size_of,
}
_WRITERS: dict[str, Writer] = {"TIFF": tiff, "PNG": png, "ZARR": zarrs}


def open_rows(path: Path) -> AbstractContextManager[Rows]:
    """Open a picture whose rows are read as they are asked for; the content decides.

    Raises
    ------
    NotByRowsError
        If it is of a kind that is read whole.
    ImageError, CorruptFileError, OSError
        As `read_image`.
    """
    kind = _kind_of(path)
    if kind == "TIFF":
        return rows_tiff.TiffRows.open(path)
    if kind == "PNG":
        return rows_png.PngRows.open(path)
    if kind == "ZARR":
        return rows_zarr.ZarrRows.open(path)
    raise NotByRowsError(
        f"{path}: only TIFF, PNG and Zarr are read by rows, all else has to be read whole"
    )


def size_of(path: Path) -> tuple[int, int, int] | None:
    """Height, width and bytes a pixel that a file states; None for what is not read by rows."""
    try:
        kind = _kind_of(path)
        return _SIZES[kind](path) if kind else None
    except Exception:  # noqa: BLE001  # reading it whole tells what is wrong
        return None


def stamp_of(path: Path) -> tuple[object, ...]:
    """What changes when a file, or any chunk of a store, is written anew."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    told = [(p, p.stat()) for p in files]
    return tuple((p, s.st_ino, s.st_size, s.st_mtime_ns) for p, s in told)


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


def writer(path: Path, dtype: np.dtype[Any]) -> Writer:
    """What writes a file, by its suffix, or a `NotByRowsError`."""
    kind = _KINDS.get(path.suffix.lower())
    if kind is None:
        raise NotByRowsError(
            f"{path}: only TIFF, PNG and Zarr are written by rows; name a .tif, .png or .zarr file"
        )
    if kind == "PNG" and dtype.kind == "f":
        raise NotByRowsError(f"{path}: floats become PNG where they are read whole")
    return _WRITERS[kind]


def kind_of(path: Path) -> str:
    """The format that a suffix, one of `SUFFIXES`, names."""
    return _KINDS[path.suffix.lower()]


@contextmanager
def placed(path: Path) -> Iterator[Any]:
    """A file, or for Zarr a folder, that appears under its name at the end, if all goes well."""
    if kind_of(path) == "ZARR":
        zarrs.check_target(path)
        with replacing_folder(path) as folder:
            yield folder
    else:
        with replacing(path) as file:
            yield file


def _kind_of(path: Path) -> str | None:
    refuse_pipes(path, ImageError)
    if zarrs.is_store(path):
        return "ZARR"
    with path.open("rb") as file:
        head = file.read(8)
    if head[:4] in rows_tiff.HEADERS:
        return "TIFF"
    return "PNG" if head == png_chunks.SIGNATURE else None
