"""Image files written, with depth, alpha, profile and metadata kept, or nothing at all."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srkit.advice import advise
from srkit.errors import ImageError, OptionError, SrkitError
from srkit.imaging import notes, pil
from srkit.imaging.files import formats
from srkit.imaging.files.formats import listed
from srkit.imaging.files.image_format import ImageFormat
from srkit.imaging.files.sources import label_of
from srkit.imaging.files.targets import Target, place_of, writing_to
from srkit.imaging.fitting import fit
from srkit.imaging.image import Image
from srkit.imaging.metadata import Metadata


def save_image(
    image: Image,
    path: Target,
    *,
    quality: int | None = None,
    format: str | None = None,  # noqa: A002  Pillow's name for it
) -> None:
    """Write an image file: on a disk or in a store, whole or not at all; or to an open file.

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
        A path, whose suffix names the format: .png, .jpg, .jpeg, .tif, .tiff, .webp,
        .avif, .jxl, .bmp or .zarr, and an existing file is replaced; a URL that fsspec knows,
        likewise; or a file that is open for writing bytes, which is not closed. Nothing is written
        to it before the picture is encoded.
    format
        Ending that names the format, such as ``"png"``, whatever the name of `path`. An open
        file needs it.
    quality
        1 to 100. JPEG and AVIF have 95 by default, with chroma at full
        resolution. WebP and JPEG XL are lossless unless a quality is given: lossy WebP
        always halves chroma, and lossy JPEG XL holds colours of sRGB alone. The other formats are
        lossless and take none.

    Raises
    ------
    ImageError
        If the suffix is unknown, or the format cannot hold the depth, alpha,
        mode, size or metadata, or floats are levels of 255: nothing is lost silently.
    OptionError
        If `quality` or `format` makes no sense.
    MissingDependencyError
        If fsspec, or its package for such URLs, is not installed.
    OSError
        As Python raises them; what was at a path or a URL then stays as it was.
    """
    place = place_of(path)
    form = _asked(format, path) if place is None or format is not None else _of_name(place)
    if reasons := _why_unfit(image, form, (image.height, image.width)):
        raise ImageError("; ".join(reasons))
    _check_quality(form, quality)
    pixels, metadata = _prepared(image, form, label_of(path))
    with writing_to(path, place, form) as file, _encoding(form):
        form.write(file, pixels, metadata, quality)


def _asked(given: str | None, target: object) -> ImageFormat:
    """The format that is asked for by its ending, or by its name."""
    if given is None:
        raise OptionError(
            f"an open file, as {label_of(target)} is, needs a format: "
            f"{', '.join(repr(suffix[1:]) for suffix in formats.SUFFIXES)}, such as format='png'"
        )
    name = given.lower().removeprefix(".") if isinstance(given, str) else ""
    named = (form for form in formats.FORMATS if name in (form.name.lower(), form.title.lower()))
    form = formats.written_as(Path(f"a.{name}")) or next(named, None)
    if form is None or not form.is_written:
        known = [suffix[1:] for suffix in formats.SUFFIXES]
        close = difflib.get_close_matches(name, known, 1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        verb = "is read, not written" if form else "is not known"
        raise OptionError(
            f"the format {given!r} {verb}: there are {', '.join(map(repr, known))}{hint}"
        )
    return form


def _of_name(path: PurePath) -> ImageFormat:
    form = formats.written_as(path)
    if form is None:
        raise ImageError("; ".join(_unknown(path)))
    return form


def _prepared(image: Image, form: ImageFormat, label: str) -> tuple[NDArray[Any], Metadata]:
    """Pixels and metadata of an image, as a format can hold them."""
    eight_bits = image.dtype == np.float32 and "float32" not in form.dtypes
    if eight_bits:
        _check_white(image.pixels)
    pixels = pil.as_uint8(image.pixels) if eight_bits else image.pixels
    with notes.about(label):
        return pixels, fit(image.metadata, form, image.width, image.height)


@contextmanager
def _encoding(form: ImageFormat) -> Iterator[None]:
    """Make an `ImageError` of whatever an encoder raises, but not of what the disk says."""
    try:
        yield
    except (SrkitError, MemoryError):
        raise
    except Exception as error:
        # Pillow's encoders raise OSError as well, which then has no number.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise ImageError(f"{form.name} cannot hold this image: {error}; use TIFF") from error


def _check_white(pixels: NDArray[Any]) -> None:
    """Refuse floats whose white is not 1; a model's overshoot is clipped."""
    low, high = float(pixels.min()), float(pixels.max())
    if low < -1 or high > 2:
        clip = advise("clip them with numpy.clip(pixels, 0, 1)", "write TIFF, which holds them")
        raise ImageError(
            f"float pixels are in [0, 1], and these span {low:g} to {high:g}: divide them by "
            f"their white (255 for levels of 8 bits), or {clip}"
        )


