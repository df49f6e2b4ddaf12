"""A torch network, traced, in ONNX's operators.

torch's own exporter took half a minute for SRResNet where this took a second, needs two packages
more, and writes paths of the machine into the file. The layers here are those whose
receptive field srkit knows: a network of others is refused when it is loaded.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper
from torch import Tensor, fx, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.passes.shape_prop import ShapeProp

from srkit.adapters.pytorch.graphs.graphdef import Reorder
from srkit.errors import WeightsError

INPUT, OUTPUT = "image", "upscaled"
# Old enough for every ONNX Runtime that the extra allows, and for other programs.
OPSET, IR_VERSION = 17, 8


def network(traced: fx.GraphModule, channels: int, scale: int, header: Mapping[str, str]) -> Any:
    """The ``onnx.ModelProto`` of a network, with free batch, height and width.

    Parameters
    ----------
    traced
        ``(N, C, H, W)`` to ``(N, C, scale*H, scale*W)``, as `trace` gives it.
    channels
        C.
    header
        For ``metadata_props``.

    Raises
    ------
    WeightsError
        If it has a layer that is not known here.
    """
    # Shapes alone: nothing is computed. The sides suit whatever halves or thirds them.
    sample = torch.zeros(1, channels, 192, 192)
    ShapeProp(traced, fake_mode=FakeTensorMode()).propagate(sample)
    writer = _Writer(traced)
    for node in traced.graph.nodes:
        writer.step(node)
    sides = ("batch", channels, "height", "width")
    finer = ("batch", channels, f"{scale}*height", f"{scale}*width")
    graph = helper.make_graph(
        writer.nodes,
        "network",
        [helper.make_tensor_value_info(INPUT, onnx.TensorProto.FLOAT, sides)],
        [helper.make_tensor_value_info(OUTPUT, onnx.TensorProto.FLOAT, finer)],
        writer.constants,
    )
    model = helper.make_model(
        graph,
        producer_name="srkit",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    helper.set_model_props(model, dict(header))
    return model


@dataclass
class _Writer:
    """Walks over a traced network and writes the same down for ONNX."""

    traced: fx.GraphModule
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    names: dict[fx.Node, str] = field(default_factory=dict)
    channels: int = 0  # of the result that is written now

    def step(self, node: fx.Node) -> None:
        """One node of the trace."""
        if (facts := node.meta.get("tensor_meta")) is not None and len(facts.shape) == 4:
            self.channels = facts.shape[1]
        if node.op == "placeholder":
            self.names[node] = INPUT
        elif node.op == "get_attr":
            value: Any = operator.attrgetter(str(node.target))(self.traced)
            self.names[node] = self.constant(_array(value))
        elif node.op == "output":
            self.nodes.append(helper.make_node("Identity", [self.operand(node.args[0])], [OUTPUT]))
        elif node.op == "call_module":
            layer = self.traced.get_submodule(str(node.target))
            self.names[node] = self.layer(layer, self.operand(node.args[0]))
        else:
            self.names[node] = self.function(node)

    def layer(self, layer: nn.Module, given: str) -> str:
        """A module on one result."""
        if isinstance(layer, nn.Identity | nn.Dropout):
            return given
        for kind, write in _LAYERS.items():
            if isinstance(layer, kind):
                return write(self, layer, given)
        raise WeightsError(f"the layer {layer} cannot be written as ONNX")

    def function(self, node: fx.Node) -> str:
        """A function or method on results and numbers."""
        name = str(getattr(node.target, "__name__", node.target)).strip("_")
        args = node.args
        plain = node.kwargs.keys() <= {"inplace"} and len(args) <= 2
        if name in _FUNCTIONS and plain:
            return self.add(_FUNCTIONS[name], [self.operand(part) for part in args])
        if name == "leaky_relu":
            slope = args[1] if len(args) > 1 else node.kwargs.get("negative_slope", 0.01)
            return self.add("LeakyRelu", [self.operand(args[0])], alpha=float(slope))  # type: ignore[arg-type]
        if name == "clamp" and len(args) == 3:
            return self.add("Clip", [self.operand(part) for part in args])
        if name == "interpolate":
            options: Any = {**dict(zip(_ENLARGING, args[1:], strict=False)), **node.kwargs}
            return _enlarged(self, self.operand(args[0]), **options)
        if name == "cat" and _axis(node) == 1:
            parts: Any = args[0]
            return self.add("Concat", [self.operand(part) for part in parts], axis=1)
        if name == "getitem" and (channels := _channels(args[1])) is not None:
            first, last = (self.constant(np.array([n], np.int64)) for n in channels)
            axis = self.constant(np.array([1], np.int64))
            return self.add("Slice", [self.operand(args[0]), first, last, axis])
        raise WeightsError(f"the operation {name} cannot be written as ONNX, in the form it has")

    def operand(self, value: Any) -> str:
        """Name of a result, or of a number as a constant."""
        if isinstance(value, fx.Node):
            return self.names[value]
        if isinstance(value, int | float):
            return self.constant(np.array(value, np.float32))
        raise WeightsError(f"an operation takes {value!r}, which cannot be written as ONNX")

    def constant(self, value: np.ndarray[Any, Any]) -> str:
        """A new constant's name."""
        name = f"constant{len(self.constants)}"
        self.constants.append(onnx.numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, op: str, inputs: list[str], **attributes: Any) -> str:
        """A new node's result."""
        name = f"step{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], **attributes))
        return name


