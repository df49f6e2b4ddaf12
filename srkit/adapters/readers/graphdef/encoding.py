"""Protocol buffers and the records of GraphDef as bytes; `wire` reads what this writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

FLOAT, INT32 = 1, 3  # DataType of types.proto


def varint(value: int) -> bytes:
    """An integer of up to 64 bits."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def number(field: int, value: int) -> bytes:
    """A field that holds an integer."""
    return varint(field << 3) + varint(value)


def block(field: int, content: bytes) -> bytes:
    """A field that holds bytes or a message."""
    return varint(field << 3 | 2) + varint(len(content)) + content


def text(value: str) -> bytes:
    """An AttrValue of a text."""
    return block(2, value.encode())


def integers(values: Sequence[int]) -> bytes:
    """An AttrValue of a list of integers."""
    return block(1, block(3, b"".join(map(varint, values))))


def real(value: float) -> bytes:
    """An AttrValue of a float."""
    return varint(4 << 3 | 5) + np.float32(value).tobytes()


def tensor(value: NDArray[np.generic]) -> dict[str, bytes]:
    """Attributes of a constant of float32 or int32."""
    kind = INT32 if value.dtype == np.int32 else FLOAT
    sides = b"".join(block(2, number(1, n)) for n in value.shape)
    content = np.ascontiguousarray(value).tobytes()
    message = number(1, kind) + block(2, sides) + block(4, content)
    return {"dtype": number(6, kind), "value": block(8, message)}


def node(name: str, op: str, inputs: Sequence[str], attributes: Mapping[str, bytes]) -> bytes:
    """A node of a GraphDef."""
    parts = [block(1, name.encode()), block(2, op.encode())]
    parts += [block(3, given.encode()) for given in inputs]
    parts += [
        block(5, block(1, key.encode()) + block(2, value)) for key, value in attributes.items()
    ]
    return block(1, b"".join(parts))


TYPE = number(6, FLOAT)
