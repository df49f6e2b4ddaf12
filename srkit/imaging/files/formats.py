"""All image formats: the one list, and what is asked of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePath

from srkit.imaging import notes
from srkit.imaging.files.avif import AVIF
from srkit.imaging.files.bmp import BMP
from srkit.imaging.files.exr import EXR
from srkit.imaging.files.gif import GIF
from srkit.imaging.files.heif import HEIF
from srkit.imaging.files.image_format import ImageFormat
from srkit.imaging.files.jpeg import JPEG
from srkit.imaging.files.jxl import JXL
from srkit.imaging.files.png import PNG
from srkit.imaging.files.radiance import RADIANCE
from srkit.imaging.files.raw import RAW
from srkit.imaging.files.tiff import TIFF
from srkit.imaging.files.webp import WEBP
from srkit.imaging.files.zarr import ZARR

# Bytes at the start of a file by which its format is told: of raw files all of a directory.
HEAD = 1024
# In the order in which they are looked for, and in which messages name them.
FORMATS: tuple[ImageFormat, ...] = (
    *(PNG, JPEG, RAW, TIFF, WEBP, AVIF, JXL, HEIF, BMP, GIF, EXR, RADIANCE, ZARR),
)
WRITTEN = tuple(form for form in FORMATS if form.is_written)
# Those of 16 bits, which take what others cannot; and those that are read and written by rows,
# of which files of the most depths come first.
DEEP = tuple(form for form in WRITTEN if "uint16" in form.dtypes and not form.folder)
BY_ROWS = tuple(
    sorted(
        (form for form in WRITTEN if form.rows and form.row_writer),
        key=lambda form: (form.folder, -len(form.dtypes)),
    )
)

# Endings of files that are read and written.
SUFFIXES = tuple(suffix for form in WRITTEN for suffix in form.suffixes)
# Those that are read, at least.
READ_SUFFIXES = (
    *SUFFIXES,
    *(suffix for form in FORMATS if not form.is_written for suffix in form.suffixes),
)


def named(path: PurePath) -> ImageFormat | None:
    """The format that a name's ending stands for; None if there is none.

    Examples
    --------
    >>> named(Path("holiday.JPE")).name, named(Path("holiday.txt"))
    ('JPEG', None)
    """
    suffix = path.suffix.lower()
    return next((form for form in FORMATS if suffix in (*form.suffixes, *form.aliases)), None)


def written_as(path: PurePath) -> ImageFormat | None:
    """The format that a file of this name is written in; None if none is written so.

    Examples
    --------
    >>> written_as(Path("holiday.tif")).name, written_as(Path("holiday.heic"))
    ('TIFF', None)
    """
    return next((form for form in WRITTEN if path.suffix.lower() in form.suffixes), None)


def of_folder(path: Path) -> ImageFormat | None:
    """The format of a folder that is a picture; None for other folders, and for files."""
    return next((form for form in FORMATS if form.folder and form.sniff(b"", path)), None)


def of_file(head: bytes, path: Path) -> ImageFormat | None:
    """The format of a file by its first `HEAD` bytes; None if srkit reads none like it."""
    return next((form for form in FORMATS if not form.folder and form.sniff(head, path)), None)


def listed(forms: Iterable[ImageFormat], conjunction: str) -> str:
    """Formats as a sentence names them.

    Examples
    --------
    >>> listed([PNG, WEBP, ZARR], "or")
    'PNG, WebP or Zarr'
    """
    return notes.joined([form.title for form in forms], conjunction)
