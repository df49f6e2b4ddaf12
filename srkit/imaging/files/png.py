"""PNG."""

from __future__ import annotations

from srkit.imaging.files import png_reading, png_writing
from srkit.imaging.files.image_format import (
    PER_METRE,
    WITH_ALPHA,
    ImageFormat,
    Places,
    starts_with,
)
from srkit.imaging.files.png_chunks import SIGNATURE
from srkit.imaging.files.rows_png import PngRows

PNG = ImageFormat(
    "PNG",
    (".png",),
    sniff=starts_with(SIGNATURE),
    read=png_reading.read,
    write=png_writing.write,
    rows=PngRows,
    row_writer=png_writing,
    modes=WITH_ALPHA,
    dtypes=("uint8", "uint16"),
    max_side=1_000_000,  # libpng's limit
    places=Places(
        frozenset({"color", "icc", "exif", "xmp", "dpi", "texts", "iptc"}), dpi=PER_METRE
    ),
)
