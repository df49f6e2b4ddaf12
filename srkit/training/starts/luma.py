"""Start ESPCN and FSRCNN as bicubic interpolation, so that no step is spent on learning it.

Some channels carry the LR pixels that bicubic interpolation needs through all layers:
pixels are not negative, so neither ReLU nor PReLU changes them. The last layer weighs
them by the bicubic kernel. All other channels start at random and count for little.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from srkit.adapters.pytorch.nets.espcn import ESPCN
from srkit.adapters.pytorch.nets.fsrcnn import FSRCNN
from srkit.imaging.resize import phase_kernels

# Factor on the last layer's random weights.
NOISE = 0.02
_SIDE = 5  # of the first kernel of both networks


@torch.no_grad()
def start_espcn(net: ESPCN) -> None:
    """Set weights so that `net` is bicubic interpolation, nearly; `NOISE` is the rest.

    25 channels hold the 5x5 neighbourhood of a pixel, and the last layer makes each of
    its ``scale**2`` phases of them.
    """
    _no_biases(net)
    taps = _SIDE**2
    _pick(net.conv1, [divmod(n, _SIDE) for n in range(taps)])
    _carry(net.conv2, taps)
    kernels = phase_kernels(net.scale, _SIDE)
    net.conv3.weight.mul_(NOISE)
    net.conv3.weight[:, :taps] = 0
    for phase in range(net.scale**2):
        y, x = divmod(phase, net.scale)
        plane = np.outer(kernels[y], kernels[x]).ravel()
        net.conv3.weight[phase, :taps, 1, 1] = torch.from_numpy(plane).float()


@torch.no_grad()
def start_fsrcnn(net: FSRCNN) -> None:
    """Set weights so that `net` is bicubic interpolation, nearly; `NOISE` is the rest.

    The transposed convolution spreads each pixel by the bicubic kernel. At x3 and x4
    that kernel is wider than its nine taps, so the eight pixels around are carried, too;
    what even that leaves out at x4 is less than 1 % of the weight.
    """
    _no_biases(net)
    shifts = (0,) if net.scale == 2 else (-1, 0, 1)
    places = [(2 + dy, 2 + dx) for dy in shifts for dx in shifts]
    _pick(cast(nn.Conv2d, net.extract[0]), places)
    for stage in (net.shrink, net.map, net.expand):
        for layer in stage:
            if isinstance(layer, nn.Conv2d):
                _carry(layer, len(places))
    kernels = _spread_kernels(net.scale, shifts)
    net.deconv.weight.mul_(NOISE)
    for channel, (row, column) in enumerate((y, x) for y in kernels for x in kernels):
        plane = np.outer(row, column)
        net.deconv.weight[channel, 0] = torch.from_numpy(plane).float()


def _no_biases(net: nn.Module) -> None:
    for name, parameter in net.named_parameters():
        if name.endswith("bias"):
            parameter.zero_()


def _pick(conv: nn.Conv2d, places: list[tuple[int, int]]) -> None:
    """Channel n is the input at place n of the kernel."""
    for channel, (y, x) in enumerate(places):
        conv.weight[channel] = 0
        conv.weight[channel, 0, y, x] = 1


def _carry(conv: nn.Conv2d, count: int) -> None:
    """The first `count` channels pass as they are."""
    middle = conv.kernel_size[0] // 2
    conv.weight[:count] = 0
    for channel in range(count):
        conv.weight[channel, channel, middle, middle] = 1


def _spread_kernels(scale: int, shifts: tuple[int, ...]) -> NDArray[np.float64]:
    """Nine taps for each shift, whose sum spreads a line of pixels as bicubic does.

    Tap m of shift d brings pixel i + d to sample ``scale * i + m - 4``. All taps that
    bring one pixel to one place share its weight, and what no tap reaches is made up by
    the rest of that phase.
    """
    kernels = np.zeros((len(shifts), 9))
    for phase, weights in enumerate(phase_kernels(scale, _SIDE)):
        # Sample `phase` of pixel 0 from pixels -2 to 2.
        sharers: dict[int, list[tuple[int, int]]] = {}
        for row, shift in enumerate(shifts):
            for tap in range(9):
                pixel, rest = divmod(phase + 4 - tap, scale)
                if not rest:
                    sharers.setdefault(pixel + shift, []).append((row, tap))
        reached = sum(w for n, w in enumerate(weights, -2) if n in sharers)
        for pixel, weight in enumerate(weights, -2):
            for row, tap in sharers.get(pixel, []):
                kernels[row, tap] = weight / reached / len(sharers[pixel])
    return kernels
