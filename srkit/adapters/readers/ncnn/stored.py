"""The numbers of a .bin file: what each layer has of it, in the layers' order.

By src/modelbin.cpp and the layers' ``load_model`` of Tencent/ncnn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import DTypeLike, NDArray

from srkit.adapters.readers.ncnn.text import Layer, shown
from srkit.errors import CorruptFileError, SrkitError, WeightsError

Array = NDArray[np.floating]
# Numbers of a layer by what they are: weight, bias.
Stored = Mapping[str, Array]

# What precedes weights, and says how they are stored.
HALVES, FLOATS, BYTES, NO_TAG = 0x01306B47, 0x0002C056, 0x000D4B38, 0
# That a layer takes its factor from another layer (Scale).
OTHER = -233


class BinFile:
    """Numbers of a .bin file, from its beginning to its end; they are views, and not copied."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = memoryview(data), 0

    def weights(self, count: int) -> Array:
        """Numbers behind a tag: halves or floats.

        Raises
        ------
        CorruptFileError
            If there are not so many, or some are not finite.
        WeightsError
            If they are quantised.
        """
        tag = int.from_bytes(self._take(4), "little")
        if tag == HALVES:
            return self._numbers(count, "<f2")
        if tag in (FLOATS, NO_TAG):
            return self._numbers(count, "<f4")
        if tag == BYTES:
            raise WeightsError("its weights are int8; srkit reads those in halves or floats")
        raise WeightsError(
            "its weights are numbers of a table of 256, or the file is damaged; srkit reads those "
            "in halves or floats"
        )

    def floats(self, count: int) -> Array:
        """Numbers without a tag."""
        return self._numbers(count, "<f4")

    @property
    def left(self) -> int:
        """Bytes that no layer has taken."""
        return len(self._data) - self._at

    def _numbers(self, count: int, kind: DTypeLike) -> Array:
        if count < 1:
            raise CorruptFileError(f"it has {count} numbers")
        dtype = np.dtype(kind)
        size = count * dtype.itemsize
        # Halves of an odd number are followed by two bytes.
        found: Array = np.frombuffer(self._take(-(-size // 4) * 4)[:size], dtype)
        if not np.isfinite(found).all():
            raise CorruptFileError("some of its numbers are infinite, or none")
        return found

    def _take(self, size: int) -> memoryview:
        if size > self.left:
            raise CorruptFileError(
                f"it needs {size} bytes of the .bin file where {self.left} are left: "
                "the file was cut off"
            )
        self._at += size
        return self._data[self._at - size : self._at]


def read_stored(layers: Iterable[Layer], file: BinFile) -> tuple[Stored, ...]:
    """The numbers of each layer.

    Raises
    ------
    CorruptFileError
        If the file has fewer or more.
    WeightsError
        If some are of a kind that is not known here.
    """
    found = []
    for layer in layers:
        try:
            found.append(_READERS.get(layer.kind, _none)(layer, file))
        except SrkitError as error:
            raise type(error)(f"layer {shown(layer.name)} ({layer.kind}): {error}") from error
    if file.left:
        raise CorruptFileError(f"the .bin file has {file.left} bytes more than its layers need")
    return tuple(found)


def _none(layer: Layer, file: BinFile) -> Stored:
    return MappingProxyType({})


def _kernel(layer: Layer, file: BinFile, size: int, biased: int, from_others: int) -> Stored:
    if from_others in layer.keys and layer.whole(from_others):
        raise WeightsError("another layer makes its weights, which srkit does not know")
    if layer.kind != "Deconvolution" and layer.whole(8):
        raise WeightsError("it computes with int8; take the model that was not quantised")
    found = {"weight": file.weights(layer.whole(size))}
    if layer.whole(biased):
        found["bias"] = file.floats(layer.whole(0))
    return found


def _slopes(layer: Layer, file: BinFile) -> Stored:
    return {"weight": file.floats(layer.whole(0))}


def _scale(layer: Layer, file: BinFile) -> Stored:
    if layer.whole(0) == OTHER:
        return {}
    found = {"weight": file.floats(layer.whole(0))}
    if layer.whole(1):
        found["bias"] = file.floats(layer.whole(0))
    return found


def _constant(layer: Layer, file: BinFile) -> Stored:
    sides = [layer.whole(key) for key in (0, 1, 11, 2) if layer.whole(key)]
    if not sides or min(sides) < 1:
        raise CorruptFileError(f"it is a constant of the shape {tuple(sides)}")
    if layer.whole(21, 1) not in (0, 1):
        raise WeightsError("its numbers are of a kind that srkit does not know")
    read = file.floats if layer.whole(21, 1) else file.weights
    return {"weight": read(math.prod(sides))}


_READERS: Mapping[str, Callable[[Layer, BinFile], Stored]] = {
    "Convolution": lambda layer, file: _kernel(layer, file, 6, 5, 19),
    "ConvolutionDepthWise": lambda layer, file: _kernel(layer, file, 6, 5, 19),
    "Deconvolution": lambda layer, file: _kernel(layer, file, 6, 5, 28),
    "InnerProduct": lambda layer, file: _kernel(layer, file, 2, 1, 19),
    "MemoryData": _constant,
    "PReLU": _slopes,
    "Scale": _scale,
}
