"""TIFF."""

from __future__ import annotations

from srkit.imaging.files import tiff_reading, tiff_writing
from srkit.imaging.files.image_format import WITH_ALPHA, ImageFormat, Places, starts_with
from srkit.imaging.files.rows_tiff import TiffRows

TIFF = ImageFormat(
    "TIFF",
    (".tif", ".tiff"),
    sniff=starts_with(*tiff_reading.HEADERS),
    read=tiff_reading.read,
    write=tiff_writing.write,
    rows=TiffRows,
    row_writer=tiff_writing,
    modes=(*WITH_ALPHA, "CMYK"),
    dtypes=("uint8", "uint16", "float32"),
    places=Places(
        frozenset({"icc", "exif", "xmp", "dpi", "iptc", "geo", "ome"}),
        dpi=(2.0**-31, 2.0**31),  # a ratio of two numbers of 32 bits
    ),
)
