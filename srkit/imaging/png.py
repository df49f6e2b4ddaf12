"""Writing PNG of 8 and 16 bits, with the metadata chunks of the PNG specification."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srkit.imaging import exif
from srkit.imaging.image import Metadata

_AFTER_HEADER = 33  # signature (8 bytes) and IHDR (25 bytes)
_METRES_PER_INCH = 0.0254


def encode(pixels: NDArray[Any], metadata: Metadata) -> bytes:
    """Encode pixels and metadata.

    Pillow cannot write 16-bit colour and imagecodecs no metadata, so the pixels
    are imagecodecs' and the chunks ours.

    Parameters
    ----------
    pixels
        ``(H, W)`` or ``(H, W, C)`` with 2 to 4 channels, uint8 or uint16.
    metadata
        Its profile, EXIF, XMP and DPI are written.

    Returns
    -------
    bytes
        The whole file.
    """
    import imagecodecs  # slow to import, and needed only to save

    file = imagecodecs.png_encode(np.ascontiguousarray(pixels))
    chunks = []
    # All before the pixels, where every reader looks.
    if metadata.icc:
        chunks.append(_chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(metadata.icc)))
    if metadata.dpi:
        across, down = (round(dpi / _METRES_PER_INCH) for dpi in metadata.dpi)
        chunks.append(_chunk(b"pHYs", struct.pack(">IIB", across, down, 1)))
    if metadata.exif:
        chunks.append(_chunk(b"eXIf", exif.strip(metadata.exif)))
    if metadata.xmp:
        # Keyword, no compression, no language, no translated keyword.
        chunks.append(_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp))
    return b"".join([file[:_AFTER_HEADER], *chunks, file[_AFTER_HEADER:]])


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
