"""Rows of a TIFF file, read as they are asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from srkit.errors import CorruptFileError, NotByRowsError
from srkit.imaging.files import tiff_directories, tiff_reading
from srkit.imaging.files.decoding import naming
from srkit.imaging.files.rows import Rows
from srkit.imaging.metadata import Metadata

if TYPE_CHECKING:
    import tifffile

_PACKED = 6, 7, 33007, 34892  # kinds of JPEG, which need tables of the whole file
# Bytes of rows decoded at a time, where they are not in proportion to the file.
LARGEST_BAND, MOST_INFLATION = 1 << 29, 4096


class TiffRows(Rows):
    """The picture of a TIFF file.

    Raises
    ------
    NotByRowsError
        If the picture is of a kind that is read whole.
    ImageError, CorruptFileError
        As `read_image`.
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        import tifffile  # slow to import, and most images are not TIFF

        self._file = file
        tiff_directories.check(file)
        opened = tifffile.TiffFile(file)
        self._page = page = tiff_reading.only_page(opened)
        _refuse_whole(page)
        mode = tiff_reading.check_kind(page, opened.filehandle.size)
        metadata = _upright(page, tiff_reading.read_metadata(page, file, mode))
        shape = page.imagelength, page.imagewidth, page.samplesperpixel
        stored = np.dtype(page.dtype)
        self._stored = stored.newbyteorder(opened.byteorder)
        # Where nothing is packed, any row can be read by itself.
        self._plain = bool(page.is_final)
        tall = page.tilelength if page.is_tiled else min(page.rowsperstrip, shape[0])
        self._tall = 1 if self._plain else tall
        super().__init__(path, "TIFF", shape, stored, metadata, self._tall)
        band = self.row_bytes * min(self.band, shape[0])
        if band > max(LARGEST_BAND, MOST_INFLATION * sum(page.databytecounts)):
            raise CorruptFileError("the TIFF file's rows are larger than it can hold")

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        """Open a file; errors name it."""
        with path.open("rb") as file:
            with naming(path, "TIFF"):
                picture = cls(file, path)
            yield picture

    @classmethod
    def size_of(cls, path: Path) -> tuple[int, int, int]:
        """See `Rows.size_of`."""
        import tifffile

        with path.open("rb") as file:
            tiff_directories.check(file)
            page = tifffile.TiffFile(file).pages.first
            depth = np.dtype(page.dtype).itemsize * int(page.samplesperpixel)
            return int(page.imagelength), int(page.imagewidth), depth

    def decode(self, first: int, last: int) -> NDArray[Any]:
        """See `Rows.decode`."""
        stored = np.empty((last - first, *self.shape[1:]), self.dtype)
        fill = self._fill_plainly if self._plain else self._fill_by_pieces
        fill(stored, first)
        return tiff_reading.straight(self._page, stored)

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


def _refuse_whole(page: tifffile.TiffPage) -> None:
    """Refuse what only reading whole can do."""
    reason = None
    if page.extrasamples:
        # Colour under transparent pixels comes from visible ones, however far away.
        reason = "transparency"
    elif page.photometric == 5:
        reason = "CMYK, whose channels are upscaled one after the other,"
    elif tiff_reading.is_for_pillow(page) or page.compression in _PACKED:
        reason = "a palette, packed bits, YCbCr or JPEG inside TIFF"
    elif page.imagedepth != 1:
        reason = "depth"
    if reason:
        raise NotByRowsError(f"a picture with {reason} has to be read whole")


def _upright(page: tifffile.TiffPage, metadata: Metadata) -> Metadata:
    if (turned := tiff_reading.orientation(page, metadata)) != 1:
        raise NotByRowsError(f"a picture that is stored turned ({turned}) has to be read whole")
    return metadata
