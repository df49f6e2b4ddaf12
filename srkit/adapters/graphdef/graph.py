"""A GraphDef as plain records: nodes, attributes and constants.

Field numbers are those of tensorflow/core/framework/{graph,node_def,attr_value,tensor,
tensor_shape,types}.proto.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray

from srkit.adapters.graphdef.wire import BYTES, Field, fields, packed_varints
from srkit.errors import CorruptFileError, SrkitError, UnsafeFileError, WeightsError

# Most numbers that all constants of a graph hold; larger ones are refused unseen.
MOST_NUMBERS = 1 << 26
MOST_BYTES = 1 << 29
MOST_NODES = 20_000
# DataType of types.proto.
DTYPES: Mapping[int, DTypeLike] = {
    1: np.float32,
    2: np.float64,
    3: np.int32,
    9: np.int64,
    10: np.bool_,
    19: np.float16,
}

Array = NDArray[np.generic]
Attribute = int | float | str | tuple[int, ...] | Array | None


@dataclass(frozen=True)
class Node:
    """One operation.

    Attributes
    ----------
    inputs
        Names of the nodes whose (first) outputs it takes.
    controls
        Names of the nodes that have to run before it.
    """

    name: str
    op: str
    inputs: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


@dataclass(frozen=True)
class Graph:
    """All nodes by name, in the file's order."""

    nodes: Mapping[str, Node]


