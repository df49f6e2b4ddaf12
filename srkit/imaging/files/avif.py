"""AVIF of 8 bits by Pillow; of 10 and 12, which are read, by imagecodecs."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import AvifImagePlugin

from srkit.imaging.files import color_tags, exif, pillow
from srkit.imaging.files.color_tags import ColorTags
from srkit.imaging.files.decoding import Decoded
from srkit.imaging.files.image_format import WITH_ALPHA, ImageFormat, Places
from srkit.imaging.files.isobmff import has_brand
from srkit.imaging.metadata import Metadata

_HEAD = 2**16  # bytes in which the boxes that describe a picture are
_QUALITY = 95


def read(file: BinaryIO, max_pixels: int) -> Decoded:
    """Decode an AVIF file; more than 8 bits are stretched over all of 16."""
    image = pillow.open_one(file, "AVIF", AvifImagePlugin.AvifImageFile, max_pixels)
    decoded = pillow.decode(image, lambda: _deep(file))
    # A profile outranks numbers.
    color = None if decoded.metadata.icc else _color(file)
    return replace(decoded, metadata=replace(decoded.metadata, color=color))


def write(file: BinaryIO, pixels: NDArray[Any], metadata: Metadata, quality: int | None) -> None:
    """Write an AVIF file with chroma at full resolution, of quality 95 unless one is given."""
    options: dict[str, Any] = {"quality": _QUALITY if quality is None else quality}
    if metadata.mode != "L":
        options["subsampling"] = "4:4:4"
    # Pillow would otherwise rebuild the block, which breaks maker notes.
    metadata = replace(metadata, exif=exif.without_orientation(metadata.exif))
    encoded = io.BytesIO()
    pillow.encode(encoded, "AVIF", pixels, metadata, **options)
    file.write(color_tags.in_avif(encoded.getvalue(), metadata.color))


def _deep(file: BinaryIO) -> NDArray[np.uint16] | None:
    """Pixels of more than 8 bits, which Pillow would cut to these."""
    file.seek(0)
    head = file.read(4096)
    # AV1CodecConfigurationBox (AV1-ISOBMFF 2.3.3): high_bitdepth, twelve_bit.
    flags = head[head.find(b"av1C") + 6] if b"av1C" in head else 0
    if not flags & 0x40:
        return None
    import imagecodecs  # slow to import, and most images are not deep

    file.seek(0)
    codes = np.asarray(imagecodecs.avif_decode(file.read()), np.uint16)
    top = 4095 if flags & 0x20 else 1023
    table = np.rint(np.arange(top + 1) * (65535 / top)).astype(np.uint16)
    stretched: NDArray[np.uint16] = table[np.minimum(codes, top)]
    return stretched


def _color(file: BinaryIO) -> ColorTags | None:
    """Colour that is told by numbers."""
    file.seek(0)
    head = file.read(_HEAD)
    # ColourInformationBox (ISO/IEC 14496-12, 12.1.5): primaries, transfer, matrix, range.
    at = head.find(b"colrnclx")
    if 0 <= at <= len(head) - 12:
        return color_tags.from_cicp(*struct.unpack_from(">HH", head, at + 8))
    return None


AVIF = ImageFormat(
    "AVIF",
    (".avif",),
    sniff=lambda head, _: has_brand(head, b"avif", b"avis"),
    read=read,
    write=write,
    modes=WITH_ALPHA,
    max_side=65535,
    quality=True,
    places=Places(
        frozenset({"cicp", "icc", "exif", "xmp"}),
        refuses_grey_profiles=("LA",),
    ),
)
