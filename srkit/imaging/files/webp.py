"""WebP."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

from numpy.typing import NDArray
from PIL import WebPImagePlugin

from srkit.imaging.files import pillow
from srkit.imaging.files.image_format import WITH_ALPHA, ImageFormat, Places
from srkit.imaging.metadata import Metadata


def write(file: BinaryIO, pixels: NDArray[Any], metadata: Metadata, quality: int | None) -> None:
    """Write a WebP file, losslessly unless a quality is given: lossy WebP always halves chroma."""
    # Exact: colour under transparent pixels is kept, too.
    lossless = {"lossless": True, "exact": True}
    options = lossless if quality is None else {"quality": quality}
    pillow.encode(file, "WEBP", pixels, metadata, **options)


def _sniff(head: bytes, _: Path) -> bool:
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


WEBP = ImageFormat(
    "WEBP",
    (".webp",),
    sniff=_sniff,
    read=pillow.reader("WEBP", WebPImagePlugin.WebPImageFile),
    write=write,
    title="WebP",
    modes=WITH_ALPHA,
    max_side=16383,
    quality=True,
    places=Places(frozenset({"icc", "exif", "xmp"}), refuses_grey_profiles=WITH_ALPHA),
)
