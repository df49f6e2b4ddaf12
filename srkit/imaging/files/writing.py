"""Image files: reading and writing, with depth, alpha, profile and metadata kept."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from srkit.atomic import replacing, replacing_folder
from srkit.errors import CorruptFileError, ImageError, OptionError, SrkitError
from srkit.guard import refuse_pipes
from srkit.imaging import folders, notes, pil
from srkit.imaging.files import color_tags, exif, heif, iptc, png, tiff, xmp
from srkit.imaging.files import pillow as decode
from srkit.imaging.files import zarr as zarrs
from srkit.imaging.files.pillow import naming
from srkit.imaging.fitting import fit
from srkit.imaging.image import Image
from srkit.imaging.metadata import Metadata

MAX_PIXELS = 2**28  # 268 million: a picture of 16384 x 16384, 805 MB of 8-bit RGB

# Endings of files that are read and written.
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".avif", ".bmp", ".zarr")
# Those that are read, at least.
READ_SUFFIXES = (*SUFFIXES, *heif.SUFFIXES)

_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)


@dataclass(frozen=True)
class _Format:
    """What a format can hold when srkit writes it."""

    modes: tuple[str, ...]
    dtypes: tuple[str, ...] = ("uint8",)
    max_side: int = 2**31 - 1
    quality: bool = False


_COLOUR = ("L", "LA", "RGB", "RGBA")
_FORMATS = {
    "PNG": _Format(_COLOUR, ("uint8", "uint16"), max_side=1_000_000),  # libpng's limit
    "JPEG": _Format(("L", "RGB", "CMYK"), max_side=65500, quality=True),  # libjpeg's limit
    "TIFF": _Format((*_COLOUR, "CMYK"), ("uint8", "uint16", "float32")),
    "WEBP": _Format(_COLOUR, max_side=16383, quality=True),
    "AVIF": _Format(_COLOUR, max_side=65535, quality=True),
    "BMP": _Format(("L", "RGB")),
    "ZARR": _Format(("L", "RGB", "RGBA"), ("uint8", "uint16", "float32")),
}
_SUFFIXES = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
    ".avif": "AVIF",
    ".bmp": "BMP",
    ".zarr": "ZARR",
}


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
    >>> save_image(Image(np.arange(12, dtype=np.uint16).reshape(3, 4)), path)
    >>> read_image(path)
    <srkit.Image 4x3 L uint16>
    """
    if isinstance(max_pixels, bool) or not isinstance(max_pixels, int) or max_pixels < 1:
        raise OptionError(f"max_pixels is a positive whole number, not {max_pixels!r}")
    path = Path(path)
    refuse_pipes(path, ImageError)
    if zarrs.is_store(path):
        with naming(path, "Zarr"):
            return zarrs.read(path, max_pixels)
    if (told := folders.why_not(path)) == folders.PIPE:
        raise ImageError(f"{path}: {told}")
    with path.open("rb") as file, notes.about(path):
        kind = _sniff(file.read(256), path)
        with naming(path, kind):
            if kind == "TIFF":
                decoded = tiff.read(file, max_pixels)
            elif kind == "HEIF":
                decoded = heif.read(file, max_pixels)
            else:
                decoded = decode.read(file, kind, max_pixels)
            return _upright(decoded)


