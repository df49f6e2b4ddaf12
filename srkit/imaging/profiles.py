"""ICC profiles of version 4 made of primaries and a curve (ICC.1:2022)."""

from __future__ import annotations

import io
import struct

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]
# White, red, green and blue by their chromaticities x and y.
Primaries = tuple[Point, Point, Point, Point]
# Bytes of a parametricCurveType.
Curve = bytes

_D50 = np.array([0.9642, 1.0, 0.8249])  # of the profile connection space
# Bradford's matrix to responses of the eye (annex E.3).
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_VERSION = 0x04300000
_ROUNDED = 2  # levels of 8 bits


def gamma(exponent: float) -> Curve:
    """Light is a value to the power of `exponent` (10.18, function type 0)."""
    return b"para" + bytes(4) + struct.pack(">HH", 0, 0) + _fixed(exponent)


def parametric(g: float, a: float, b: float, c: float, d: float) -> Curve:
    """Light is (a v + b)^g from `d` on, and c v below (10.18, function type 3)."""
    return b"para" + bytes(4) + struct.pack(">HH", 3, 0) + _fixed(g, a, b, c, d)


def profile(name: str, primaries: Primaries, curve: Curve, *, grey: bool) -> bytes | None:
    """A profile for displays; None where the primaries span no colours."""
    tags = {
        b"desc": _text(name),
        b"cprt": _text("CC0, made by srkit"),
        b"wtpt": b"XYZ " + bytes(4) + _fixed(*_D50),
    }
    try:
        adapted = _adaptation(_xyz(primaries[0]))
        if not grey:
            seen = columns(primaries).T
            for key, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), seen, strict=True):
                tags[key] = b"XYZ " + bytes(4) + _fixed(*column)
        tags[b"chad"] = b"sf32" + bytes(4) + _fixed(*adapted.ravel())
    except (ZeroDivisionError, np.linalg.LinAlgError, struct.error, ValueError, OverflowError):
        return None
    tags |= dict.fromkeys([b"kTRC"] if grey else [b"rTRC", b"gTRC", b"bTRC"], curve)
    return _laid_out(tags, b"GRAY" if grey else b"RGB ")


def is_srgb(icc: bytes) -> bool:
    """Whether a profile of grey or RGB names the colours of sRGB, but for what rounding changes.

    Examples
    --------
    >>> p3 = (0.3127, 0.3290), (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)
    >>> curve = parametric(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    >>> is_srgb(profile("P3", p3, curve, grey=False)), is_srgb(profile("G", p3, curve, grey=True))
    (False, True)
    """
    from PIL import Image, ImageCms

    grey = icc[16:20] == b"GRAY"
    steps = np.arange(0, 256, 51 if not grey else 5, dtype=np.uint8)
    if grey:
        lattice = steps[None]
    else:
        lattice = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    picture = Image.fromarray(lattice)
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        changed = ImageCms.profileToProfile(
            picture, given, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError):
        return False
    apart = np.asarray(changed, np.int16) - np.asarray(picture.convert("RGB"), np.int16)
    return int(np.abs(apart).max()) <= _ROUNDED


def columns(primaries: Primaries) -> NDArray[np.float64]:
    """Red, green and blue as columns of XYZ, seen under the white of the connection space.

    Raises
    ------
    ZeroDivisionError, numpy.linalg.LinAlgError
        If the primaries span no colours.
    """
    white = _xyz(primaries[0])
    directions = np.stack([_xyz(point) for point in primaries[1:]], axis=1)
    seen: NDArray[np.float64] = _adaptation(white) @ (
        directions * np.linalg.solve(directions, white)
    )
    return seen


def _xyz(point: Point) -> NDArray[np.float64]:
    x, y = point
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _adaptation(white: NDArray[np.float64]) -> NDArray[np.float64]:
    gains = (_BRADFORD @ _D50) / (_BRADFORD @ white)
    adapted: NDArray[np.float64] = np.linalg.inv(_BRADFORD) @ np.diag(gains) @ _BRADFORD
    return adapted


def _fixed(*numbers: float) -> bytes:
    """s15Fixed16Number (4.6)."""
    return struct.pack(f">{len(numbers)}i", *(round(float(n) * 65536) for n in numbers))


def _text(text: str) -> bytes:
    """MultiLocalizedUnicodeType (10.15) of one language."""
    encoded = text.encode("utf-16-be")
    head = struct.pack(">4s4xII2s2sII", b"mluc", 1, 12, b"en", b"US", len(encoded), 28)
    return head + encoded


def _laid_out(tags: dict[bytes, bytes], space: bytes) -> bytes:
    """Header (7.2), table of tags (7.3), and their data, each once, on multiples of four."""
    start, table, data = 128 + 4 + 12 * len(tags), b"", b""
    places: dict[bytes, int] = {}
    for name, content in tags.items():
        if content not in places:
            places[content] = start + len(data)
            data += content + bytes(-len(content) % 4)
        table += struct.pack(">4sII", name, places[content], len(content))
    size = start + len(data)
    date = (2026, 1, 1, 0, 0, 0)
    header = struct.pack(">I4xI4s4s4s6H4s", size, _VERSION, b"mntr", space, b"XYZ ", *date, b"acsp")
    header += bytes(28) + _fixed(*_D50)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data