def _check_quality(form: ImageFormat, quality: int | None) -> None:
    if quality is None:
        return
    if not form.quality:
        raise OptionError(f"{form.name} is written losslessly and takes no quality")
    if isinstance(quality, bool) or not isinstance(quality, int) or not 1 <= quality <= 100:
        raise OptionError(f"quality is a whole number from 1 to 100, not {quality!r}")


def check_fits(image: Image, path: str | os.PathLike[str], shape: tuple[int, int]) -> ImageFormat:
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
    ImageFormat
        The one that is written.

    Raises
    ------
    ImageError
        As `save_image`.
    """
    path = Path(path)
    form = _of_name(path)
    if reasons := _why_unfit(image, form, shape):
        raise ImageError("; ".join(reasons))
    form.check_target(path)
    return form


def why_unfit(
    image: Image, path: str | os.PathLike[str], shape: tuple[int, int]
) -> tuple[str, str] | None:
    """Why a file cannot hold an image, and what to do in Python; None if it can.

    Parameters are those of `check_fits`.
    """
    form = formats.written_as(Path(path))
    return _unknown(Path(path)) if form is None else _why_unfit(image, form, shape)


def _unknown(path: PurePath) -> tuple[str, str]:
    known = f"use one of {', '.join(formats.SUFFIXES)}"
    form = formats.named(path)
    if form and not form.is_written:
        return f"{path.name}: {form.title} is read, not written", known
    near = difflib.get_close_matches(path.suffix.lower(), formats.SUFFIXES, 1)
    hint = f"; did you mean {near[0]}?" if near and path.suffix else ""
    return f"cannot tell the format from the name {path.name!r}", known + hint


def _why_unfit(image: Image, form: ImageFormat, shape: tuple[int, int]) -> tuple[str, str] | None:
    (height, width), mode = shape, image.metadata.mode
    if mode not in form.modes:
        what = {"CMYK": "CMYK", "LA": "grey with an alpha channel"}.get(mode, "an alpha channel")
        others = _lossless_first(lambda other: mode in other.modes)
        drop = "save image.to_pil().convert('RGB')"
        if mode != "CMYK":
            drop = "drop alpha from image.pixels"
        return f"{form.name} cannot hold {what}", f"use {others}" + advise(f", or {drop}", "")
    if max(height, width) > form.max_side:
        fitting = [other for other in formats.DEEP if max(height, width) <= other.max_side]
        return (
            f"{form.name} holds at most {form.max_side} pixels a side, but the image is "
            f"{width}x{height}"
        ), f"use {listed(fitting, 'or')}" if fitting else "make it smaller"
    if image.dtype != np.float32 and image.dtype.name not in form.dtypes:
        return f"{form.name} as srkit writes it holds 8 bits, but the image has 16", (
            f"use {listed(formats.DEEP, 'or')}"
        ) + advise(
            ", or save srkit.Image((image.pixels / 257).round().astype('uint8'), image.metadata)",
            "",
        )
    return None


def _lossless_first(fits: Callable[[ImageFormat], bool]) -> str:
    """Formats of files to advise."""
    forms = [form for form in formats.WRITTEN if fits(form) and not form.folder]
    return listed(sorted(forms, key=lambda form: form.quality), "or")
