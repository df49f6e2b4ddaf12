"""How good files are damaged: as disks, networks and attackers do it."""

from __future__ import annotations

import random
import re
import struct
import zlib
from collections.abc import Callable, Sequence

# Numbers that overflow, wrap, are no size, or are one too many.
_ODD = (0, 1, 2, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_TEXTS = (
    *("0", "-1", "1", "2", "65536", "4294967296", "99999999999999999999", "1e309", "nan", "null"),
    *("true", "[]", "{}", '""', "0.5", "-2147483648"),
)
# The structure of most formats lies at the front, or at the end.
_FRONT = 600

Change = Callable[[random.Random, bytearray, Sequence[bytes]], None]


def damaged(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One of some good files, changed in one to six places."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        if data:
            rng.choice(_CHANGES)(rng, data, seeds)
    return bytes(data)


def _place(rng: random.Random, data: bytearray) -> int:
    size = len(data)
    end = rng.choice((min(_FRONT, size), size, size))
    return rng.randrange(end) if rng.random() < 0.8 else max(0, size - 1 - rng.randrange(end))


def _byte(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    data[_place(rng, data)] = rng.randrange(256)


def _bit(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    data[_place(rng, data)] ^= 1 << rng.randrange(8)


def _number(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    order, (kind, size) = rng.choice("<>"), rng.choice((("B", 1), ("H", 2), ("I", 4), ("Q", 8)))
    number = rng.choice((*_ODD, (1 << 63) - 1, (1 << 64) - 1)) % (1 << 8 * size)
    at = _place(rng, data)
    data[at : at + size] = struct.pack(order + kind, number)


def _cut(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    at = _place(rng, data)
    del data[at : at + rng.choice((1, 2, 4, 12, 100))]


def _end(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    del data[_place(rng, data) :]


def _again(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    at, length = _place(rng, data), rng.choice((1, 4, 12, 60, 400))
    data[at:at] = data[at : at + length] * rng.choice((1, 1, 2, 50))


def _other(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    other = rng.choice(seeds)
    start, at = rng.randrange(len(other)), _place(rng, data)
    length = rng.choice((4, 16, 100, len(other)))
    data[at : at + rng.choice((0, length))] = other[start : start + length]


def _digits(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    found = list(re.finditer(rb"-?\d+(?:\.\d+)?", data[: 1 << 16]))
    if found:
        spot = rng.choice(found)
        data[spot.start() : spot.end()] = rng.choice(_TEXTS).encode()


_CHANGES: tuple[Change, ...] = (_byte, _bit, _number, _cut, _end, _again, _other, _digits)


def with_png_checksums(data: bytes) -> bytes:
    """A PNG file whose chunks have the checksums of what is in them, so that they are read."""
    made, at = bytearray(data[:8]), 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        body = data[at + 4 : at + 8 + length]
        made += data[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    return bytes(made) + data[at:]
