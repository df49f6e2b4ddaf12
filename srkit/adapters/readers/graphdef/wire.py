"""The wire format of protocol buffers, read with care: files come from strangers.

The format is described at protobuf.dev/programming-guides/encoding. Nothing is built
from a schema; a message is the list of its fields.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from srkit.errors import CorruptFileError, UnsafeFileError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

# Bytes of a list of integers: strides, orders of axes. Weights are no integers.
MOST_PACKED = 1 << 16


class Field(NamedTuple):
    """One field of a message.

    Attributes
    ----------
    number
        Which field.
    kind
        `VARINT`, `FIXED64`, `BYTES` or `FIXED32`.
    value
        An integer, or for all but `VARINT` the raw bytes.
    """

    number: int
    kind: int
    value: int | memoryview

    @property
    def whole(self) -> int:
        """An unsigned integer."""
        if not isinstance(self.value, int):
            raise CorruptFileError(f"field {self.number} should be a number")
        return self.value

    @property
    def signed(self) -> int:
        """A signed integer of 64 bits."""
        return self.whole - (1 << 64) if self.whole >> 63 else self.whole

    @property
    def raw(self) -> memoryview:
        """Bytes, or an embedded message."""
        if self.kind != BYTES or isinstance(self.value, int):
            raise CorruptFileError(f"field {self.number} should be bytes")
        return self.value

    @property
    def text(self) -> str:
        """UTF-8 text."""
        try:
            return str(self.raw, "utf-8")
        except UnicodeDecodeError as error:
            raise CorruptFileError(f"field {self.number} is no text") from error

    @property
    def real(self) -> float:
        """A float of 32 bits."""
        if self.kind != FIXED32 or isinstance(self.value, int):
            raise CorruptFileError(f"field {self.number} should be a float")
        return float(struct.unpack("<f", self.value)[0])


def fields(message: memoryview) -> Iterator[Field]:
    r"""The fields of a message, in their order.

    Raises
    ------
    CorruptFileError
        If the bytes are no message.

    Examples
    --------
    >>> [(f.number, f.whole) for f in fields(memoryview(b"\x08\x96\x01"))]
    [(1, 150)]
    """
    at, end = 0, len(message)
    while at < end:
        tag, at = varint(message, at)
        number, kind = tag >> 3, tag & 7
        if not number:
            raise CorruptFileError("a field has the number 0")
        if kind == VARINT:
            value, at = varint(message, at)
            yield Field(number, kind, value)
            continue
        if kind == BYTES:
            length, at = varint(message, at)
        elif kind in (FIXED64, FIXED32):
            length = 8 if kind == FIXED64 else 4
        else:
            raise CorruptFileError(f"a field is of the unknown kind {kind}")
        if length > end - at:
            raise CorruptFileError("a field reaches beyond the end: the file is truncated")
        yield Field(number, kind, message[at : at + length])
        at += length


def varint(message: memoryview, at: int) -> tuple[int, int]:
    """The integer that begins at a place, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise CorruptFileError("a number reaches beyond the end: the file is truncated")
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value & ((1 << 64) - 1), at
    raise CorruptFileError("a number is longer than 64 bits")


def packed_varints(field: Field) -> list[int]:
    """A repeated integer, packed or not, signed."""
    if field.kind == VARINT:
        return [field.signed]
    raw = field.raw
    if len(raw) > MOST_PACKED:
        raise UnsafeFileError(f"a list of integers takes {len(raw)} bytes, out of all proportion")
    numbers, at = [], 0
    while at < len(raw):
        number, at = varint(raw, at)
        numbers.append(number - (1 << 64) if number >> 63 else number)
    return numbers
