"""TIFF of 8 and 16 bits and float, with profile, XMP, resolution and EXIF."""

from __future__ import annotations

import logging
import math
import struct
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from srkit.errors import CorruptFileError, ImageError
from srkit.imaging import decode, exif, tiff_directories, xmp
from srkit.imaging.alpha import unpremultiply
from srkit.imaging.image import Metadata
from srkit.imaging.pil import Mode

if TYPE_CHECKING:
    import tifffile

log = logging.getLogger(__name__)

_XMP, _ICC, _INTEROP, _MAKER_NOTE, _GPS = 700, 34675, 0xA005, 0x927C, 0x8825
# Tags of the main directory that describe the picture rather than the file:
# description, make, model, software, date, artist, copyright.
_TEXTS = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)
_MINISWHITE, _MINISBLACK, _RGB, _PALETTE, _SEPARATED, _YCBCR = 0, 1, 2, 3, 5, 6
_HEADER, _ASCII = b"II*\x00\x08\x00\x00\x00", 2  # little-endian, directory at 8
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


def read_metadata(page: tifffile.TiffPage, file: BinaryIO, mode: Mode) -> Metadata:
    """Profile, EXIF, XMP and resolution."""
    tags = page.tags
    unit = _PER_INCH.get(tags.valueof(296, 2))
    dpi = None
    try:
        if unit and 282 in tags and 283 in tags:
            (a, b), (c, d) = tags[282].value, tags[283].value
            dpi = decode.valid_dpi((a / b * unit, c / d * unit))
    except (ZeroDivisionError, TypeError, ValueError):
        log.warning("the resolution of the TIFF file is damaged and was left out")
    return Metadata(
        mode=mode,
        format="TIFF",
        icc=tags.valueof(_ICC) or None,
        exif=_read_exif(file),
        xmp=tags.valueof(_XMP) or None,
        dpi=dpi,
    )


def _read_exif(file: BinaryIO) -> bytes | None:
    """Gather what describes the picture into one EXIF block.

    In TIFF these tags lie all over the file, so they move, and maker notes,
    which a move would break, stay behind.
    """
    try:
        file.seek(0)
        whole = PILImage.Exif()
        whole.load_from_fp(file)
        return _block(*_describing(whole))
    except Exception as error:  # noqa: BLE001  # Pillow raises anything on damaged tags
        log.warning("the EXIF tags of the TIFF file are damaged (%s) and were left out", error)
        return None


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
    texts, directories = _split_exif(None if big else metadata.exif)
    if big and metadata.exif:
        log.warning("EXIF cannot be written to a TIFF file of over 4 GB")
    extratags: list[tuple[int, int, int, Any, bool]] = []
    for tag, text in texts.items():
        # Latin-1, in which Pillow reads texts, gives back the very bytes.
        encoded = text.encode("latin-1", "replace") + b"\0"
        extratags.append((tag, _ASCII, len(encoded), encoded, True))
    if metadata.xmp:
        extratags.append((_XMP, 1, len(metadata.xmp), metadata.xmp, True))
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
    _append_directories(file, directories)


def _split_exif(block: bytes | None) -> tuple[dict[int, Any], dict[int, Any]]:
    """Take texts of the main directory, and the EXIF and GPS directories, out of a block."""
    whole = PILImage.Exif()
    if block:
        whole.load(block)
    return _describing(whole)


def _describing(whole: PILImage.Exif) -> tuple[dict[int, Any], dict[int, Any]]:
    """Collect what describes the picture: texts by tag, and directories by tag."""
    texts = {tag: whole[tag] for tag in _TEXTS if isinstance(whole.get(tag), str)}
    directories = {}
    for tag in (exif.EXIF_IFD, _GPS):
        if not (directory := dict(whole.get_ifd(tag))):
            continue
        if directory.pop(_MAKER_NOTE, None) is not None:
            log.warning("maker notes were left out: TIFF would move them, which breaks them")
        if _INTEROP in directory:
            directory[_INTEROP] = dict(whole.get_ifd(_INTEROP))
        try:
            _serialised(tag, directory, 0)
        except Exception as error:  # noqa: BLE001  # Pillow raises anything on odd values
            log.warning("EXIF directory %#x cannot be kept (%s) and was left out", tag, error)
        else:
            directories[tag] = directory
    return texts, directories


def _serialised(tag: int, directory: dict[int, Any], start: int) -> bytes:
    """Lay out a little-endian directory that will begin at `start`."""
    ifd = ImageFileDirectory_v2(_HEADER, group=tag)
    for key, value in directory.items():
        # Pillow reads texts as Latin-1 but would write "?" for all beyond ASCII.
        ifd[key] = value.encode("latin-1", "replace") if isinstance(value, str) else value
        if isinstance(value, str):
            ifd.tagtype[key] = _ASCII
    return ifd.tobytes(start)


def _block(texts: dict[int, Any], directories: dict[int, Any]) -> bytes | None:
    """Put texts and directories together as an EXIF block."""
    if not texts and not directories:
        return None
    start = len(_HEADER)
    end = start + len(_serialised(0, texts | dict.fromkeys(directories, 0), start))
    parts, pointers = [], {}
    for tag, directory in directories.items():
        pointers[tag] = end
        parts.append(_serialised(tag, directory, end))
        end += len(parts[-1])
    return b"".join([exif.PREFIX, _HEADER, _serialised(0, texts | pointers, start), *parts])


def _append_directories(file: BinaryIO, directories: dict[int, dict[int, Any]]) -> None:
    """Put the EXIF and GPS directories at the end of a little-endian file.

    tifffile does not write them. The main directory, which points to them, is
    written anew behind them; what it points to elsewhere stays where it is.
    """
    if not directories:
        return
    file.seek(4)
    (main,) = struct.unpack("<I", file.read(4))
    file.seek(main)
    (count,) = struct.unpack("<H", file.read(2))
    entries = [file.read(12) for _ in range(count)]
    for tag, directory in directories.items():
        start = _end(file)
        file.write(_serialised(tag, directory, start))
        entries.append(struct.pack("<HHII", tag, 4, 1, start))
    entries.sort(key=lambda entry: struct.unpack("<H", entry[:2]))
    main = _end(file)
    file.write(struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4))
    file.seek(4)
    file.write(struct.pack("<I", main))


def _end(file: BinaryIO) -> int:
    """Go to the end, made even, since directories begin on a word."""
    if file.seek(0, 2) % 2:
        file.write(b"\0")
    return file.tell()
