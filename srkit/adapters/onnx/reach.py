"""The receptive field of an ONNX network, worked out from its operators."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from srkit.receptive import Reach

Values = Mapping[str, NDArray[Any]]

_POINTWISE = """
    Abs Add BatchNormalization Cast Celu Clip Div Dropout Elu Erf Exp Gelu HardSigmoid HardSwish
    Identity LeakyRelu Log Max Mean Min Mish Mul Neg PRelu Pow Reciprocal Relu Selu Sigmoid Sign
    Softplus Softsign Sqrt Sub Sum Tanh ThresholdedRelu
"""
POINTWISE = frozenset(_POINTWISE.split())
# Beyond this strides, factors and padding are of no network; their products would grow and grow.
LARGEST = 1 << 48
# Pixels that interpolation sees on one side.
TAPS = {"nearest": 1, "linear": 1, "cubic": 2}


class UnknownReachError(Exception):
    """An operator sees too far, or nobody knows how far; the message names it."""


@dataclass(frozen=True)
class Field:
    """What is known of a whole network.

    Attributes
    ----------
    radius
        Of the receptive field in LR pixels, rounded up. At least the true one: padding by an
        operator of its own counts as sight.
    multiple
        Sides of tiles have to be multiples of it, since some layer is that much coarser.
    """

    radius: int
    multiple: int


def receptive_field(graph: Any, given: str) -> Field:
    """Work out how far the first output of a graph sees.

    Parameters
    ----------
    graph
        An ``onnx.GraphProto``.
    given
        Name of the input.

    Raises
    ------
    UnknownReachError
        If an operator's reach is not known: a guess would make seams.
    """
    walk = _Walk(graph, given)
    for node in graph.node:
        walk.step(node)
    last = walk.known.get(graph.output[0].name)
    if last is None:
        raise UnknownReachError("the output, which does not depend on the input,")
    coarsest = math.lcm(*(r.density.denominator for r in walk.known.values()))
    return Field(math.ceil(last.radius), coarsest)


@dataclass
class _Walk:
    """Goes over the nodes in order; results that do not depend on the image are left out."""

    graph: Any
    given: str
    known: dict[str, Reach] = field(default_factory=dict)
    values: dict[str, NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.known[self.given] = Reach()
        self.values |= {t.name: onnx.numpy_helper.to_array(t) for t in self.graph.initializer}

    def step(self, node: Any) -> None:
        """Reach of what one node gives."""
        options = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "Constant" and "value" in options:
            self.values[node.output[0]] = onnx.numpy_helper.to_array(options["value"])
        sources = [self.known[name] for name in node.input if name in self.known]
        if not sources:
            return
        reach = self._grown(node, options, Reach.widest(sources))
        parts = *reach.density.as_integer_ratio(), *reach.radius.as_integer_ratio()
        if max(parts) > LARGEST:
            raise UnknownReachError(f"the operator {node.op_type} with sides out of proportion")
        self.known |= {name: reach for name in node.output if name}

    def _grown(self, node: Any, options: Mapping[str, Any], reach: Reach) -> Reach:
        if node.op_type in POINTWISE:
            return reach
        if node.op_type in ("Concat", "Split"):
            return _if(options.get("axis", 0) == 1, reach, node)
        if node.op_type == "Gather":
            picked = self._value(node, 1)
            channels = options.get("axis", 0) == 1 and picked is not None and picked.ndim == 1
            return _if(channels, reach, node)
        if node.op_type == "Slice":
            axes = self._value(node, 3)
            return _if(axes is not None and set(axes.ravel().tolist()) == {1}, reach, node)
        if node.op_type not in _RULES:
            raise UnknownReachError(f"the operator {node.op_type}")
        inputs = [self.values.get(name) for name in node.input]
        grown = _RULES[node.op_type](options, inputs, reach)
        if grown is None:
            raise UnknownReachError(f"the operator {node.op_type} in the form it has here")
        return grown

    def _value(self, node: Any, place: int) -> NDArray[Any] | None:
        return self.values.get(node.input[place]) if len(node.input) > place else None


Inputs = list[NDArray[Any] | None]
Options = Mapping[str, Any]


def _if(fits: bool, reach: Reach, node: Any) -> Reach:
    if not fits:
        raise UnknownReachError(f"the operator {node.op_type} over other axes than channels")
    return reach


def _windows(options: Options, kernel: tuple[int, ...]) -> list[tuple[int, int, int]] | None:
    """Stride, padding before and offset of the last tap, for both axes."""
    auto = options.get("auto_pad", b"NOTSET")
    strides, dilations = options.get("strides", (1, 1)), options.get("dilations", (1, 1))
    if len(kernel) != 2 or options.get("ceil_mode", 0):
        return None
    lasts = [d * (k - 1) for d, k in zip(dilations, kernel, strict=True)]
    # Of automatic padding no part is counted: then the far side is seen as farther, never nearer.
    pads = options.get("pads", (0, 0, 0, 0)) if auto == b"NOTSET" else (0, 0, 0, 0)
    return list(zip(strides, pads[:2], lasts, strict=True))


def _seen(options: Options, kernel: tuple[int, ...], reach: Reach) -> Reach | None:
    windows = _windows(options, kernel)
    if windows is None or len({stride for stride, _, _ in windows}) > 1:
        return None
    return Reach.widest(reach.convolved(*window) for window in windows)


def _conv(options: Options, inputs: Inputs, reach: Reach) -> Reach | None:
    weight = inputs[1]
    return None if weight is None else _seen(options, weight.shape[2:], reach)


def _pool(options: Options, inputs: Inputs, reach: Reach) -> Reach | None:
    return _seen(options, tuple(options.get("kernel_shape", ())), reach)


def _transposed(options: Options, inputs: Inputs, reach: Reach) -> Reach | None:
    weight = inputs[1]
    if (
        weight is None
        or "output_shape" in options
        or options.get("auto_pad", b"NOTSET") != b"NOTSET"
    ):
        return None
    windows = _windows(options, weight.shape[2:])
    if windows is None or len({stride for stride, _, _ in windows}) > 1:
        return None
    return Reach.widest(reach.transposed(*window) for window in windows)


def _shuffle(options: Options, inputs: Inputs, reach: Reach) -> Reach | None:
    return reach.finer(options["blocksize"])


def _unshuffle(options: Options, inputs: Inputs, reach: Reach) -> Reach | None:
    return reach.coarser(int(options["blocksize"]))


def _resize(options: Options, inputs: Inputs, reach: Reach) -> Reach | None:
    """Interpolation by whole factors that does not depend on the size of the tile."""
    # The oldest form has (image, scales), later ones (image, region, scales), or sizes at the end.
    scales = inputs[-1] if len(inputs) in (2, 3) else None
    mode = options.get("mode", b"nearest").decode()
    way = options.get("coordinate_transformation_mode", b"half_pixel")
    fixed = way in (b"half_pixel", b"pytorch_half_pixel", b"asymmetric")
    if scales is None or mode not in TAPS or not fixed or options.get("antialias", 0):
        return None
    factors = scales.ravel().tolist()
    whole = len(factors) == 4 and factors[:2] == [1, 1] and factors[2] == factors[3]
    if not whole or factors[2] < 1 or factors[2] % 1:
        return None
    return reach.beyond(TAPS[mode]).finer(int(factors[2]))


def _pad(options: Options, inputs: Inputs, reach: Reach) -> Reach | None:
    pads = inputs[1] if len(inputs) > 1 else np.array(options.get("pads", ()))
    if pads is None or pads.size != 8 or len(inputs) > 3:
        return None
    return reach.beyond(int(np.abs(pads).max()))


_RULES: Mapping[str, Callable[[Options, Inputs, Reach], Reach | None]] = {
    "AveragePool": _pool,
    "Conv": _conv,
    "ConvTranspose": _transposed,
    "DepthToSpace": _shuffle,
    "MaxPool": _pool,
    "Pad": _pad,
    "Resize": _resize,
    "SpaceToDepth": _unshuffle,
    "Upsample": _resize,
}
