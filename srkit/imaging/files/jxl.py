"""JPEG XL of 8 and 16 bits, by libjxl through imagecodecs."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from srkit.errors import CorruptFileError, ImageError, MissingDependencyError
from srkit.extras import extra_line
from srkit.imaging.alpha import unpremultiply
from srkit.imaging.files import color_tags, jpeg, jxl_boxes, jxl_coloring
from srkit.imaging.files.decoding import Decoded, check_size
from srkit.imaging.files.image_format import WITH_ALPHA, ImageFormat, Places
from srkit.imaging.files.jxl_codestream import ALPHA, BLACK, GREY, HEAD, LINEAR, RGB, Header, parse
from srkit.imaging.files.jxl_codestream import SIGNATURE as BARE
from srkit.imaging.light import expose, light_of
from srkit.imaging.metadata import Metadata
from srkit.imaging.notes import tell
from srkit.imaging.pil import Mode
from srkit.imaging.primaries import in_srgb, matrix_of
from srkit.imaging.profiles import is_srgb

_MODES: dict[int, Mode] = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def read(file: BinaryIO, max_pixels: int) -> Decoded:
    """Decode a JPEG XL file; of one that was made of a JPEG without loss, that JPEG.

    Parameters
    ----------
    file
        Open for reading.
    max_pixels
        Limit of width times height.

    Returns
    -------
    Decoded
        uint8 or uint16, over which other depths are stretched, or float32, of linear light
        where the file says so. It is upright: libjxl turns it.

    Raises
    ------
    ImageTooLargeError
        From the header, before decoding.
    ImageError
        If it moves, or is of a kind that cannot be kept.
    Exception
        Whatever libjxl raises on a damaged file.
    """
    file.seek(0)
    data = file.read()
    boxes = jxl_boxes.parse(data)
    header = parse(boxes.codestream[:HEAD])
    check_size(header.width, header.height, max_pixels)
    _check_kind(header)
    codec = _codec()
    if boxes.is_jpeg and (decoded := _jpeg(codec, data, max_pixels)):
        return decoded
    # Of the bytes whose header was read, not of the file, in which libjxl may find others.
    pixels = _pictured(codec.jpegxl_decode(boxes.codestream), header)
    mode = _MODES[pixels.shape[2] if pixels.ndim == 3 else 1]
    if header.premultiplied and mode in ("LA", "RGBA"):
        top = 1.0 if pixels.dtype.kind == "f" else float(np.iinfo(pixels.dtype).max)
        pixels = pixels.copy()
        pixels[..., :-1] = unpremultiply(pixels[..., :-1], pixels[..., -1:], top)
    metadata = Metadata(mode, "JXL", exif=boxes.exif, xmp=boxes.xmp)
    # Where loss was allowed, libjxl gives what a profile tells as light of sRGB's primaries.
    if brought := header.colour.has_profile and header.xyb:
        coarse = ", and dark ones are coarse" if pixels.dtype == np.uint8 else ""
        tell(f"the colour profile was left out: its colours became those of sRGB{coarse}")
    if brought or header.colour.transfer == LINEAR:
        return _lit(pixels, header, metadata)
    profile = None
    if header.colour.has_profile:
        profile = jxl_coloring.profile_of(boxes.codestream, header) or _by_other(boxes.codestream)
    return Decoded(pixels, replace(metadata, icc=profile, color=header.colour.tags))


def write(file: BinaryIO, pixels: NDArray[Any], metadata: Metadata, quality: int | None) -> None:
    """Write a JPEG XL file, losslessly unless a quality is given.

    Loss takes colours of sRGB: others are written without, which is told.
    """
    tags, profile = metadata.color, metadata.icc
    if tags and not jxl_coloring.can_tell(tags):
        profile = profile or color_tags.to_profile(tags, grey=metadata.mode in ("L", "LA"))
        if profile is None:
            tell(f"JPEG XL holds no colour as {tags}: left out")
        tags = None
    if quality is not None and profile and is_srgb(profile):
        profile = None
    if quality is not None and (tags or profile):
        tell("JPEG XL keeps colours other than sRGB's without loss alone: the quality was left out")
        quality = None
    encode, pixels = _codec().jpegxl_encode, np.ascontiguousarray(pixels)
    if quality is None:
        boxes = jxl_boxes.parse(encode(pixels, lossless=True))
    else:
        boxes = jxl_boxes.parse(encode(_linear(pixels, metadata.mode), quality, lossless=False))
    if pixels.dtype == np.uint16 or tags or profile:
        stream = jxl_coloring.recoloured(boxes.codestream, tags, profile)
        boxes = replace(boxes, codestream=stream)
    file.write(jxl_boxes.packed(replace(boxes, exif=metadata.exif, xmp=metadata.xmp)))


def _codec() -> ModuleType:
    """Return imagecodecs, if it has libjxl."""
    import imagecodecs  # slow to import, and most images are not JPEG XL

    try:
        imagecodecs.jpegxl_version()
    except ImportError as error:
        raise MissingDependencyError(
            "JPEG XL needs an imagecodecs that was built with libjxl, as the wheels of PyPI are: "
            "pip install --force-reinstall imagecodecs"
        ) from error
    codec: ModuleType = imagecodecs
    return codec


def _check_kind(header: Header) -> None:
    if header.animated:
        raise ImageError("the JPEG XL file moves; save each frame as a file of its own")
    if BLACK in header.extra or header.colour.space not in (GREY, RGB):
        raise ImageError("the JPEG XL file is CMYK or of a space that is not known; save it as RGB")
    others = [kind for kind in header.extra if kind != ALPHA]
    if others or len(header.extra) > 1:
        tell("channels of JPEG XL beside colours and alpha were left out")


def _jpeg(codec: ModuleType, data: bytes, max_pixels: int) -> Decoded | None:
    """The JPEG that a file was made of, with all that it says; None if it cannot be had."""
    try:
        whole = codec.jpegxl_decode_jpeg(data)
    except Exception:  # noqa: BLE001  # of any kind; its pixels may be whole nevertheless
        return None
    decoded = jpeg.read(io.BytesIO(whole), max_pixels)
    return replace(decoded, metadata=replace(decoded.metadata, format="JXL"))


def _pictured(pixels: NDArray[Any], header: Header) -> NDArray[Any]:
    """Grey, RGB and alpha alone, over the full range of their dtype."""
    sides = (header.height, header.width)[:: 1 if header.orientation < 5 else -1]
    if pixels.ndim == 3 and pixels.shape[:2] != sides and pixels.shape[1:] == sides:
        pixels = pixels[0]  # grey, and other channels apart
    if pixels.shape[:2] != sides or pixels.shape[2:] == (1,):
        raise CorruptFileError(f"the JPEG XL file is damaged: its shape is {pixels.shape}")
    if pixels.dtype.kind == "f":
        return pixels.astype(np.float32, copy=False)
    full = int(np.iinfo(pixels.dtype).max)
    top = 2**header.bits - 1
    if top >= full:
        return pixels
    table = np.rint(np.arange(top + 1) * (full / top)).astype(pixels.dtype)
    stretched: NDArray[Any] = table[np.minimum(pixels, top)]
    return stretched


def _lit(pixels: NDArray[Any], header: Header, metadata: Metadata) -> Decoded:
    """Light: in floats it is exposed; whole numbers end at white, and become levels of sRGB."""
    if pixels.dtype == np.uint8:
        pixels = pixels.astype(np.uint16) * 257
    tags = header.colour.tags
    matrix = None
    if metadata.mode in ("RGB", "RGBA") and tags:
        points = color_tags.primaries_of(tags)
        matrix = matrix_of(points) if points else None
    if matrix is not None:
        scale = np.float32(1 if pixels.dtype.kind == "f" else 65535)
        light = pixels.astype(np.float32) / scale
        light[..., :3] = in_srgb(light[..., :3], matrix)
    else:
        light = pixels
    if pixels.dtype.kind == "f":
        return Decoded(light, metadata, light=True)
    return Decoded(expose(light, 0.0, alpha=metadata.mode in ("LA", "RGBA")), metadata)


def _linear(pixels: NDArray[Any], mode: Mode) -> NDArray[Any]:
    """What imagecodecs takes for sRGB: of 8 bits its levels, of 16 its light."""
    if pixels.dtype == np.uint8:
        return pixels
    made: NDArray[np.uint16] = np.rint(light_of(pixels) * np.float32(65535)).astype(np.uint16)
    if mode in ("LA", "RGBA"):
        made[..., -1] = pixels[..., -1]
    return made


def _by_other(codestream: bytes) -> bytes | None:
    """A profile as other programs pack it, which imagecodecs does not give."""
    try:
        import pylibjxl
    except ModuleNotFoundError:
        tell(
            "the colour profile was left out: JPEG XL packs it, and pylibjxl, which unpacks it, is "
            f"not installed: {extra_line('jxl')}"
        )
        return None
    _, described = pylibjxl.decode(codestream, metadata=True)
    profile = described.get("icc")
    return bytes(profile) if profile else None


def _sniff(head: bytes, _: Path) -> bool:
    return head.startswith((BARE, jxl_boxes.SIGNATURE))


JXL = ImageFormat(
    "JXL",
    (".jxl",),
    sniff=_sniff,
    read=read,
    write=write,
    title="JPEG XL",
    modes=WITH_ALPHA,
    dtypes=("uint8", "uint16"),
    max_side=2**30,
    quality=True,
    places=Places(frozenset({"cicp", "icc", "exif", "xmp"})),
)
