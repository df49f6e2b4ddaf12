"""Raw files of cameras, developed by LibRaw through rawpy."""

from __future__ import annotations

import io
import math
import struct
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image as PILImage

from srkit.errors import CorruptFileError, ImageError
from srkit.extras import missing_extra
from srkit.imaging.files import exif, tiff_exif
from srkit.imaging.files.decoding import Decoded, check_size
from srkit.imaging.files.image_format import ImageFormat
from srkit.imaging.files.isobmff import has_brand
from srkit.imaging.metadata import Metadata
from srkit.imaging.notes import tell
from srkit.imaging.pil import Mode

# Those that begin as any TIFF, whose name then tells, or what their first directory says.
_ENDINGS = (
    *(".dng", ".nef", ".cr2", ".cr3", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw", ".nrw"),
    *(".3fr", ".fff", ".iiq", ".erf", ".mef", ".mos", ".kdc", ".dcr", ".rwl", ".sr2", ".srf"),
)
_TIFFS = (b"II*\0", b"MM\0*")
# Of Fujifilm, Olympus, Panasonic, Sigma, Minolta.
_OWN = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM")
_CR2_AT, _CR2 = 8, b"CR\2"
_MAKE, _SUBFILE_TYPE, _DNG_VERSION, _LONG = 271, 254, 50706, 4
_XMP = 700


def read(file: BinaryIO, max_pixels: int) -> Decoded:
    """Develop a raw file to linear light, with the camera's white balance, and upright.

    Parameters
    ----------
    file
        Open for reading.
    max_pixels
        Limit of width times height.

    Raises
    ------
    MissingDependencyError
        If rawpy is not installed.
    ImageTooLargeError
        From the header, before decoding.
    ImageError
        If LibRaw does not know the camera.
    Exception
        Whatever LibRaw raises on a damaged file.
    """
    try:
        import rawpy
    except ModuleNotFoundError as error:
        raise missing_extra("Raw files need rawpy, which is not installed; run", "raw") from error
    file.seek(0)
    try:
        with rawpy.RawPy() as raw:
            raw.open_buffer(file)
            check_size(*_sides(raw.sizes), max_pixels)
            block, packet = _described(file, raw)
            raw.unpack()
            light = raw.postprocess(
                use_camera_wb=True, output_bps=16, gamma=(1, 1), no_auto_bright=True
            )
    except rawpy.LibRawFileUnsupportedError as error:
        raise ImageError(
            "LibRaw knows no such raw file, or it is damaged; Adobe's DNG Converter may know it"
        ) from error
    except rawpy.LibRawError as error:
        said = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        raise CorruptFileError(f"the RAW file is truncated or damaged: {said}") from error
    mode: Mode = "L" if light.shape[2] == 1 else "RGB"
    pixels = light[..., 0] if mode == "L" else light
    return Decoded(pixels, Metadata(mode, "RAW", exif=block, xmp=packet), light=True)


def _sides(sizes: Any) -> tuple[int, int]:
    """Width and height as developed: LibRaw makes pixels square, and so the picture larger."""
    aspect = sizes.pixel_aspect
    return (
        math.ceil(sizes.raw_width * max(1.0, aspect)),
        math.ceil(sizes.raw_height * max(1.0, 1 / aspect)),
    )


def _described(file: BinaryIO, raw: Any) -> tuple[bytes | None, bytes | None]:
    """EXIF and XMP: those of TIFF, or of the JPEG that a camera puts into its file."""
    file.seek(0)
    if file.read(4) in _TIFFS:
        return tiff_exif.read(file), _packet(file)
    try:
        thumb = raw.extract_thumb()
        with PILImage.open(io.BytesIO(thumb.data), formats=["JPEG"]) as preview:
            block = preview.info.get("exif")
    except Exception:  # noqa: BLE001  # LibRaw and Pillow raise anything at all
        block = None
    if block is None:
        tell("EXIF was left out: srkit does not find it in such raw files")
        return None, None
    return exif.PREFIX + exif.strip(block), None


def _packet(file: BinaryIO) -> bytes | None:
    """The XMP of a TIFF file, if it is whole."""
    whole = PILImage.Exif()
    try:
        file.seek(0)
        whole.load_from_fp(file)
    except Exception:  # noqa: BLE001  # Pillow raises anything on damaged tags
        return None
    packet = whole.get(_XMP)
    return packet if isinstance(packet, bytes) and packet.lstrip()[:1] == b"<" else None


def _sniff(head: bytes, path: Path) -> bool:
    """Whether a file is raw: by its first bytes, its first directory, or as TIFF by its name."""
    if head.startswith(_OWN) or has_brand(head, b"crx "):
        return True
    if not head.startswith(_TIFFS):
        return False
    named = path.suffix.lower() in _ENDINGS
    return named or head[_CR2_AT:].startswith(_CR2) or _is_of_camera(head)


def _is_of_camera(head: bytes) -> bool:
    """Whether the first directory, as far as it is there, is of DNG, or a preview with a maker."""
    if len(head) < _CR2_AT:
        return False
    order = "<" if head[:2] == b"II" else ">"
    (at,) = struct.unpack_from(order + "I", head, 4)
    found: dict[int, int] = {}
    for start in range(at + 2, len(head) - 11, 12):
        tag, kind, _, value = struct.unpack_from(order + "HHII", head, start)
        if found and tag <= max(found):
            break
        found[tag] = value if kind == _LONG else 0
    return _DNG_VERSION in found or (_MAKE in found and found.get(_SUBFILE_TYPE) == 1)


RAW = ImageFormat(
    "RAW",
    _ENDINGS,
    sniff=_sniff,
    read=read,
    title="camera RAW",
)
