"""Rows of a PNG file, which libvips decodes from top to bottom."""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from srkit.errors import NotByRowsError
from srkit.extras import extra_line
from srkit.imaging.files import png_reading
from srkit.imaging.files.decoding import naming
from srkit.imaging.files.png_chunks import (
    CHANNELS,
    GREY,
    RGB,
    SIGNATURE,
    Chunk,
    Header,
    chunk,
    read_chunks,
    read_header,
)
from srkit.imaging.files.rows import Rows
from srkit.imaging.metadata import Metadata


class PngRows(Rows):
    """The picture of a PNG file.

    Rows above those read last take a new start from the top.

    Attributes
    ----------
    starts
        How often reading began at the top.

    Raises
    ------
    NotByRowsError
        If the picture is of a kind that is read whole, or pyvips is not installed.
    ImageError, CorruptFileError
        As `read_image`.
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        header = read_header(file)
        chunks = read_chunks(file)
        _refuse_whole(header, chunks)
        metadata = _metadata(header, chunks)
        shape = header.height, header.width, CHANNELS[header.colour]
        stored = np.dtype(f"u{header.depth // 8}")
        super().__init__(path, "PNG", shape, stored, metadata, 1)
        self._region: Any = None
        self._next = self.starts = 0

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        """Open a file; errors name it. All of it is read once, for its checksums."""
        try:
            import pyvips  # noqa: F401
        except (ImportError, OSError) as error:  # OSError: it finds no libvips
            raise NotByRowsError(
                f"{path}: PNG is read by rows by pyvips, which is not installed "
                f"({extra_line('vips')}), or has to be read whole"
            ) from error
        with naming(path, "PNG"), path.open("rb") as file:
            picture = cls(file, path)
        try:
            yield picture
        finally:
            picture.close()

    @classmethod
    def size_of(cls, path: Path) -> tuple[int, int, int]:
        """See `Rows.size_of`."""
        with path.open("rb") as file:
            header = read_header(file)
        depth = math.ceil(header.depth * CHANNELS[header.colour] / 8)
        return header.height, header.width, depth

    def decode(self, first: int, last: int) -> NDArray[Any]:
        """See `Rows.decode`."""
        if self._region is None or first < self._next:
            self._start()
        data = self._region.fetch(0, first, self.shape[1], last - first)
        self._next = last
        return np.frombuffer(data, self.dtype).reshape(last - first, *self.shape[1:])

    def close(self) -> None:
        """Let go of the file."""
        self._region = None

    def _start(self) -> None:
        import pyvips  # an extra

        picture = pyvips.Image.pngload(str(self._path), access="sequential", fail_on="error")
        self._region = pyvips.Region.new(picture)
        self.starts += 1


def _refuse_whole(header: Header, chunks: list[Chunk]) -> None:
    """Refuse what only reading whole can do."""
    reason = None
    if header.colour in (4, 6) or any(name == b"tRNS" for name, _ in chunks):
        # Colour under transparent pixels comes from visible ones, however far away.
        reason = "transparency"
    elif header.colour not in (GREY, RGB) or header.depth not in (8, 16):
        reason = "a palette or packed bits"
    elif header.interlace:
        reason = "interlaced rows"
    elif any(name == b"acTL" for name, _ in chunks):
        reason = "several frames"
    if reason:
        raise NotByRowsError(f"a picture with {reason} has to be read whole")


def _metadata(header: Header, chunks: list[Chunk]) -> Metadata:
    """What `read_image` makes of the chunks: that of a picture of one pixel which has them."""
    one = header._replace(width=1, height=1)
    pixel = bytes(1 + CHANNELS[header.colour] * header.depth // 8)
    parts = [(b"IHDR", one.packed()), *chunks, (b"IDAT", zlib.compress(pixel)), (b"IEND", b"")]
    small = SIGNATURE + b"".join(chunk(name, data) for name, data in parts)
    decoded = png_reading.read(io.BytesIO(small), 1)
    if decoded.orientation != 1:
        raise NotByRowsError(
            f"a picture that is stored turned ({decoded.orientation}) has to be read whole"
        )
    return decoded.metadata
