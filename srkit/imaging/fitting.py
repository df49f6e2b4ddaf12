"""What of a picture's metadata a format can hold; the rest is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from srkit.advice import advise
from srkit.errors import ImageError
from srkit.imaging.files import color_tags, exif, tiff_exif, xmp
from srkit.imaging.files.image_format import ImageFormat, Part
from srkit.imaging.metadata import COMMENT, Metadata
from srkit.imaging.notes import joined, tell


def fit(metadata: Metadata, form: ImageFormat, width: int, height: int) -> Metadata:
    """Metadata for a file of a format, in which all is true of its pixels.

    Size tags are corrected, orientation is 1, thumbnails and what only the old file had are
    dropped. What the format has no place for is left out and told, once.

    Parameters
    ----------
    metadata
        Of the picture it was made of.
    form
        The format of the file.
    width, height
        Of the pixels that it will be saved with.

    Raises
    ------
    ImageError
        If EXIF or XMP is too long for the format.
    """
    parts = form.places.parts
    block = metadata.exif if "ome" in parts else tiff_exif.without_ome(metadata.exif)
    metadata = replace(
        metadata,
        exif=exif.refresh(block, width, height),
        xmp=xmp.refresh(metadata.xmp, width, height),
        geo=metadata.geo.scaled(width, height) if metadata.geo else None,
    )
    lost: list[str] = []
    for step in (_color, _profile, _resolution, _texts, _blocks):
        metadata = step(metadata, form, lost.append)
    if lost:
        tell(f"{form.title} holds no {joined(lost)}: left out")
    _check_lengths(metadata, form)
    return metadata


def _color(metadata: Metadata, form: ImageFormat, lose: Callable[[str], None]) -> Metadata:
    """Colour told by numbers, as numbers or as a profile."""
    tags, parts = metadata.color, form.places.parts
    if tags is None:
        return metadata
    if "cicp" in parts and tags.cicp and not tags.narrow:
        return replace(metadata, icc=None)
    if "color" in parts and not (tags.cicp and not metadata.icc):
        return metadata
    profile = color_tags.to_profile(tags, grey=metadata.mode in ("L", "LA"))
    if "color" in parts:
        return replace(metadata, icc=profile)
    counts = metadata.icc is None or tags.cicp
    if counts and (profile is None or "icc" not in parts or metadata.mode == "CMYK"):
        lose(f"colour as {tags}, which other programs will not see")
    return replace(metadata, color=None, icc=metadata.icc or profile)


def _profile(metadata: Metadata, form: ImageFormat, lose: Callable[[str], None]) -> Metadata:
    if not metadata.icc:
        return metadata
    if "icc" not in form.places.parts:
        if not metadata.color:
            lose("colour profile")
        return replace(metadata, icc=None)
    # Bytes 16 to 20 of a profile name its colour space (ICC.1, 7.2.6).
    refused = metadata.mode in form.places.refuses_grey_profiles
    if refused and metadata.icc[16:20] == b"GRAY":
        tell(f"{form.name} stores grey as RGB, which a grey profile does not fit: left out")
        return replace(metadata, icc=None)
    return metadata


def _resolution(metadata: Metadata, form: ImageFormat, lose: Callable[[str], None]) -> Metadata:
    if metadata.dpi is None:
        return metadata
    least, most = form.places.dpi or (1.0, 0.0)
    if all(least <= dpi <= most for dpi in metadata.dpi):
        return metadata
    across, down = metadata.dpi
    stated = f"{across:g}" if across == down else f"{across:g} by {down:g}"
    lose(f"resolution of {stated} dpi")
    return replace(metadata, dpi=None)


def _texts(metadata: Metadata, form: ImageFormat, lose: Callable[[str], None]) -> Metadata:
    if "texts" in form.places.parts:
        return metadata
    kept: list[tuple[str, str]] = []
    for keyword, text in metadata.texts:
        if keyword == COMMENT and not kept and form.places.take("comment", len(text.encode())):
            kept.append((keyword, text))
        else:
            lose("comment" if keyword == COMMENT else f"text {keyword!r}")
    return replace(metadata, texts=tuple(kept))


def _blocks(metadata: Metadata, form: ImageFormat, lose: Callable[[str], None]) -> Metadata:
    places = form.places
    if metadata.exif and "exif" not in places.parts:
        lose("EXIF")
        metadata = replace(metadata, exif=None)
    if metadata.xmp and "xmp" not in places.parts:
        lose("XMP")
        metadata = replace(metadata, xmp=None)
    if metadata.iptc and not places.take("iptc", len(metadata.iptc)):
        lose("IPTC (title, keywords and the like)")
        metadata = replace(metadata, iptc=None)
    if metadata.geo and "geo" not in places.parts:
        lose("georeference")
        metadata = replace(metadata, geo=None)
    return metadata


def _check_lengths(metadata: Metadata, form: ImageFormat) -> None:
    """Refuse what is too dear to be left out, and too long."""
    blocks: tuple[tuple[Part, bytes | None], ...] = (("exif", metadata.exif), ("xmp", metadata.xmp))
    for part, block in blocks:
        if block and not form.places.take(part, len(block)):
            drop = advise(f", or set metadata.{part} to None", "")
            raise ImageError(
                f"{form.name} holds at most {form.places.longest[part]} bytes of {part.upper()}, "
                f"but the image has {len(block)}; use PNG or TIFF{drop}"
            )
