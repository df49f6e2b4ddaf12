"""Files that Pillow decodes: PNG, JPEG, WebP, AVIF, BMP, GIF and some TIFF."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
from PIL import Image as PILImage

from srkit.errors import CorruptFileError, ImageError, ImageTooLargeError, SrkitError
from srkit.imaging import pil
from srkit.imaging.files import color_tags, exif, iptc, jpeg, png_chunks, xmp
from srkit.imaging.files.color_tags import ColorTags
from srkit.imaging.files.jpeg_quality import quality_of
from srkit.imaging.metadata import COMMENT, Metadata
from srkit.imaging.notes import tell
from srkit.imaging.pil import Mode

_AVIF_HEAD = 2**16  # bytes in which the boxes that describe a picture are

# Pillow's image classes are called directly. PIL.Image.open would also judge the
# size, by a limit that is one global for all threads; here `max_pixels` rules.
_OPENERS: dict[str, Callable[[BinaryIO], PILImage.Image]] = {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.jpeg_factory,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "GIF": GifImagePlugin.GifImageFile,
}


@dataclass(frozen=True)
class Decoded:
    """Pixels as stored in a file, and which way up they are (EXIF's 1 to 8)."""

    pixels: NDArray[Any]
    metadata: Metadata
    orientation: int


@contextmanager
def naming(path: Path, kind: str) -> Iterator[None]:
    """Name the file in errors, whatever its decoder raises."""
    try:
        yield
    except SrkitError as error:
        raise type(error)(f"{path}: {error}") from error
    except MemoryError:
        raise
    except Exception as error:
        # Decoders raise anything at all when a file is damaged.
        raise CorruptFileError(
            f"{path}: the {kind} file is truncated or damaged: {error}"
        ) from error


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Refuse more than `max_pixels`, before anything is decoded."""
    if width * height > max_pixels:
        raise ImageTooLargeError(
            f"the image has {width}x{height} = {width * height} pixels, more than the limit of "
            f"{max_pixels}; if you trust the file, pass max_pixels={width * height}"
        )


def refuse_pages(count: int, kind: str) -> None:
    """Refuse a file of several pictures rather than take the first one only."""
    if count > 1:
        raise ImageError(
            f"the {kind} file holds {count} frames or pages; save each as a file of its own, "
            "e.g. with PIL.ImageSequence"
        )


def read(file: BinaryIO, kind: str, max_pixels: int) -> Decoded:
    """Decode a file of one of Pillow's formats.

    Parameters
    ----------
    file
        Open for reading.
    kind
        Its format as told by its first bytes, e.g. ``"PNG"``.
    max_pixels
        Limit of width times height.

    Raises
    ------
    ImageTooLargeError
        From the header, before decoding.
    ImageError
        If there are several frames, or the mode cannot be processed.
    Exception
        Whatever a decoder raises on a damaged file.
    """
    file.seek(0)
    image = _open(file, kind)
    check_size(*image.size, max_pixels)
    frames = int(getattr(image, "n_frames", 1))
    if image.format == "MPO":
        tell(
            f"it holds {frames} pictures: the first was taken, and those behind it, such as a "
            "preview, depth or gain map, were left out"
        )
    else:
        refuse_pages(frames, kind)
    bits = pil.grey_bits(image)
    chunks = png_chunks.check_pixels(file) if kind == "PNG" else []
    image.load()  # PNG has metadata after the pixels, too
    pixels = _deep(file, kind)
    if pixels is None:
        settled = pil.settle(image.convert("RGB") if image.mode == "YCbCr" else image, bits)
        pixels, mode = pil.to_array(settled), settled.mode
    else:
        mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[pixels.shape[2] if pixels.ndim == 3 else 1]
    metadata = _metadata(image, mode)  # type: ignore[arg-type]  # settled to one of them
    metadata = replace(metadata, color=_color(file, kind, chunks, metadata))
    if kind == "JPEG":
        jpeg.tell_the_rest(file)
    png_chunks.tell_the_rest(chunks)
    stated = exif.orientation(metadata.exif) or xmp.orientation(metadata.xmp) or 1
    return Decoded(pixels, metadata, stated)


def _open(file: BinaryIO, kind: str) -> PILImage.Image:
    try:
        return _OPENERS[kind](file)
    except PILImage.DecompressionBombError as error:
        # Only WebP's and TIFF's classes look at Pillow's own limit.
        raise ImageTooLargeError(
            f"{error} This limit is Pillow's; raise PIL.Image.MAX_IMAGE_PIXELS if you trust "
            "the file"
        ) from error


def _deep(file: BinaryIO, kind: str) -> NDArray[np.uint16] | None:
    """Pixels that Pillow would cut to 8 bits: 16-bit PNG, 10- and 12-bit AVIF."""
    if kind not in ("PNG", "AVIF"):
        return None
    file.seek(0)
    head = file.read(4096)
    if kind == "PNG":
        if head[24] != 16:  # bit depth in IHDR, which is always first
            return None
        return _by_imagecodecs(file, kind)
    # AV1CodecConfigurationBox (AV1-ISOBMFF 2.3.3): high_bitdepth, twelve_bit.
    flags = head[head.find(b"av1C") + 6] if b"av1C" in head else 0
    if not flags & 0x40:
        return None
    codes = _by_imagecodecs(file, kind)
    top = 4095 if flags & 0x20 else 1023
    table = np.rint(np.arange(top + 1) * (65535 / top)).astype(np.uint16)
    stretched: NDArray[np.uint16] = table[np.minimum(codes, top)]
    return stretched


def _by_imagecodecs(file: BinaryIO, kind: str) -> NDArray[np.uint16]:
    import imagecodecs  # slow to import, and most images are not deep

    file.seek(0)
    decoder = imagecodecs.png_decode if kind == "PNG" else imagecodecs.avif_decode
    return np.asarray(decoder(file.read()), np.uint16)


def _color(
    file: BinaryIO, kind: str, chunks: list[png_chunks.Chunk], metadata: Metadata
) -> ColorTags | None:
    """Colour that is told by numbers; beside a profile only what outranks it."""
    if kind == "PNG":
        tags = color_tags.from_png(chunks)
        outranked = metadata.icc and not (tags and tags.cicp)
        return None if outranked else tags
    if kind == "AVIF" and not metadata.icc:
        file.seek(0)
        head = file.read(_AVIF_HEAD)
        # ColourInformationBox (ISO/IEC 14496-12, 12.1.5): primaries, transfer, matrix, range.
        at = head.find(b"colrnclx")
        if 0 <= at <= len(head) - 12:
            return color_tags.from_cicp(*struct.unpack_from(">HH", head, at + 8))
    return None


def _metadata(image: PILImage.Image, mode: Mode) -> Metadata:
    info = image.info
    packet = info.get("xmp")
    if len(set(_aspect(info))) > 1:
        tell("the shape of pixels was left out: {} to {}".format(*_aspect(info)))
    return Metadata(
        mode=mode,
        # A preview or depth map is not kept, so the result is a plain JPEG.
        format="JPEG" if image.format == "MPO" else image.format,
        icc=info.get("icc_profile") or None,
        exif=_exif_block(info),
        xmp=packet.encode() if isinstance(packet, str) else packet or None,
        dpi=valid_dpi(info.get("dpi")),
        texts=_texts(image),
        iptc=_iptc(info),
        jpeg_quality=quality_of(getattr(image, "quantization", None)),
    )


def _aspect(info: dict[Any, Any]) -> tuple[int, int]:
    """Density across and down where a file states it without a unit, else 1 and 1."""
    density = info.get("jfif_density") if info.get("jfif_unit") == 0 else None
    told = info.get("aspect") or density or (1, 1)
    return (int(told[0]), int(told[1])) if min(told) > 0 else (1, 1)


def _texts(image: PILImage.Image) -> tuple[tuple[str, str], ...]:
    """Texts of PNG but those that are read as other things, and comments."""
    texts = {}
    if isinstance(image, PngImagePlugin.PngImageFile):
        texts = {str(key): str(text) for key, text in image.text.items()}
    elif isinstance(comment := image.info.get("comment"), bytes) and comment:
        try:
            texts = {COMMENT: comment.decode()}
        except UnicodeDecodeError:
            texts = {COMMENT: comment.decode("latin-1")}
    return tuple(
        (key, text)
        for key, text in texts.items()
        if key != "XML:com.adobe.xmp" and not key.lower().startswith("raw profile type")
    )


def _iptc(info: dict[Any, Any]) -> bytes | None:
    if isinstance(text := info.get(iptc.PNG_KEYWORD), str):
        return iptc.of_png_text(text)
    return iptc.of_resources(info.get("photoshop"))


def _exif_block(info: dict[Any, Any]) -> bytes | None:
    block = info.get("exif")
    if block is None and isinstance(text := info.get("Raw profile type exif"), str):
        # ImageMagick's way for PNG: three lines of heading, then hexadecimal.
        block = bytes.fromhex("".join(text.split("\n")[3:]))
    return exif.PREFIX + exif.strip(block) if block else None


def valid_dpi(dpi: Any) -> tuple[float, float] | None:  # a file's claim
    """Return a resolution as two positive numbers, or None if it is not."""
    try:
        across, down = float(dpi[0]), float(dpi[1])
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        return None
    return (across, down) if 0 < across < math.inf and 0 < down < math.inf else None
