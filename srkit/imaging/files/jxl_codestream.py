"""The header of a JPEG XL codestream (ISO/IEC 18181-1): size, depth, channels and colours.

imagecodecs decodes pixels alone, and tells nothing about them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from srkit.errors import CorruptFileError, ImageError
from srkit.imaging.files.color_tags import ColorTags

SIGNATURE = b"\xff\x0a"
HEAD = 1 << 16  # bytes in which a header is, but for a profile
GREY, RGB = 1, 0  # colour spaces
ALPHA, DEPTH, SPOT, BLACK, CFA = 0, 1, 2, 4, 5  # kinds of extra channels
LINEAR, SRGB = 8, 13  # transfer functions, by the numbers of Rec. ITU-T H.273
_MOST_EXTRA = 16
_CUSTOM, _D65, _DCI, _SRGB_PRIMARIES, _P3 = 2, 1, 11, 1, 11
# Widths over heights that have a number of their own.
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
# What one of four forms of a number adds to how many bits.
Forms = tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]
_SIZES: Forms = ((1, 9), (1, 13), (1, 18), (1, 30))
ENUM: Forms = ((0, 0), (1, 0), (2, 4), (18, 6))
_POINT: Forms = ((0, 19), (524288, 19), (1048576, 20), (2097152, 21))
# Primaries and white of JPEG XL, by the number of H.273 that stands for both.
BOTH = {1: (1, _D65), 9: (9, _D65), 11: (_P3, _DCI), 12: (_P3, _D65)}
TRANSFERS = (1, LINEAR, SRGB, 16, 17, 18)


@dataclass(frozen=True)
class Colour:
    """How a codestream tells its colours.

    Attributes
    ----------
    space
        `GREY`, `RGB` or another.
    has_profile
        Whether by an ICC profile, which follows the header.
    transfer
        By H.273; None where it is an exponent, which `tags` tell, or the profile.
    tags
        What is not sRGB, and not linear light of its primaries.
    """

    space: int = RGB
    has_profile: bool = False
    transfer: int | None = SRGB
    tags: ColorTags | None = None


@dataclass(frozen=True)
class Header:
    """What a codestream says of its picture.

    Attributes
    ----------
    width, height
        As stored: `orientation`, of EXIF's 1 to 8, is applied by who decodes it.
    bits, floats
        Of a value.
    extra
        Kinds of channels beside colours, such as `ALPHA`.
    premultiplied
        Whether colours are multiplied with alpha.
    xyb
        Whether colours are stored in the space that is made for loss; what is decoded is of
        `colour`, or of sRGB where that is a profile.
    colour_at
        Bits at which colour is told, from and up to.
    described
        Whether there are fields that most pictures do not need.
    """

    width: int
    height: int
    orientation: int = 1
    animated: bool = False
    bits: int = 8
    floats: bool = False
    extra: tuple[int, ...] = ()
    premultiplied: bool = False
    xyb: bool = True
    colour: Colour = Colour()
    colour_at: tuple[int, int] = (0, 0)
    described: bool = False


class Bits:
    """Bits from the lowest of each byte on."""

    def __init__(self, data: bytes) -> None:
        self._value, self._size = int.from_bytes(data, "little"), 8 * len(data)
        self.at = 0

    def take(self, count: int) -> int:
        """The next so many bits, as a number."""
        if self.at + count > self._size:
            raise CorruptFileError("the header of the JPEG XL file is truncated or damaged")
        value = self._value >> self.at & (1 << count) - 1
        self.at += count
        return value

    def flag(self) -> bool:
        """Whether the next bit is set."""
        return bool(self.take(1))

    def number(self, forms: Forms) -> int:
        """A number whose first two bits tell its form."""
        plus, bits = forms[self.take(2)]
        return plus + self.take(bits)


def parse(codestream: bytes) -> Header:
    """Read a header.

    Parameters
    ----------
    codestream
        Its first `HEAD` bytes.

    Raises
    ------
    CorruptFileError
        If it ends within its header, or makes no sense.
    ImageError
        If there are more channels than pictures have.
    """
    bits = Bits(codestream[:HEAD])
    if bits.take(16) != int.from_bytes(SIGNATURE, "little"):
        raise CorruptFileError("the JPEG XL file has no picture where it should be")
    width, height = _size(bits)
    if bits.flag():  # all is as it is by default
        return Header(width, height)
    described = bits.flag()
    orientation, animated = _description(bits) if described else (1, False)
    if animated:
        return Header(width, height, orientation, animated=True)
    floats, depth = _depth(bits)
    bits.flag()  # whether 16 bits are enough to decode it
    extra = [_extra(bits) for _ in range(_count(bits))]
    xyb = bits.flag()
    start = bits.at
    colour = _colour(bits)
    return Header(
        *(width, height, orientation),
        bits=depth,
        floats=floats,
        extra=tuple(kind for kind, _ in extra),
        premultiplied=any(kind == ALPHA and associated for kind, associated in extra),
        xyb=xyb,
        colour=colour,
        colour_at=(start, bits.at),
        described=described,
    )


def _size(bits: Bits) -> tuple[int, int]:
    small = bits.flag()
    height = 8 * (1 + bits.take(5)) if small else bits.number(_SIZES)
    if ratio := _RATIOS.get(bits.take(3)):
        return height * ratio[0] // ratio[1], height
    return 8 * (1 + bits.take(5)) if small else bits.number(_SIZES), height


def _description(bits: Bits) -> tuple[int, bool]:
    """Orientation, and whether it moves, beyond which nothing is read."""
    orientation = 1 + bits.take(3)
    if bits.flag():
        _size(bits)  # to be shown at
    if bits.flag():
        raise ImageError("JPEG XL with a preview of its own is not supported; save it without one")
    return orientation, bits.flag()


def _depth(bits: Bits) -> tuple[bool, int]:
    if not bits.flag():
        return False, bits.number(((8, 0), (10, 0), (12, 0), (1, 6)))
    depth = bits.number(((32, 0), (16, 0), (24, 0), (1, 6)))
    bits.take(4)  # bits of the exponent
    return True, depth


def _count(bits: Bits) -> int:
    count = bits.number(((0, 0), (1, 0), (2, 4), (1, 12)))
    if count > _MOST_EXTRA:
        raise ImageError(f"the JPEG XL file holds {count} channels beside its colours")
    return count


def _extra(bits: Bits) -> tuple[int, bool]:
    """Kind of an extra channel, and whether colours are multiplied with it."""
    if bits.flag():
        return ALPHA, False
    kind = bits.number(ENUM)
    _depth(bits)
    bits.number(((0, 0), (3, 0), (4, 0), (1, 3)))  # how much smaller it is
    bits.take(8 * bits.number(((0, 0), (0, 4), (16, 5), (48, 10))))  # its name
    associated = kind == ALPHA and bits.flag()
    if kind == SPOT:
        bits.take(4 * 16)
    if kind == CFA:
        bits.number(((1, 0), (0, 2), (3, 4), (19, 8)))
    return kind, associated


def _colour(bits: Bits) -> Colour:
    if bits.flag():
        return Colour()
    has_profile, space = bits.flag(), bits.number(ENUM)
    if has_profile:
        return Colour(space, has_profile=True, transfer=None)
    if space not in (GREY, RGB):
        return Colour(space, transfer=None)
    white = bits.number(ENUM)
    points = [_point(bits)] if white == _CUSTOM else []
    primaries = bits.number(ENUM) if space == RGB else _SRGB_PRIMARIES
    if primaries == _CUSTOM:
        points += [_point(bits) for _ in range(3)]
    gamma = bits.take(24) if bits.flag() else None
    transfer = None if gamma is not None else bits.number(ENUM)
    bits.number(ENUM)  # rendering intent
    return Colour(space, False, transfer, _tags(white, primaries, points, gamma, transfer))


def _point(bits: Bits) -> tuple[float, float]:
    """Chromaticities of a colour, whose numbers have their sign in the lowest bit."""
    numbers = [bits.number(_POINT) for _ in range(2)]
    x, y = ((n >> 1 if n % 2 == 0 else -(n >> 1) - 1) / 1e6 for n in numbers)
    return x, y


def _tags(
    white: int,
    primaries: int,
    points: Sequence[tuple[float, float]],
    gamma: int | None,
    transfer: int | None,
) -> ColorTags | None:
    """Numbers of H.273 where there are some, else an exponent and chromaticities; None for sRGB."""
    both = next((n for n, pair in BOTH.items() if pair == (primaries, white)), None)
    if both and transfer in TRANSFERS:
        return None if (both, transfer) == (1, SRGB) else ColorTags(cicp=(both, transfer or 0))
    values = tuple(round(1e5 * value) for point in points for value in point)
    stated = values if len(values) == 8 and min(values) >= 0 else None
    exponent = round(gamma / 100) if gamma else None
    return ColorTags(gamma=exponent, chromaticities=stated)
