"""What a frozen graph computes: checked operation by operation before anything is run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from srkit.adapters.readers.graphdef.attributes import dilation, few_integers, layout, shown
from srkit.adapters.readers.graphdef.graph import MOST_NUMBERS, Array, Graph, Node
from srkit.errors import CorruptFileError, OptionError, SrkitError, UnsafeFileError, WeightsError
from srkit.receptive import Reach

# Operations that only compute. Whatever else a graph names is refused: among the others
# are some that write files.
POINTWISE = {"Abs", "Identity", "LeakyRelu", "Neg", "Relu", "Sigmoid", "Tanh"}
BINARY = {"Add", "AddV2", "BiasAdd", "Maximum", "Minimum", "Mul", "Sub"}
RESHAPING = {"Reshape", "Squeeze"}
# How many inputs each operation takes that the image goes through.
INPUTS = {
    **dict.fromkeys(POINTWISE, 1),
    **dict.fromkeys(BINARY, 2),
    "Conv2D": 2,
    "DepthToSpace": 1,
    "Transpose": 2,
}
# Far beyond any network for images: bounds of memory and time.
MOST_CHANNELS, MOST_SIDE = 4096, 64
# Numbers that layers hold beyond those of the constants: layers may share a kernel.
MOST_SHARED = 1 << 22
ALLOWED = {
    *("Const", "Conv2D", "DepthToSpace", "NoOp", "Placeholder", "Transpose"),
    *POINTWISE,
    *BINARY,
    *RESHAPING,
}
TO_NCHW, TO_NHWC = (0, 3, 1, 2), (0, 2, 3, 1)


@dataclass(frozen=True)
class Planes:
    """An intermediate result, as planes of an image.

    Attributes
    ----------
    channels
        How many; None where the graph does not tell.
    scale
        Its pixels along a side for each pixel of the input.
    reach
        Radius of what it depends on, in pixels of the input.
    first
        Whether channels come first (NCHW), not last.
    """

    channels: int | None
    scale: int = 1
    reach: Fraction = Fraction(0)
    first: bool = False


@dataclass(frozen=True)
class Program:
    """A frozen graph that was found to be safe and understood.

    Attributes
    ----------
    nodes
        Operations in an order in which each comes after those it needs; constants are
        not among them.
    constants
        Values of constants by name, reshaped as the graph says.
    planes
        What each operation makes.
    input
        Name of the placeholder.
    outputs
        Names of what nothing else takes, largest scale first.
    """

    nodes: tuple[Node, ...]
    constants: Mapping[str, Array]
    planes: Mapping[str, Planes]
    input: str
    outputs: tuple[str, ...]

    @property
    def channels(self) -> int:
        """Channels of the input: 1 or 3."""
        found = self.planes[self.input].channels
        if found not in (1, 3):
            raise WeightsError(f"the graph takes {found} channels; srkit knows 1 and 3")
        return found

    def output(self, scale: int | None = None, name: str | None = None) -> str:
        """The output of a name, or of a scale, or the largest.

        Raises
        ------
        OptionError
            If there is none; the message lists what there is.
        """
        for output in self.outputs:
            if name not in (None, output):
                continue
            if scale in (None, self.planes[output].scale):
                return output
        listed = ", ".join(f"{o} (x{self.planes[o].scale})" for o in self.outputs)
        wanted = f"for x{scale}" if name is None else repr(name)
        raise OptionError(f"the graph has no output {wanted}; it has {listed}")

    def needed(self, output: str) -> tuple[Node, ...]:
        """The operations that an output needs, in their order."""
        wanted = {output}
        kept = []
        for node in reversed(self.nodes):
            if node.name in wanted:
                kept.append(node)
                wanted.update(node.inputs)
        return tuple(reversed(kept))


def understand(graph: Graph) -> Program:
    """Check a graph and find out what it computes.

    Raises
    ------
    UnsafeFileError
        If it names an operation that is not known to be harmless, wherever.
    CorruptFileError
        If it refers to what is not there, or in a circle.
    WeightsError
        If it does no super-resolution that srkit understands.
    """
    for node in graph.nodes.values():
        if node.op not in ALLOWED:
            raise UnsafeFileError(
                f"node {node.name!r} is the operation {node.op}, which is not among those that "
                f"only compute: {', '.join(sorted(ALLOWED))}"
            )
    ordered = _ordered(graph)
    constants = _constants(ordered)
    working = [n for n in ordered if n.name not in constants and n.op != "NoOp"]
    inputs = [n.name for n in working if n.op == "Placeholder"]
    if len(inputs) != 1:
        listed = ", ".join(inputs) or "none"
        raise WeightsError(f"a graph for images has one input; this one has {listed}")
    planes: dict[str, Planes] = {}
    # A constant counts once, and a layer has a copy of it.
    left = MOST_SHARED + sum(n.size for n in constants.values())
    for node in working:
        try:
            planes[node.name] = _step(node, planes, constants, working)
            if node.op == "Conv2D":
                left -= constants[node.inputs[1]].size
                if left < 0:
                    raise UnsafeFileError("its layers hold numbers out of all proportion")
        except SrkitError as error:
            raise type(error)(f"node {node.name!r} ({node.op}): {error}") from error
    taken = {name for node in working for name in node.inputs}
    made = [n.name for n in working if n.name not in taken and n.name != inputs[0]]
    made = [n for n in made if planes[n].channels == planes[inputs[0]].channels]
    if not made:
        raise WeightsError("the graph makes nothing of its input that is an image like it")
    made.sort(key=lambda name: -planes[name].scale)
    return Program(tuple(working), constants, planes, inputs[0], tuple(made))


def _ordered(graph: Graph) -> list[Node]:
    """Nodes in an order in which each comes after those it needs."""
    done: dict[str, Node] = {}
    for root in graph.nodes:
        if root in done:
            continue
        path = {root: _needs(graph, root)}
        while path:
            name = next(reversed(path))
            need = next(path[name], None)
            if need is None:
                done[name] = graph.nodes[name]
                del path[name]
            elif need in path:
                raise CorruptFileError(f"node {need!r} needs its own result")
            elif need not in done:
                path[need] = _needs(graph, need)
    return list(done.values())


def _needs(graph: Graph, name: str) -> Iterator[str]:
    if name not in graph.nodes:
        raise CorruptFileError(f"a node needs {name!r}, which is not there")
    node = graph.nodes[name]
    return iter((*node.inputs, *node.controls))


def _constants(ordered: list[Node]) -> dict[str, Array]:
    """Constants, and what is a constant after reshaping or a change of sign."""
    found: dict[str, Array] = {}
    negated = 0
    for node in ordered:
        if node.op == "Const":
            value = node.attributes.get("value")
            if not isinstance(value, np.ndarray):
                raise WeightsError(f"constant {node.name!r} holds no numbers")
            found[node.name] = value
        elif node.inputs and all(name in found for name in node.inputs):
            values = [found[name] for name in node.inputs]
            if node.op == "Identity":
                found[node.name] = values[0]
            elif node.op in RESHAPING:
                found[node.name] = _reshaped(node, values)
            elif node.op == "Neg":
                # Keras' PReLU has it. It takes memory, unlike the others.
                negated += values[0].size
                if negated > MOST_NUMBERS:
                    raise UnsafeFileError("it makes constants out of all proportion of others")
                if values[0].dtype == np.bool_:
                    raise WeightsError(f"node {node.name!r} changes the sign of truth values")
                found[node.name] = np.negative(values[0])
    return found


def _reshaped(node: Node, values: list[Array]) -> Array:
    """A constant in another shape."""
    try:
        if node.op == "Reshape":
            sides = few_integers(values[1]) if len(values) == 2 else None
            if sides is None:
                raise ValueError("its shape is no short list of integers")
            return values[0].reshape(sides)
        dims = node.attributes.get("squeeze_dims")
        return values[0].squeeze(dims if isinstance(dims, tuple) and dims else None)
    except (ValueError, IndexError, OverflowError, TypeError) as error:
        raise CorruptFileError(f"{node.name!r} reshapes in a way that is none: {error}") from error


# --- what each operation makes of its inputs ------------------------------------------------


def _step(
    node: Node,
    planes: Mapping[str, Planes],
    constants: Mapping[str, Array],
    working: list[Node],
) -> Planes:
    if node.op == "Placeholder":
        return Planes(_input_channels(node, constants, working))
    wanted = INPUTS.get(node.op)
    if wanted is None:
        raise WeightsError("it is known for constants alone")
    if len(node.inputs) != wanted:
        raise CorruptFileError(f"it has {len(node.inputs)} inputs, and takes {wanted}")
    for name in node.inputs:
        if name not in planes and name not in constants:
            raise CorruptFileError(f"its input {name!r} makes nothing")
    given = [planes[name] for name in node.inputs if name in planes]
    if not given or (node.op not in BINARY and node.inputs[0] not in planes):
        raise CorruptFileError("it has no input that depends on the image")
    if node.op in BINARY:
        made = _binary(given)
        for name in node.inputs:
            if name in constants:
                _check_constant(node, constants[name], made)
        return made
    return _HANDLERS.get(node.op, _pointwise)(node, given[0], constants)


def _pointwise(node: Node, given: Planes, constants: Mapping[str, Array]) -> Planes:
    slope = node.attributes.get("alpha", 0.2)
    if not isinstance(slope, float) or not math.isfinite(slope):
        raise WeightsError(f"its slope is {shown(slope)}")
    return given


def _check_constant(node: Node, value: Array, planes: Planes) -> None:
    """A number, or one a channel, where the layout has its channels."""
    shape = value.shape
    if value.size == 1 and len(shape) <= 4:
        return
    named = layout(node)
    if node.op == "BiasAdd":
        fits = len(shape) == 1 and (named == "NCHW") == planes.first
    elif planes.first:
        fits = len(shape) in (3, 4) and shape[-2:] == (1, 1) and shape[:-3] in ((), (1,))
    else:
        fits = 1 <= len(shape) <= 4 and set(shape[:-1]) <= {1}
    if not fits or value.size != planes.channels:
        raise WeightsError(
            f"a constant of shape {shape} is no number a channel of {planes.channels}"
        )


def _input_channels(node: Node, constants: Mapping[str, Array], working: list[Node]) -> int | None:
    """Channels by the kernel that takes the input, or by the shape stated."""
    names = {node.name}
    for other in working:
        if not names.intersection(other.inputs):
            continue
        kernel = constants.get(other.inputs[1]) if len(other.inputs) == 2 else None
        if other.op == "Conv2D" and kernel is not None and kernel.ndim == 4:
            return int(kernel.shape[2])
        if other.op in POINTWISE | BINARY:
            names.add(other.name)
    shape = node.attributes.get("shape")
    return shape[-1] if isinstance(shape, tuple) and len(shape) == 4 and shape[-1] > 0 else None


def _binary(given: list[Planes]) -> Planes:
    if len({(p.scale, p.first) for p in given}) > 1:
        raise WeightsError("it combines planes of several sizes or layouts")
    channels = {p.channels for p in given}
    if len(channels) > 1:
        raise WeightsError(f"it combines planes of {channels} channels")
    return replace(given[0], reach=max(p.reach for p in given))


def _convolution(node: Node, given: Planes, constants: Mapping[str, Array]) -> Planes:
    kernel = constants.get(node.inputs[1]) if len(node.inputs) == 2 else None
    if kernel is None or kernel.ndim != 4:
        raise WeightsError("its kernel is no constant of four axes")
    if not all(1 <= n <= MOST_SIDE for n in kernel.shape[:2]):
        raise WeightsError(f"its kernel is of {kernel.shape[0]} by {kernel.shape[1]} pixels")
    if not 1 <= kernel.shape[3] <= MOST_CHANNELS:
        raise WeightsError(f"it makes {kernel.shape[3]} channels; srkit knows {MOST_CHANNELS}")
    padding = node.attributes.get("padding")
    if not isinstance(padding, str) or padding != "SAME":
        raise WeightsError(f"its padding is {shown(padding)}; srkit knows SAME")
    strides = node.attributes.get("strides")
    if not isinstance(strides, tuple) or len(strides) != 4 or set(strides) != {1}:
        raise WeightsError(f"its strides are {shown(strides)}; srkit knows 1")
    if (layout(node) == "NCHW") != given.first:
        raise WeightsError(f"it takes {layout(node)}, and its input is the other layout")
    if not kernel.shape[2]:
        raise WeightsError("its kernel takes no channels")
    if given.channels is not None and kernel.shape[2] != given.channels:
        raise WeightsError(f"its kernel takes {kernel.shape[2]} channels of {given.channels}")
    if any(d > 1 and k % 2 == 0 for d, k in zip(dilation(node), kernel.shape[:2], strict=True)):
        raise WeightsError("it dilates a kernel of even size, which srkit does not know")
    spread = max(d * (k - 1) for d, k in zip(dilation(node), kernel.shape[:2], strict=True))
    reach = Reach(given.reach, Fraction(given.scale)).centred(spread)
    return replace(given, channels=int(kernel.shape[3]), reach=reach.radius)


def _depth_to_space(node: Node, given: Planes, constants: Mapping[str, Array]) -> Planes:
    block = node.attributes.get("block_size")
    if not isinstance(block, int) or not 2 <= block <= 16:
        raise WeightsError(f"its block size is {shown(block)}")
    if given.channels is None or given.channels % block**2:
        raise WeightsError(f"it makes blocks of {block}x{block} of {given.channels} channels")
    if (layout(node) == "NCHW") != given.first:
        raise WeightsError("its input is of the other layout")
    if given.scale * block > 16:
        raise WeightsError(f"it enlarges {given.scale * block} times; srkit knows up to 16")
    return replace(given, channels=given.channels // block**2, scale=given.scale * block)


def _transpose(node: Node, given: Planes, constants: Mapping[str, Array]) -> Planes:
    order = constants.get(node.inputs[1]) if len(node.inputs) == 2 else None
    wanted = TO_NHWC if given.first else TO_NCHW
    if few_integers(order) != wanted:
        raise WeightsError("it turns axes in a way that is no change of layout")
    return replace(given, first=not given.first)


_HANDLERS: Mapping[str, Callable[[Node, Planes, Mapping[str, Array]], Planes]] = {
    "Conv2D": _convolution,
    "DepthToSpace": _depth_to_space,
    "Transpose": _transpose,
}
