"""JPEG, and what a file of it holds beside its picture."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, BinaryIO

from numpy.typing import NDArray
from PIL import Image as PILImage
from PIL import JpegImagePlugin

from srkit.imaging.files import iptc, pillow
from srkit.imaging.files.decoding import Decoded
from srkit.imaging.files.image_format import ImageFormat, Places, starts_with
from srkit.imaging.metadata import COMMENT, Metadata
from srkit.imaging.notes import tell

_MARKER = 65533  # most bytes that one marker segment holds
_XMP_NAME = 29  # of them, bytes of the name before an XMP packet
_QUALITY = 95

_LEAST = 64  # bytes behind a picture that are more than padding
_STARTS_SCAN, _END, _JUMBF, _COMMENT = 0xDA, 0xD9, 0xEB, 0xFE
_APPLICATIONS = range(0xE0, 0xF0)  # segments of programs, APP0 to APP15
# Of them, those that are read, told of elsewhere, or say how the old pixels were stored.
_KNOWN = (
    *(b"JFIF\0", b"JFXX\0", b"Exif\0", b"http://ns.adobe.com/", b"ICC_PROFILE\0", b"MPF\0"),
    *(b"Photoshop 3.0\0", b"Adobe", b"Ducky"),
)
_NAMED, _LONGEST = 8, 32  # of the others, and bytes of a name
# In packed pixels 255 stands before 0, a restart mark or another 255 (ITU-T T.81, B.1.1).
_MARK = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
# Programs of which parts are known by their first bytes, or by their last.
_VIDEO, _SAMSUNG, _PICTURE = b"ftyp", b"SEFT", b"\xd8\xff"


def read(file: BinaryIO, max_pixels: int) -> Decoded:
    """Decode a JPEG file; what lies behind the picture is told."""
    image = pillow.open_one(file, "JPEG", JpegImagePlugin.jpeg_factory, max_pixels)
    decoded = pillow.decode(image)
    comments = _tell_the_rest(file, pictures_told=_tells_of_pictures(image, decoded.metadata))
    if len(comments) < 2:
        return decoded
    # Pillow keeps the last alone; of GIF it joins them so.
    texts = ((COMMENT, "\n".join(comments)),)
    return replace(decoded, metadata=replace(decoded.metadata, texts=texts))


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


def _tells_of_pictures(image: PILImage.Image, metadata: Metadata) -> bool:
    """Whether it is told elsewhere that there are pictures behind the first."""
    claims = b"http://ns.google.com/photos/", b"hdr-gain-map", b"HDRGainMap"
    return image.format == "MPO" or any(claim in (metadata.xmp or b"") for claim in claims)


def _tell_the_rest(file: BinaryIO, *, pictures_told: bool) -> list[str]:
    """Say what of a file does not come with its picture.

    Parameters
    ----------
    file
        Open for reading; a whole JPEG file.
    pictures_told
        Whether pictures behind the first are told elsewhere.

    Returns
    -------
    list of str
        Its comments.
    """
    file.seek(0)
    data = file.read()
    segments, end = _walk(data)
    if any(marker == _JUMBF and b"c2pa" in content[:256] for marker, content in segments):
        tell("content credentials (C2PA) were left out: they are of the picture as it was")
    odd = [_name(*s) for s in segments if s[0] in _APPLICATIONS and not _is_known(*s)]
    if odd := list(dict.fromkeys(odd)):
        tell(f"parts of JPEG that srkit does not know were left out: {', '.join(odd[:_NAMED])}")
    behind = data[end:].strip(b"\0\n\r \xff")
    if len(behind) >= _LEAST and not (pictures_told and behind.startswith(_PICTURE)):
        is_video = _VIDEO in behind[:8] or (behind.endswith(_SAMSUNG) and _VIDEO in behind)
        is_picture = behind.startswith(_PICTURE)
        what = "a video" if is_video else "a picture" if is_picture else "other data"
        tell(f"{what} behind the picture ({len(behind)} bytes) was left out")
    return [_text(content) for marker, content in segments if marker == _COMMENT and content]


def _walk(data: bytes) -> tuple[list[tuple[int, bytes]], int]:
    """Segments by marker, and where the picture ends."""
    at, segments = 2, list[tuple[int, bytes]]()
    while 0 <= at < len(data) - 3 and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == _END:
            break
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        segments.append((marker, data[at + 4 : at + 2 + length]))
        at += 2 + length
        if marker == _STARTS_SCAN:
            match = _MARK.search(data, at)
            at = match.start() if match else len(data)
    return segments, at + 2


def _is_known(marker: int, content: bytes) -> bool:
    return (marker == _JUMBF and b"c2pa" in content[:256]) or content.startswith(_KNOWN)


def _name(marker: int, content: bytes) -> str:
    """What a segment calls itself, up to a zero; else its marker."""
    name = content[:_LONGEST].split(b"\0")[0].decode("latin-1").strip()
    return name if name.isascii() and name.isprintable() and name else f"APP{marker - 0xE0}"


def _text(comment: bytes) -> str:
    try:
        return comment.decode()
    except UnicodeDecodeError:
        return comment.decode("latin-1")


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
