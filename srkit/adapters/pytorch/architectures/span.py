"""SPAN: srkit's own, and those of its authors' and the community's checkpoints."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from srkit.adapters.pytorch.architectures.base import Architecture
from srkit.adapters.pytorch.architectures.fitting import fitted
from srkit.adapters.pytorch.architectures.shapes import shuffled_scale
from srkit.adapters.pytorch.architectures.span_merging import merged, renamed
from srkit.adapters.pytorch.architectures.training import Training, later
from srkit.adapters.pytorch.nets.span import LEVELS, SPAN, Form
from srkit.errors import OptionError, WeightsError

NAME = "SPAN"
# By these a state dict is told: of the form here, and of upstream's, whose first layer is there as
# it is trained, or as it is shipped.
_OWN = {"first.weight", "blocks.0.conv1.weight", "deep.weight", "join.weight", "last.weight"}
_UPSTREAM = {"conv_cat.weight", "upsampler.0.weight"}
_FIRST = ("conv_1.sk.weight", "conv_1.eval_conv.weight")
# Layers of upstream's, and what they are called here.
_NAMES = {"conv_1": "first", "conv_2": "deep", "conv_cat": "join", "upsampler.0": "last"}


def looks_like_span(tensors: Mapping[str, Tensor]) -> bool:
    """Whether a state dict is of a SPAN that takes RGB, here or upstream."""
    return tensors.keys() >= _OWN or (
        tensors.keys() >= _UPSTREAM and any(_sees_rgb(tensors.get(name)) for name in _FIRST)
    )


def _sees_rgb(first: Tensor | None) -> bool:
    return first is not None and first.ndim == 4 and first.shape[1] == 3


def span_scale(tensors: Mapping[str, Tensor]) -> int:
    """The factor that a state dict of SPAN is for.

    Raises
    ------
    WeightsError
        If its last layer does not tell one.
    """
    last = next((key for key in ("last.weight", "upsampler.0.weight") if key in tensors), "last")
    return shuffled_scale(NAME, tensors, last)


def build_span(tensors: Mapping[str, Tensor]) -> SPAN:
    """SPAN of the form that a state dict tells, with its weights.

    Raises
    ------
    WeightsError
        If tensors are missing, left over or of the wrong shape.
    """
    if not looks_like_span(tensors):
        raise WeightsError(f"these are no weights of {NAME}: layers that it has are missing")
    scale = span_scale(tensors)
    own = tensors if tensors.keys() >= _OWN else _from_upstream(tensors)
    features, joined = (_made(own[f"{layer}.weight"]) for layer in ("first", "join"))
    joined = 0 if joined == features else joined
    forms = {"centred": "no_norm" not in own, "activated": "activated" in own}
    return fitted(NAME, lambda: SPAN(scale, Form(features, joined, **forms)), own)


def _made(weight: Tensor) -> int:
    """Channels that a convolution makes."""
    return weight.shape[0] if weight.ndim == 4 else 0


def _from_upstream(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    own = renamed(merged(NAME, tensors), _NAMES)
    if "no_norm" in own:
        # That it is there is all that it tells; programs differ in its value.
        own["no_norm"] = torch.zeros(1)
    return own | {"activated": torch.zeros(1)}


def _of_size(scale: int, stated: Mapping[str, int]) -> SPAN:
    """A new network of the size that a recipe states."""
    _check_size(stated)
    return SPAN(scale, Form(stated["features"]))


def _same_size(net: SPAN, stated: Mapping[str, int]) -> SPAN:
    """A network that a run starts from: its size is its own."""
    _check_size(stated)
    if stated.get("features", net.form.features) != net.form.features:
        raise OptionError(
            f"a {NAME} that starts from another keeps features={net.form.features}, not "
            f"{stated['features']}"
        )
    return net


def _check_size(stated: Mapping[str, int]) -> None:
    if others := sorted(stated.keys() - {"features"}):
        raise OptionError(f"{NAME} has features to choose, but no {' and no '.join(others)}")


def _layer_groups(net: SPAN) -> list[list[nn.Module]]:
    """Weights that see levels of 0 to 255; the rest; the last layer.

    Those of the first group are so much smaller than others: at the rate of these each step would
    change them by a tenth, and a new network falls apart. A network that sees colours in [0, 1]
    has none.
    """
    others = [net.blocks, net.deep, net.join]
    if not net.form.centred:
        return [[], [net.first, *others], [net.last]]
    bias = nn.ParameterList([net.first.bias])
    return [[net.first], [bias, *others], [net.last]]


_shrink = later("srkit.training.starts.span:shrink_span")

ARCHITECTURE = Architecture(
    name=NAME,
    fits=looks_like_span,
    scale=span_scale,
    build=lambda tensors, scale: build_span(tensors),
    least=1,
    foreign_border="zero",
    restores_colours=True,
    training={
        "span": Training(
            scales=(2, 3, 4),
            build=SPAN,
            start=later("srkit.training.starts.span:start_span"),
            groups=_layer_groups,
            shares=(1 / LEVELS, 1.0, 1.0),
            rescale={(4, new): functools.partial(_shrink, scale=new) for new in (2, 3)},
            sized=_of_size,
            grow=_same_size,
        )
    },
)
