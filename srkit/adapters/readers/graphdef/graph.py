"""A GraphDef as plain records: nodes, attributes and constants.

Field numbers are those of tensorflow/core/framework/{graph,node_def,attr_value,tensor,
tensor_shape,types}.proto.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray

from srkit.adapters.readers.graphdef.wire import BYTES, MOST_PACKED, Field, fields, packed_varints
from srkit.errors import CorruptFileError, UnsafeFileError, WeightsError
from srkit.guard import reading

# Most numbers that all constants of a graph hold; larger ones are refused unseen.
MOST_NUMBERS = 1 << 26
# Of them, those that a file does not hold: where one number is repeated to fill a shape.
MOST_REPEATED = 1 << 22
# A little over what so many numbers of 32 bits take.
MOST_BYTES = 1 << 28 | 1 << 24
MOST_NODES = 20_000
# Fields of all messages, and integers in lists; a large network has some hundred thousand.
MOST_FIELDS = 1_000_000
MOST_SIDES, LONGEST_NAME = 8, 4096
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
    with reading(path, "frozen TensorFlow graph"):
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise UnsafeFileError(f"it has {size} bytes; no such graph has over {MOST_BYTES}")
        return parse_graph(path.read_bytes())


def parse_graph(data: bytes) -> Graph:
    """`read_graph` of the bytes of a file."""
    nodes: dict[str, Node] = {}
    budget = _Budget()
    for entry in budget.fields(memoryview(data)):
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
    """What constants and messages may still take."""

    numbers, repeated, unread = MOST_NUMBERS, MOST_REPEATED, MOST_FIELDS

    def take(self, numbers: int) -> None:
        """Count numbers of a constant."""
        self.numbers -= numbers
        if self.numbers < 0:
            raise UnsafeFileError(
                f"its constants hold over {MOST_NUMBERS} numbers, out of all proportion"
            )

    def repeat(self, numbers: int) -> None:
        """Count numbers of a constant that the file does not hold."""
        self.repeated -= numbers
        if self.repeated < 0:
            raise UnsafeFileError(
                f"its constants repeat over {MOST_REPEATED} numbers, out of all proportion"
            )

    def fields(self, message: memoryview) -> Iterator[Field]:
        """The fields of a message, counted."""
        for entry in fields(message):
            self._parse(1)
            yield entry

    def integers(self, entry: Field) -> list[int]:
        """A repeated integer, counted."""
        self._parse(len(numbers := packed_varints(entry)))
        return numbers

    def _parse(self, count: int) -> None:
        self.unread -= count
        if self.unread < 0:
            raise UnsafeFileError(f"it has over {MOST_FIELDS} fields, out of all proportion")


def _node(message: memoryview, budget: _Budget) -> Node:
    name = op = ""
    inputs: list[str] = []
    controls: list[str] = []
    attributes: dict[str, Attribute] = {}
    for entry in budget.fields(message):
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
    if max(map(len, (name, op, *inputs, *controls))) > LONGEST_NAME:
        raise UnsafeFileError("a node has a name that is out of all proportion")
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
    for entry in budget.fields(message):
        if entry.number == 1:
            key = entry.text
        elif entry.number == 2:
            value = _attribute(entry.raw, budget)
    return key, value


def _attribute(message: memoryview, budget: _Budget) -> Attribute:
    """The one value of an AttrValue; None for kinds that no operation here needs."""
    value: Attribute = None
    for entry in budget.fields(message):
        match entry.number:
            case 1:
                value = _integers(entry.raw, budget)
            case 2:
                value = str(entry.raw, "utf-8", "replace")
            case 3:
                value = entry.signed
            case 4:
                value = entry.real
            case 5 | 6:
                value = entry.whole
            case 7:
                value = _shape(entry.raw, budget)
            case 8:
                value = _tensor(entry.raw, budget)
            case 10:
                raise UnsafeFileError("a node names a function, in which operations can hide")
    return value


def _integers(message: memoryview, budget: _Budget) -> tuple[int, ...]:
    """The integers of a ListValue."""
    numbers: list[int] = []
    for entry in budget.fields(message):
        if entry.number == 3:
            numbers += budget.integers(entry)
            if len(numbers) > MOST_PACKED:
                raise UnsafeFileError("a list of integers is out of all proportion")
        elif entry.number == 9:
            raise UnsafeFileError("a node lists functions, in which operations can hide")
    return tuple(numbers)


def _shape(message: memoryview, budget: _Budget) -> tuple[int, ...] | None:
    """Sides of a TensorShapeProto, -1 where unknown; None where even their number is."""
    sides: list[int] = []
    for entry in budget.fields(message):
        if entry.number == 3 and entry.whole:
            return None
        if entry.number == 2:
            size = [part.signed for part in budget.fields(entry.raw) if part.number == 1]
            sides.append(size[-1] if size else 0)
        if len(sides) > MOST_SIDES:
            raise CorruptFileError(f"a shape has over {MOST_SIDES} sides")
    if any(side < -1 for side in sides):
        raise CorruptFileError(f"a shape is {tuple(sides)}")
    return tuple(sides)


def _tensor(message: memoryview, budget: _Budget) -> Array | None:
    """A TensorProto, whole or as the few numbers that are repeated to fill it.

    None for texts and other data that no operation here takes.
    """
    kind, content = 0, None
    shape: tuple[int, ...] = ()
    parts: list[Array] = []
    for entry in budget.fields(message):
        match entry.number:
            case 1:
                kind = entry.whole
            case 2:
                shape = _shape(entry.raw, budget) or ()
            case 4:
                content = entry.raw
            case 5 | 6 | 7 | 10 | 11 | 13:
                if len(parts) >= MOST_PACKED:
                    raise UnsafeFileError("a constant has its numbers one by one, too many")
                parts.append(_numbers(entry, budget))
    if kind not in DTYPES:
        return None
    dtype = np.dtype(DTYPES[kind])
    if min(shape, default=0) < 0:
        raise CorruptFileError(f"a constant has the shape {shape}")
    # A side of none hides others that no array can have.
    budget.take(math.prod(max(side, 1) for side in shape))
    count = math.prod(shape)
    if content is not None:
        if len(content) != count * dtype.itemsize:
            raise CorruptFileError(f"a constant of shape {shape} has {len(content)} bytes")
        return np.frombuffer(content, dtype).reshape(shape).copy()
    given = np.concatenate(parts) if parts else np.zeros(0)
    if len(given) > max(count, 1):
        raise CorruptFileError(f"a constant of shape {shape} has {len(given)} numbers")
    budget.repeat(max(count - len(given), 0))
    return _filled(given if len(given) else np.zeros(1), dtype, shape, count)


def _filled(
    numbers: Array, dtype: np.dtype[np.generic], shape: tuple[int, ...], count: int
) -> Array:
    """A constant of which the last number given is repeated, as TensorFlow reads it."""
    with np.errstate(over="ignore", invalid="ignore"):
        typed = numbers.astype(dtype)
    filled = np.full(count, typed[-1], dtype)
    filled[: len(typed)] = typed[:count]
    return filled.reshape(shape)


def _numbers(entry: Field, budget: _Budget) -> Array:
    """A repeated number of a TensorProto, packed or not."""
    if entry.number in (5, 6):
        return _reals(entry)
    numbers = np.array(budget.integers(entry), np.int64)
    return numbers.astype(np.uint16).view(np.float16) if entry.number == 13 else numbers


def _reals(entry: Field) -> Array:
    """A repeated float (field 5) or double (field 6), packed or not."""
    raw = entry.value
    if isinstance(raw, int):
        raise CorruptFileError("a constant's floats are no floats")
    dtype = np.dtype("<f4" if entry.number == 5 else "<f8")
    if len(raw) % dtype.itemsize:
        raise CorruptFileError("a constant's floats are cut off")
    return np.frombuffer(raw, dtype)
