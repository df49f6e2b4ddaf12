"""The receptive field of a network, worked out from its layers."""

from __future__ import annotations

import itertools
import math
import operator
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from srkit.adapters.pytorch.graphs.graphdef import Reorder
from srkit.adapters.pytorch.runtime.tracing import resizes
from srkit.errors import WeightsError
from srkit.receptive import Reach
from srkit.upscaling.upscaler import LONGEST_SIDE

# Layers that look at one pixel at a time.
POINTWISE = (
    nn.PReLU, nn.ReLU, nn.LeakyReLU, nn.Tanh, nn.Sigmoid, nn.SiLU, nn.GELU,
    nn.BatchNorm2d, nn.Identity, nn.Dropout, Reorder,
)  # fmt: skip
POINTWISE_FUNCTIONS = {
    "add", "sub", "mul", "truediv", "iadd", "isub", "imul", "itruediv", "cat", "tanh", "relu",
    "sigmoid", "clamp", "to", "contiguous", "abs", "neg", "maximum", "minimum", "leaky_relu",
    "silu", "mish", "floor", "ceil", "round", "trunc", "square", "sqrt", "rsqrt", "pow", "exp",
    "log", "log10", "sin", "cos", "tan", "asin", "acos", "atan", "reciprocal",
}  # fmt: skip


def receptive_radius(traced: fx.GraphModule) -> int:
    """How many LR pixels away an input pixel can be and still change an output pixel.

    Parameters
    ----------
    traced
        A network of convolutions (also strided), pixel shuffles and unshuffles, nearest-neighbour
        interpolation, pointwise layers, sums and concatenations, as `trace` gives it. Where one
        brings a plane to the size of another, parts of a picture are not parts of the result,
        and the radius is as far as any picture is wide.

    Raises
    ------
    WeightsError
        If a layer is not known here: its reach would be a guess.

    Examples
    --------
    >>> from srkit.adapters.pytorch.runtime.tracing import trace
    >>> net = nn.Sequential(nn.Conv2d(1, 4, 5, padding=2), nn.PixelShuffle(2))
    >>> receptive_radius(trace(net))
    2
    """
    if resizes(traced):
        return LONGEST_SIDE
    # Axis by axis, since a line of a blur reaches far along one alone.
    return max(_radius_along(traced, axis) for axis in (0, 1))


def _radius_along(traced: fx.GraphModule, axis: int) -> int:
    """The radius along rows, which is axis 0, or along columns."""
    modules = dict(traced.named_modules())
    reach: dict[fx.Node, Reach] = {}
    for node in traced.graph.nodes:
        sources = [reach[n] for n in node.all_input_nodes if n in reach]
        if node.op == "placeholder":
            reach[node] = Reach()
        elif node.op == "output":
            return math.ceil(sources[0].radius)
        elif sources:
            layer = modules.get(str(node.target)) if node.op == "call_module" else None
            reach[node] = _grow(Reach.widest(sources), layer, node, axis)
    raise WeightsError("the network has no output")


def _grow(reach: Reach, layer: nn.Module | None, node: fx.Node, axis: int) -> Reach:
    """Reach along an axis after one step of the network."""
    if isinstance(layer, nn.Conv2d) and all(s == 1 for s in layer.stride):
        return reach.centred(_last_tap(layer, axis))
    if isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
        return reach.convolved(*_window(layer, axis))
    if isinstance(layer, nn.ConvTranspose2d):
        return reach.transposed(*_window(layer, axis))
    if isinstance(layer, nn.PixelUnshuffle):
        return reach.coarser(layer.downscale_factor)
    factor = layer.upscale_factor if isinstance(layer, nn.PixelShuffle) else _repeats(layer, node)
    if factor:
        return reach.finer(factor)
    if isinstance(layer, POINTWISE):
        return reach
    if isinstance(layer, nn.ReplicationPad2d) and max(layer.padding) <= 1:
        # One pixel is within what the next layer is taken to see on that side.
        return reach
    if node.target is operator.getitem and _of_channels(node.args[1]):
        return reach
    name: Any = getattr(node.target, "__name__", node.target)
    if layer is None and str(name).strip("_") in POINTWISE_FUNCTIONS:
        return reach
    raise WeightsError(f"the receptive field of {layer or name} is not known")


def _repeats(layer: nn.Module | None, node: fx.Node) -> int:
    """How often nearest-neighbour interpolation repeats each pixel; 0 for all else."""
    given: dict[str, Any] = {}
    if isinstance(layer, nn.Upsample):
        given = {key: getattr(layer, key) for key in ("size", "scale_factor", "mode")}
    elif layer is None and node.target is functional.interpolate:
        given = dict(zip(("input", "size", "scale_factor", "mode"), node.args, strict=False))
        given |= node.kwargs
    factor = given.get("scale_factor")
    nearest = given.get("mode", "nearest") in ("nearest", "nearest-exact")
    if not (nearest and isinstance(factor, int | float)) or given.get("size") is not None:
        return 0
    return int(factor) if factor >= 1 and factor == int(factor) else 0


def _of_channels(index: object) -> bool:
    """Whether an index takes some channels of all pixels."""
    return isinstance(index, tuple) and len(index) == 2 and index[0] == slice(None)


Windowed = nn.Conv2d | nn.ConvTranspose2d | nn.MaxPool2d | nn.AvgPool2d


def _window(layer: Windowed, axis: int) -> tuple[int, int, int]:
    """Stride, padding, and where the last tap lies, of a layer that looks through a window."""
    if getattr(layer, "ceil_mode", False):
        raise WeightsError(f"the receptive field of {layer} is not known")
    return _along(layer.stride, axis), _along(layer.padding, axis), _last_tap(layer, axis)


def _last_tap(layer: Windowed, axis: int) -> int:
    return _along(getattr(layer, "dilation", 1), axis) * (_along(layer.kernel_size, axis) - 1)


def _along(sides: Any, axis: int) -> int:
    """The number for an axis: pools may state one for both."""
    return int(sides if isinstance(sides, int) else sides[axis])


@torch.no_grad()
def fold_batch_norm(net: nn.Module) -> nn.Module:
    """Fold each batch norm that follows a convolution in a `Sequential` into it, in place.

    Twice 64 numbers move into the convolution's weights; the result is the same up
    to rounding, and faster.
    """
    for module in net.modules():
        if not isinstance(module, nn.Sequential):
            continue
        for i, (layer, following) in enumerate(itertools.pairwise(list(module))):
            if isinstance(layer, nn.Conv2d) and isinstance(following, nn.BatchNorm2d):
                module[i] = nn.utils.fusion.fuse_conv_bn_eval(layer.eval(), following.eval())
                module[i + 1] = nn.Identity()
    return net
