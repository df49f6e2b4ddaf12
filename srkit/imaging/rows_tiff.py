"""Rows of a TIFF file, read as they are asked for."""

from __future__ import annotations

import math
import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from srkit.errors import CorruptFileError, NotByRowsError, SrkitError
from srkit.imaging import tiff
from srkit.imaging.image import Metadata
from srkit.imaging.planes import check_range

if TYPE_CHECKING:
    import tifffile

# Endings of files that are read and written by rows.
SUFFIXES = (".tif", ".tiff")

# Rows decoded at a time, at least.
BAND = 64
_PACKED = 6, 7, 33007, 34892  # kinds of JPEG, which need tables of the whole file
_HEADERS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


class TiffRows:
    """The picture of a TIFF file, as an array of which parts are read.

    The last rows that were read are kept, so that what reads on from top to bottom decodes
    nothing twice; reading elsewhere is slow, but right.

    Attributes
    ----------
    shape
        Height, width and channels: 1 or 3.
    dtype
        uint8, uint16 or float32.
    metadata
        As `read_image` gives it.
    band
        Rows that are decoded at a time.
    kept
        Rows to keep, beside those of two bands.

    Raises
    ------
    NotByRowsError
        If the picture is of a kind that is read whole.
    ImageError, CorruptFileError
        As `read_image`.
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        import tifffile  # slow to import, and most images are not TIFF

        self._file, self._path = file, path
        opened = tifffile.TiffFile(file)
        self._page = page = tiff.only_page(opened)
        _refuse_whole(page)
        mode = tiff.check_kind(page, opened.filehandle.size)
        self.metadata = _upright(page, tiff.read_metadata(page, file, mode))
        self.shape: tuple[int, int, int] = page.imagelength, page.imagewidth, page.samplesperpixel
        stored = np.dtype(page.dtype)
        self._stored = stored.newbyteorder(opened.byteorder)
        self.dtype = np.dtype(np.float32) if stored.kind == "f" else stored
        # Where nothing is packed, any row can be read by itself.
        self._plain = bool(page.is_final)
        tall = page.tilelength if page.is_tiled else min(page.rowsperstrip, self.shape[0])
        self._tall = 1 if self._plain else tall
        self.band = self._tall * math.ceil(BAND / self._tall)
        self.kept = 0
        self._bands: OrderedDict[int, NDArray[Any]] = OrderedDict()

    @classmethod
    @contextmanager
    def open(cls, path: str | os.PathLike[str]) -> Iterator[Self]:
        """Open a file; errors name it."""
        path = Path(path)
        with path.open("rb") as file:
            if file.read(4) not in _HEADERS:
                raise NotByRowsError(
                    f"{path}: only TIFF is read by rows, all else has to be read whole"
                )
            file.seek(0)
            with _naming(path):
                picture = cls(file, path)
            yield picture

    @property
    def top(self) -> float:
        """The value that stands for 1.0."""
        return 1.0 if self.dtype.kind == "f" else float(np.iinfo(self.dtype).max)

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.shape[1] * self.shape[2] * self.dtype.itemsize

    def __getitem__(self, part: tuple[slice, slice], /) -> NDArray[Any]:
        """Some rows and columns, ``(h, w, C)``, as a copy; both slices have ends."""
        rows, columns = part
        size = rows.stop - rows.start, columns.stop - columns.start, self.shape[2]
        made = np.empty(size, self.dtype)
        for number in range(rows.start // self.band, math.ceil(rows.stop / self.band)):
            band, top = self._band(number), number * self.band
            first, last = max(rows.start, top), min(rows.stop, top + len(band))
            made[first - rows.start : last - rows.start] = band[first - top : last - top, columns]
        return made

    def _band(self, number: int) -> NDArray[Any]:
        if number in self._bands:
            self._bands.move_to_end(number)
            return self._bands[number]
        while len(self._bands) > 1 + math.ceil(self.kept / self.band):
            self._bands.popitem(last=False)
        first = number * self.band
        with _naming(self._path):
            band = self._decode(first, min(first + self.band, self.shape[0]))
        self._bands[number] = band
        return band

    def _decode(self, first: int, last: int) -> NDArray[Any]:
        stored = np.empty((last - first, *self.shape[1:]), self.dtype)
        fill = self._fill_plainly if self._plain else self._fill_by_pieces
        fill(stored, first)
        band = tiff.straight(self._page, stored)
        if band.dtype.kind == "f":
            check_range(band, 1.0)
        return band

    def _fill_plainly(self, band: NDArray[Any], first: int) -> None:
        """Read rows that lie one behind the other."""
        height, width, channels = self.shape
        for plane, channel in self._planes():
            samples = width * (channels if plane is None else 1)
            at = ((plane or 0) * height + first) * samples * self._stored.itemsize
            count = len(band) * samples
            data = self._bytes(self._page.dataoffsets[0] + at, count * self._stored.itemsize)
            rows = np.frombuffer(data, self._stored).reshape(len(band), width, -1)
            band[:, :, channel] = rows

    def _fill_by_pieces(self, band: NDArray[Any], first: int) -> None:
        """Decode the strips or tiles that rows are made of."""
        page, (height, width, _) = self._page, self.shape
        across = math.ceil(width / (page.tilewidth if page.is_tiled else width))
        down = math.ceil(height / self._tall)
        last = first + len(band)
        for plane, channel in self._planes():
            start = ((plane or 0) * down + first // self._tall) * across
            stop = ((plane or 0) * down + math.ceil(last / self._tall)) * across
            for index in range(start, stop):
                data = self._bytes(page.dataoffsets[index], page.databytecounts[index])
                piece, (_, _, y, x, _), _ = page.decode(data, index)
                if piece is None:
                    raise CorruptFileError(f"part {index} of the picture is empty")
                tall, wide = min(self._tall, last - y), min(piece.shape[2], width - x)
                place = slice(y - first, y - first + tall), slice(x, x + wide), channel
                band[place] = piece[0, :tall, :wide]

    def _planes(self) -> list[tuple[int | None, slice]]:
        """What is stored apart: all channels at once, or each as a plane of its own."""
        if self._page.planarconfig == 2 and self.shape[2] > 1:
            return [(n, slice(n, n + 1)) for n in range(self.shape[2])]
        return [(None, slice(None))]

    def _bytes(self, start: int, count: int) -> bytes:
        self._file.seek(start)
        data = self._file.read(count)
        if len(data) < count:
            raise CorruptFileError("the TIFF file is truncated: part of the picture is missing")
        return data


def size_of(path: str | os.PathLike[str]) -> tuple[int, int, int] | None:
    """Height, width and bytes a pixel that a TIFF file states; None for what is none."""
    import tifffile

    try:
        with Path(path).open("rb") as file:
            if file.read(4) not in _HEADERS:
                return None
            file.seek(0)
            page = tifffile.TiffFile(file).pages.first
            bits = np.dtype(page.dtype).itemsize * int(page.samplesperpixel)
            return int(page.imagelength), int(page.imagewidth), bits
    except Exception:  # noqa: BLE001  # reading it whole tells what is wrong
        return None


def _refuse_whole(page: tifffile.TiffPage) -> None:
    """Refuse what only reading whole can do."""
    reason = None
    if page.extrasamples:
        # Colour under transparent pixels comes from visible ones, however far away.
        reason = "transparency"
    elif page.photometric == 5:
        reason = "CMYK, whose channels are upscaled one after the other,"
    elif tiff.is_for_pillow(page) or page.compression in _PACKED:
        reason = "a palette, packed bits, YCbCr or JPEG inside TIFF"
    elif page.imagedepth != 1:
        reason = "depth"
    if reason:
        raise NotByRowsError(f"a picture with {reason} has to be read whole")


def _upright(page: tifffile.TiffPage, metadata: Metadata) -> Metadata:
    if (turned := tiff.orientation(page, metadata)) != 1:
        raise NotByRowsError(f"a picture that is stored turned ({turned}) has to be read whole")
    return metadata


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name the file in errors, as `read_image` does."""
    try:
        yield
    except SrkitError as error:
        raise type(error)(f"{path}: {error}") from error
    except MemoryError:
        raise
    except Exception as error:
        # Decoders raise anything at all when a file is damaged.
        raise CorruptFileError(f"{path}: the TIFF file is truncated or damaged: {error}") from error
