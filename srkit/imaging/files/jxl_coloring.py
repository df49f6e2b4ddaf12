"""Other colours in the header of a JPEG XL codestream (ISO/IEC 18181-1) than its encoder put there.

imagecodecs takes none: it calls 8 bits sRGB, and 16 bits linear light. What stands in the header
changes no bit of a picture that is packed without loss, and the frames behind it begin on a byte.
"""

from __future__ import annotations

from srkit.errors import CorruptFileError, ImageError
from srkit.imaging.files.color_tags import ColorTags
from srkit.imaging.files.jxl_codestream import (
    BOTH,
    ENUM,
    GREY,
    HEAD,
    RGB,
    SRGB,
    TRANSFERS,
    Bits,
    Forms,
    Header,
    parse,
)

_RELATIVE = 1  # rendering intent
_PROFILE_HEADER = 128
# What a profile's header is expected to say (18181-1, E.4.3), but for its size.
_EXPECTED = {
    8: b"\4\0\0\0mntrRGB XYZ ",
    36: b"acsp",
    68: b"\0\0\xf6\xd6\0\1\0\0\0\0\xd3\x2d",
}
_MAKERS = {"A": "APPL", "M": "MSFT", "SG": "SGI ", "SU": "SUNW"}
_INSERT = 1  # the command that takes bytes as they are
_LARGEST_FORM = 3  # of a number of up to 64 bits
_LENGTH_BITS = 40  # more than any profile has
_LONGEST = 1 << 24  # bytes of one


class _Written:
    """Bits, from the lowest of each byte on."""

    def __init__(self, value: int = 0, size: int = 0) -> None:
        self.value, self.size = value, size

    def put(self, value: int, count: int) -> None:
        self.value |= value << self.size
        self.size += count

    def enum(self, value: int) -> None:
        self.number(value, ENUM)

    def number(self, value: int, forms: Forms) -> None:
        for which, (plus, bits) in enumerate(forms):
            if 0 <= value - plus < 1 << bits:
                self.put(which, 2)
                self.put(value - plus, bits)
                return
        raise ImageError(f"JPEG XL has no place for the number {value}")


def can_tell(tags: ColorTags) -> bool:
    """Whether numbers of JPEG XL say what these say."""
    return bool(tags.cicp and not tags.narrow and tags.cicp[0] in BOTH) and (
        tags.cicp is not None and tags.cicp[1] in TRANSFERS
    )


