"""JPEG, and what a file of it holds beside its picture."""

from __future__ import annotations

import re
from typing import Any, BinaryIO

from numpy.typing import NDArray
from PIL import JpegImagePlugin

from srkit.imaging.files import iptc, pillow
from srkit.imaging.files.decoding import Decoded
from srkit.imaging.files.image_format import ImageFormat, Places, starts_with
from srkit.imaging.metadata import Metadata
from srkit.imaging.notes import tell

_MARKER = 65533  # most bytes that one marker segment holds
_XMP_NAME = 29  # of them, bytes of the name before an XMP packet
_QUALITY = 95

_LEAST = 64  # bytes behind a picture that are more than padding
_STARTS_SCAN, _END, _JUMBF = 0xDA, 0xD9, 0xEB
# In packed pixels 255 stands before 0, a restart mark or another 255 (ITU-T T.81, B.1.1).
_MARK = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
# Programs of which parts are known by their first bytes, or by their last.
_VIDEO, _SAMSUNG = b"ftyp", b"SEFT"


def read(file: BinaryIO, max_pixels: int) -> Decoded:
    """Decode a JPEG file; what lies behind the picture is told."""
    image = pillow.open_one(file, "JPEG", JpegImagePlugin.jpeg_factory, max_pixels)
    decoded = pillow.decode(image)
    tell_the_rest(file)
    return decoded


def write(file: BinaryIO, pixels: NDArray[Any], metadata: Metadata, quality: int | None) -> None:
    """Write a JPEG file with chroma at full resolution, of quality 95 unless one is given."""
    options: dict[str, Any] = {"quality": _QUALITY if quality is None else quality}
    options["subsampling"] = "4:4:4"
    if metadata.iptc:
        options["extra"] = iptc.jpeg_segment(metadata.iptc)
    if metadata.texts:
        options["comment"] = metadata.texts[0][1].encode()
    if metadata.dpi:
        options["dpi"] = metadata.dpi
    pillow.encode(file, "JPEG", pixels, metadata, **options)


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
            match = _MARK.search(data, at)
            at = match.start() if match else len(data)
    if signed:
        tell("content credentials (C2PA) were left out: they are of the picture as it was")
    behind = data[at + 2 :].strip(b"\0\n\r \xff")
    if len(behind) >= _LEAST and not behind.startswith(b"\xd8"):
        is_video = _VIDEO in behind[:8] or (behind.endswith(_SAMSUNG) and _VIDEO in behind)
        what = "a video" if is_video else "other data"
        tell(f"{what} behind the picture ({len(behind)} bytes) was left out")


JPEG = ImageFormat(
    "JPEG",
    (".jpg", ".jpeg"),
    sniff=starts_with(b"\xff\xd8\xff"),
    read=read,
    write=write,
    aliases=(".jpe", ".jfif"),
    modes=("L", "RGB", "CMYK"),
    max_side=65500,  # libjpeg's limit
    quality=True,
    places=Places(
        frozenset({"icc", "exif", "xmp", "dpi", "comment", "iptc"}),
        dpi=(0.5, 65535.49),  # 16 bits, whole
        longest={
            "exif": _MARKER,
            "xmp": _MARKER - _XMP_NAME,
            "comment": _MARKER,
            "iptc": iptc.JPEG_MOST,
        },
    ),
)
