"""Radiance pictures (.hdr, .pic): light of any brightness, which is read."""

from __future__ import annotations

import re
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from srkit.errors import CorruptFileError, ImageError
from srkit.imaging.files.decoding import Decoded, check_size
from srkit.imaging.files.image_format import ImageFormat, starts_with
from srkit.imaging.metadata import Metadata
from srkit.imaging.notes import tell
from srkit.imaging.primaries import XYZ, in_srgb, matrix_of

_LONGEST = 1 << 16  # bytes of a header
_RGBE, _XYZE = "32-bit_rle_rgbe", "32-bit_rle_xyze"
_SIZE = re.compile(rb"([-+])([XY]) (\d{1,9}) ([-+])([XY]) (\d{1,9})\n")
# Which way up a picture is (EXIF's 1 to 8), by the signs of Y and X, and by which of them comes
# first: from the top to the bottom and from left to right it is -Y +X.
_UPRIGHT = {("-", "+"): 1, ("-", "-"): 2, ("+", "-"): 3, ("+", "+"): 4}
_TURNED = {("-", "+"): 5, ("-", "-"): 6, ("+", "-"): 7, ("+", "+"): 8}
# A scanline of fewer or more pixels is not packed (rgbe.c of Bruce Walter).
_PACKED = range(8, 32768)


class _Header(NamedTuple):
    variables: dict[str, str]
    lines: int
    length: int  # of a line
    orientation: int
    size: int  # bytes


def read(file: BinaryIO, max_pixels: int) -> Decoded:
    """Decode a Radiance picture to linear light.

    Parameters
    ----------
    file
        Open for reading.
    max_pixels
        Limit of width times height.

    Raises
    ------
    ImageTooLargeError
        From the header, before decoding.
    ImageError
        If the pixels are of a kind that is not known.
    Exception
        Whatever the decoder raises on a damaged file.
    """
    file.seek(0)
    header = _header(file.read(_LONGEST))
    check_size(header.length, header.lines, max_pixels)
    kind = header.variables.get("FORMAT", _RGBE)
    if kind not in (_RGBE, _XYZE):
        raise ImageError(f"Radiance pictures of the format {kind[:40]!r} are not known")
    file.seek(header.size)
    light = _decoded(file.read(_most_bytes(header) + 1), header)
    matrix = XYZ if kind == _XYZE else _stated(header.variables.get("PRIMARIES"))
    if matrix is not None:
        light = in_srgb(light, matrix)
    return Decoded(light, Metadata("RGB", "RADIANCE"), header.orientation, light=True)


def _header(data: bytes) -> _Header:
    """Lines of variables up to an empty one, and the line of the size."""
    text, blank, _ = data.partition(b"\n\n")
    at = len(text) + 2
    if not blank or not (size := _SIZE.match(data, at)):
        raise CorruptFileError("the header of the Radiance picture does not tell its size")
    sign, axis, lines, across, other, length = (part.decode() for part in size.groups())
    if axis == other or not int(lines) or not int(length):
        raise CorruptFileError("the header of the Radiance picture does not tell its size")
    upright = axis == "Y"
    table = _UPRIGHT if upright else _TURNED
    signs = (sign, across) if upright else (across, sign)
    named = (line.partition("=") for line in text.decode("latin-1").split("\n")[1:])
    variables = {name.strip(): value.strip() for name, equals, value in named if equals}
    return _Header(variables, int(lines), int(length), table[signs], size.end())


def _most_bytes(header: _Header) -> int:
    """Of pixels: whoever packs them worst takes two bytes for one, and each line four more."""
    if header.length not in _PACKED:
        return 4 * header.length * header.lines
    return (4 + 8 * header.length) * header.lines


def _decoded(data: bytes, header: _Header) -> NDArray[np.float32]:
    """Pixels as they are stored, line by line."""
    import imagecodecs  # slow to import, and most images are not Radiance's

    # Each packed line has four bytes of its own, and at most 128 of its 4 channels' in two bytes.
    length = header.length
    least = 4 + 4 * 2 * -(-length // 128) if length in _PACKED else 4 * length
    if len(data) < least * header.lines:
        raise CorruptFileError("the Radiance picture is truncated")
    light = np.zeros((header.lines, length, 3), np.float32)
    imagecodecs.rgbe_decode(data, header=False, rle=length in _PACKED, out=light)
    return light


def _stated(primaries: str | None) -> NDArray[np.float64] | None:
    """What brings colours of the stated primaries to sRGB's; red, green, blue, white."""
    if primaries is None:
        return None
    try:
        numbers = [float(number) for number in primaries.split()]
    except ValueError:
        numbers = []
    matrix = None
    if len(numbers) == 8:
        red, green, blue, white = zip(numbers[::2], numbers[1::2], strict=True)
        matrix = matrix_of((white, red, green, blue))
    if matrix is None:
        tell("the primaries of the Radiance picture make no sense and were left out")
    return matrix


RADIANCE = ImageFormat(
    "RADIANCE",
    (".hdr",),
    sniff=starts_with(b"#?"),
    read=read,
    title="Radiance",
    aliases=(".pic", ".rgbe", ".xyze"),
)
