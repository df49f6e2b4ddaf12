"""Writing PNG of 8 and 16 bits, with the metadata chunks of the PNG specification."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from srkit.imaging.files import color_tags, exif, iptc
from srkit.imaging.files.png_chunks import GREY, RGB, SIGNATURE, Header, chunk
from srkit.imaging.metadata import Metadata

_UP = 2  # filter type: what a byte differs by from the one above it
_AFTER_HEADER = 33  # signature (8 bytes) and IHDR (25 bytes)
_METRES_PER_INCH = 0.0254
_LONG = 1024  # characters of a text


def write(
    file: BinaryIO, pixels: NDArray[Any], metadata: Metadata, quality: int | None = None
) -> None:
    """Write what `encode` gives; there is no quality to choose."""
    file.write(encode(pixels, metadata))


def encode(pixels: NDArray[Any], metadata: Metadata) -> bytes:
    """Encode pixels and metadata.

    Pillow cannot write 16-bit colour and imagecodecs no metadata, so the pixels
    are imagecodecs' and the chunks ours.

    Parameters
    ----------
    pixels
        ``(H, W)`` or ``(H, W, C)`` with 2 to 4 channels, uint8 or uint16.
    metadata
        Its colour, EXIF, XMP, DPI, texts and IPTC are written.

    Returns
    -------
    bytes
        The whole file.
    """
    import imagecodecs  # slow to import, and needed only to save

    file = imagecodecs.png_encode(np.ascontiguousarray(pixels))
    return b"".join([file[:_AFTER_HEADER], *_described(metadata), file[_AFTER_HEADER:]])


def write_rows(
    file: BinaryIO,
    strips: Iterator[NDArray[Any]],
    metadata: Metadata,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
) -> None:
    """Write what `encode` gives, but for the packing of its pixels, of strips that come one by one.

    By our own code: libvips writes what it can read, and reads no rows that are still being
    made. Of the filters one is used that needs no choice; on photos it takes 4 % more than
    libpng's choice.

    Parameters
    ----------
    strips
        Rows ``(h, W, C)`` from top to bottom.
    shape, dtype
        Of the whole picture: ``(H, W)`` or ``(H, W, 3)``, uint8 or uint16.
    """
    height, width = shape[:2]
    colour = RGB if len(shape) == 3 else GREY
    header = Header(width, height, 8 * dtype.itemsize, colour, 0, 0, 0)
    file.write(b"".join([SIGNATURE, chunk(b"IHDR", header.packed()), *_described(metadata)]))
    packer = zlib.compressobj()
    above = np.zeros(math.prod(shape[1:]) * dtype.itemsize, np.uint8)
    for strip in strips:
        big_endian = np.ascontiguousarray(strip, strip.dtype.newbyteorder(">"))
        rows = big_endian.view(np.uint8).reshape(len(strip), -1)
        filtered = np.empty((len(rows), 1 + rows.shape[1]), np.uint8)
        filtered[:, 0] = _UP
        np.subtract(rows[0], above, out=filtered[0, 1:])
        np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
        above = rows[-1].copy()
        if packed := packer.compress(filtered.tobytes()):
            file.write(chunk(b"IDAT", packed))
    file.write(chunk(b"IDAT", packer.flush()) + chunk(b"IEND", b""))


def rows_per_strip(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """Rows that take some 256 KB."""
    return min(shape[0], max(1, 2**18 // (math.prod(shape[1:]) * dtype.itemsize)))


def _described(metadata: Metadata) -> list[bytes]:
    """Chunks of what is known about the pixels; before these every reader looks for them."""
    colour = color_tags.to_png(metadata.color, with_profile=metadata.icc is not None)
    chunks = [chunk(name, data) for name, data in colour]
    if metadata.icc:
        chunks.append(chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(metadata.icc)))
    if metadata.dpi:
        across, down = (round(dpi / _METRES_PER_INCH) for dpi in metadata.dpi)
        chunks.append(chunk(b"pHYs", struct.pack(">IIB", across, down, 1)))
    if metadata.exif:
        chunks.append(chunk(b"eXIf", exif.strip(metadata.exif)))
    if metadata.xmp:
        # Keyword, no compression, no language, no translated keyword.
        chunks.append(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp))
    texts = [*metadata.texts]
    if metadata.iptc:
        texts.append((iptc.PNG_KEYWORD, iptc.png_text(metadata.iptc)))
    return chunks + [_text(keyword, text) for keyword, text in texts]


def _text(keyword: str, text: str) -> bytes:
    """A text in the plainest chunk that holds it (11.3.3); long ones are packed."""
    key = keyword.encode("latin-1", "replace")[:79]
    packed = len(text) > _LONG
    try:
        data = text.encode("latin-1")
    except UnicodeEncodeError:
        data = text.encode("utf-8", "replace")
        content = zlib.compress(data) if packed else data
        return chunk(b"iTXt", key + bytes([0, packed, 0, 0, 0]) + content)
    if packed:
        return chunk(b"zTXt", key + b"\0\0" + zlib.compress(data))
    return chunk(b"tEXt", key + b"\0" + data)