def recoloured(
    codestream: bytes, tags: ColorTags | None = None, profile: bytes | None = None
) -> bytes:
    """A codestream whose colours are those of a profile, of numbers, or of sRGB.

    Parameters
    ----------
    codestream
        As imagecodecs encodes it. Its values stay as they are; where it is lossy, they are of light
        that has been brought to these colours, and only numbers can tell them.
    tags
        Of which `can_tell` is true.
    profile
        An ICC profile, which outranks them.

    Raises
    ------
    ImageError
        If the header has fields that imagecodecs does not write.
    """
    header = parse(codestream)
    start, end = header.colour_at
    bits = Bits(codestream[:HEAD])
    bits.at = end
    ends = _ends(header)
    if end == 0 or not _passes(bits, ends):
        raise ImageError("the JPEG XL encoder wrote a header that is not known; use PNG")
    made = _Written(int.from_bytes(codestream[:HEAD], "little") & (1 << start) - 1, start)
    _colour(made, header.colour.space, tags, profile is not None)
    for count, value in ends:
        made.put(value, count)
    if profile is not None:
        _profile(made, profile)
    return made.value.to_bytes(-(-made.size // 8), "little") + codestream[-(-bits.at // 8) :]


def profile_of(codestream: bytes, header: Header) -> bytes | None:
    """The profile behind a header, if it is packed as here; None if another program packed it."""
    whole = codestream[: _LONGEST + HEAD]
    bits = Bits(whole)
    bits.at = header.colour_at[1]
    try:
        if not _passes(bits, _ends(header)) or bits.take(2) != _LARGEST_FORM:
            return None
        length, shift = bits.take(12), 12
        while bits.flag() and shift < _LENGTH_BITS:
            length += bits.take(8) << shift
            shift += 8
        if bits.take(_CODES.size) != _CODES.value or length > _LONGEST:
            return None
        packed = bits.take(8 * length).to_bytes(length, "little").translate(_MIRRORED)
    except CorruptFileError:
        return None
    return _unpacked(packed)


def _ends(header: Header) -> tuple[tuple[int, int], ...]:
    """What follows colours as imagecodecs writes it: how many bits, and their value.

    Tone mapping where there is some, extensions, and how colours are transformed.
    """
    return (*((1, 1),) * header.described, (2, 0), (1, 1))


def _passes(bits: Bits, ends: tuple[tuple[int, int], ...]) -> bool:
    return all(bits.take(count) == wanted for count, wanted in ends)


def _colour(made: _Written, space: int, tags: ColorTags | None, has_profile: bool) -> None:
    both, transfer = tags.cicp if tags and tags.cicp else (1, SRGB)
    plain = space == RGB and (both, transfer) == (1, SRGB) and not has_profile
    made.put(plain, 1)
    if plain:
        return
    made.put(has_profile, 1)
    made.enum(space)
    if has_profile:
        return
    primaries, white = BOTH[both]
    made.enum(white)
    if space != GREY:
        made.enum(primaries)
    made.put(0, 1)  # no exponent, but a number
    made.enum(transfer)
    made.enum(_RELATIVE)


def _profile(made: _Written, profile: bytes) -> None:
    """A profile, packed by nothing but the differences of its header (E.4)."""
    commands = _varint(0) + bytes([_INSERT]) + _varint(max(0, len(profile) - _PROFILE_HEADER))
    packed = _varint(len(profile)) + _varint(len(commands)) + commands
    packed += _differences(profile) + profile[_PROFILE_HEADER:]
    _length(made, len(packed))
    made.put(_CODES.value, _CODES.size)
    made.put(int.from_bytes(packed.translate(_MIRRORED), "little"), 8 * len(packed))


def _codes() -> _Written:
    """How bytes are packed (C.3): each as itself, by a prefix code of eight bits."""
    made = _Written()
    made.put(0, 1)  # nothing is repeated
    made.put(1, 3)  # one distribution for all, in the simple form
    made.put(1, 1)  # by prefix codes
    made.put(8, 4)  # of numbers below 256, which have no further bits
    made.put(0, 8)
    made.put(1 | 7 << 1 | 127 << 5, 12)  # 256 of them
    made.put(0, 2)
    # Of lengths of lengths, in the order of Brotli, that of 8 alone is stated: all have it.
    for symbol in (1, 2, 3, 4, 0, 5, 17, 6, 16, 7, 8, 9, 10, 11, 12, 13, 14, 15):
        made.put(symbol == 8, 2)
    return made


_CODES = _codes()
# A code's first bit is its highest.
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _length(made: _Written, length: int) -> None:
    """A number of up to 64 bits (A.3), in its longest form."""
    made.put(_LARGEST_FORM, 2)
    made.put(length % (1 << 12), 12)
    length >>= 12
    while length:
        made.put(1 | length % 256 << 1, 9)
        length //= 256
    made.put(0, 1)


def _varint(number: int) -> bytes:
    made = bytearray()
    while number > 127:
        made.append(number % 128 | 128)
        number //= 128
    return bytes([*made, number])


def _differences(profile: bytes) -> bytes:
    """What a header differs by from what is expected of it."""
    return bytes(
        (a - b) % 256 for a, b in zip(profile, _expected(profile, len(profile)), strict=False)
    )


def _unpacked(packed: bytes) -> bytes | None:
    """The inverse of what `_profile` packs; None if there are other commands in it."""
    size, at = _number(packed, 0)
    count, at = _number(packed, at)
    commands, packed = packed[at : at + count], packed[at + count :]
    kept = max(0, size - _PROFILE_HEADER)
    if commands != _varint(0) + bytes([_INSERT]) + _varint(kept) or len(packed) != size:
        return None
    profile = bytearray()
    for at in range(min(size, _PROFILE_HEADER)):
        profile.append((packed[at] + _expected(profile, size)[at]) % 256)
    return bytes(profile) + packed[_PROFILE_HEADER:]


def _number(packed: bytes, at: int) -> tuple[int, int]:
    """A number, seven bits a byte, and where it ends."""
    number = 0
    for shift in range(0, 7 * 5, 7):
        byte = packed[at] if at < len(packed) else 0
        number, at = number | (byte & 127) << shift, at + 1
        if byte < 128:
            break
    return number, at


def _expected(profile: bytes | bytearray, size: int) -> bytearray:
    """What the header of a profile is expected to be, by what of it is known."""
    expected = bytearray(_PROFILE_HEADER)
    expected[:4] = size.to_bytes(4, "big")
    for at, text in _EXPECTED.items():
        expected[at : at + len(text)] = text
    expected[80:84] = bytes(profile[4:8]).ljust(4, b"\0")
    for start, name in _MAKERS.items():
        if profile[40:].startswith(start.encode()):
            expected[40 + len(start) : 44] = name[len(start) :].encode()
    return expected
