"""What of a picture's metadata a format can hold; the rest is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from srkit.errors import ImageError
from srkit.imaging.files import color_tags, exif, iptc, tiff_exif, xmp
from srkit.imaging.metadata import COMMENT, Metadata
from srkit.imaging.notes import tell

# What formats have a place for, as srkit writes them.
_PLACES = {
    "PNG": ("color", "icc", "exif", "xmp", "dpi", "texts", "iptc"),
    "JPEG": ("icc", "exif", "xmp", "dpi", "comment", "iptc"),
    "TIFF": ("icc", "exif", "xmp", "dpi", "iptc", "geo"),
    "WEBP": ("icc", "exif", "xmp"),
    "AVIF": ("color", "icc", "exif", "xmp"),
    "BMP": ("dpi",),
    "ZARR": (),
}
_JPEG_MARKER = 65533  # most bytes that one JPEG marker segment holds
_JPEG_XMP_NAME = 29  # of them, bytes of the name before an XMP packet
_METRES_PER_INCH = 0.0254
# Resolutions that a format's field holds, in pixels per inch.
_PER_METRE = (0.5 * _METRES_PER_INCH, (2**31 - 1) * _METRES_PER_INCH)
_DPI: dict[str, tuple[float, float]] = {
    "PNG": _PER_METRE,
    "BMP": _PER_METRE,
    "JPEG": (0.5, 65535.49),  # 16 bits, whole
    "TIFF": (2.0**-31, 2.0**31),  # a ratio of two numbers of 32 bits
}


def fit(metadata: Metadata, kind: str, width: int, height: int) -> Metadata:
    """Metadata for a file of a format, in which all is true of its pixels.

    Size tags are corrected, orientation is 1, thumbnails and what only the old file had are
    dropped. What the format has no place for is left out and told, once.

    Parameters
    ----------
    metadata
        Of the picture it was made of.
    kind
        The format, such as ``"PNG"``.
    width, height
        Of the pixels that it will be saved with.

    Raises
    ------
    ImageError
        If EXIF or XMP is too long for the format.
    """
    block = metadata.exif if kind == "TIFF" else tiff_exif.without_ome(metadata.exif)
    metadata = replace(
        metadata,
        exif=exif.refresh(block, width, height),
        xmp=xmp.refresh(metadata.xmp, width, height),
        geo=metadata.geo.scaled(width, height) if metadata.geo else None,
    )
    lost: list[str] = []
    for part in (_color, _profile, _resolution, _texts, _blocks):
        metadata = part(metadata, kind, lost.append)
    if lost:
        holds = {"ZARR": "Zarr", "WEBP": "WebP"}.get(kind, kind)
        tell(f"{holds} holds no {_listed(lost)}: left out")
    if kind == "JPEG":
        _check_jpeg_metadata(metadata)
    return metadata


def _color(metadata: Metadata, kind: str, lose: Callable[[str], None]) -> Metadata:
    """Colour told by numbers, as numbers or as a profile."""
    tags, places = metadata.color, _PLACES[kind]
    if tags is None:
        return metadata
    if kind == "AVIF" and tags.cicp and "color" in places:
        return replace(metadata, icc=None)
    if kind == "PNG" and not (tags.cicp and not metadata.icc):
        return metadata
    made = color_tags.to_profile(tags, grey=metadata.mode in ("L", "LA"))
    if kind == "PNG":
        return replace(metadata, icc=made)
    told = metadata.icc is None or tags.cicp
    if told and (made is None or "icc" not in places or metadata.mode == "CMYK"):
        lose(f"colour as {tags}, which other programs will not see")
    return replace(metadata, color=None, icc=metadata.icc or made)


def _profile(metadata: Metadata, kind: str, lose: Callable[[str], None]) -> Metadata:
    if not metadata.icc:
        return metadata
    if "icc" not in _PLACES[kind]:
        if not metadata.color:
            lose("colour profile")
        return replace(metadata, icc=None)
    # Bytes 16 to 20 of a profile name its colour space (ICC.1, 7.2.6).
    grey_made_rgb = kind == "WEBP" or (kind == "AVIF" and metadata.mode == "LA")
    if grey_made_rgb and metadata.icc[16:20] == b"GRAY":
        tell(f"{kind} stores grey as RGB, which a grey profile does not fit: left out")
        return replace(metadata, icc=None)
    return metadata


def _resolution(metadata: Metadata, kind: str, lose: Callable[[str], None]) -> Metadata:
    if metadata.dpi is None:
        return metadata
    least, most = _DPI.get(kind, (1.0, 0.0))
    if all(least <= dpi <= most for dpi in metadata.dpi):
        return metadata
    across, down = metadata.dpi
    told = f"{across:g}" if across == down else f"{across:g} by {down:g}"
    lose(f"resolution of {told} dpi")
    return replace(metadata, dpi=None)


def _texts(metadata: Metadata, kind: str, lose: Callable[[str], None]) -> Metadata:
    places = _PLACES[kind]
    if "texts" in places:
        return metadata
    kept: list[tuple[str, str]] = []
    for keyword, text in metadata.texts:
        if (
            keyword == COMMENT
            and "comment" in places
            and not kept
            and len(text.encode()) <= _JPEG_MARKER
        ):
            kept.append((keyword, text))
        else:
            lose("comment" if keyword == COMMENT else f"text {keyword!r}")
    return replace(metadata, texts=tuple(kept))


def _blocks(metadata: Metadata, kind: str, lose: Callable[[str], None]) -> Metadata:
    places = _PLACES[kind]
    if metadata.exif and "exif" not in places:
        lose("EXIF")
        metadata = replace(metadata, exif=None)
    if metadata.xmp and "xmp" not in places:
        lose("XMP")
        metadata = replace(metadata, xmp=None)
    if metadata.iptc and (
        "iptc" not in places or (kind == "JPEG" and len(metadata.iptc) > iptc.JPEG_MOST)
    ):
        lose("IPTC (title, keywords and the like)")
        metadata = replace(metadata, iptc=None)
    if metadata.geo and "geo" not in places:
        lose("georeference")
        metadata = replace(metadata, geo=None)
    return metadata


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _check_jpeg_metadata(metadata: Metadata) -> None:
    for name, block, most in (
        ("EXIF", metadata.exif, _JPEG_MARKER),
        ("XMP", metadata.xmp, _JPEG_MARKER - _JPEG_XMP_NAME),
    ):
        if block and len(block) > most:
            raise ImageError(
                f"JPEG holds at most {most} bytes of {name}, but the image has {len(block)}; "
                f"use PNG or TIFF, or set metadata.{name.lower()} to None"
            )