def save_image(image: Image, path: str | os.PathLike[str], *, quality: int | None = None) -> None:
    """Write an image file, whole or not at all.

    Colour, EXIF, XMP, DPI, texts, IPTC and georeference are kept where the format has a place
    for them; size tags are corrected, orientation is 1, thumbnails are dropped. TIFF
    loses maker notes, which cannot be moved safely. What is lost is told by a warning of the
    log, by name.

    Parameters
    ----------
    image
        Float pixels are clipped and rounded to 8 bits, but kept in TIFF. Where they are
        far beyond [0, 1], they were not meant so, and are refused.
    path
        The suffix names the format: .png, .jpg, .jpeg, .tif, .tiff, .webp,
        .avif, .bmp or .zarr. An existing file is replaced.
    quality
        1 to 100. JPEG and AVIF have 95 by default, with chroma at full
        resolution. WebP is lossless unless a quality is given, since lossy WebP
        always halves chroma. The other formats are lossless and take none.

    Raises
    ------
    ImageError
        If the suffix is unknown, or the format cannot hold the depth, alpha,
        mode, size or metadata, or floats are levels of 255: nothing is lost silently.
    OptionError
        If `quality` makes no sense.
    OSError
        As Python raises them; what was at `path` then stays as it was.
    """
    path = Path(path)
    kind = check_fits(image, path, (image.height, image.width))
    _check_quality(kind, quality)
    eight_bits = image.dtype == np.float32 and "float32" not in _FORMATS[kind].dtypes
    if eight_bits:
        _check_white(image.pixels)
    pixels = pil.as_uint8(image.pixels) if eight_bits else image.pixels
    with notes.about(path):
        metadata = fit(image.metadata, kind, image.width, image.height)
    if kind == "ZARR":
        with replacing_folder(path) as folder:
            zarrs.write(folder, pixels, metadata)
        return
    with replacing(path) as file, _encoding(kind):
        if kind == "PNG":
            file.write(png.encode(pixels, metadata))
        elif kind == "TIFF":
            tiff.write(file, pixels, metadata)
        else:
            _write_by_pillow(file, kind, pixels, metadata, quality)


@contextmanager
def _encoding(kind: str) -> Iterator[None]:
    """Make an `ImageError` of whatever an encoder raises, but not of what the disk says."""
    try:
        yield
    except (SrkitError, MemoryError):
        raise
    except Exception as error:
        # Pillow's encoders raise OSError as well, which then has no number.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise ImageError(f"{kind} cannot hold this image: {error}; use TIFF") from error


def _check_white(pixels: NDArray[Any]) -> None:
    """Refuse floats whose white is not 1; a model's overshoot is clipped."""
    low, high = float(pixels.min()), float(pixels.max())
    if low < -1 or high > 2:
        raise ImageError(
            f"float pixels are in [0, 1], and these span {low:g} to {high:g}: divide them by "
            "their white (255 for levels of 8 bits), or clip them with numpy.clip(pixels, 0, 1)"
        )


def _sniff(head: bytes, path: Path) -> str:
    """Tell the format from a file's first bytes."""
    if not head:
        raise CorruptFileError(f"{path}: the file is empty")
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    brands = head[8 : int.from_bytes(head[:4], "big")] if head[4:8] == b"ftyp" else b""
    if b"avif" in brands or b"avis" in brands:
        return "AVIF"
    if any(brand in brands for brand in heif.BRANDS):
        return "HEIF"
    raise ImageError(
        f"{path}: not an image that srkit reads (PNG, JPEG, TIFF, WebP, AVIF, HEIC, BMP, GIF)"
    )


def _upright(decoded: decode.Decoded) -> Image:
    """Apply the orientation (EXIF 2.32, tag 0x0112) and say so in the metadata."""
    pixels, turn, meta = decoded.pixels, decoded.orientation, decoded.metadata
    if turn >= 5:  # rows and columns change places
        pixels = np.swapaxes(pixels, 0, 1)
        meta = replace(meta, dpi=(meta.dpi[1], meta.dpi[0]) if meta.dpi else None)
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


def _check_quality(kind: str, quality: int | None) -> None:
    if quality is None:
        return
    if not _FORMATS[kind].quality:
        raise OptionError(f"{kind} is written losslessly and takes no quality")
    if isinstance(quality, bool) or not isinstance(quality, int) or not 1 <= quality <= 100:
        raise OptionError(f"quality is a whole number from 1 to 100, not {quality!r}")


