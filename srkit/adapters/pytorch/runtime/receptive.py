"""The receptive field of a network, worked out from its layers."""

from __future__ import annotations

import itertools
import math
import operator
from typing import Any

import torch
from torch import fx, nn

from srkit.adapters.pytorch.graphs.graphdef import Reorder
from srkit.adapters.pytorch.runtime.tracing import resizes
from srkit.adapters.pytorch.runtime.twins import twin_of
from srkit.errors import WeightsError
from srkit.receptive import Reach
from srkit.upscaling.upscaler import LONGEST_SIDE

# Layers that look at one pixel at a time.
POINTWISE = (
    nn.PReLU, nn.ReLU, nn.LeakyReLU, nn.ReLU6, nn.ELU, nn.CELU, nn.SELU, nn.GELU, nn.SiLU,
    nn.Mish, nn.Tanh, nn.Sigmoid, nn.LogSigmoid, nn.Softplus, nn.Softsign, nn.Hardtanh,
    nn.Hardsigmoid, nn.Hardswish, nn.BatchNorm2d, nn.Identity, nn.Dropout, nn.Dropout2d, Reorder,
)  # fmt: skip
POINTWISE_FUNCTIONS = {
    "add", "sub", "mul", "div", "truediv", "iadd", "isub", "imul", "itruediv", "subtract",
    "multiply", "divide", "true_divide", "rsub", "lerp", "addcmul", "cat", "to", "contiguous",
    "maximum", "minimum", "clamp", "clip", "clamp_min", "clamp_max", "abs", "absolute", "neg",
    "negative", "tanh", "relu", "leaky_relu", "sigmoid", "silu", "mish", "floor", "ceil", "round",
    "trunc", "square", "sqrt", "rsqrt", "pow", "exp", "log", "log10", "sin", "cos", "tan", "asin",
    "acos", "atan", "reciprocal",
}  # fmt: skip

# Padding that shows what lies near; circular padding shows the other border.
PADS = (nn.ZeroPad2d, nn.ConstantPad2d, nn.ReflectionPad2d, nn.ReplicationPad2d)
# Interpolation, and how many pixels farther than the one that they lie in its results see.
_MODES = ("nearest", "nearest-exact", "bilinear", "bicubic")
_REACHES = {"bilinear": 1, "bicubic": 2}


def receptive_radius(traced: fx.GraphModule) -> int:
    """How many LR pixels away an input pixel can be and still change an output pixel.

    Parameters
    ----------
    traced
        A network of convolutions and pools (also strided), padding, pixel shuffles and unshuffles,
        interpolation by whole factors, pointwise layers, sums and concatenations, as `trace`
        gives it. Where one brings a plane to the size of another, parts of a picture are not parts
        of the result, and the radius is as far as any picture is wide.

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
            known = node.op == "call_module"
            layer = modules.get(str(node.target)) if known else twin_of(traced, node)
            reach[node] = _grow(Reach.widest(sources), layer, node, axis)
    raise WeightsError("the network has no output")


def _grow(reach: Reach, layer: nn.Module | None, node: fx.Node, axis: int) -> Reach:
    """Reach along an axis after one step of the network."""
    if getattr(layer, "padding_mode", "zeros") == "circular":
        raise _unknown(layer)  # one border sees the other
    if isinstance(layer, nn.Conv2d) and all(s == 1 for s in layer.stride):
        return reach.centred(_last_tap(layer, axis))
    if isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
        return reach.convolved(*_window(layer, axis))
    if isinstance(layer, nn.ConvTranspose2d):
        return reach.transposed(*_window(layer, axis))
    if isinstance(layer, nn.PixelUnshuffle):
        return reach.coarser(layer.downscale_factor)
    if isinstance(layer, nn.PixelShuffle):
        return reach.finer(layer.upscale_factor)
    if isinstance(layer, nn.Upsample):
        return reach.beyond(_REACHES.get(layer.mode, 0)).finer(_repeats(layer, axis))
    if isinstance(layer, POINTWISE):
        return reach
    if isinstance(layer, PADS):
        return reach.beyond(_padded(layer, node, axis))
    if node.target is operator.getitem and _of_channels(node.args[1]):
        return reach
    if (asked := _asked_of(node)) in ("shape", "size"):
        raise WeightsError(
            f"it asks how large its input is (.{asked}), and of a tile would be told another size "
            "than of the picture; if that is for padding, leave it to srkit: multiple="
        )
    name: Any = f"a tensor's {asked}" if asked else getattr(node.target, "__name__", node.target)
    if layer is None and str(name).strip("_") in POINTWISE_FUNCTIONS:
        return reach
    raise _unknown(layer or name)


def _asked_of(node: fx.Node) -> str | None:
    """What a network asks of a tensor besides its values, such as ``"shape"``."""
    if node.op == "call_function" and node.target is getattr:
        return str(node.args[1])
    return "size" if node.op == "call_method" and node.target == "size" else None


def _unknown(what: object) -> WeightsError:
    return WeightsError(f"the receptive field of {what} is not known")


def _repeats(layer: nn.Upsample, axis: int) -> int:
    """Pixels along an axis that interpolation makes of one."""
    factor: Any = layer.scale_factor
    if isinstance(factor, tuple):
        factor = factor[axis]
    by_places = layer.size is None and not layer.align_corners and layer.mode in _MODES
    if not (by_places and factor and factor >= 1 and factor == int(factor)):
        raise _unknown(layer)
    return int(factor)


def _padded(layer: Any, node: fx.Node, axis: int) -> int:
    """How many pixels farther what follows sees, of this plane, for padding before it.

    None where windows take it up that are as wide: what is padded by them is centred.
    """
    before, after = layer.padding[2 - 2 * axis :][:2]
    if min(before, after) < 0:
        raise _unknown(layer)
    if isinstance(layer, nn.ReplicationPad2d) and max(layer.padding) <= 1:
        # One pixel is within what the next layer is taken to see on that side.
        return 0
    taken_up = before == after and all(_takes_up(before, user, axis) for user in node.users)
    return 0 if taken_up else max(before, after)


def _takes_up(padding: int, user: fx.Node, axis: int) -> bool:
    """Whether what follows is a convolution that is at least as wide as its padding."""
    if user.op != "call_module" or user.graph.owning_module is None:
        return False
    window = user.graph.owning_module.get_submodule(str(user.target))
    if not isinstance(window, nn.Conv2d) or window.stride[axis] != 1:
        return False
    return 2 * (padding + _own(window, axis)) <= _last_tap(window, axis)


def _own(layer: nn.Conv2d, axis: int) -> int:
    """Padding of a convolution itself, before the plane."""
    if isinstance(layer.padding, str):
        return 0 if layer.padding == "valid" else _last_tap(layer, axis)
    return _along(layer.padding, axis)


def _of_channels(index: object) -> bool:
    """Whether an index takes some channels of all pixels."""
    return isinstance(index, tuple) and len(index) == 2 and index[0] == slice(None)


Windowed = nn.Conv2d | nn.ConvTranspose2d | nn.MaxPool2d | nn.AvgPool2d


def _window(layer: Windowed, axis: int) -> tuple[int, int, int]:
    """Stride, padding, and where the last tap lies, of a layer that looks through a window."""
    if getattr(layer, "ceil_mode", False):
        raise _unknown(layer)
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
