"""Functions that have a module which does the same: in a traced network they become that module.

``functional.pixel_shuffle(x, 2)`` is ``nn.PixelShuffle(2)``. So whatever knows the module, as
receptive fields, streams, memory and ONNX do, knows the function, too.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional


def with_twins(traced: fx.GraphModule) -> None:
    """Put modules in the place of functions and methods that have one, in a traced network.

    What takes numbers that the network computes, or is given by arguments that the module does
    not have, stays as it is.

    Parameters
    ----------
    traced
        It is changed; its weights are shared with the modules, not copied.

    Examples
    --------
    >>> class Doubled(nn.Module):
    ...     def forward(self, x):
    ...         return functional.pixel_shuffle(x, 2).relu()
    >>> traced = fx.symbolic_trace(Doubled())
    >>> with_twins(traced)
    >>> list(traced.children())
    [PixelShuffle(upscale_factor=2), ReLU()]
    """
    found = 0
    for node in list(traced.graph.nodes):
        if (twin := twin_of(traced, node)) is None:
            continue
        while hasattr(traced, name := f"twin{found}"):
            found += 1
        traced.add_submodule(name, twin.eval())
        constants = [source for source in node.all_input_nodes if source.op == "get_attr"]
        with traced.graph.inserting_before(node):
            node.replace_all_uses_with(traced.graph.call_module(name, (node.args[0],)))
        traced.graph.erase_node(node)
        for constant in constants:
            if not constant.users:
                traced.graph.erase_node(constant)
    traced.recompile()


def twin_of(traced: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    """The module that does what a function or method in a traced network does, if there is one.

    Examples
    --------
    >>> class Doubled(nn.Module):
    ...     def forward(self, x):
    ...         return functional.pixel_shuffle(x, 2)
    >>> traced = fx.symbolic_trace(Doubled())
    >>> [twin_of(traced, node) for node in traced.graph.nodes]
    [None, PixelShuffle(upscale_factor=2), None]
    """
    name = _function_name(node)
    if name not in TWINS or not node.args or not _computed(node.args[0]):
        return None
    if any(_computed(part) for part in node.all_input_nodes[1:]):
        return None

    def value(part: Any) -> Any:
        return operator.attrgetter(str(part.target))(traced) if isinstance(part, fx.Node) else part

    args = fx.node.map_aggregate(node.args[1:], value)
    kwargs = fx.node.map_aggregate(node.kwargs, value)
    try:
        return TWINS[name](*args, **kwargs)
    except (TypeError, ValueError):  # arguments that it has not
        return None


def _function_name(node: fx.Node) -> str:
    """What a function of torch's, or a method of tensors, is called; else nothing."""
    if node.op == "call_method":
        return str(node.target) if node.target in METHODS else ""
    if node.op != "call_function":
        return ""
    name = str(getattr(node.target, "__name__", ""))
    homes = (functional, torch, torch._C._nn)
    return name if any(getattr(home, name, None) is node.target for home in homes) else ""


def _computed(part: object) -> bool:
    """Whether a value is known only when the network runs."""
    return isinstance(part, fx.Node) and part.op != "get_attr"


def _put(layer: nn.Module, **tensors: Tensor | None) -> nn.Module:
    """A layer with these for its weights; as parameters where they are some."""
    for name, tensor in tensors.items():
        delattr(layer, name)
        if tensor is None or isinstance(tensor, nn.Parameter):
            layer.register_parameter(name, tensor)
        else:
            layer.register_buffer(name, tensor)
    return layer


def _conv2d(
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> nn.Module:
    out, share, *kernel = weight.shape
    layer = nn.Conv2d(
        share * groups,
        out,
        tuple(kernel),  # type: ignore[arg-type]
        stride,
        padding,
        dilation,
        groups,
        device="meta",
    )
    return _put(layer, weight=weight, bias=bias)


def _conv_transpose2d(
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> nn.Module:
    given, share, *kernel = weight.shape
    layer = nn.ConvTranspose2d(
        given,
        share * groups,
        tuple(kernel),  # type: ignore[arg-type]
        stride,
        padding,
        output_padding,
        groups,
        dilation=dilation,
        device="meta",
    )
    return _put(layer, weight=weight, bias=bias)


def _batch_norm(
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> nn.Module | None:
    if training or running_mean is None or running_var is None:
        return None
    layer = nn.BatchNorm2d(len(running_mean), eps, momentum, device="meta")
    layer.num_batches_tracked = None  # of training alone
    statistics = {"running_mean": running_mean, "running_var": running_var}
    return _put(layer, **statistics, weight=weight, bias=bias)


def _prelu(weight: Tensor) -> nn.Module:
    return _put(nn.PReLU(weight.numel(), device="meta"), weight=weight)


def _pad(pad: Any, mode: str = "constant", value: float | None = None) -> nn.Module | None:
    if len(pad) == 2 and mode == "constant":
        pad = (*pad, 0, 0)
    if len(pad) != 4 or not all(isinstance(side, int) for side in pad):
        return None
    sides = tuple(pad)
    kinds: dict[str, Callable[[Any], nn.Module]] = {
        "constant": functools.partial(nn.ConstantPad2d, value=value or 0.0),
        "reflect": nn.ReflectionPad2d,
        "replicate": nn.ReplicationPad2d,
        "circular": nn.CircularPad2d,
    }
    return kinds[mode](sides) if mode in kinds else None


def _interpolate(
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> nn.Module | None:
    if antialias:
        return None
    if isinstance(scale_factor, list):
        scale_factor = tuple(scale_factor)
    return nn.Upsample(size, scale_factor, mode, align_corners, recompute_scale_factor)


def _max_pool2d(
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> nn.Module | None:
    if return_indices:
        return None
    return nn.MaxPool2d(kernel_size, stride, padding, dilation, ceil_mode=ceil_mode)


def _dropout(p: float = 0.5, training: bool = True, inplace: bool = False) -> nn.Module | None:
    return None if training else nn.Identity()


# The parameters of each are those of the function after its input.
TWINS: Mapping[str, Callable[..., nn.Module | None]] = {
    "avg_pool2d": nn.AvgPool2d,
    "batch_norm": _batch_norm,
    "celu": nn.CELU,
    "conv2d": _conv2d,
    "conv_transpose2d": _conv_transpose2d,
    "dropout": _dropout,
    "dropout2d": _dropout,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "hardsigmoid": nn.Hardsigmoid,
    "hardswish": nn.Hardswish,
    "hardtanh": nn.Hardtanh,
    "interpolate": _interpolate,
    "leaky_relu": nn.LeakyReLU,
    "log_sigmoid": nn.LogSigmoid,
    "max_pool2d": _max_pool2d,
    "mish": nn.Mish,
    "pad": _pad,
    "pixel_shuffle": nn.PixelShuffle,
    "pixel_unshuffle": nn.PixelUnshuffle,
    "prelu": _prelu,
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "selu": nn.SELU,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "softsign": nn.Softsign,
    "tanh": nn.Tanh,
}
# Of them, those that tensors have as methods, with the same parameters.
METHODS = ("relu", "sigmoid", "tanh", "prelu")
