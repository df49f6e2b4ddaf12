"""Colour as files tell it by numbers, without a profile: PNG's chunks, AVIF's and HEIC's nclx."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from srkit.imaging.files.png_chunks import Chunk
from srkit.imaging.profiles import Curve, Primaries, gamma, parametric, profile

# Rec. ITU-T H.273, table 2: white, red, green and blue by x and y.
_D65, _C = (0.3127, 0.3290), (0.310, 0.316)
_PRIMARIES: dict[int, Primaries] = {
    1: (_D65, (0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    4: (_C, (0.670, 0.330), (0.210, 0.710), (0.140, 0.080)),
    5: (_D65, (0.640, 0.330), (0.290, 0.600), (0.150, 0.060)),
    6: (_D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    7: (_D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    8: (_C, (0.681, 0.319), (0.243, 0.692), (0.145, 0.049)),
    9: (_D65, (0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: ((0.314, 0.351), (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    12: (_D65, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    22: (_D65, (0.630, 0.340), (0.295, 0.605), (0.155, 0.077)),
}
# Table 3. The camera curve of BT.709, which BT.601 and BT.2020 share.
_ALPHA, _BETA = 1.09929682680944, 0.018053968510807
_BT709 = parametric(1 / 0.45, 1 / _ALPHA, 1 - 1 / _ALPHA, 1 / 4.5, 4.5 * _BETA)
_SRGB = parametric(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_CURVES: dict[int, Curve] = {
    **dict.fromkeys((1, 6, 14, 15), _BT709),
    4: gamma(2.2),
    5: gamma(2.8),
    8: gamma(1.0),
    13: _SRGB,
}
_UNSPECIFIED = 2
_NAMES = {1: "BT.709", 9: "BT.2020", 11: "DCI-P3", 12: "Display P3"}
_TRANSFERS = {1: "BT.709", 8: "linear", 13: "sRGB", 16: "PQ", 18: "HLG"}


@dataclass(frozen=True)
class ColorTags:
    """What numbers say about colour; the first that is there counts (PNG specification, 4.3).

    Attributes
    ----------
    cicp
        Primaries and transfer as code points of Rec. ITU-T H.273.
    narrow
        Whether black and white of `cicp` are levels 16 and 235 of 8 bits, as in video.
    intent
        Rendering intent of sRGB, 0 to 3, where the colour is sRGB.
    gamma
        100,000 times the exponent that made values of light, as in PNG's gAMA.
    chromaticities
        100,000 times x and y of white, red, green and blue, as in PNG's cHRM.
    """

    cicp: tuple[int, int] | None = None
    intent: int | None = None
    gamma: int | None = None
    chromaticities: tuple[int, ...] | None = None
    narrow: bool = False

    def __str__(self) -> str:
        if self.cicp:
            names = (
                _NAMES.get(self.cicp[0], self.cicp[0]),
                _TRANSFERS.get(self.cicp[1], self.cicp[1]),
            )
            return "{}, {}".format(*names) + (" of narrow range" if self.narrow else "")
        if self.intent is not None:
            return "sRGB"
        parts = [f"gamma {self.gamma / 1e5:g}"] if self.gamma else []
        return ", ".join(parts + (["chromaticities"] if self.chromaticities else []))


def primaries_of(tags: ColorTags) -> Primaries | None:
    """White, red, green and blue by their chromaticities; None where they are not known."""
    if tags.cicp:
        return _PRIMARIES.get(tags.cicp[0])
    if not tags.chromaticities:
        return None
    values = [value / 1e5 for value in tags.chromaticities]
    white, red, green, blue = zip(values[::2], values[1::2], strict=True)
    return white, red, green, blue


def from_cicp(primaries: int, transfer: int) -> ColorTags | None:
    """What nclx says; None where that is nothing, or sRGB, which is meant without it as well."""
    if (primaries, transfer) in ((_UNSPECIFIED, _UNSPECIFIED), (1, 13), (0, 0)):
        return None
    return ColorTags(cicp=(primaries, transfer))


def from_png(chunks: Iterable[Chunk]) -> ColorTags | None:
    """What the chunks of a PNG file say (PNG specification, 11.3.2); damaged ones say nothing."""
    contents = dict(reversed([*chunks]))
    cicp, srgb, gama, chrm = (contents.get(n, b"") for n in (b"cICP", b"sRGB", b"gAMA", b"cHRM"))
    tags = ColorTags(
        cicp=(cicp[0], cicp[1]) if cicp[2:] in (b"\0\0", b"\0\1") else None,
        intent=srgb[0] if len(srgb) == 1 and srgb[0] < 4 else None,
        gamma=int.from_bytes(gama, "big") or None if len(gama) == 4 else None,
        chromaticities=struct.unpack(">8I", chrm) if len(chrm) == 32 else None,
        narrow=cicp[2:] == b"\0\0",
    )
    return None if tags == ColorTags() else tags


def to_png(tags: ColorTags | None, *, with_profile: bool) -> list[Chunk]:
    """Chunks that say the same; beside a profile only those that outrank it."""
    if tags is None:
        return []
    chunks = []
    if tags.cicp:
        chunks.append((b"cICP", bytes([*tags.cicp, 0, not tags.narrow])))
    if with_profile:
        return chunks
    if tags.gamma:
        chunks.append((b"gAMA", struct.pack(">I", tags.gamma)))
    if tags.chromaticities:
        chunks.append((b"cHRM", struct.pack(">8I", *tags.chromaticities)))
    if tags.intent is not None:
        chunks.append((b"sRGB", bytes([tags.intent])))
    return chunks


def to_profile(tags: ColorTags | None, *, grey: bool) -> bytes | None:
    """An ICC profile that says the same; None where none does exactly."""
    if tags is None or tags.narrow:
        return None
    points, curve = _PRIMARIES[1], None
    if tags.cicp:
        primaries = _PRIMARIES.get(tags.cicp[0])
        if primaries is None and not grey:
            return None
        points, curve = primaries or points, _CURVES.get(tags.cicp[1])
    elif tags.intent is not None:
        curve = _SRGB
    elif tags.gamma:
        curve = gamma(1e5 / tags.gamma)
        if not grey:
            points = primaries_of(tags) or points
    return None if curve is None else profile(str(tags), points, curve, grey=grey)


def in_avif(file: bytes, tags: ColorTags | None) -> bytes:
    """An AVIF file as Pillow encodes it, which calls all colour sRGB, with other code points.

    The box outranks what the packed pixels say (AV1-ISOBMFF 2.3.4).
    """
    at = file.find(b"colrnclx")
    if tags is None or not tags.cicp or at < 0:
        return file
    return file[: at + 8] + struct.pack(">HH", *tags.cicp) + file[at + 12 :]
