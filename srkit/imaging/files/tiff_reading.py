"""Reading TIFF of 8 and 16 bits and float, with profile, XMP, resolution and EXIF."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin

from srkit.errors import CorruptFileError, ImageError
from srkit.imaging.alpha import unpremultiply
from srkit.imaging.files import exif, geo, iptc, pillow, tiff_directories, tiff_exif, xmp
from srkit.imaging.files.decoding import Decoded, check_size, refuse_pages, valid_dpi
from srkit.imaging.metadata import Metadata
from srkit.imaging.notes import tell
from srkit.imaging.pil import Mode

if TYPE_CHECKING:
    import tifffile

    from srkit.imaging.files.geo import GeoTags

_IPTC, _RESOURCES = 33723, 34377
_XMP, _ICC = 700, 34675
_CALIBRATION = (301, 318, 319)
_LEFT_OUT = (
    (_CALIBRATION, "colours by white point, primaries and transfer function"),
    ((37724,), "layers"),
    ((50838, 50839), "overlays and notes of ImageJ"),
)
# Tags that are read, or told by the names above; those below 533, of TIFF itself, say how the old
# pixels were stored; and the room that Microsoft's programs leave in a directory.
_OF_TIFF = 533
_KNOWN = {
    *(_XMP, _ICC, _IPTC, _RESOURCES, *tiff_exif.MAIN, *(n for tags, _ in _LEFT_OUT for n in tags)),
    *(59932, 59933),
}
_NAMED = 8  # of the others
_MINISWHITE, _MINISBLACK, _RGB, _PALETTE, _SEPARATED, _YCBCR = 0, 1, 2, 3, 5, 6
_JPEGS = (6, 7)  # compression
_MODES: dict[tuple[int, int], Mode] = {
    (_MINISWHITE, 1): "L",
    (_MINISWHITE, 2): "LA",
    (_MINISBLACK, 1): "L",
    (_MINISBLACK, 2): "LA",
    (_RGB, 3): "RGB",
    (_RGB, 4): "RGBA",
    (_SEPARATED, 4): "CMYK",
}
_PER_INCH = {2: 1.0, 3: 2.54}  # resolution units: inch, centimetre
HEADERS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


class _AsStored(TiffImagePlugin.TiffImageFile):
    """Pixels as they are stored: Pillow would turn them, and `Decoded` tells of it once for all."""

    def load_end(self) -> None:
        """Do nothing more."""


_read_by_pillow = pillow.reader("TIFF", _AsStored)


def read(file: BinaryIO, max_pixels: int) -> Decoded:
    """Decode a TIFF file of one picture.

    Parameters
    ----------
    file
        Open for reading.
    max_pixels
        Limit of width times height.

    Returns
    -------
    Decoded
        uint8, uint16 or float32. Reduced copies of the picture in further
        directories are passed over.

    Raises
    ------
    ImageTooLargeError, ImageError
        If it is too large, or of several pages, or of a kind that cannot be kept.
    Exception
        Whatever a decoder raises on a damaged file.
    """
    import tifffile  # slow to import, and most images are not TIFF

    tiff_directories.check(file)
    # It reads a name that is text alone, and some files in memory have another one.
    named = isinstance(getattr(file, "name", None), str)
    with tifffile.TiffFile(file, name=None if named else "TIFF") as tiff:
        page = only_page(tiff)
        check_size(page.imagewidth, page.imagelength, max_pixels)
        if is_for_pillow(page):
            pixels, mode = _by_pillow(file, max_pixels)
        else:
            pixels, mode = _by_tifffile(page, tiff.filehandle.size)
        metadata = read_metadata(page, file, mode)
        turned = orientation(page, metadata)
    return Decoded(pixels, metadata, turned)


def only_page(tiff: tifffile.TiffFile) -> tifffile.TiffPage:
    """The directory of the one picture that a file holds; other files are refused."""
    pages = [page.aspage() for page in tiff.pages]
    full = [page for page in pages if not page.is_reduced]
    refuse_pages(len(full), "TIFF")
    if not full or full[0] is not pages[0]:
        raise ImageError(
            "the TIFF file does not begin with a full-size picture (a camera's raw "
            "file?); convert it to a plain TIFF or PNG"
        )
    tiff_directories.check_page(full[0])
    _refuse_unknown_extras(full[0])
    return full[0]


def orientation(page: tifffile.TiffPage, metadata: Metadata) -> int:
    """Which way up the picture is stored, 1 to 8."""
    turned = int(page.tags.valueof(exif.ORIENTATION, 0))
    return turned if 1 <= turned <= 8 else xmp.orientation(metadata.xmp) or 1


def _refuse_unknown_extras(page: tifffile.TiffPage) -> None:
    extras = page.extrasamples
    if len(extras) > 1 or (extras and extras[0] == 0):
        raise ImageError(
            f"the TIFF file has {len(extras)} extra channels that are not marked as alpha; "
            "mark or remove them"
        )


def is_for_pillow(page: tifffile.TiffPage) -> bool:
    """Tell whether there are palettes, packed bits or YCbCr, which tifffile leaves to others."""
    bits = page.bitspersample
    if not (isinstance(bits, int) and bits <= 8 and page.sampleformat == 1):
        return False
    return bits < 8 or page.photometric in (_PALETTE, _YCBCR) or page.compression in _JPEGS


def _by_pillow(file: BinaryIO, max_pixels: int) -> tuple[NDArray[Any], Mode]:
    decoded = _read_by_pillow(file, max_pixels)
    return decoded.pixels, decoded.metadata.mode


def _by_tifffile(page: tifffile.TiffPage, file_size: int) -> tuple[NDArray[Any], Mode]:
    mode = check_kind(page, file_size)
    pixels = page.asarray()
    pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    if pixels.dtype.kind == "f":
        pixels = pixels.astype(np.float32, copy=False)
    if page.planarconfig == 2 and pixels.ndim == 3:  # channels apart, not interleaved
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.shape[:2] != (page.imagelength, page.imagewidth):
        raise ImageError(f"a TIFF of shape {pixels.shape} is not a picture")
    return straight(page, pixels), mode


def check_kind(page: tifffile.TiffPage, file_size: int) -> Mode:
    """Check that all of a picture is there, and of a kind that is read; returns its mode."""
    # tifffile fills what is missing with zeros, so what is missing is sought first.
    for start, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        if count == 0 or start + count > file_size:
            raise CorruptFileError("the TIFF file is truncated: part of the picture is missing")
    kind = (page.sampleformat, page.bitspersample)
    mode = _MODES.get((page.photometric, page.samplesperpixel))
    if kind not in ((1, 8), (1, 16), (3, 16), (3, 32), (3, 64)) or mode is None:
        raise ImageError(
            f"a TIFF of {page.bitspersample} bits, sample format {page.sampleformat}, "
            f"{page.samplesperpixel} channels and photometric {page.photometric} is not "
            "supported; convert it to grey, RGB or CMYK of 8 or 16 bits or float"
        )
    return mode


def straight(page: tifffile.TiffPage, pixels: NDArray[Any]) -> NDArray[Any]:
    """Turn inverted grey and premultiplied colour into what they stand for."""
    top = 1.0 if pixels.dtype.kind == "f" else float(np.iinfo(pixels.dtype).max)
    grey_inverted, premultiplied = page.photometric == _MINISWHITE, page.extrasamples == (1,)
    if not grey_inverted and not premultiplied:
        return pixels
    pixels = pixels.copy()
    if grey_inverted:
        first = pixels[..., :1] if pixels.ndim == 3 else pixels
        np.subtract(pixels.dtype.type(top), first, out=first)
    if premultiplied:
        pixels[..., :-1] = unpremultiply(pixels[..., :-1], pixels[..., -1:], top)
    return pixels


def _tell_the_rest(page: tifffile.TiffPage, placed: GeoTags | None) -> None:
    """Say which tags do not come with the picture, of those that matter."""
    known = {*_KNOWN, *(geo.TAGS if placed else ())}
    odd = [tag for tag in page.tags if tag.code >= _OF_TIFF and tag.code not in known]
    if odd:
        names = ", ".join(tag.name for tag in odd[:_NAMED])
        tell(f"tags of TIFF that srkit does not know were left out: {names}")
    for numbers, name in _LEFT_OUT:
        if any(number in page.tags for number in numbers):
            calibrated = numbers == _CALIBRATION
            if not (calibrated and page.tags.valueof(_ICC)):
                tell(f"{name} of TIFF were left out")


def read_metadata(page: tifffile.TiffPage, file: BinaryIO, mode: Mode) -> Metadata:
    """Profile, EXIF, XMP, resolution, IPTC and georeference; what else matters is told."""
    tags = page.tags
    placed = geo.of_tags(
        page.imagewidth,
        page.imagelength,
        {tag: tags[tag].value for tag in geo.TAGS if tag in tags},
    )
    _tell_the_rest(page, placed)
    return Metadata(
        mode=mode,
        format="TIFF",
        icc=tags.valueof(_ICC) or None,
        exif=tiff_exif.read(file),
        xmp=tags.valueof(_XMP) or None,
        dpi=_read_dpi(page),
        iptc=_read_iptc(page),
        geo=placed,
    )


def _read_dpi(page: tifffile.TiffPage) -> tuple[float, float] | None:
    """Pixels per inch; without a unit they tell the shape of pixels alone."""
    tags = page.tags
    if 282 not in tags or 283 not in tags:
        return None
    unit = _PER_INCH.get(tags.valueof(296, 2))
    try:
        (a, b), (c, d) = tags[282].value, tags[283].value
        across, down = a / b, c / d
    except (ZeroDivisionError, TypeError, ValueError):
        tell("the resolution of the TIFF file is damaged and was left out")
        return None
    if unit:
        return valid_dpi((across * unit, down * unit))
    if across != down:
        tell(f"the shape of pixels was left out: {across:g} to {down:g}")
    return None


def _read_iptc(page: tifffile.TiffPage) -> bytes | None:
    """IPTC of its own tag, or among Adobe's image resources."""
    resources = page.tags.valueof(_RESOURCES)
    within = iptc.of_resources(iptc.split(resources)) if isinstance(resources, bytes) else None
    order = page.parent.byteorder
    return iptc.of_numbers(page.tags.valueof(_IPTC), order) or within
