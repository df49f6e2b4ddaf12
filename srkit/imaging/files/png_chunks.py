"""The chunks that a PNG file is made of (PNG specification, 5)."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from srkit.errors import CorruptFileError
from srkit.imaging.notes import tell

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB = 0, 2  # colour types
CHANNELS = {GREY: 1, RGB: 3, 3: 1, 4: 2, 6: 4}  # by colour type; a palette's is an index
# Chunks of pixels, which alone are large.
_PIXELS = b"IDAT", b"fdAT"
_READ = 2**20  # bytes of a chunk read at a time
# Where the passes of an interlaced picture begin, and their steps, across and down (8.2).
_ADAM7 = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)

# Chunks that are read; those that say how the old pixels were stored or are shown best; and the
# time of the last change, which is now.
_KNOWN = {
    *(b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"cICP", b"iCCP", b"tEXt", b"zTXt", b"iTXt"),
    *(b"pHYs", b"eXIf", b"sBIT", b"bKGD", b"hIST", b"sPLT", b"tIME", b"IEND", b"CgBI"),
    *(b"acTL", b"fcTL", b"fdAT", b"iDOT"),
}
_NAMED = 8  # of the others

_MISSING = "the PNG file is truncated or damaged: part of the picture is missing"
# Bytes that Deflate makes of one at most: 258 of two bits, https://zlib.net/zlib_tech.html
_DEFLATE = 1032
Chunk = tuple[bytes, bytes]  # name and content


class Header(NamedTuple):
    """The chunk IHDR (PNG specification, 11.2.1)."""

    width: int
    height: int
    depth: int
    colour: int
    compression: int
    filter: int
    interlace: int

    def packed(self) -> bytes:
        """The bytes of the chunk."""
        return struct.pack(">IIBBBBB", *self)

    @property
    def unpacked_bytes(self) -> int:
        """Bytes that the pixels take before they are packed, each row with its filter."""
        bits = self.depth * CHANNELS[self.colour]
        passes = _ADAM7 if self.interlace else ((0, 0, 1, 1),)
        total = 0
        for left, top, across, down in passes:
            width = max(0, math.ceil((self.width - left) / across))
            height = max(0, math.ceil((self.height - top) / down))
            total += height * (1 + math.ceil(width * bits / 8)) if width else 0
        return total


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk with its length and checksum (PNG specification, 5.3)."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def read_header(file: BinaryIO) -> Header:
    """Read IHDR, which comes first, and leave the file behind it.

    Raises
    ------
    CorruptFileError
        If it is not there, or states a kind of pixels that there is not.
    """
    file.seek(0)
    start = file.read(len(SIGNATURE) + 8 + 13)
    if start[:8] != SIGNATURE or start[12:16] != b"IHDR" or len(start) < 29:
        raise CorruptFileError("the PNG file has no header")
    file.read(4)  # its checksum, which decoders look at
    header = Header(*struct.unpack(">IIBBBBB", start[16:29]))
    if header.colour not in CHANNELS:
        raise CorruptFileError(f"the PNG file is damaged: there is no colour type {header.colour}")
    return header


def read_chunks(file: BinaryIO) -> list[Chunk]:
    """As `check_pixels`, but pixels are not unpacked, only compared with their checksums.

    Decoders pass over wrong ones, Pillow in silence.

    Raises
    ------
    CorruptFileError
        If a checksum of pixels is wrong, the file ends early, or there is less of them than
        could ever become as many pixels as the header states: decoders take memory for all.
    """
    header, packed, chunks = read_header(file), 0, []
    for name, data in _walk(file):
        if name in _PIXELS:
            packed += len(data)
        else:
            chunks.append((name, data))
    if header.unpacked_bytes > _DEFLATE * packed:
        raise CorruptFileError(_MISSING)
    return chunks


def check_pixels(file: BinaryIO) -> list[Chunk]:
    """As `read_chunks`, from the start of a file; pixels are unpacked as well, and counted.

    Raises
    ------
    CorruptFileError
        Also if there are fewer pixels than the header states.
    """
    header = read_header(file)
    missing, unpacker, chunks = header.unpacked_bytes, zlib.decompressobj(), []
    for name, data in _walk(file):
        if name not in _PIXELS:
            chunks.append((name, data))
        while name == b"IDAT" and data and missing > 0:
            missing -= len(unpacker.decompress(data, _READ))
            data = unpacker.unconsumed_tail
    if missing > 0:
        raise CorruptFileError(_MISSING)
    return chunks


def tell_the_rest(chunks: list[Chunk]) -> None:
    """Say which chunks do not come with the picture, but those that only help to show it."""
    odd = sorted({name for name, _ in chunks} - _KNOWN)
    if b"caBX" in odd:
        tell("content credentials (C2PA) were left out: they are of the picture as it was")
        odd.remove(b"caBX")
    if odd:
        names = ", ".join(name.decode("latin-1") for name in odd[:_NAMED])
        tell(f"chunks of PNG that srkit does not know were left out: {names}")


def _walk(file: BinaryIO) -> Iterator[Chunk]:
    """Names and contents of chunks, those of pixels in pieces, up to the end."""
    while len(head := file.read(8)) == 8 and head[4:] != b"IEND":
        length, name = struct.unpack(">I4s", head)
        left, crc, parts = length, zlib.crc32(name), []
        while left and (part := file.read(min(left, _READ))):
            left, crc = left - len(part), zlib.crc32(part, crc)
            if name in _PIXELS:
                yield name, part
            else:
                parts.append(part)
        stated = file.read(4)
        if left or len(stated) < 4:
            raise CorruptFileError(_MISSING)
        if name in _PIXELS and stated != struct.pack(">I", crc):
            raise CorruptFileError("the PNG file is damaged: a checksum is wrong")
        if name not in _PIXELS:
            yield name, b"".join(parts)
