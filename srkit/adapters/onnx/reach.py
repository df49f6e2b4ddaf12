"""The receptive field of an ONNX network, worked out from its operators."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from srkit.adapters.onnx.layout import Layout
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


# What looks at all places of a plane at once, or weighs all of them by each other.
_EVERYWHERE = """
    Einsum Gemm GlobalAveragePool GlobalMaxPool GroupNormalization InstanceNormalization
    LayerNormalization LogSoftmax LpNormalization MatMul ReduceL1 ReduceL2 ReduceMax ReduceMean
    ReduceMin ReduceProd ReduceSum ReduceSumSquare Softmax
"""
EVERYWHERE = frozenset(_EVERYWHERE.split())
RESHAPING = frozenset({"Flatten", "Reshape", "Squeeze", "Unsqueeze"})
# Those of which an input may be worked out from the sides of the picture.
SIZED = RESHAPING | {"Resize", "Upsample"}

# Gives the shapes of results by name, for some sizes of the picture.
Shapes = Callable[[Sequence[str]], Sequence[Mapping[str, tuple[int, ...]]]]


class UnknownReachError(Exception):
    """An operator sees too far, or nobody knows how far; the message names it."""


class SeesAllError(UnknownReachError):
    """An operator sees all of the picture."""


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
    sees_all
        The operator by which the network sees all of the picture; empty if there is none. The
        radius is then of the rest, as far as it is known.
    """

    radius: int
    multiple: int
    sees_all: str = ""


def receptive_field(graph: Any, given: str, shapes: Shapes | None = None) -> Field:
    """Work out how far the first output of a graph sees.

    Parameters
    ----------
    graph
        An ``onnx.GraphProto``.
    given
        Name of the input.
    shapes
        What results are asked for their shapes; without it, what reshapes is not known.

    Raises
    ------
    UnknownReachError
        If an operator's reach is not known: a guess would make seams.
    """
    walk = _Walk(graph, given, shapes)
    for node in graph.node:
        try:
            walk.step(node)
        except SeesAllError as error:
            # What follows may be in any form.
            return Field(0, 1, str(error))
    last = walk.known.get(graph.output[0].name)
    if last is None or graph.output[0].name in walk.layouts:
        raise UnknownReachError("the output, which does not depend on the input,")
    coarsest = math.lcm(*(r.density.denominator for r in walk.known.values()))
    return Field(math.ceil(last.radius), coarsest, walk.sees_all)


