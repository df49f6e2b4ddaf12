"""The layers of ncnn that srkit knows: all of them only compute. No other is taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from srkit.adapters.readers.ncnn import resizing, windows
from srkit.adapters.readers.ncnn.blobs import Blob, Handler, Made, joined, within
from srkit.adapters.readers.ncnn.operations import (
    Affine,
    Arithmetic,
    Combination,
    Concatenation,
    Constant,
    Pointwise,
    Slopes,
)
from srkit.adapters.readers.ncnn.stored import OTHER, Array, Stored
from srkit.adapters.readers.ncnn.text import MOST_INPUTS, Layer
from srkit.errors import CorruptFileError, UnsafeFileError, WeightsError

# Keys that every layer may have: shapes that ncnn's tools noted, and switches of its speed.
EVERYWHERE = frozenset({30, 31})
# BinaryOp, by number; what begins with "r" has its second operand first.
BINARY = (
    "add", "sub", "mul", "truediv", "maximum", "minimum", "pow", "rsub", "rtruediv", "rpow",
)  # fmt: skip
UNARY = (
    "abs", "neg", "floor", "ceil", "square", "sqrt", "rsqrt", "exp", "log", "sin", "cos", "tan",
    "asin", "acos", "atan", "reciprocal", "tanh", "log10", "round", "trunc",
)  # fmt: skip
COMBINATIONS = ("mul", "add", "maximum")


@dataclass(frozen=True)
class Known:
    """A layer that srkit knows.

    Attributes
    ----------
    handle
        Gives what the layer does with its inputs, and what comes of it.
    keys
        Those that are understood.
    inputs
        The least and the largest number of inputs.
    outputs
        The largest number of outputs.
    """

    handle: Handler
    keys: frozenset[int] = frozenset()
    inputs: tuple[int, int] = (1, 1)
    outputs: int = 1


def known(layer: Layer) -> Known:
    """What srkit knows of a layer.

    Raises
    ------
    UnsafeFileError
        If it is not on the list.
    WeightsError
        If it has keys that are not understood.
    CorruptFileError
        If it has too few or too many inputs or outputs.
    """
    if layer.kind not in LAYERS:
        raise UnsafeFileError(
            f"it is not among the layers that only compute: {', '.join(sorted(LAYERS))}"
        )
    found = LAYERS[layer.kind]
    if unknown := sorted(layer.keys.keys() - found.keys - EVERYWHERE):
        raise WeightsError(f"it has the key {unknown[0]}, which srkit does not know")
    least, most = found.inputs
    if not (least <= len(layer.inputs) <= most and 1 <= len(layer.outputs) <= found.outputs):
        raise CorruptFileError(
            f"it has {len(layer.inputs)} inputs and {len(layer.outputs)} outputs"
        )
    return found


def _same(layer: Layer, blobs: Sequence[Blob], stored: Stored) -> Made:
    return (), blobs[0]


def _pointwise(name: str) -> Handler:
    return lambda layer, blobs, stored: ((Pointwise(name),), blobs[0])


def _relu(layer: Layer, blobs: Sequence[Blob], stored: Stored) -> Made:
    slope = layer.real(0)
    return (Pointwise("leaky_relu", (slope,)) if slope else Pointwise("relu"),), blobs[0]


def _slopes(layer: Layer, blobs: Sequence[Blob], stored: Stored) -> Made:
    return (Slopes(_per_channel(stored["weight"], blobs[0], one=True)),), blobs[0]


def _unary(layer: Layer, blobs: Sequence[Blob], stored: Stored) -> Made:
    number = layer.whole(0)
    if not 0 <= number < len(UNARY):
        raise WeightsError(f"its operation is number {number}, which srkit does not know")
    return (Pointwise(UNARY[number]),), blobs[0]


def _binary(layer: Layer, blobs: Sequence[Blob], stored: Stored) -> Made:
    number = layer.whole(0)
    if not 0 <= number < len(BINARY):
        raise WeightsError(f"its operation is number {number}, which srkit does not know")
    name = BINARY[number]
    swapped = name.startswith("r")
    name = name.removeprefix("r")
    scalar = layer.whole(1) != 0
    if len(blobs) != 2 - scalar:
        raise CorruptFileError(f"it has {len(blobs)} inputs")
    if scalar:
        return (Arithmetic(name, layer.real(2), swapped),), blobs[0]
    channels = {blob.channels for blob in blobs}
    if len(channels) > 1 and 1 not in channels:
        raise CorruptFileError(f"it combines {' and '.join(map(str, sorted(channels)))} channels")
    for blob, other in (blobs, reversed(blobs)):
        if (
            blob.rows is None
            and other.rows is not None
            and blob.channels not in (1, other.channels)
        ):
            raise WeightsError("it combines each column with a number, which srkit does not know")
    return (Arithmetic(name, None, swapped),), joined(blobs, max(channels))


def _combination(layer: Layer, blobs: Sequence[Blob], stored: Stored) -> Made:
    name = COMBINATIONS[within(layer.whole(0), 0, 2, "operation")]
    coefficients = layer.reals(1) if name == "add" else ()
    if coefficients and len(coefficients) != len(blobs):
        raise CorruptFileError(f"it has {len(coefficients)} coefficients for {len(blobs)} inputs")
    if len({(blob.channels, blob.rows is None) for blob in blobs}) > 1:
        raise CorruptFileError("its inputs have different sizes")
    return (Combination(name, coefficients),), joined(blobs, blobs[0].channels)


def _concatenation(layer: Layer, blobs: Sequence[Blob], stored: Stored) -> Made:
    if layer.whole(0) not in (0, -3):
        raise WeightsError(f"it puts results together along the axis {layer.whole(0)}, not 0")
    if len({blob.rows is None for blob in blobs}) > 1:
        raise CorruptFileError("its inputs have different sizes")
    return (Concatenation(),), joined(blobs, sum(blob.channels for blob in blobs))


def _scale(layer: Layer, blobs: Sequence[Blob], stored: Stored) -> Made:
    given = blobs[0]
    if layer.whole(0) != OTHER:
        if len(blobs) != 1:
            raise CorruptFileError(f"it has {len(blobs)} inputs")
        weight = _per_channel(stored["weight"], given)
        return (Affine(weight, stored.get("bias")),), given
    if len(blobs) != 2 or layer.whole(1):
        raise CorruptFileError("it scales by another result, and takes two inputs and no bias")
    if blobs[1].rows is not None or blobs[1].channels != given.channels:
        raise CorruptFileError("it scales by a result that is no number a channel")
    return (Arithmetic("mul"),), joined(blobs, given.channels)


def _constant(layer: Layer, blobs: Sequence[Blob], stored: Stored) -> Made:
    sides = [layer.whole(key) for key in (0, 1, 11, 2) if layer.whole(key)]
    # One axis, or channels of one number.
    if len(sides) > 1 and any(side != 1 for side in sides[:-1]):
        raise WeightsError("its numbers differ from pixel to pixel, for images of one size")
    if len(sides) == 2:
        raise WeightsError("it has two axes, which srkit does not know")
    return (Constant(stored["weight"]),), Blob(0).of(sides[-1])


def _per_channel(weight: Array, given: Blob, *, one: bool = False) -> Array:
    if weight.size != given.channels and not (one and weight.size == 1):
        raise CorruptFileError(f"it has {weight.size} numbers for {given.channels} channels")
    return weight


_CONVOLUTION = frozenset({*range(7), 8, 9, 10, *range(11, 17), 18, 19})
_MANY = (2, MOST_INPUTS)

LAYERS: Mapping[str, Known] = {
    "BinaryOp": Known(_binary, frozenset(range(3)), (1, 2)),
    "Concat": Known(_concatenation, frozenset({0}), (1, MOST_INPUTS)),
    "Convolution": Known(windows.convolution, _CONVOLUTION),
    "ConvolutionDepthWise": Known(windows.convolution, _CONVOLUTION | {7}),
    "Crop": Known(resizing.crop, frozenset({*range(16), 19, 20, 21}), (1, 2)),
    "Deconvolution": Known(
        windows.deconvolution,
        frozenset({*range(7), 9, 10, *range(11, 17), *range(18, 22), 28}),
    ),
    "Eltwise": Known(_combination, frozenset({0, 1}), _MANY),
    "InnerProduct": Known(windows.inner_product, frozenset({0, 1, 2, 8, 9, 10})),
    "Input": Known(_same, frozenset({0, 1, 2, 11}), (0, 0)),
    "Interp": Known(resizing.interpolation, frozenset({*range(7), 9}), (1, 2)),
    "MemoryData": Known(_constant, frozenset({0, 1, 2, 11, 21}), (0, 0)),
    "PReLU": Known(_slopes, frozenset({0})),
    "Padding": Known(resizing.padding, frozenset(range(9))),
    "PixelShuffle": Known(resizing.shuffle, frozenset({0, 1})),
    "Pooling": Known(windows.pooling, frozenset({*range(9), *range(11, 16), 18})),
    "ReLU": Known(_relu, frozenset({0})),
    "Reshape": Known(resizing.reshape, frozenset({0, 1, 2, 6, 11, 12, 13})),
    "Scale": Known(_scale, frozenset({0, 1}), (1, 2)),
    "Sigmoid": Known(_pointwise("sigmoid")),
    "Split": Known(_same, outputs=MOST_INPUTS),
    "Swish": Known(_pointwise("silu")),
    "UnaryOp": Known(_unary, frozenset({0})),
}
