"""TIFF of 8 and 16 bits and float, with profile, XMP, resolution and EXIF."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from srkit.errors import CorruptFileError, ImageError
from srkit.imaging.alpha import unpremultiply
from srkit.imaging.files import descriptions, exif, geo, iptc, tiff_directories, tiff_exif, xmp
from srkit.imaging.files import pillow as decode
from srkit.imaging.metadata import Metadata
from srkit.imaging.notes import tell
from srkit.imaging.pil import Mode

if TYPE_CHECKING:
    import tifffile

_IPTC, _RESOURCES = 33723, 34377
_XMP, _ICC = 700, 34675
_CALIBRATION = (301, 318, 319)
_LEFT_OUT = (
    (_CALIBRATION, "colours by white point, primaries and transfer function"),
    ((37724,), "layers"),
    ((50838, 50839), "overlays and notes of ImageJ"),
)
_MINISWHITE, _MINISBLACK, _RGB, _PALETTE, _SEPARATED, _YCBCR = 0, 1, 2, 3, 5, 6
_ASCII = 2
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


def read(file: BinaryIO, max_pixels: int) -> decode.Decoded:
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
    with tifffile.TiffFile(file) as tiff:
        page = only_page(tiff)
        decode.check_size(page.imagewidth, page.imagelength, max_pixels)
        if is_for_pillow(page):
            pixels, mode = _by_pillow(file, max_pixels)
        else:
            pixels, mode = _by_tifffile(page, tiff.filehandle.size)
        metadata = read_metadata(page, file, mode)
        turned = orientation(page, metadata)
    return decode.Decoded(pixels, metadata, turned)


def only_page(tiff: tifffile.TiffFile) -> tifffile.TiffPage:
    """The directory of the one picture that a file holds; other files are refused."""
    pages = [page.aspage() for page in tiff.pages]
    full = [page for page in pages if not page.is_reduced]
    decode.refuse_pages(len(full), "TIFF")
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
    decoded = decode.read(file, "TIFF", max_pixels)
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


def _tell_the_rest(page: tifffile.TiffPage) -> None:
    """Say which tags do not come with the picture, of those that matter."""
    for numbers, name in _LEFT_OUT:
        if any(number in page.tags for number in numbers):
            calibrated = numbers == _CALIBRATION
            if not (calibrated and page.tags.valueof(_ICC)):
                tell(f"{name} of TIFF were left out")


def read_metadata(page: tifffile.TiffPage, file: BinaryIO, mode: Mode) -> Metadata:
    """Profile, EXIF, XMP, resolution, IPTC and georeference; what else matters is told."""
    tags = page.tags
    _tell_the_rest(page)
    unit = _PER_INCH.get(tags.valueof(296, 2))
    dpi = None
    try:
        if unit and 282 in tags and 283 in tags:
            (a, b), (c, d) = tags[282].value, tags[283].value
            dpi = decode.valid_dpi((a / b * unit, c / d * unit))
    except (ZeroDivisionError, TypeError, ValueError):
        tell("the resolution of the TIFF file is damaged and was left out")
    return Metadata(
        mode=mode,
        format="TIFF",
        icc=tags.valueof(_ICC) or None,
        exif=tiff_exif.read(file),
        xmp=tags.valueof(_XMP) or None,
        dpi=dpi,
        iptc=_read_iptc(page),
        geo=geo.of_tags(
            page.imagewidth,
            page.imagelength,
            {tag: tags[tag].value for tag in geo.TAGS if tag in tags},
        ),
    )


def _read_iptc(page: tifffile.TiffPage) -> bytes | None:
    """IPTC of its own tag, or among Adobe's image resources."""
    resources = page.tags.valueof(_RESOURCES)
    within = iptc.of_resources(iptc.split(resources)) if isinstance(resources, bytes) else None
    order = page.parent.byteorder
    return iptc.of_numbers(page.tags.valueof(_IPTC), order) or within


