"""Image files read, with depth, alpha, profile and metadata kept."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from srkit.errors import ImageError, OptionError
from srkit.guard import refuse_pipes
from srkit.imaging import folders, notes
from srkit.imaging.files import exif, formats, remote, xmp
from srkit.imaging.files.decoding import Decoded, naming
from srkit.imaging.files.sources import Encoded, is_encoded, is_stream, label_of, seekable, sniff
from srkit.imaging.image import Image
from srkit.imaging.light import Exposure, check_exposure, expose

MAX_PIXELS = 2**28  # 268 million: a picture of 16384 x 16384, 805 MB of 8-bit RGB
_UNTOLD = ("TIFF", "ZARR")  # whose floats may be light, which their files do not tell


def read_image(
    path: Encoded, *, max_pixels: int = MAX_PIXELS, exposure: Exposure | None = None
) -> Image:
    """Read an image file, from the disk, from memory or from a network.

    PNG, JPEG, TIFF, WebP, AVIF, JPEG XL, HEIC, BMP and GIF; OpenEXR, Radiance and cameras' raw
    files; and Zarr stores, which are folders. The content decides, not the suffix, but for raw
    files that begin as any TIFF. EXIF orientation is applied to the pixels and the tag reset.

    Parameters
    ----------
    path
        A path; the bytes of a file; a file that is open for reading bytes; or a URL that fsspec
        knows, such as ``"s3://bucket/a.png"``. An open file that seeks is read from its start,
        any other from where it is to its end; it is not closed.
    max_pixels
        Refuse files of more pixels (width times height), which may be
        decompression bombs, before decoding them. 2**28 by default. Streams that go on beyond
        what so many pixels can take are refused, too.
    exposure
        Of light, which raw files, OpenEXR, Radiance and some JPEG XL hold, and float TIFF and Zarr
        where it is given: stops (EV), of which 1 doubles the light and 0 leaves it as it is; or
        ``"auto"``, the default, which brings the 99.9th percentile of pixels to white. Other
        pictures stay as they are.

    Returns
    -------
    Image
        uint8, or uint16 for 16-bit PNG, TIFF and JPEG XL, for 10- and 12-bit AVIF and HEIC
        (stretched to the full range) and for light, or float32 for float TIFF. Palettes and
        1-bit images become RGB, RGBA or grey of 8 bits. Premultiplied alpha is
        undone.

    Raises
    ------
    OSError
        As Python raises them: no such file, a folder, no permission; whatever keeps a URL from
        being read.
    ImageError
        If the file is no image of these formats, or is animated, multi-page or
        of a kind whose pixels cannot be kept.
    ImageTooLargeError
        If it has more than `max_pixels`.
    CorruptFileError
        If it is truncated or damaged.
    OptionError
        If `max_pixels` or `exposure` makes no sense.
    UnsafeFileError, MissingDependencyError
        If a Zarr store is packed by what could run code, or zarr is not installed; or
        pillow-heif for HEIC, OpenEXR for EXR, rawpy for raw files; or fsspec for URLs.

    Notes
    -----
    Files of several pictures are refused rather than read in part, but for two
    kinds: JPEGs in which a phone or camera stored previews, depth or gain maps
    behind the picture (MPO), and HEIC. Their first or primary picture is the one
    that every viewer shows; it is read, and saved as a plain file.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> path = Path(tempfile.mkdtemp()) / "ramp.png"
    >>> Image(np.arange(12, dtype=np.uint16).reshape(3, 4)).save(path)
    >>> read_image(path)
    <srkit.Image 4x3 L uint16>
    >>> read_image(path.read_bytes())
    <srkit.Image 4x3 L uint16>
    """
    if isinstance(max_pixels, bool) or not isinstance(max_pixels, int) or max_pixels < 1:
        raise OptionError(f"max_pixels is a positive whole number, not {max_pixels!r}")
    check_exposure(exposure)
    if not is_encoded(path):
        raise ImageError(
            f"expected a path, a URL, bytes or an open file, not {type(path).__name__}"
        )
    if (place := _path_of(path)) is None:
        label = label_of(path)
        with seekable(path, max_pixels) as file, notes.about(label):
            return _decoded(file, label, max_pixels, exposure)
    refuse_pipes(place, ImageError)
    if form := formats.of_folder(place):
        with notes.about(place):
            return _upright(_exposed(form.read(place, max_pixels), exposure))
    if (reason := folders.why_not(place)) == folders.PIPE:
        raise ImageError(f"{place}: {reason}")
    with place.open("rb") as file, notes.about(place):
        return _decoded(file, str(place), max_pixels, exposure)


def _path_of(source: Encoded) -> Path | None:
    """Where a source is on this machine; None for what has no path."""
    if is_stream(source):
        return None
    place = os.fspath(cast(str, source))
    if not remote.is_url(place):
        return Path(place)
    local = remote.local_path(place)
    return None if local is None else Path(local)


def _decoded(file: BinaryIO, label: str, max_pixels: int, exposure: Exposure | None) -> Image:
    form = sniff(file.read(formats.HEAD), label)
    with naming(label, form.name):
        return _upright(_exposed(form.read(file, max_pixels), exposure))


def _exposed(decoded: Decoded, exposure: Exposure | None) -> Decoded:
    """Levels of sRGB where pixels are light, or are said to be."""
    metadata = decoded.metadata
    said = exposure is not None and metadata.format in _UNTOLD and decoded.pixels.dtype.kind == "f"
    if not (decoded.light or said) or metadata.mode == "CMYK":
        return decoded
    has_alpha = metadata.mode in ("LA", "RGBA")
    levels = expose(decoded.pixels, "auto" if exposure is None else exposure, alpha=has_alpha)
    if metadata.icc or metadata.color:
        # It is that of light, not of levels.
        notes.tell("the colour profile was left out: light is taken as that of sRGB's primaries")
        metadata = replace(metadata, icc=None, color=None)
    return replace(decoded, pixels=levels, metadata=metadata, light=False)


def _upright(decoded: Decoded) -> Image:
    """Apply the orientation (EXIF 2.32, tag 0x0112) and say so in the metadata."""
    pixels, turn, meta = decoded.pixels, decoded.orientation, decoded.metadata
    if turn >= 5:  # rows and columns change places
        pixels = np.swapaxes(pixels, 0, 1)
        meta = replace(meta, dpi=(meta.dpi[1], meta.dpi[0]) if meta.dpi else None)
    if turn != 1 and meta.geo:
        # Its points are columns and rows of the picture as it was stored.
        notes.tell("the georeference was left out: the picture is stored turned")
        meta = replace(meta, geo=None)
    if turn in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if turn in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    height, width = pixels.shape[:2]
    meta = replace(
        meta,
        exif=exif.refresh(meta.exif, width, height),
        xmp=xmp.refresh(meta.xmp, width, height),
    )
    return Image(np.ascontiguousarray(pixels), meta)
