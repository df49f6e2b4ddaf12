"""BMP."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import BmpImagePlugin

from srkit.imaging.files import pillow
from srkit.imaging.files.color_tags import ColorTags
from srkit.imaging.files.decoding import Decoded
from srkit.imaging.files.image_format import PER_METRE, ImageFormat, Places
from srkit.imaging.metadata import Metadata
from srkit.imaging.notes import tell
from srkit.imaging.pil import Mode

# Sizes of the header behind the file's own, by which its versions are known.
_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)
_FILE_HEADER = 14
# Headers that tell of colour, and those that may name a profile (BITMAPV4HEADER and 5).
_WITH_COLOR, _WITH_PROFILE = 108, 124
_CALIBRATED, _LINKED, _EMBEDDED = b"\0\0\0\0", b"KNIL", b"DEBM"  # LINK and MBED, from behind


def write(
    file: BinaryIO, pixels: NDArray[Any], metadata: Metadata, quality: int | None = None
) -> None:
    """Write a BMP file; there is no quality to choose."""
    # Where none is given, Pillow makes it 96 dpi.
    pillow.encode(file, "BMP", pixels, metadata, dpi=metadata.dpi or (0, 0))


def read(file: BinaryIO, max_pixels: int) -> Decoded:
    """Decode a BMP file, with the colour that its header tells, which Pillow passes over."""
    image = pillow.open_one(file, "BMP", BmpImagePlugin.BmpImageFile, max_pixels)
    decoded = pillow.decode(image)
    file.seek(_FILE_HEADER)
    header = file.read(_HEADERS[-1])
    size = int.from_bytes(header[:4], "little")
    kind = header[56:60] if size >= _WITH_COLOR else b""
    metadata = decoded.metadata
    if kind == _CALIBRATED:
        metadata = replace(metadata, color=_calibration(header))
    elif kind == _LINKED:
        tell("a colour profile in another file was left out: BMP names it alone")
    elif kind == _EMBEDDED and size >= _WITH_PROFILE:
        metadata = replace(metadata, icc=_profile(file, header, metadata.mode))
    return replace(decoded, metadata=metadata)


def _calibration(header: bytes) -> ColorTags | None:
    """Primaries as X, Y and Z in 2.30 bits, and exponents in 16.16 bits (CIEXYZTRIPLE)."""
    points = np.array(struct.unpack_from("<9i", header, 60), float).reshape(3, 3)
    exponents = struct.unpack_from("<3I", header, 96)
    if not points.any() and not any(exponents):
        return None  # most programs leave this field empty
    points = np.vstack([points.sum(0), points])  # white is all three together
    sums = points.sum(1)
    if len(set(exponents)) > 1 or not exponents[0] or (sums <= 0).any() or (points < 0).any():
        tell("colours by primaries and gamma of BMP were left out")
        return None
    places = (points[:, :2] / sums[:, None] * 1e5).round().astype(int)
    return ColorTags(
        gamma=round(1e5 * 65536 / exponents[0]), chromaticities=tuple(places.ravel().tolist())
    )


def _profile(file: BinaryIO, header: bytes, mode: Mode) -> bytes | None:
    """The ICC profile that lies behind the pixels."""
    start, length = struct.unpack_from("<2I", header, 112)
    file.seek(_FILE_HEADER + start)
    icc = file.read(length)
    # A profile states its colour space and its signature (ICC.1, 7.2.6 and 7.2.9).
    space = b"GRAY" if mode == "L" else b"RGB "
    if len(icc) == length and icc[36:40] == b"acsp" and icc[16:20] == space:
        return icc
    tell("the colour profile of BMP was left out: it is damaged, or not for such pixels")
    return None


def _sniff(head: bytes, _: Path) -> bool:
    return head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _HEADERS


BMP = ImageFormat(
    "BMP",
    (".bmp",),
    sniff=_sniff,
    read=read,
    write=write,
    modes=("L", "RGB"),
    places=Places(frozenset({"dpi"}), dpi=PER_METRE),
)
