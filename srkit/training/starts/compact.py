"""Start a compact network as bicubic interpolation, and for x2 from weights for x4.

The network adds what it learned to nearest-neighbour enlargement, so it begins with what
bicubic interpolation has more than that. Some channels carry LR pixels through all layers,
and the last one weighs them. All other channels start at random and count for little.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from srkit.adapters.pytorch.architectures.compact import build_compact
from srkit.adapters.pytorch.nets.compact import Compact, Size
from srkit.errors import OptionError
from srkit.training.starts.carrying import pick, places_around, shrunk, weigh

# Factor on the last layer's random weights.
NOISE = 0.02
# Carried pixels are less this, so that they are small in formats of few bits.
MIDDLE = 0.5


@torch.no_grad()
def start_compact(net: Compact) -> None:
    """Set weights so that `net` is bicubic interpolation, nearly; `NOISE` is the rest.

    Raises
    ------
    OptionError
        If the network has too few features to carry what the kernel needs.
    """
    inside = net.size.unshuffle
    places = places_around(inside)
    carried = 3 * inside**2 * len(places)
    if net.size.features < carried:
        raise OptionError(
            f"a compact network with unshuffle={inside} has {carried} features at least, to start "
            f"from bicubic interpolation, not {net.size.features}"
        )
    convolutions = [layer for layer in net.body if isinstance(layer, nn.Conv2d)]
    for conv in convolutions:
        cast(Tensor, conv.bias).zero_()
    pick(convolutions[0], places, bias=-MIDDLE)
    for conv in convolutions[1:-1]:
        _carry(conv, carried)
    for layer in net.body:
        if isinstance(layer, nn.PReLU):
            layer.weight[:carried] = 1
    weigh(net.last, net.scale, places, noise=NOISE, inside=inside, more_than_nearest=True)


def _carry(conv: nn.Conv2d, count: int) -> None:
    """The first `count` channels pass as they are."""
    conv.weight[:count] = 0
    for channel in range(count):
        conv.weight[channel, channel, 1, 1] = 1


@torch.no_grad()
def deepen_compact(small: Compact, size: Size) -> Compact:
    """A network of more layers that makes of every input what the small one does.

    New layers come before the last one. They pass each channel as it is, and their rectifiers
    let what is negative through, as by Chen, Goodfellow, Shlens, "Net2Net: Accelerating Learning
    via Knowledge Transfer", ICLR 2016.

    Raises
    ------
    OptionError
        If it would have other features, another unshuffle, or fewer layers.
    """
    if size == small.size:
        return small
    fixed = replace(small.size, layers=size.layers)
    if size != fixed or size.layers < small.size.layers:
        raise OptionError(
            f"a compact network that starts from another keeps features={small.size.features} and "
            f"unshuffle={small.size.unshuffle}, and has layers={small.size.layers} or more"
        )
    net = Compact(small.scale, size)
    *known, last = list(small.body)
    for new, old in zip(net.body, known, strict=False):
        new.load_state_dict(old.state_dict())
    net.last.load_state_dict(last.state_dict())
    for new in list(net.body)[len(known) : -1]:
        if isinstance(new, nn.PReLU):
            new.weight.fill_(1)
        elif isinstance(new, nn.Conv2d):
            _carry(new, size.features)
            cast(Tensor, new.bias).zero_()
    return net


@torch.no_grad()
def halve_compact(tensors: Mapping[str, Tensor]) -> Compact:
    """A network for x2 from the state dict of one for x4: the means of its squares of pixels.

    Its results are those of the x4 network, shrunk by area.
    """
    large = build_compact(tensors)
    net = Compact(large.scale // 2, large.size)
    state = dict(large.state_dict())
    name = f"body.{len(large.body) - 1}"
    for part in (f"{name}.weight", f"{name}.bias"):
        state[part] = shrunk(state[part], net.scale * net.size.unshuffle)
    net.load_state_dict(state)
    return net
