"""Start a compact network as bicubic interpolation, and for x2 from weights for x4.

The network adds what it learned to nearest-neighbour enlargement, so it begins with what
bicubic interpolation has more than that. Some channels carry LR pixels through all layers,
and the last one weighs them. All other channels start at random and count for little.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from srkit.adapters.pytorch.architectures.compact import build_compact
from srkit.adapters.pytorch.nets.compact import Compact, Size
from srkit.errors import OptionError
from srkit.imaging.resize import phase_kernels

# Factor on the last layer's random weights.
NOISE = 0.02
# Carried pixels are less this, so that they are small in formats of few bits.
MIDDLE = 0.5
_REACH = 2  # of the bicubic kernel, in LR pixels


@torch.no_grad()
def start_compact(net: Compact) -> None:
    """Set weights so that `net` is bicubic interpolation, nearly; `NOISE` is the rest.

    Raises
    ------
    OptionError
        If the network has too few features to carry what the kernel needs.
    """
    inside = net.size.unshuffle
    # The last layer sees one position beyond its own, which may be less than the kernel's reach.
    shifts = (-1, 0, 1) if inside < _REACH else (0,)
    places = [(y, x) for y in shifts for x in shifts]
    pixels = 3 * inside**2
    if net.size.features < pixels * len(places):
        raise OptionError(
            f"a compact network with unshuffle={inside} has {pixels * len(places)} features at "
            f"least, to start from bicubic interpolation, not {net.size.features}"
        )
    convolutions = [layer for layer in net.body if isinstance(layer, nn.Conv2d)]
    for conv in convolutions:
        cast(Tensor, conv.bias).zero_()
    _pick(convolutions[0], places)
    for conv in convolutions[1:-1]:
        _carry(conv, pixels * len(places))
    for layer in net.body:
        if isinstance(layer, nn.PReLU):
            layer.weight[: pixels * len(places)] = 1
    _weigh(net, places)


def _pick(conv: nn.Conv2d, places: list[tuple[int, int]]) -> None:
    """The first channels are the inputs, at each of the places around a position."""
    for number, (y, x) in enumerate(places):
        for given in range(conv.in_channels):
            channel = number * conv.in_channels + given
            conv.weight[channel] = 0
            conv.weight[channel, given, 1 + y, 1 + x] = 1
            cast(Tensor, conv.bias)[channel] = -MIDDLE


def _carry(conv: nn.Conv2d, count: int) -> None:
    """The first `count` channels pass as they are."""
    conv.weight[:count] = 0
    for channel in range(count):
        conv.weight[channel, channel, 1, 1] = 1


def _weigh(net: Compact, places: list[tuple[int, int]]) -> None:
    """The last layer: at each phase the bicubic kernel, less the pixel that is repeated there."""
    scale, inside, last = net.scale, net.size.unshuffle, net.last
    kernels = phase_kernels(scale, 2 * _REACH + 1) if scale > 1 else _UNCHANGED
    last.weight.mul_(NOISE)
    last.weight[:, : 3 * inside**2 * len(places)] = 0
    side = scale * inside
    for colour in range(3):
        for place in range(side**2):
            row = last.weight[colour * side**2 + place]
            (y, up), (x, left) = (divmod(n, scale) for n in divmod(place, side))
            plane = np.outer(kernels[up], kernels[left])
            plane[_REACH, _REACH] -= 1
            for dy, dx in np.argwhere(plane):
                weight = float(plane[dy, dx])
                # The pixel's place: a position of the layer, a shift, and one of its squares.
                (tap_y, shift_y, in_y), (tap_x, shift_x, in_x) = (
                    _place(n, inside) for n in (y + int(dy) - _REACH, x + int(dx) - _REACH)
                )
                picked = places.index((shift_y, shift_x)) * 3 * inside**2
                channel = picked + colour * inside**2 + in_y * inside + in_x
                row[channel, 1 + tap_y, 1 + tap_x] += weight


_UNCHANGED = np.eye(1, 2 * _REACH + 1, _REACH)


def _place(pixel: int, inside: int) -> tuple[int, int, int]:
    """Where the last layer finds an LR pixel: its tap, the shift picked first, and the rest.

    Examples
    --------
    >>> [_place(n, 1) for n in (-2, 0, 1)], [_place(n, 2) for n in (-2, 3)]
    ([(-1, -1, 0), (0, 0, 0), (1, 0, 0)], [(-1, 0, 0), (1, 0, 1)])
    """
    position, within = divmod(pixel, inside)
    tap = max(-1, min(1, position))
    return tap, position - tap, within


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
    side = large.scale * large.size.unshuffle
    for part in (f"{name}.weight", f"{name}.bias"):
        rest = state[part].shape[1:]
        squares = state[part].view(3, side // 2, 2, side // 2, 2, *rest)
        state[part] = squares.mean(dim=(2, 4)).reshape(-1, *rest)
    net.load_state_dict(state)
    return net
