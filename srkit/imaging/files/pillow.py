"""Decoding and encoding by Pillow, for the formats that leave it to do either."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, BinaryIO

from numpy.typing import NDArray
from PIL import Image as PILImage
from PIL import PngImagePlugin

from srkit.advice import advise
from srkit.errors import ImageTooLargeError
from srkit.imaging import pil
from srkit.imaging.files import exif, iptc, xmp
from srkit.imaging.files.decoding import Decoded, check_size, refuse_pages, valid_dpi
from srkit.imaging.files.jpeg_quality import quality_of
from srkit.imaging.metadata import COMMENT, Metadata
from srkit.imaging.notes import tell
from srkit.imaging.pil import Mode

# Pillow's image classes are called directly. PIL.Image.open would also judge the
# size, by a limit that is one global for all threads; here `max_pixels` rules.
# Texts of PNG that are XMP, EXIF and IPTC.
_RAW = "Raw profile type "  # of ImageMagick
_READ_OTHERWISE = {"XML:com.adobe.xmp", *(_RAW + name for name in ("exif", "xmp", "iptc"))}
Opener = Callable[[BinaryIO], PILImage.Image]


def reader(name: str, opener: Opener) -> Callable[[BinaryIO, int], Decoded]:
    """What reads a format that Pillow decodes in full."""
    return lambda file, max_pixels: decode(open_one(file, name, opener, max_pixels))


def open_one(file: BinaryIO, name: str, opener: Opener, max_pixels: int) -> PILImage.Image:
    """Open a file of one picture, and decode nothing yet.

    Parameters
    ----------
    file
        Open for reading.
    name
        Its format, which errors name.
    opener
        Pillow's class for it.
    max_pixels
        Limit of width times height.

    Raises
    ------
    ImageTooLargeError
        From the header, before decoding.
    ImageError
        If there are several frames.
    Exception
        Whatever Pillow raises on a damaged file.
    """
    file.seek(0)
    image = _open(file, opener)
    check_size(*image.size, max_pixels)
    frames = int(getattr(image, "n_frames", 1))
    if image.format == "MPO":
        tell(
            f"it holds {frames} pictures: the first was taken, and those behind it, such as a "
            "preview, depth or gain map, were left out"
        )
    else:
        refuse_pages(frames, name)
    return image


def decode(
    image: PILImage.Image, deep: Callable[[], NDArray[Any] | None] = lambda: None
) -> Decoded:
    """Pixels and metadata of a picture from `open_one`.

    Parameters
    ----------
    image
        Not decoded yet.
    deep
        Gives pixels that Pillow would cut to 8 bits; None where it cuts nothing.

    Raises
    ------
    ImageError
        If the mode cannot be processed.
    Exception
        Whatever a decoder raises on a damaged file.
    """
    bits = pil.grey_bits(image)
    image.load()  # PNG has metadata after the pixels, too
    pixels = deep()
    if pixels is None:
        settled = pil.settle(image.convert("RGB") if image.mode == "YCbCr" else image, bits)
        pixels, mode = pil.to_array(settled), settled.mode
    else:
        mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[pixels.shape[2] if pixels.ndim == 3 else 1]
    metadata = _metadata(image, mode)  # type: ignore[arg-type]  # settled to one of them
    stated = exif.orientation(metadata.exif) or xmp.orientation(metadata.xmp) or 1
    return Decoded(pixels, metadata, stated)


def encode(
    file: BinaryIO, name: str, pixels: NDArray[Any], metadata: Metadata, **options: Any
) -> None:
    """Write a file with its profile, EXIF and XMP; `options` are those of Pillow's encoder."""
    blocks = {"icc_profile": metadata.icc, "exif": metadata.exif, "xmp": metadata.xmp}
    options |= {key: block for key, block in blocks.items() if block}
    pil.from_array(pixels, cmyk=metadata.mode == "CMYK").save(file, name, **options)


def _open(file: BinaryIO, opener: Opener) -> PILImage.Image:
    try:
        return opener(file)
    except PILImage.DecompressionBombError as error:
        # Only WebP's and TIFF's classes look at Pillow's own limit.
        trusted = advise(
            "raise PIL.Image.MAX_IMAGE_PIXELS if you trust the file",
            "if you trust the file, save it as PNG by another program",
        )
        raise ImageTooLargeError(f"{error} This limit is Pillow's; {trusted}") from error


def _metadata(image: PILImage.Image, mode: Mode) -> Metadata:
    info = image.info
    packet = info.get("xmp") or _raw_profile(info, "xmp")
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
    ratio = info.get("aspect") or density or (1, 1)
    return (int(ratio[0]), int(ratio[1])) if min(ratio) > 0 else (1, 1)


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
    for key in [key for key in texts if key.lower().startswith(_RAW.lower())]:
        if texts.pop(key) and key not in _READ_OTHERWISE:
            tell(f"text {key!r} was left out: what it packs is not read")
    return tuple((key, text) for key, text in texts.items() if key not in _READ_OTHERWISE)


def _iptc(info: dict[Any, Any]) -> bytes | None:
    if isinstance(text := info.get(iptc.PNG_KEYWORD), str):
        return iptc.of_png_text(text)
    return iptc.of_resources(info.get("photoshop"))


def _exif_block(info: dict[Any, Any]) -> bytes | None:
    block = info.get("exif") or _raw_profile(info, "exif")
    return exif.PREFIX + exif.strip(block) if block else None


def _raw_profile(info: dict[Any, Any], name: str) -> bytes | None:
    """What ImageMagick puts into a text of PNG: three lines of heading, then hexadecimal."""
    if not isinstance(text := info.get(_RAW + name), str):
        return None
    try:
        return bytes.fromhex("".join(text.split("\n")[3:]))
    except ValueError:
        tell(f"text {_RAW + name!r} is damaged and was left out")
        return None
