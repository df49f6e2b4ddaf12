"""Reading PNG: Pillow's pixels, or imagecodecs' where there are 16 bits, and the chunks."""

from __future__ import annotations

from dataclasses import replace
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import PngImagePlugin

from srkit.imaging.files import color_tags, pillow, png_chunks
from srkit.imaging.files.color_tags import ColorTags
from srkit.imaging.files.decoding import Decoded
from srkit.imaging.metadata import Metadata

_DEPTH = 24  # where IHDR, which is always first, states the bits of a sample


def read(file: BinaryIO, max_pixels: int) -> Decoded:
    """Decode a PNG file, whose checksums and pixels are counted first.

    Parameters
    ----------
    file
        Open for reading.
    max_pixels
        Limit of width times height.

    Raises
    ------
    ImageTooLargeError, ImageError
        If it is too large, or animated.
    CorruptFileError
        If a checksum of pixels is wrong, or some are missing.
    Exception
        Whatever a decoder raises on a damaged file.
    """
    image = pillow.open_one(file, "PNG", PngImagePlugin.PngImageFile, max_pixels)
    chunks = png_chunks.check_pixels(file)
    decoded = pillow.decode(image, lambda: _deep(file))
    metadata = replace(decoded.metadata, color=_color(chunks, decoded.metadata))
    png_chunks.tell_the_rest(chunks)
    return replace(decoded, metadata=metadata)


def _deep(file: BinaryIO) -> NDArray[np.uint16] | None:
    """Pixels of 16 bits, which Pillow would cut to 8."""
    file.seek(_DEPTH)
    if file.read(1) != b"\x10":
        return None
    import imagecodecs  # slow to import, and most images are not deep

    file.seek(0)
    return np.asarray(imagecodecs.png_decode(file.read()), np.uint16)


def _color(chunks: list[png_chunks.Chunk], metadata: Metadata) -> ColorTags | None:
    """Colour that is told by numbers; beside a profile only what outranks it."""
    tags = color_tags.from_png(chunks)
    outranked = metadata.icc and not (tags and tags.cicp)
    return None if outranked else tags