def read_graph(path: Path) -> Graph:
    """Read a frozen graph. Nothing in it is run.

    Raises
    ------
    CorruptFileError
        If the file is damaged or no GraphDef.
    UnsafeFileError
        If it holds functions, or constants out of proportion.
    WeightsError
        If it is a SavedModel, or cannot be opened.
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise UnsafeFileError(f"it has {size} bytes; no such graph has over {MOST_BYTES}")
        return parse_graph(path.read_bytes())
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}") from error
    except SrkitError as error:
        raise type(error)(f"{path}: {error}") from error


def parse_graph(data: bytes) -> Graph:
    """`read_graph` of the bytes of a file."""
    nodes: dict[str, Node] = {}
    budget = _Budget()
    for entry in fields(memoryview(data)):
        if entry.number == 1 and entry.kind != BYTES:
            raise WeightsError(
                "it is a SavedModel, not a frozen graph; turn its variables into constants first "
                "(tf.python.framework.convert_to_constants)"
            )
        if entry.number == 1:
            node = _node(entry.raw, budget)
            if node.name in nodes or len(nodes) >= MOST_NODES:
                raise CorruptFileError(f"two nodes are named {node.name!r}, or there are too many")
            nodes[node.name] = node
        elif entry.number == 2 and len(entry.raw):
            raise UnsafeFileError("it holds functions, in which operations can hide")
        elif entry.number not in (2, 3, 4, 5):
            raise CorruptFileError(f"it is no GraphDef: it has a field {entry.number}")
    if not nodes:
        raise CorruptFileError("it is no GraphDef: it has no nodes")
    return Graph(nodes)


class _Budget:
    """What constants may still take."""

    left = MOST_NUMBERS

    def take(self, numbers: int) -> None:
        self.left -= numbers
        if self.left < 0:
            raise UnsafeFileError(
                f"its constants hold over {MOST_NUMBERS} numbers, out of all proportion"
            )


def _node(message: memoryview, budget: _Budget) -> Node:
    name = op = ""
    inputs: list[str] = []
    controls: list[str] = []
    attributes: dict[str, Attribute] = {}
    for entry in fields(message):
        if entry.number == 1:
            name = entry.text
        elif entry.number == 2:
            op = entry.text
        elif entry.number == 3:
            _add_input(entry.text, inputs, controls)
        elif entry.number == 5:
            key, value = _entry(entry.raw, budget)
            attributes[key] = value
    if not name or not op:
        raise CorruptFileError("it is no GraphDef: a node has no name or no operation")
    return Node(name, op, tuple(inputs), tuple(controls), attributes)


def _add_input(text: str, inputs: list[str], controls: list[str]) -> None:
    if text.startswith("^"):
        controls.append(text[1:])
        return
    name, _, number = text.partition(":")
    if number not in ("", "0"):
        raise WeightsError(f"a node takes output {number} of {name}; only first ones are known")
    inputs.append(name)


def _entry(message: memoryview, budget: _Budget) -> tuple[str, Attribute]:
    key, value = "", None
    for entry in fields(message):
        if entry.number == 1:
            key = entry.text
        elif entry.number == 2:
            value = _attribute(entry.raw, budget)
    return key, value


def _attribute(message: memoryview, budget: _Budget) -> Attribute:
    """The one value of an AttrValue; None for kinds that no operation here needs."""
    value: Attribute = None
    for entry in fields(message):
        match entry.number:
            case 1:
                value = _integers(entry.raw)
            case 2:
                value = str(entry.raw, "utf-8", "replace")
            case 3:
                value = entry.signed
            case 4:
                value = entry.real
            case 5 | 6:
                value = entry.whole
            case 7:
                value = _shape(entry.raw)
            case 8:
                value = _tensor(entry.raw, budget)
            case 10:
                raise UnsafeFileError("a node names a function, in which operations can hide")
    return value


def _integers(message: memoryview) -> tuple[int, ...]:
    """The integers of a ListValue."""
    numbers: list[int] = []
    for entry in fields(message):
        if entry.number == 3:
            numbers += packed_varints(entry)
        elif entry.number == 9:
            raise UnsafeFileError("a node lists functions, in which operations can hide")
    return tuple(numbers)


def _shape(message: memoryview) -> tuple[int, ...] | None:
    """Sides of a TensorShapeProto, -1 where unknown; None where even their number is."""
    sides: list[int] = []
    for entry in fields(message):
        if entry.number == 3 and entry.whole:
            return None
        if entry.number == 2:
            size = [part.signed for part in fields(entry.raw) if part.number == 1]
            sides.append(size[-1] if size else 0)
    if len(sides) > 8 or any(side < -1 for side in sides):
        raise CorruptFileError(f"a shape is {tuple(sides)}")
    return tuple(sides)


def _tensor(message: memoryview, budget: _Budget) -> Array | None:
    """A TensorProto, whole or as the few numbers that are repeated to fill it.

    None for texts and other data that no operation here takes.
    """
    kind, content = 0, None
    shape: tuple[int, ...] = ()
    parts: list[Array] = []
    for entry in fields(message):
        match entry.number:
            case 1:
                kind = entry.whole
            case 2:
                shape = _shape(entry.raw) or ()
            case 4:
                content = entry.raw
            case 5 | 6:
                parts.append(_reals(entry))
            case 7 | 10 | 11:
                parts.append(np.array(packed_varints(entry), np.int64))
            case 13:
                bits = np.array(packed_varints(entry), np.int64).astype(np.uint16)
                parts.append(bits.view(np.float16))
    if kind not in DTYPES:
        return None
    dtype, count = np.dtype(DTYPES[kind]), math.prod(shape)
    if min(shape, default=0) < 0:
        raise CorruptFileError(f"a constant has the shape {shape}")
    budget.take(count)
    if content is not None:
        if len(content) != count * dtype.itemsize:
            raise CorruptFileError(f"a constant of shape {shape} has {len(content)} bytes")
        return np.frombuffer(content, dtype).reshape(shape).copy()
    return _filled(np.concatenate(parts) if parts else np.zeros(1), dtype, shape, count)


def _filled(
    numbers: Array, dtype: np.dtype[np.generic], shape: tuple[int, ...], count: int
) -> Array:
    """A constant of which the last number given is repeated, as TensorFlow reads it."""
    if len(numbers) > max(count, 1):
        raise CorruptFileError(f"a constant of shape {shape} has {len(numbers)} numbers")
    with np.errstate(over="ignore", invalid="ignore"):
        typed = numbers.astype(dtype)
    filled = np.full(count, typed[-1], dtype)
    filled[: len(typed)] = typed[:count]
    return filled.reshape(shape)


def _reals(entry: Field) -> Array:
    """A repeated float (field 5) or double (field 6), packed or not."""
    raw = entry.value
    if isinstance(raw, int):
        raise CorruptFileError("a constant's floats are no floats")
    dtype = np.dtype("<f4" if entry.number == 5 else "<f8")
    if len(raw) % dtype.itemsize:
        raise CorruptFileError("a constant's floats are cut off")
    return np.frombuffer(raw, dtype)
