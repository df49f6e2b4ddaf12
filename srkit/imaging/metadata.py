"""What a file says about its pixels, whatever the format."""

from __future__ import annotations

from dataclasses import dataclass

from srkit.imaging.files.color_tags import ColorTags
from srkit.imaging.files.geo import GeoTags
from srkit.imaging.pil import Mode

COMMENT = "Comment"  # PNG's keyword for what JPEG and GIF call so


@dataclass(frozen=True)
class Metadata:
    """What a file says about its pixels.

    Parameters
    ----------
    mode
        What the channels mean.
    format
        Format of the file it was read from, e.g. ``"PNG"``, or None.
    icc
        ICC colour profile.
    exif
        EXIF block as in Pillow's ``info["exif"]``, with its ``Exif`` mark. Its
        orientation is always 1: pixels are upright.
    xmp
        XMP packet in UTF-8.
    dpi
        Horizontal and vertical pixels per inch.
    color
        Colour that is told by numbers, not by a profile: PNG's gAMA, cHRM, sRGB and cICP, and
        nclx of AVIF and HEIC.
    texts
        Keywords and texts of PNG; comments of JPEG and GIF as ``"Comment"``.
    iptc
        IPTC records: title, keywords, rights.
    geo
        Where it lies on the earth, by GeoTIFF's tags.
    jpeg_quality
        Of the JPEG that the pixels were read from, by its quantisation tables; see
        `srkit.imaging.files.jpeg_quality.quality_of`.
    decided
        What a model decided for the picture, of which these pixels are the result: names of options
        and their values, such as ``("denoise", 0.35)``.
    """

    mode: Mode
    format: str | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    color: ColorTags | None = None
    texts: tuple[tuple[str, str], ...] = ()
    iptc: bytes | None = None
    geo: GeoTags | None = None
    jpeg_quality: int | None = None
    decided: tuple[tuple[str, float], ...] = ()
