"""EXIF blocks: what goes stale when pixels are turned or resized.

A block is patched in place and never rebuilt. Maker notes hold offsets into the
block that nobody but the maker knows, so moving anything would break them.
Offsets and tags are those of TIFF 6.0 and EXIF 2.32.
"""

from __future__ import annotations

import logging
import struct
from typing import NamedTuple

log = logging.getLogger(__name__)

PREFIX = b"Exif\x00\x00"
ORIENTATION = 0x0112
EXIF_IFD = 0x8769
_BYTE, _SHORT, _LONG = 1, 3, 4
_SIZES = {0x0100: "width", 0x0101: "height", 0xA002: "width", 0xA003: "height"}
_THUMBNAIL_START, _THUMBNAIL_LENGTH = 0x0201, 0x0202


class _Entry(NamedTuple):
    at: int  # where the 12 bytes of the entry begin
    kind: int
    length: int  # in values of that kind


class _Block:
    """A TIFF stream and its byte order; raises ValueError if it is malformed."""

    def __init__(self, block: bytes) -> None:
        self.body = bytearray(strip(block))
        orders = {b"II*\x00": "<", b"MM\x00*": ">"}
        if (order := orders.get(bytes(self.body[:4]))) is None:
            raise ValueError("no TIFF header")
        self.order = order
        self.first = self.number("I", 4)

    def number(self, kind: str, at: int) -> int:
        try:
            return int(struct.unpack_from(self.order + kind, self.body, at)[0])
        except struct.error as error:
            raise ValueError("an offset points outside the block") from error

    def write(self, kind: str, at: int, *values: int) -> None:
        struct.pack_into(self.order + kind, self.body, at, *values)

    def entries(self, ifd: int) -> dict[int, _Entry]:
        starts = [ifd + 2 + 12 * n for n in range(self.number("H", ifd))]
        if starts and starts[-1] + 12 > len(self.body):
            raise ValueError("a directory reaches outside the block")
        return {
            self.number("H", at): _Entry(at, self.number("H", at + 2), self.number("I", at + 4))
            for at in starts
        }

    def value(self, entry: _Entry | None) -> int | None:
        kinds = {_BYTE: "B", _SHORT: "H", _LONG: "I"}
        if entry is None or entry.length != 1 or entry.kind not in kinds:
            return None
        return self.number(kinds[entry.kind], entry.at + 8)

    def set(self, entry: _Entry | None, value: int) -> None:
        if entry is None:
            return
        short = value <= 0xFFFF and entry.kind != _LONG
        self.write("HI", entry.at + 2, _SHORT if short else _LONG, 1)
        if short:
            self.write("HH", entry.at + 8, value, 0)
        else:
            self.write("I", entry.at + 8, value)


def strip(block: bytes) -> bytes:
    """Return the TIFF stream alone, without the ``Exif`` marks that containers add."""
    while block.startswith(PREFIX):
        block = block[len(PREFIX) :]
    return block


def orientation(block: bytes | None) -> int | None:
    """Tell the orientation that a block states, 1 to 8, or None."""
    if not block:
        return None
    try:
        parsed = _Block(block)
        value = parsed.value(parsed.entries(parsed.first).get(ORIENTATION))
    except ValueError:
        return None
    return value if value is not None and 1 <= value <= 8 else None


def refresh(block: bytes | None, width: int, height: int) -> bytes | None:
    """Set size tags to the pixels' and orientation to 1; drop the thumbnail.

    Parameters
    ----------
    block
        An EXIF block, with or without its ``Exif`` mark, or None.
    width, height
        Of the pixels that it will be saved with.

    Returns
    -------
    bytes or None
        The block, with its mark and all else where it was, maker notes
        included. None for a malformed block, since it may hold a stale
        orientation that cannot be found.
    """
    if not block:
        return None
    try:
        parsed = _Block(block)
        main = parsed.entries(parsed.first)
        directories = [main]
        if (pointer := parsed.value(main.get(EXIF_IFD))) is not None:
            directories.append(parsed.entries(pointer))
        parsed.set(main.get(ORIENTATION), 1)
        for directory in directories:
            for tag, side in _SIZES.items():
                parsed.set(directory.get(tag), width if side == "width" else height)
        _drop_thumbnail(parsed)
    except ValueError as error:
        log.warning("the EXIF block is damaged (%s) and was left out", error)
        return None
    return PREFIX + bytes(parsed.body)


def without_orientation(block: bytes | None) -> bytes | None:
    """Take the orientation tag out of the directory, moving nothing else."""
    if not block or orientation(block) is None:
        return block
    parsed = _Block(block)
    main = parsed.entries(parsed.first)
    count = parsed.number("H", parsed.first)
    gap, end = main[ORIENTATION].at, parsed.first + 2 + 12 * count + 4
    # What follows in the directory moves up; nothing beyond it moves.
    parsed.body[gap:end] = parsed.body[gap + 12 : end] + bytes(12)
    parsed.write("H", parsed.first, count - 1)
    return PREFIX + bytes(parsed.body)


def _drop_thumbnail(parsed: _Block) -> None:
    link = parsed.first + 2 + 12 * parsed.number("H", parsed.first)
    # Some writers leave out the link that would say "no thumbnail".
    if link + 4 > len(parsed.body) or not (ifd := parsed.number("I", link)):
        return
    parsed.write("I", link, 0)
    try:
        entries = parsed.entries(ifd)
    except ValueError:
        return  # damaged, but no longer linked to
    start = parsed.value(entries.get(_THUMBNAIL_START))
    length = parsed.value(entries.get(_THUMBNAIL_LENGTH))
    # Blank only what is a JPEG: a wrong offset must not cost other tags.
    if start is None or length is None or parsed.body[start : start + 2] != b"\xff\xd8":
        return
    if start + length >= len(parsed.body):
        del parsed.body[start:]
    else:
        parsed.body[start : start + length] = bytes(length)
