"""HEIC and HEIF, as phones write them, by libheif through pillow-heif."""

from __future__ import annotations

from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from srkit.errors import ImageError
from srkit.extras import missing_extra
from srkit.imaging.files import exif
from srkit.imaging.files.color_tags import ColorTags, from_cicp
from srkit.imaging.files.decoding import Decoded, check_size
from srkit.imaging.files.image_format import ImageFormat
from srkit.imaging.files.isobmff import has_brand
from srkit.imaging.metadata import Metadata
from srkit.imaging.notes import tell
from srkit.imaging.pil import Mode

# Brands of ISO/IEC 23008-12 whose pictures are packed as HEVC, and those of any packing.
_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_MODES = ("L", "LA", "RGB", "RGBA")


def read(file: BinaryIO, max_pixels: int) -> Decoded:
    """Decode the primary picture.

    It is upright: libheif turns it as the file's ``irot`` and ``imir`` say, and by the
    standard EXIF's orientation only repeats them.

    Parameters
    ----------
    file
        Open for reading.
    max_pixels
        Limit of width times height.

    Raises
    ------
    MissingDependencyError
        If pillow-heif is not installed.
    ImageTooLargeError
        From the header, before decoding.
    ImageError
        If the pixels are of a kind that cannot be kept.
    Exception
        Whatever libheif raises on a damaged file.
    """
    try:
        import pillow_heif
    except ModuleNotFoundError as error:
        raise missing_extra(
            "HEIC needs pillow-heif, which is not installed; run", "heif"
        ) from error
    file.seek(0)
    # Not registered with Pillow, which is everybody's in this process.
    picture = pillow_heif.open_heif(file, convert_hdr_to_8bit=False)
    width, height = picture.size
    check_size(width, height, max_pixels)
    if len(picture) > 1:
        tell(f"it holds {len(picture)} pictures: the primary one was taken")
    if picture.info.get("depth_images"):
        tell("the depth map was left out")
    if any("gainmap" in str(kind).lower() for kind in picture.info.get("aux") or ()):
        tell("the gain map was left out")
    mode = picture.mode.split(";")[0].replace("I", "L")
    if mode not in _MODES:
        raise ImageError(f"pixels of the mode {picture.mode} are not known; export it as PNG")
    pixels = _full_range(np.array(picture), picture.info["bit_depth"])
    block, packet = picture.info.get("exif"), picture.info.get("xmp")
    metadata = Metadata(
        mode=cast(Mode, mode),
        format="HEIF",
        icc=picture.info.get("icc_profile") or None,
        exif=exif.PREFIX + exif.strip(block) if block else None,
        xmp=packet or None,
        color=_color(picture.info),
    )
    return Decoded(pixels, metadata)


def _color(info: dict[str, Any]) -> ColorTags | None:
    """What nclx says, which counts where there is no profile."""
    nclx = info.get("nclx_profile")
    if not nclx or info.get("icc_profile"):
        return None
    return from_cicp(int(nclx["color_primaries"]), int(nclx["transfer_characteristics"]))


def _full_range(pixels: NDArray[Any], bits: int) -> NDArray[Any]:
    """More than 8 bits, which come in the upper ones of 16, stretched over all of these."""
    if pixels.dtype == np.uint8:
        return pixels
    top = 2**bits - 1
    table = np.rint(np.arange(top + 1) * (65535 / top)).astype(np.uint16)
    stretched: NDArray[np.uint16] = table[pixels >> (16 - bits)]
    return stretched


HEIF = ImageFormat(
    "HEIF",
    (".heic", ".heif", ".hif"),
    # AVIF is of brands among these, too, and is looked for first.
    sniff=lambda head, _: has_brand(head, *_BRANDS),
    read=read,
    title="HEIC",
)
