"""IPTC's title, keywords and rights (IIM 4.2), and where formats keep them."""

from __future__ import annotations

import struct

from srkit.imaging.notes import tell

_PHOTOSHOP = b"Photoshop 3.0\0"
_RESOURCE = 0x0404  # of Adobe's image resources: IPTC
_PATHS = range(2000, 2999)  # clipping paths
_HEAD = b"8BIM" + struct.pack(">H", _RESOURCE) + b"\0\0"
# What a JPEG segment holds of it.
JPEG_MOST = 65533 - len(_PHOTOSHOP) - len(_HEAD) - 4 - 1
# ImageMagick's and ExifTool's way for PNG: a text of a heading, then hexadecimal.
PNG_KEYWORD = "Raw profile type iptc"


def of_resources(resources: object) -> bytes | None:
    """IPTC among Adobe's image resources by number; other ones are told if they matter."""
    if not isinstance(resources, dict):
        return None
    if any(number in _PATHS for number in resources):
        tell("clipping paths were left out")
    block = resources.get(_RESOURCE)
    return block if isinstance(block, bytes) and block else None


def split(block: bytes) -> dict[int, bytes]:
    """Adobe's image resources by number; damaged ones are passed over."""
    found: dict[int, bytes] = {}
    at = 0
    while block[at : at + 4] == b"8BIM" and at + 12 <= len(block):
        (number,) = struct.unpack_from(">H", block, at + 4)
        start = at + 6 + (block[at + 6] + 2) // 2 * 2  # a name, padded
        if start + 4 > len(block):
            break
        (length,) = struct.unpack_from(">I", block, start)
        found.setdefault(number, block[start + 4 : start + 4 + length])
        at = start + 4 + length + length % 2
    return found


def jpeg_segment(block: bytes) -> bytes:
    """A whole APP13 segment."""
    resource = _HEAD + struct.pack(">I", len(block)) + block + bytes(len(block) % 2)
    return (
        b"\xff\xed"
        + struct.pack(">H", 2 + len(_PHOTOSHOP) + len(resource))
        + (_PHOTOSHOP + resource)
    )


def png_text(block: bytes) -> str:
    """What `of_png_text` reads."""
    digits = block.hex()
    lines = (digits[at : at + 72] for at in range(0, len(digits), 72))
    return f"\niptc\n{len(block):8}\n" + "\n".join(lines) + "\n"


def of_png_text(text: str) -> bytes | None:
    """IPTC in a text of PNG; in some programs' within Adobe's resources."""
    try:
        block = bytes.fromhex("".join(text.split("\n")[3:]))
    except ValueError:
        return None
    return split(block).get(_RESOURCE) if block.startswith(b"8BIM") else block or None


def of_numbers(value: object, order: str) -> bytes | None:
    """The value of TIFF's tag, which some writers state as numbers of 32 bits."""
    if isinstance(value, bytes):
        return value or None
    if isinstance(value, tuple) and all(isinstance(n, int) and 0 <= n < 2**32 for n in value):
        return struct.pack(f"{order}{len(value)}I", *value).rstrip(b"\0") or None
    return None
