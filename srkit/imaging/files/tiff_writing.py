"""Writing TIFF of 8 and 16 bits and float, with profile, XMP, resolution and EXIF."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from srkit.imaging.files import descriptions, tiff_exif
from srkit.imaging.metadata import Metadata
from srkit.imaging.notes import tell

_IPTC, _XMP = 33723, 700
_ASCII = 2


def write(
    file: BinaryIO, pixels: NDArray[Any], metadata: Metadata, quality: int | None = None
) -> None:
    """Write a TIFF file, losslessly compressed; there is no quality to choose.

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
    corrected = descriptions.refreshed(text, shape[1], shape[0], kind, channels)
    if corrected is None:
        tell("the OME description was left out: it tells of more than this picture")
        return {tag: other for tag, other in texts.items() if tag != descriptions.TAG}
    return texts | {descriptions.TAG: corrected}
