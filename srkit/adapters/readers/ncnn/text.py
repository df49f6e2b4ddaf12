"""The text of a .param file as plain records: layers and their keys.

The form is that of docs/developer-guide/param-and-model-file-structure.md of Tencent/ncnn.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from srkit.errors import CorruptFileError, WeightsError

MAGIC = 7767517
MOST_LAYERS = 20_000
# ncnn's own bound of keys; a key from ARRAY down stands for an array.
MOST_KEYS, ARRAY = 32, -23300
MOST_INPUTS, MOST_VALUES = 1024, 4096
_WHOLE = re.compile(r"[+-]?[0-9]{1,10}")
_REAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_LONGEST = 60

Value = int | float | str | tuple[int | float | str, ...]


@dataclass(frozen=True)
class Layer:
    """One line of a .param file.

    Attributes
    ----------
    kind
        Such as ``"Convolution"``.
    inputs, outputs
        Names of blobs, as ncnn calls what passes between layers.
    keys
        What the line says besides, by number.
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    keys: Mapping[int, Value] = field(default_factory=dict)

    def whole(self, key: int, default: int = 0) -> int:
        """The whole number of a key.

        Raises
        ------
        CorruptFileError
            If something else is there, which ncnn would take for bits of one.
        """
        value = self.keys.get(key, default)
        if not isinstance(value, int):
            raise CorruptFileError(f"its key {key} is {value!r}, and no whole number")
        return value

    def real(self, key: int, default: float = 0.0) -> float:
        """The number of a key; a whole one is none to ncnn, which tells by the point.

        Raises
        ------
        CorruptFileError
        """
        return _real(self.keys.get(key, default), key)

    def wholes(self, key: int) -> tuple[int, ...]:
        """The whole numbers of an array; none where the line does not have it."""
        numbers = self._array(key)
        whole = tuple(number for number in numbers if isinstance(number, int))
        if len(whole) < len(numbers):
            raise CorruptFileError(f"its key {key} is {numbers!r}, and no whole numbers")
        return whole

    def reals(self, key: int) -> tuple[float, ...]:
        """The numbers of an array; none where the line does not have it."""
        return tuple(_real(number, key) for number in self._array(key))

    def _array(self, key: int) -> tuple[int | float | str, ...]:
        value = self.keys.get(key, ())
        if not isinstance(value, tuple):
            raise CorruptFileError(f"its key {key} is {value!r}, and no array")
        return value


def shown(text: str) -> str:
    """A name from a file for a message: short, and without what a terminal would obey."""
    return repr(text if len(text) <= _LONGEST else text[:_LONGEST] + "…")


def parse(data: bytes) -> tuple[Layer, ...]:
    """The layers of a .param file, in its order.

    Raises
    ------
    CorruptFileError
        If it is no such text, or cut off.
    WeightsError
        If it is of another form of ncnn's.
    """
    if data.startswith(MAGIC.to_bytes(4, "little")):
        raise WeightsError(
            "it is ncnn's binary form (.param.bin); srkit reads the text, which is named .param"
        )
    # Split as bytes, as ncnn does it; names in other encodings are only compared and shown.
    split = (line.split() for line in data.split(b"\n"))
    lines = [[word.decode("utf-8", "backslashreplace") for word in line] for line in split if line]
    if not lines or lines[0] != [str(MAGIC)]:
        raise CorruptFileError(f"it is no .param file of ncnn, whose first line is {MAGIC}")
    if len(lines) < 2 or len(lines[1]) != 2:
        raise CorruptFileError("its second line does not tell the numbers of layers and blobs")
    stated, blobs = (_whole(text) for text in lines[1])
    if len(lines) - 2 > MOST_LAYERS:
        raise CorruptFileError(f"it has {len(lines) - 2} layers; over {MOST_LAYERS} are refused")
    layers = tuple(_layer(line) for line in lines[2:])
    if len(layers) != stated:
        raise CorruptFileError(f"it has {len(layers)} layers, and states {stated}")
    if (made := sum(len(layer.outputs) for layer in layers)) != blobs:
        raise CorruptFileError(f"its layers make {made} blobs, and it states {blobs}")
    return layers


def _layer(words: list[str]) -> Layer:
    if len(words) < 4:
        raise CorruptFileError(f"a line of it is cut off: {shown(' '.join(words))}")
    kind, name = words[:2]
    if kind.startswith(("pnnx.", "nn.", "F.")):
        raise WeightsError("it is pnnx's own form; open the .ncnn.param file that lies beside it")
    taken, made = (_whole(text) for text in words[2:4])
    if not (0 <= taken <= MOST_INPUTS and 0 <= made <= MOST_INPUTS):
        raise CorruptFileError(f"layer {shown(name)} has {taken} inputs and {made} outputs")
    names, keys = words[4 : 4 + taken + made], words[4 + taken + made :]
    if len(names) < taken + made:
        raise CorruptFileError(f"layer {shown(name)} has fewer inputs and outputs than it states")
    found: dict[int, Value] = {}
    for text in keys:
        key, value = _key(text)
        if key in found:
            raise CorruptFileError(f"layer {shown(name)} has its key {key} twice")
        found[key] = value
    return Layer(kind, name, tuple(names[:taken]), tuple(names[taken:]), found)


def _key(text: str) -> tuple[int, Value]:
    head, equals, tail = text.partition("=")
    if not equals or not tail:
        raise CorruptFileError(f"{shown(text)} is no key and value")
    key, values = _whole(head), tuple(_value(part) for part in tail.split(","))
    array = len(values) > 1
    if key <= ARRAY:
        key, (count, *values_left) = ARRAY - key, values
        if count != len(values_left):
            raise CorruptFileError(f"{shown(text)} is no array of {count} values")
        array, values = True, tuple(values_left)
    if not 0 <= key < MOST_KEYS or len(values) > MOST_VALUES:
        raise CorruptFileError(f"{shown(text)} is no key of ncnn's, or has too many values")
    return key, values if array else values[0]


def _value(text: str) -> int | float | str:
    if _WHOLE.fullmatch(text):
        return _whole(text)
    if not _REAL.fullmatch(text):
        return text[:_LONGEST]
    if not math.isfinite(value := float(text)):
        raise CorruptFileError(f"{shown(text)} is out of all proportion")
    return value


def _whole(text: str) -> int:
    if not _WHOLE.fullmatch(text) or not -(1 << 31) <= int(text) < 1 << 31:
        raise CorruptFileError(f"{shown(text)} is no whole number of 32 bits")
    return int(text)


def _real(value: Value, key: int) -> float:
    # The bits of 0 are those of 0.0.
    if isinstance(value, float) or value == 0:
        return float(value)
    raise CorruptFileError(f"its key {key} is {value!r}, and no number with a point")
