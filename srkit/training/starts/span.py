"""Start a SPAN as bicubic interpolation: the way past all blocks carries LR pixels."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor

from srkit.adapters.pytorch.nets.span import LEVELS, SPAN
from srkit.errors import OptionError
from srkit.imaging.resize import phase_kernels

# Factor on the last layers' random weights.
NOISE = 0.1
_REACH = 2  # of the bicubic kernel, in LR pixels
_PLACES = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]


@torch.no_grad()
def start_span(net: SPAN) -> None:
    """Set weights so that `net` is bicubic interpolation, nearly; `NOISE` is the rest.

    Raises
    ------
    OptionError
        If the network has too few features to carry what the kernel needs.
    """
    carried = 3 * len(_PLACES)
    if net.features < carried:
        raise OptionError(f"SPAN starts from bicubic with {carried} features, not {net.features}")
    for name, parameter in net.named_parameters():
        if name.endswith("bias"):
            parameter.zero_()
    level = LEVELS if net.centred else 1.0
    net.first.weight.mul_(1 / level)
    for number, (y, x) in enumerate(_PLACES):
        for colour in range(3):
            net.first.weight[3 * number + colour] = 0
            net.first.weight[3 * number + colour, colour, 1 + y, 1 + x] = 1 / level
    net.join.weight[:carried] *= NOISE
    net.join.weight[:carried, : net.features] = 0
    for channel in range(carried):
        net.join.weight[channel, channel] = 1
    _weigh(net, carried)


def _weigh(net: SPAN, carried: int) -> None:
    """The last layer: at each phase the bicubic kernel, and what was subtracted."""
    scale, last = net.scale, net.last
    kernels = phase_kernels(scale, 2 * _REACH + 1)
    last.weight.mul_(NOISE)
    last.weight[:, :carried] = 0
    for colour in range(3):
        for place in range(scale**2):
            row = last.weight[colour * scale**2 + place]
            up, left = divmod(place, scale)
            plane = np.outer(kernels[up], kernels[left])
            for dy, dx in np.argwhere(plane):
                (tap_y, shift_y), (tap_x, shift_x) = (_tap(int(n) - _REACH) for n in (dy, dx))
                channel = 3 * _PLACES.index((shift_y, shift_x)) + colour
                row[channel, 1 + tap_y, 1 + tap_x] += float(plane[dy, dx])
    if net.centred:
        means = net.mean.view(3, 1).expand(3, scale**2).reshape(-1)
        cast(Tensor, last.bias).copy_(means)


def _tap(pixel: int) -> tuple[int, int]:
    """By which tap of the last layer, and which shift of the first, an LR pixel is seen."""
    tap = max(-1, min(1, pixel))
    return tap, pixel - tap