@dataclass
class _Walk:
    """Goes over the nodes in order; results that do not depend on the image are left out."""

    graph: Any
    given: str
    shapes: Shapes | None
    known: dict[str, Reach] = field(default_factory=dict)
    values: dict[str, NDArray[Any]] = field(default_factory=dict)
    # Of results that are no plane (N, C, H, W).
    layouts: dict[str, Layout] = field(default_factory=dict)
    # Results that depend on the sides of the image alone, and on all of its pixels at once.
    sizes: set[str] = field(default_factory=set)
    means: set[str] = field(default_factory=set)
    sees_all: str = ""

    def __post_init__(self) -> None:
        self.known[self.given] = Reach()
        self.values |= {t.name: onnx.numpy_helper.to_array(t) for t in self.graph.initializer}

    def step(self, node: Any) -> None:
        """Reach of what one node gives."""
        options = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "Constant" and "value" in options:
            self.values[node.output[0]] = onnx.numpy_helper.to_array(options["value"])
        sources = [name for name in node.input if name in self.known]
        if not sources or node.op_type in ("Shape", "Size"):
            self._mark(node)
            return
        self._refuse_sizes(node)
        if node.op_type in EVERYWHERE and not self._over_channels(node, options):
            self._see_all(node, options)
            return
        if any(name in self.means for name in node.input):
            if node.op_type not in POINTWISE or any(name in self.layouts for name in sources):
                raise SeesAllError(f"the operator {node.op_type}")
            self.sees_all = self.sees_all or "a mean over the picture"
        reach = Reach.widest(self.known[name] for name in sources)
        if node.op_type in RESHAPING or node.op_type == "Transpose":
            self._reshape(node, options)
            return
        layout = self._common_layout(node, sources)
        reach = self._grown(node, options, reach)
        _check_proportion(node, reach)
        self.known |= {name: reach for name in node.output if name}
        if layout is not None:
            self.layouts |= {name: layout for name in node.output if name}

    def _mark(self, node: Any) -> None:
        """Of what sees no pixels: whether it depends on the image at all."""
        if any(name in self.known or name in self.sizes for name in node.input):
            self.sizes |= set(node.output)
        sided = node.op_type in ("Shape", "Size")
        if not sided and any(name in self.means for name in node.input):
            self.means |= set(node.output)

    def _refuse_sizes(self, node: Any) -> None:
        sizes = self.sizes - self.means
        if node.op_type not in SIZED and any(name in sizes for name in node.input):
            raise UnknownReachError(f"the operator {node.op_type} by the size of the picture")

    def _over_channels(self, node: Any, options: Mapping[str, Any]) -> bool:
        """Whether a reduction is over channels alone, each place by itself."""
        if not node.op_type.startswith("Reduce") or node.input[0] in self.layouts:
            return False
        axes = self._axes(node, options)
        return axes in ([1], [-3]) and options.get("keepdims", 1) == 1

    def _axes(self, node: Any, options: Mapping[str, Any]) -> list[int]:
        given = self._value(node, 1)
        axes = options.get("axes", []) if given is None else given.ravel().tolist()
        return sorted(axes)

    def _see_all(self, node: Any, options: Mapping[str, Any]) -> None:
        """Means over all places are followed; whatever else sees all of the picture is not."""
        plane = node.input[0] in self.known and node.input[0] not in self.layouts
        reduces = node.op_type.startswith("Reduce") and plane
        if (node.op_type.startswith("Global") and plane) or (
            reduces and self._axes(node, options) in ([2, 3], [-2, -1])
        ):
            self.means |= set(node.output)
            self.sees_all = self.sees_all or f"the operator {node.op_type}"
            return
        raise SeesAllError(f"the operator {node.op_type}")

    def _common_layout(self, node: Any, sources: list[str]) -> Layout | None:
        """The layout of what one place after another is worked out for; None for a plane."""
        layouts = {self.layouts.get(name) for name in sources}
        if layouts == {None}:
            self._refuse_places(node)
            return None
        if len(layouts) > 1 or node.op_type not in POINTWISE:
            raise UnknownReachError(f"the operator {node.op_type} on reshaped planes")
        if any(
            value.size > 1 for name in node.input if (value := self.values.get(name)) is not None
        ):
            raise UnknownReachError(f"the operator {node.op_type} on reshaped planes")
        return layouts.pop()

    def _refuse_places(self, node: Any) -> None:
        """Refuse constants that differ from place to place: tiles do not know where they lie."""
        # Batch norm's, and PReLU's in its short form, are for each channel.
        if node.op_type not in POINTWISE or node.op_type == "BatchNormalization":
            return
        for name in node.input:
            if name and name not in self.known and name not in self.means:
                shape = self._shape(name)
                short = len(shape) == 1 and node.op_type == "PRelu"
                if not short and math.prod(shape[-2:]) > 1:
                    raise SeesAllError(f"the operator {node.op_type} by a number for each place")

    def _shape(self, name: str) -> tuple[int, ...]:
        """Of a constant; that of one that is worked out is asked for, where it can be."""
        if name in self.values or self.shapes is None:
            return self.values[name].shape if name in self.values else ()
        return self.shapes([name])[0].get(name, ())

    def _reshape(self, node: Any, options: Mapping[str, Any]) -> None:
        source = node.input[0]
        if source not in self.known:
            raise UnknownReachError(f"the operator {node.op_type} in the form it has here")
        layout = self.layouts.get(source, Layout())
        if node.op_type == "Transpose":
            order = options.get("perm", range(len(layout.axes))[::-1])
            made = layout.transposed(list(order))
        else:
            made = self._reshaped(node, layout, source)
        if made is None:
            raise UnknownReachError(f"the operator {node.op_type} in the form it has here")
        reach, target = self.known[source], node.output[0]
        if made.is_plane:
            coarsest, finest = made.coarsest, made.y / made.coarsest
            if coarsest.numerator != 1 or finest.denominator != 1:
                raise UnknownReachError(f"the operator {node.op_type} in the form it has here")
            reach = reach.coarser(coarsest.denominator).finer(finest.numerator)
            _check_proportion(node, reach)
        else:
            self.layouts[target] = made
        self.known[target] = reach

    def _reshaped(self, node: Any, layout: Layout, source: str) -> Layout | None:
        if self.shapes is None:
            return None
        found = {
            layout.reshaped(shapes[source], shapes[node.output[0]])
            for shapes in self.shapes([source, node.output[0]])
        }
        return found.pop() if len(found) == 1 else None

    def _grown(self, node: Any, options: Mapping[str, Any], reach: Reach) -> Reach:
        if node.op_type in POINTWISE:
            return reach
        if node.op_type in ("Concat", "Split"):
            return _if(options.get("axis", 0) == 1, reach, node)
        if node.op_type in EVERYWHERE:  # over channels
            return reach
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
        if node.op_type in ("Resize", "Upsample") and (inputs[-1] is None or len(inputs) == 4):
            inputs = [None, None, self._factors(node)]
        grown = _RULES[node.op_type](options, inputs, reach)
        if grown is None:
            raise UnknownReachError(f"the operator {node.op_type} in the form it has here")
        return grown

    def _factors(self, node: Any) -> NDArray[Any] | None:
        """By what interpolation enlarges, where it is told as sides or worked out."""
        if self.shapes is None:
            return None
        names = node.input[0], node.output[0]
        factors = [
            np.divide(shapes[names[1]], shapes[names[0]])
            for shapes in self.shapes(names)
            if len(shapes[names[0]]) == len(shapes[names[1]]) == 4
        ]
        return factors[0] if factors and all((f == factors[0]).all() for f in factors) else None

    def _value(self, node: Any, place: int) -> NDArray[Any] | None:
        return self.values.get(node.input[place]) if len(node.input) > place else None


Inputs = list[NDArray[Any] | None]
Options = Mapping[str, Any]


def _check_proportion(node: Any, reach: Reach) -> None:
    parts = *reach.density.as_integer_ratio(), *reach.radius.as_integer_ratio()
    if max(parts) > LARGEST:
        raise UnknownReachError(f"the operator {node.op_type} with sides out of proportion")


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