def write(file: BinaryIO, pixels: NDArray[Any], metadata: Metadata) -> None:
    """Write a TIFF file, losslessly compressed.

    Parameters
    ----------
    file
        Open for reading and writing, empty.
    pixels
        ``(H, W)`` or ``(H, W, C)``; uint8, uint16 or float32.
    metadata
        Mode, profile, EXIF without maker notes, XMP and DPI are written.
    """
    _write(file, np.ascontiguousarray(pixels), metadata, pixels.shape, pixels.dtype)


def write_rows(
    file: BinaryIO,
    strips: Iterator[NDArray[Any]],
    metadata: Metadata,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
) -> None:
    """Write a TIFF file as `write` does, of strips that come one by one.

    Parameters
    ----------
    strips
        `rows_per_strip` rows each, from top to bottom; fewer in the last.
    shape, dtype
        Of the whole picture: ``(H, W)`` or ``(H, W, C)``.
    """
    packed = (_packed(strip) for strip in strips)
    _write(file, packed, metadata, shape, dtype, rows_per_strip(shape, dtype))


def rows_per_strip(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """Rows that take some 256 KB."""
    return min(shape[0], max(1, 2**18 // (math.prod(shape[1:]) * dtype.itemsize)))


def _packed(strip: NDArray[Any]) -> bytes:
    """A strip ``(h, W, C)`` as `_write` states it: differences of neighbours, deflated."""
    import imagecodecs

    predict = imagecodecs.floatpred_encode if strip.dtype.kind == "f" else imagecodecs.delta_encode
    ordered = np.ascontiguousarray(strip, strip.dtype.newbyteorder("<"))
    return zlib.compress(predict(ordered, axis=-2).tobytes())


def _write(
    file: BinaryIO,
    data: NDArray[Any] | Iterator[bytes],
    metadata: Metadata,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    rows: int | None = None,
) -> None:
    import tifffile

    # The size at which tifffile turns to BigTIFF, whose directories differ.
    big = math.prod(shape) * dtype.itemsize > 2**32 - 2**25
    texts, directories = tiff_exif.split(None if big else metadata.exif)
    if big and metadata.exif:
        tell("EXIF cannot be written to a TIFF file of over 4 GB")
    texts = _about(texts, shape, dtype)
    extratags: list[tuple[int, int, int, Any, bool]] = []
    for tag, text in texts.items():
        # Latin-1, in which Pillow reads texts, gives back the very bytes.
        encoded = text.encode("latin-1", "replace") + b"\0"
        extratags.append((tag, _ASCII, len(encoded), encoded, True))
    for tag, block in ((_XMP, metadata.xmp), (_IPTC, metadata.iptc)):
        if block:
            extratags.append((tag, 1, len(block), block, True))
    if metadata.geo:
        extratags += metadata.geo.extratags()
    tifffile.imwrite(
        file,
        data,
        shape=shape,
        dtype=dtype,
        rowsperstrip=rows,
        byteorder="<",
        bigtiff=big,
        photometric={"CMYK": "separated", "RGB": "rgb", "RGBA": "rgb"}.get(
            metadata.mode, "minisblack"
        ),
        extrasamples=["unassalpha"] if metadata.mode in ("LA", "RGBA") else None,
        planarconfig="contig" if len(shape) == 3 else None,
        compression="zlib",
        predictor=True,
        resolution=metadata.dpi,
        resolutionunit=2 if metadata.dpi else None,
        iccprofile=metadata.icc,
        extratags=extratags,
        software=False,
        metadata=None,
    )
    tiff_exif.append(file, directories)


def _about(texts: dict[int, Any], shape: tuple[int, ...], dtype: np.dtype[Any]) -> dict[int, Any]:
    """Texts for a picture of this size: OME-XML is corrected, or dropped with a word."""
    if not descriptions.is_ome(text := texts.get(descriptions.TAG, "")):
        return texts
    channels = shape[2] if len(shape) == 3 else 1
    kind = {"float32": "float"}.get(dtype.name, dtype.name)
    made = descriptions.refreshed(text, shape[1], shape[0], kind, channels)
    if made is None:
        tell("the OME description was left out: it tells of more than this picture")
        return {tag: other for tag, other in texts.items() if tag != descriptions.TAG}
    return texts | {descriptions.TAG: made}