def _array(value: Tensor) -> np.ndarray[Any, Any]:
    floats = value.detach().cpu()
    return (floats.float() if floats.is_floating_point() else floats).numpy()


def _axis(node: fx.Node) -> object:
    return node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)


def _channels(index: object) -> tuple[int, int] | None:
    """First and last of an index that takes neighbouring channels of all pixels."""
    if not (isinstance(index, tuple) and len(index) == 2 and index[0] == slice(None)):
        return None
    part = index[1]
    if not isinstance(part, slice) or part.step not in (None, 1):
        return None
    last = np.iinfo(np.int64).max if part.stop is None else part.stop
    return part.start or 0, int(last)


def _pair(value: Any) -> list[int]:
    return [value, value] if isinstance(value, int) else [int(n) for n in value]


def _convolution(writer: _Writer, layer: Any, given: str) -> str:
    if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        raise WeightsError(f"the padding of {layer} cannot be written as ONNX")
    inputs = [given, writer.constant(_array(layer.weight))]
    if layer.bias is not None:
        inputs.append(writer.constant(_array(layer.bias)))
    more: dict[str, Any] = {}
    if isinstance(layer, nn.ConvTranspose2d):
        more["output_padding"] = _pair(layer.output_padding)
    return writer.add(
        "ConvTranspose" if more else "Conv",
        inputs,
        kernel_shape=_pair(layer.kernel_size),
        strides=_pair(layer.stride),
        pads=_pair(layer.padding) * 2,
        dilations=_pair(layer.dilation),
        group=layer.groups,
        **more,
    )


def _prelu(writer: _Writer, layer: Any, given: str) -> str:
    slopes = _array(layer.weight).reshape(-1, 1, 1)
    return writer.add("PRelu", [given, writer.constant(slopes)])


def _shuffled(writer: _Writer, given: str, block: int) -> str:
    # CRD: of the channels of one pixel those of a colour are neighbours, as in torch.
    return writer.add("DepthToSpace", [given], blocksize=block, mode="CRD")


def _unshuffled(writer: _Writer, given: str, block: int) -> str:
    # Its opposite has one order alone, in which those of one place in the block are neighbours.
    spaced = writer.add("SpaceToDepth", [given], blocksize=block)
    order = np.arange(writer.channels).reshape(block**2, -1).T.ravel()
    return writer.add("Gather", [spaced, writer.constant(order)], axis=1)


