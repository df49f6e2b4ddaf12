"""Image files read, with depth, alpha, profile and metadata kept."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from srkit.errors import CorruptFileError, ImageError, OptionError
from srkit.guard import refuse_pipes
from srkit.imaging import folders, notes
from srkit.imaging.files import exif, formats, xmp
from srkit.imaging.files.decoding import Decoded, naming
from srkit.imaging.files.image_format import ImageFormat
from srkit.imaging.image import Image

MAX_PIXELS = 2**28  # 268 million: a picture of 16384 x 16384, 805 MB of 8-bit RGB


def read_image(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Image:
    """Read an image file.

    PNG, JPEG, TIFF, WebP, AVIF, HEIC, BMP and GIF, and Zarr stores, which are folders; the
    content decides, not the suffix. EXIF orientation is applied to the pixels and the tag
    reset.

    Parameters
    ----------
    path
        The file.
    max_pixels
        Refuse files of more pixels (width times height), which may be
        decompression bombs, before decoding them. 2**28 by default.

    Returns
    -------
    Image
        uint8, or uint16 for 16-bit PNG and TIFF and for 10- and 12-bit AVIF and HEIC
        (stretched to the full range), or float32 for float TIFF. Palettes and
        1-bit images become RGB, RGBA or grey of 8 bits. Premultiplied alpha is
        undone.

    Raises
    ------
    OSError
        As Python raises them: no such file, a folder, no permission.
    ImageError
        If the file is no image of these formats, or is animated, multi-page or
        of a kind whose pixels cannot be kept.
    ImageTooLargeError
        If it has more than `max_pixels`.
    CorruptFileError
        If it is truncated or damaged.
    UnsafeFileError, MissingDependencyError
        If a Zarr store is packed by what could run code, or zarr is not installed; or
        pillow-heif for HEIC.

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
    """
    if isinstance(max_pixels, bool) or not isinstance(max_pixels, int) or max_pixels < 1:
        raise OptionError(f"max_pixels is a positive whole number, not {max_pixels!r}")
    path = Path(path)
    refuse_pipes(path, ImageError)
    if form := formats.of_folder(path):
        return _upright(form.read(path, max_pixels))
    if (reason := folders.why_not(path)) == folders.PIPE:
        raise ImageError(f"{path}: {reason}")
    with path.open("rb") as file, notes.about(path):
        form = _sniff(file.read(formats.HEAD), path)
        with naming(path, form.name):
            return _upright(form.read(file, max_pixels))


def _sniff(head: bytes, path: Path) -> ImageFormat:
    """Tell the format from a file's first bytes."""
    if not head:
        raise CorruptFileError(f"{path}: the file is empty")
    if form := formats.of_file(head, path):
        return form
    known = ", ".join(form.title for form in formats.FORMATS if not form.folder)
    raise ImageError(f"{path}: not an image that srkit reads ({known})")


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
