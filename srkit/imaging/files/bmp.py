"""BMP."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

from numpy.typing import NDArray
from PIL import BmpImagePlugin

from srkit.imaging.files import pillow
from srkit.imaging.files.image_format import PER_METRE, ImageFormat, Places
from srkit.imaging.metadata import Metadata

# Sizes of the header behind the file's own, by which its versions are known.
_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)


def write(
    file: BinaryIO, pixels: NDArray[Any], metadata: Metadata, quality: int | None = None
) -> None:
    """Write a BMP file; there is no quality to choose."""
    # Where none is given, Pillow makes it 96 dpi.
    pillow.encode(file, "BMP", pixels, metadata, dpi=metadata.dpi or (0, 0))


def _sniff(head: bytes, _: Path) -> bool:
    return head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _HEADERS


BMP = ImageFormat(
    "BMP",
    (".bmp",),
    sniff=_sniff,
    read=pillow.reader("BMP", BmpImagePlugin.BmpImageFile),
    write=write,
    modes=("L", "RGB"),
    places=Places(frozenset({"dpi"}), dpi=PER_METRE),
)