def _enlarged(
    writer: _Writer,
    given: str,
    size: object = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    **_: object,
) -> str:
    """Each pixel repeated a whole number of times."""
    factors = list(scale_factor) if isinstance(scale_factor, tuple | list) else [scale_factor] * 2
    whole = all(isinstance(n, int | float) and n >= 1 and n == int(n) for n in factors)
    if size is not None or mode not in ("nearest", "nearest-exact") or not whole:
        raise WeightsError(
            f"to enlarge by {scale_factor or size} ({mode}) cannot be written as ONNX; only "
            "nearest-neighbour by whole factors can"
        )
    scales = writer.constant(np.array([1, 1, *factors], np.float32))
    return writer.add(
        "Resize",
        [given, "", scales],
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )


def _reorder(writer: _Writer, layer: Any, given: str) -> str:
    return writer.add("Gather", [given, writer.constant(_array(layer.order))], axis=1)


def _silu(writer: _Writer, layer: Any, given: str) -> str:
    return writer.add("Mul", [given, writer.add("Sigmoid", [given])])


def _norm(writer: _Writer, layer: Any, given: str) -> str:
    parts = (layer.weight, layer.bias, layer.running_mean, layer.running_var)
    inputs = [given, *(writer.constant(_array(part)) for part in parts)]
    return writer.add("BatchNormalization", inputs, epsilon=layer.eps)


def _replicated(writer: _Writer, layer: Any, given: str) -> str:
    left, right, top, bottom = layer.padding
    pads = np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)
    return writer.add("Pad", [given, writer.constant(pads)], mode="edge")


def _pooled(writer: _Writer, layer: Any, given: str) -> str:
    options = {
        "kernel_shape": _pair(layer.kernel_size),
        "strides": _pair(layer.stride),
        "pads": _pair(layer.padding) * 2,
    }
    if isinstance(layer, nn.AvgPool2d):
        whole = int(layer.count_include_pad)
        return writer.add("AveragePool", [given], count_include_pad=whole, **options)
    return writer.add("MaxPool", [given], dilations=_pair(layer.dilation), **options)


_LAYERS: Mapping[Any, Callable[[_Writer, Any, str], str]] = {
    nn.Conv2d | nn.ConvTranspose2d: _convolution,
    nn.PReLU: _prelu,
    nn.ReLU: lambda writer, layer, given: writer.add("Relu", [given]),
    nn.SiLU: _silu,
    nn.Tanh: lambda writer, layer, given: writer.add("Tanh", [given]),
    nn.Sigmoid: lambda writer, layer, given: writer.add("Sigmoid", [given]),
    nn.LeakyReLU: lambda writer, layer, given: writer.add(
        "LeakyRelu", [given], alpha=layer.negative_slope
    ),
    nn.PixelShuffle: lambda writer, layer, given: _shuffled(writer, given, layer.upscale_factor),
    nn.PixelUnshuffle: lambda writer, layer, given: _unshuffled(
        writer, given, layer.downscale_factor
    ),
    nn.Upsample: lambda writer, layer, given: _enlarged(
        writer, given, layer.size, layer.scale_factor, layer.mode
    ),
    Reorder: _reorder,
    nn.BatchNorm2d: _norm,
    nn.ReplicationPad2d: _replicated,
    nn.MaxPool2d | nn.AvgPool2d: _pooled,
}
_ENLARGING = ("size", "scale_factor", "mode")  # in the order of torch's interpolate
_FUNCTIONS = {
    "abs": "Abs", "add": "Add", "iadd": "Add", "maximum": "Max", "minimum": "Min", "mul": "Mul",
    "neg": "Neg", "relu": "Relu", "sigmoid": "Sigmoid", "sub": "Sub", "tanh": "Tanh",
    "truediv": "Div",
}  # fmt: skip
