"""GraphDefs written by hand, byte by byte."""

from __future__ import annotations

import struct

import numpy as np

FLOAT, INT32 = 1, 3


def varint(n: int) -> bytes:
    n &= (1 << 64) - 1
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes([*out, n])


def number(field: int, n: int) -> bytes:
    return varint(field << 3) + varint(n)


def block(field: int, content: bytes | str) -> bytes:
    raw = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | 2) + varint(len(raw)) + raw


def shape(*sides: int) -> bytes:
    return b"".join(block(2, number(1, side)) for side in sides)


def attribute(name: str, value: bytes) -> bytes:
    return block(5, block(1, name) + block(2, value))


def text(value: str) -> bytes:
    return block(2, value)


def integers(*values: int) -> bytes:
    return block(1, block(3, b"".join(map(varint, values))))


def node(name: str, op: str, *inputs: str, **attributes: bytes) -> bytes:
    parts = [block(1, name), block(2, op), *(block(3, given) for given in inputs)]
    return block(1, b"".join([*parts, *(attribute(k, v) for k, v in attributes.items())]))


def const(name: str, value: np.ndarray) -> bytes:
    kind = INT32 if value.dtype == np.int32 else FLOAT
    tensor = number(1, kind) + block(2, shape(*value.shape)) + block(4, value.tobytes())
    return node(name, "Const", value=block(8, tensor), dtype=number(6, kind))


def splat(name: str, value: float, *sides: int) -> bytes:
    """One number that fills a shape."""
    tensor = number(1, FLOAT) + block(2, shape(*sides)) + block(5, struct.pack("<f", value))
    return node(name, "Const", value=block(8, tensor))


CONVOLUTION = {
    "T": number(6, FLOAT),
    "padding": text("SAME"),
    "strides": integers(1, 1, 1, 1),
    "data_format": text("NHWC"),
}


def conv(name: str, given: str, kernel: str) -> bytes:
    return node(name, "Conv2D", given, kernel, **CONVOLUTION)


def shuffle(name: str, given: str, size: int) -> bytes:
    attributes = {"T": number(6, FLOAT), "block_size": number(3, size)}
    return node(name, "DepthToSpace", given, **attributes, data_format=text("NHWC"))


IMAGE = node("image", "Placeholder", dtype=number(6, FLOAT))
# Doubles an image: one kernel of one tap for each of four phases.
ONES = np.zeros((1, 1, 1, 4), np.float32) + 1
DOUBLE = IMAGE + const("kernel", ONES) + conv("conv", "image", "kernel") + shuffle("out", "conv", 2)