def check_fits(image: Image, path: str | os.PathLike[str], shape: tuple[int, int]) -> str:
    """Check that a file can hold an image like `image` of another size, before it is made.

    Parameters
    ----------
    image
        Its mode and depth count.
    path
        Its suffix names the format.
    shape
        Height and width of the image to be written.

    Returns
    -------
    str
        The format, such as ``"PNG"``.

    Raises
    ------
    ImageError
        As `save_image`.
    """
    if told := why_unfit(image, path, shape):
        raise ImageError("; ".join(told))
    path = Path(path)
    kind = _SUFFIXES[path.suffix.lower()]
    if kind == "ZARR":
        zarrs.check_target(path)
    return kind


def kind_named(path: Path) -> str | None:
    """The format that a name's ending stands for, of those that are written."""
    return _SUFFIXES.get(path.suffix.lower())


def why_unfit(
    image: Image, path: str | os.PathLike[str], shape: tuple[int, int]
) -> tuple[str, str] | None:
    """Why a file cannot hold an image, and what to do in Python; None if it can.

    Parameters are those of `check_fits`.
    """
    path, (height, width) = Path(path), shape
    kind = _SUFFIXES.get(path.suffix.lower())
    if kind is None:
        return f"cannot tell the format from the name {path.name!r}", (
            f"use one of {', '.join(_SUFFIXES)}"
        )
    can, mode = _FORMATS[kind], image.metadata.mode
    if mode not in can.modes:
        what = {"CMYK": "CMYK", "LA": "grey with an alpha channel"}.get(mode, "an alpha channel")
        return f"{kind} cannot hold {what}", (
            "use TIFF or JPEG, or save image.to_pil().convert('RGB')"
            if mode == "CMYK"
            else "use PNG, TIFF, WebP or AVIF, or drop alpha from image.pixels"
        )
    if max(height, width) > can.max_side:
        return (
            f"{kind} holds at most {can.max_side} pixels a side, but the image is {width}x{height}"
        ), f"use {'TIFF' if kind == 'PNG' else 'PNG or TIFF'}"
    if image.dtype != np.float32 and image.dtype.name not in can.dtypes:
        return f"{kind} as srkit writes it holds 8 bits, but the image has 16", (
            "use PNG or TIFF, or save "
            "srkit.Image((image.pixels / 257).round().astype('uint8'), image.metadata)"
        )
    return None


def _write_by_pillow(
    file: BinaryIO, kind: str, pixels: NDArray[Any], metadata: Metadata, quality: int | None
) -> None:
    options: dict[str, Any] = {"quality": 95 if quality is None else quality}
    made: BinaryIO = file
    block = metadata.exif
    if kind == "JPEG":
        options["subsampling"] = "4:4:4"
        if metadata.iptc:
            options["extra"] = iptc.jpeg_segment(metadata.iptc)
        if metadata.texts:
            options["comment"] = metadata.texts[0][1].encode()
    elif kind == "AVIF":
        made = io.BytesIO()
        if metadata.mode != "L":
            options["subsampling"] = "4:4:4"
        # Pillow would otherwise rebuild the block, which breaks maker notes.
        block = exif.without_orientation(block)
    elif kind == "WEBP" and quality is None:
        # Exact: colour under transparent pixels is kept, too.
        options = {"lossless": True, "exact": True}
    elif kind == "BMP":
        # Where none is given, Pillow makes it 96 dpi.
        options, block = {"dpi": metadata.dpi or (0, 0)}, None
    if metadata.dpi and kind == "JPEG":
        options["dpi"] = metadata.dpi
    if kind != "BMP":
        extras = {"icc_profile": metadata.icc, "exif": block, "xmp": metadata.xmp}
        options |= {key: value for key, value in extras.items() if value}
    pil.from_array(pixels, cmyk=metadata.mode == "CMYK").save(made, kind, **options)
    if isinstance(made, io.BytesIO):
        file.write(color_tags.in_avif(made.getvalue(), metadata.color))
