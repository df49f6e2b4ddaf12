"""A judged ncnn network as a graph of torch, operation by operation."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from srkit.adapters.pytorch.generated import graph_module
from srkit.adapters.pytorch.graphs.graphdef import Reorder, inner_order
from srkit.adapters.readers.ncnn import operations as ncnn
from srkit.adapters.readers.ncnn.network import Network, Step
from srkit.adapters.readers.ncnn.resampling import phases
from srkit.adapters.readers.ncnn.stored import Array


def rebuild(network: Network) -> fx.GraphModule:
    """The network for torch, in float32.

    Returns
    -------
    GraphModule
        ``(N, C, H, W)`` to ``(N, C, s*H, s*W)``, where the network enlarges images by s. One
        number a channel is ``(N, C, 1, 1)`` on the way.
    """
    return _Builder(network).build()


class _Builder:
    """Walks over a network's steps and writes the same down for torch."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._root = nn.Module()
        self._graph = fx.Graph()
        self._made: dict[str, fx.Node] = {}
        self._number = 0

    def build(self) -> fx.GraphModule:
        for step in self._network.steps:
            node = self._step(step)
            self._made.update(dict.fromkeys(step.outputs, node))
        self._graph.output(self._made[self._network.output])
        return graph_module(self._root, self._graph)

    def _step(self, step: Step) -> fx.Node:
        given = [self._made[name] for name in step.inputs]
        for operation in step.operations:
            given = [self._operation(operation, given)]
        if not given:
            return self._graph.placeholder("image")
        return given[0]

    def _operation(self, operation: ncnn.Operation, given: Sequence[fx.Node]) -> fx.Node:
        match operation:
            case ncnn.Constant(weight):
                return self._numbers(weight)
            case ncnn.Concatenation():
                return self._call(torch.cat, list(given), 1)
            case ncnn.Combination():
                return self._combination(operation, given)
            case ncnn.Arithmetic():
                return self._arithmetic(operation, given)
        return self._of_one(operation, given[0])

    def _of_one(self, operation: ncnn.Operation, image: fx.Node) -> fx.Node:
        """What is done to one result."""
        match operation:
            case ncnn.Convolution():
                return self._convolution(operation, image)
            case ncnn.Deconvolution():
                return self._deconvolution(operation, image)
            case ncnn.Pointwise(name, constants):
                return self._pointwise(name, constants, image)
            case ncnn.Slopes(weight):
                layer = nn.PReLU(weight.size)
                layer.weight = _parameter(weight)
                return self._module(layer, image)
            case ncnn.Affine(weight, bias):
                made = self._call(torch.mul, image, self._numbers(weight))
                return made if bias is None else self._call(torch.add, made, self._numbers(bias))
            case ncnn.Shuffle(factor, channels, inner):
                if inner:
                    image = self._module(Reorder(inner_order(channels, factor)), image)
                return self._module(nn.PixelShuffle(factor), image)
            case ncnn.Resample():
                return self._resample(operation, image)
            case ncnn.PoolAll(most):
                pool = functional.adaptive_max_pool2d if most else functional.adaptive_avg_pool2d
                return self._call(pool, image, 1)
            case ncnn.Pool():
                return self._pool(operation, image)
            case ncnn.Frame(sides, mode, value):
                rest = (value,) if mode == "constant" else ()
                return self._call(functional.pad, image, sides, mode, *rest)
            case ncnn.Pick(first, stop):
                return self._call(operator.getitem, image, (slice(None), slice(first, stop)))
        raise TypeError(f"{operation!r} is no operation of one result")

    def _call(self, function: Callable[..., Any], *given: Any) -> fx.Node:
        return self._graph.call_function(function, given)

    def _name(self, kind: str) -> str:
        self._number += 1
        return f"{kind}{self._number}"

    def _module(self, module: nn.Module, given: fx.Node) -> fx.Node:
        name = self._name("layer")
        self._root.add_module(name, module)
        return self._graph.call_module(name, (given,))

    def _numbers(self, weight: Array) -> fx.Node:
        """Numbers of the file that broadcast over planes."""
        name = self._name("numbers")
        self._root.register_parameter(name, _parameter(weight.reshape(1, -1, 1, 1)))
        return self._graph.get_attr(name)

    def _convolution(self, step: ncnn.Convolution, image: fx.Node) -> fx.Node:
        left, right, top, bottom = step.sides
        even = (left, top) == (right, bottom) and not step.value
        if not even:
            image = self._call(functional.pad, image, step.sides, "constant", step.value)
        outputs, inputs, *kernel = step.weight.shape
        layer = nn.Conv2d(
            inputs * step.groups,
            outputs,
            tuple(kernel),
            step.stride,
            (top, left) if even else 0,
            step.dilation,
            step.groups,
            bias=step.bias is not None,
            device="meta",
        )
        return self._module(_filled(layer, step.weight, step.bias), image)

    def _deconvolution(self, step: ncnn.Deconvolution, image: fx.Node) -> fx.Node:
        left, right, top, bottom = step.sides
        even = min(left, right), min(top, bottom)
        outputs, inputs, *kernel = step.weight.shape
        layer = nn.ConvTranspose2d(
            inputs,
            outputs,
            tuple(kernel),
            step.stride,
            even[::-1],
            step.more,
            bias=step.bias is not None,
            dilation=step.dilation,
            device="meta",
        )
        made = self._module(_filled(layer, step.weight.swapaxes(0, 1), step.bias), image)
        rest = left - even[0], right - even[0], top - even[1], bottom - even[1]
        if any(rest):
            made = self._call(functional.pad, made, tuple(-n for n in rest), "constant", 0.0)
        return made

    def _pointwise(self, name: str, constants: tuple[float, ...], image: fx.Node) -> fx.Node:
        if name == "hard_swish":
            slope, start = constants
            line = self._call(torch.add, self._call(torch.mul, image, slope), start)
            return self._call(torch.mul, image, self._call(torch.clamp, line, 0.0, 1.0))
        function = getattr(torch, name, None) or getattr(functional, name)
        return self._call(function, image, *constants)

    def _arithmetic(self, step: ncnn.Arithmetic, given: Sequence[fx.Node]) -> fx.Node:
        if step.number is not None and step.name in ("maximum", "minimum"):
            bounds = (step.number, None) if step.name == "maximum" else (None, step.number)
            return self._call(torch.clamp, given[0], *bounds)
        operands = list(given) if step.number is None else [given[0], step.number]
        function = getattr(operator, step.name, None) or getattr(torch, step.name)
        return self._call(function, *(reversed(operands) if step.swapped else operands))

    def _combination(self, step: ncnn.Combination, given: Sequence[fx.Node]) -> fx.Node:
        parts = list(given)
        for number, factor in enumerate(step.coefficients):
            if factor != 1:
                parts[number] = self._call(torch.mul, parts[number], factor)
        made = parts[0]
        for part in parts[1:]:
            made = self._call(getattr(torch, step.name), made, part)
        return made

    def _resample(self, step: ncnn.Resample, image: fx.Node) -> fx.Node:
        if step.mode == "nearest" and step.down == 1:
            return self._call(functional.interpolate, image, None, float(step.up))
        line = phases(step.mode, step.up, step.down)
        # Each pixel of a block is one of its channel's outputs.
        plane = np.einsum("ik,jl->ijkl", line, line).reshape(
            -1, 1, *line.shape[1:], *line.shape[1:]
        )
        layer = nn.Conv2d(
            step.channels,
            step.channels * step.up**2,
            line.shape[1],
            step.down,
            (line.shape[1] - step.down) // 2,
            groups=step.channels,
            bias=False,
            padding_mode="replicate",
            device="meta",
        )
        # Nobody trained it.
        del layer.weight
        layer.register_buffer("weight", _tensor(np.tile(plane, (step.channels, 1, 1, 1))))
        made = self._module(layer, image)
        return made if step.up == 1 else self._module(nn.PixelShuffle(step.up), made)

    def _pool(self, step: ncnn.Pool, image: fx.Node) -> fx.Node:
        if step.most:
            return self._module(nn.MaxPool2d(step.kernel, step.stride, step.padding), image)
        layer = nn.AvgPool2d(step.kernel, step.stride, step.padding, count_include_pad=step.counted)
        return self._module(layer, image)


def _filled(layer: Any, weight: Array, bias: Array | None) -> Any:
    """A layer that was built without storage, with its numbers."""
    layer.weight = _parameter(weight)
    if bias is not None:
        layer.bias = _parameter(bias)
    return layer


def _parameter(numbers: Array) -> nn.Parameter:
    return nn.Parameter(_tensor(numbers), requires_grad=False)


def _tensor(numbers: Array) -> Tensor:
    return torch.from_numpy(np.array(numbers, np.float32, order="C"))
