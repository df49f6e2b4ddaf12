"""A frozen TensorFlow graph rebuilt as a torch network, without TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from srkit.adapters.pytorch.generated import graph_module
from srkit.adapters.readers.graphdef.attributes import dilation
from srkit.adapters.readers.graphdef.graph import Array, Node
from srkit.adapters.readers.graphdef.program import Program
from srkit.errors import WeightsError


def rebuild(program: Program, output: str) -> fx.GraphModule:
    """The network that computes one output of a graph.

    Parameters
    ----------
    program
        From `srkit.adapters.readers.graphdef.program.understand`.
    output
        One of its outputs.

    Returns
    -------
    GraphModule
        ``(N, C, H, W)`` to ``(N, C, s*H, s*W)``, whatever the graph's own layout: changes
        of layout are left out.
    """
    return _Builder(program, output).build()


class _Builder:
    """Walks over a program's operations and writes the same down for torch."""

    def __init__(self, program: Program, output: str) -> None:
        self._program, self._output = program, output
        self._nodes = program.needed(output)
        self._root = nn.Module()
        self._graph = fx.Graph()
        self._made: dict[str, fx.Node] = {}

    def build(self) -> fx.GraphModule:
        for node in self._nodes:
            self._made[node.name] = self._step(node)
        self._graph.output(self._made[self._output])
        return graph_module(self._root, self._graph)

    def _step(self, node: Node) -> fx.Node:
        if node.op == "Placeholder":
            return self._graph.placeholder("image")
        if node.op in ("Identity", "Transpose"):
            return self._made[node.inputs[0]]
        if node.op == "Conv2D":
            return self._convolution(node)
        if node.op == "DepthToSpace":
            return self._depth_to_space(node)
        if node.op == "LeakyRelu":
            slope = node.attributes.get("alpha", 0.2)
            return self._call(functional.leaky_relu, self._made[node.inputs[0]], slope)
        if node.op in _FUNCTIONS:
            return self._call(_FUNCTIONS[node.op], *map(self._operand, node.inputs))
        raise WeightsError(f"node {node.name!r} is {node.op}, which torch is not told to do")

    def _call(self, function: Callable[..., Tensor], *given: object) -> fx.Node:
        return self._graph.call_function(function, given)  # type: ignore[arg-type]

    def _operand(self, name: str) -> fx.Node:
        """A result, or a constant as a buffer that broadcasts over planes."""
        if name in self._made:
            return self._made[name]
        self._made[name] = self._buffer(self._program.constants[name])
        return self._made[name]

    def _buffer(self, value: Array) -> fx.Node:
        # One number, or one a channel, wherever the layout has its channels: `understand`
        # made sure.
        flat = np.asarray(value, np.float32).reshape(-1)
        name = f"constant{len(self._made)}"
        self._root.register_buffer(name, torch.from_numpy(flat.copy()).view(1, -1, 1, 1))
        return self._graph.get_attr(name)

    def _module(self, module: nn.Module, given: fx.Node) -> fx.Node:
        name = f"layer{len(self._graph.nodes)}"
        self._root.add_module(name, module)
        return self._graph.call_module(name, (given,))

    def _convolution(self, node: Node) -> fx.Node:
        # HWIO, where torch has OIHW.
        kernel = np.asarray(self._program.constants[node.inputs[1]], np.float32)
        # SAME padding of an even kernel has one zero more after than before; so has an odd
        # kernel that begins with a row of zeros.
        kernel = np.pad(kernel, [(1 - n % 2, 0) for n in kernel.shape[:2]] + [(0, 0), (0, 0)])
        height, width, c_in, c_out = kernel.shape
        rows, columns = dilation(node)
        layer = nn.Conv2d(
            c_in,
            c_out,
            (height, width),
            padding=(rows * (height // 2), columns * (width // 2)),
            dilation=(rows, columns),
            bias=False,
        )
        layer.weight.data = torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy())
        return self._module(layer, self._made[node.inputs[0]])

    def _depth_to_space(self, node: Node) -> fx.Node:
        """Pixel shuffle; TensorFlow's channels run fastest, torch's slowest."""
        block = cast(int, node.attributes["block_size"])  # `understand` made sure
        given = self._made[node.inputs[0]]
        channels = self._program.planes[node.name].channels or 1
        if channels > 1:
            given = self._module(Reorder(inner_order(channels, block)), given)
        return self._module(nn.PixelShuffle(block), given)


def inner_order(channels: int, block: int) -> Tensor:
    """For torch's pixel shuffle: where its channels are, if those of an image run fastest."""
    return torch.arange(channels * block**2).view(block**2, channels).t().reshape(-1)


class Reorder(nn.Module):
    """Channels in another order."""

    order: Tensor

    def __init__(self, order: Tensor) -> None:
        super().__init__()
        self.register_buffer("order", order)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` to the same shape."""
        return x[:, self.order]


_FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "Abs": torch.abs,
    "Add": torch.add,
    "AddV2": torch.add,
    "BiasAdd": torch.add,
    "Maximum": torch.maximum,
    "Minimum": torch.minimum,
    "Mul": torch.mul,
    "Neg": torch.neg,
    "Relu": torch.relu,
    "Sigmoid": torch.sigmoid,
    "Sub": torch.sub,
    "Tanh": torch.tanh,
}
