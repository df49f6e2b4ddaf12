"""The boxes of a JPEG XL file (ISO/IEC 18181-2): a codestream, and what is said beside it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from srkit.errors import CorruptFileError
from srkit.imaging.files import exif
from srkit.imaging.files.jxl_codestream import SIGNATURE as BARE
from srkit.imaging.notes import tell

SIGNATURE = b"\0\0\0\x0cJXL \r\n\x87\n"
_TYPE = b"\0\0\0\x14ftypjxl \0\0\0\0jxl "
_MOST_UNPACKED = 1 << 24  # bytes of a packed box
# Of a file itself, or of how its JPEG was packed.
_KNOWN = (b"JXL ", b"ftyp", b"jxll", b"jxli", b"jxlc", b"jxlp", b"jbrd", b"Exif", b"xml ")
_PACKED = (b"Exif", b"xml ")  # those of them that may be packed
_NAMED = 8  # of the others


@dataclass(frozen=True)
class Boxes:
    """What a file holds.

    Attributes
    ----------
    codestream
        Of its picture.
    level
        The box that says what its decoder needs; empty where that is little.
    exif, xmp
        As `Metadata` has them.
    is_jpeg
        Whether the JPEG that it was made of can be had again, to the last bit.
    """

    codestream: bytes
    level: bytes = b""
    exif: bytes | None = None
    xmp: bytes | None = None
    is_jpeg: bool = False


def parse(data: bytes) -> Boxes:
    """Take a file apart; boxes that srkit does not know are told.

    Raises
    ------
    CorruptFileError
        If it has no codestream.
    """
    if data.startswith(BARE):
        return Boxes(data)
    found: dict[bytes, bytes] = {}
    parts: list[bytes] = []
    for name, content in _walk(data):
        if name in (b"jxlc", b"jxlp"):
            parts.append(content if name == b"jxlc" else content[4:])
        elif name != b"brob":
            found.setdefault(name, content)
        elif content[:4] not in found:
            found[content[:4]] = _unpacked(content)
    if not parts:
        raise CorruptFileError("the JPEG XL file has no picture: it is truncated or damaged")
    if odd := [name for name in found if name not in _KNOWN]:
        names = ", ".join(name.decode("latin-1").strip() for name in odd[:_NAMED])
        tell(f"parts of JPEG XL that srkit does not know were left out: {names}")
    return Boxes(
        b"".join(parts),
        _box(b"jxll", found[b"jxll"]) if b"jxll" in found else b"",
        _exif(found.get(b"Exif", b"")),
        found.get(b"xml ") or None,
        b"jbrd" in found,
    )


def packed(boxes: Boxes) -> bytes:
    """A file of such parts; a codestream alone where there is nothing else."""
    if not (boxes.level or boxes.exif or boxes.xmp):
        return boxes.codestream
    made = [SIGNATURE, _TYPE, boxes.level]
    if boxes.exif:
        # How far behind these four bytes the TIFF stream begins.
        made.append(_box(b"Exif", bytes(4) + exif.strip(boxes.exif)))
    if boxes.xmp:
        made.append(_box(b"xml ", boxes.xmp))
    return b"".join([*made, _box(b"jxlc", boxes.codestream)])


def _walk(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1 and at + 16 <= len(data):
            head, size = 16, struct.unpack_from(">Q", data, at + 8)[0]
        elif size == 0:  # up to the end
            size = len(data) - at
        if size < head:
            raise CorruptFileError("the JPEG XL file is damaged: a part of it has no size")
        yield name, data[at + head : at + size]
        at += size


def _box(name: bytes, content: bytes) -> bytes:
    size = 8 + len(content)
    if size < 1 << 32:
        return struct.pack(">I4s", size, name) + content
    return struct.pack(">I4sQ", 1, name, 8 + size) + content


def _unpacked(content: bytes) -> bytes:
    """What Brotli packed; nothing where it is not asked for, and a word where it is damaged."""
    if content[:4] not in _PACKED:
        return b""
    import imagecodecs  # slow to import, and needed for few files

    try:
        return bytes(imagecodecs.brotli_decode(content[4:], out=bytearray(_MOST_UNPACKED)))
    except Exception:  # noqa: BLE001  # of any kind
        tell("a packed part of JPEG XL is damaged or too long, and was left out")
        return b""


def _exif(content: bytes) -> bytes | None:
    start = 4 + int.from_bytes(content[:4], "big")
    block = exif.strip(content[start:])
    return exif.PREFIX + block if block else None
