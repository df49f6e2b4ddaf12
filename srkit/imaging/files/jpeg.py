"""What a JPEG file holds beside its picture."""

from __future__ import annotations

import re
from typing import BinaryIO

from srkit.imaging.notes import tell

_LEAST = 64  # bytes behind a picture that are more than padding
_STARTS_SCAN, _END, _JUMBF = 0xDA, 0xD9, 0xEB
# In packed pixels 255 stands before 0, a restart mark or another 255 (ITU-T T.81, B.1.1).
_MARK = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
# Programs of which parts are known by their first bytes, or by their last.
_VIDEO, _SAMSUNG = b"ftyp", b"SEFT"


def tell_the_rest(file: BinaryIO) -> None:
    """Say what of a file does not come with its picture.

    Parameters
    ----------
    file
        Open for reading; a whole JPEG file.
    """
    file.seek(0)
    data = file.read()
    at, signed = 2, False
    while 0 <= at < len(data) - 3 and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == _END:
            break
        signed |= marker == _JUMBF and b"c2pa" in data[at : at + 256]
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == _STARTS_SCAN:
            found = _MARK.search(data, at)
            at = found.start() if found else len(data)
    if signed:
        tell("content credentials (C2PA) were left out: they are of the picture as it was")
    behind = data[at + 2 :].strip(b"\0\n\r \xff")
    if len(behind) >= _LEAST and not behind.startswith(b"\xd8"):
        is_video = _VIDEO in behind[:8] or (behind.endswith(_SAMSUNG) and _VIDEO in behind)
        what = "a video" if is_video else "other data"
        tell(f"{what} behind the picture ({len(behind)} bytes) was left out")
