"""Start SRResNet as bicubic interpolation, so that no step is spent on learning it.

The first layer computes all phases of bicubic upsampling as channels of LR, the
sub-pixel layers carry them to their places, and the last PReLU and convolution
undo the tanh of the output by a piecewise linear inverse. Residual blocks start
near the identity. All other weights keep a small random value to learn from.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from srkit.adapters.pytorch.nets.srresnet import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    ResidualBlock,
    SRResNet,
    SubPixelBlock,
)
from srkit.errors import OptionError
from srkit.imaging.resize import phase_kernels

# Carried channels hold pixel values less this, so that they are small and centred.
MIDDLE = 0.5
# The last layer's inverse of tanh bends here; y is the pixel value in [-1, 1].
BENDS, LIMIT, SLOPE = (0.5, 0.8), 0.97, 0.1
# Hinges of one colour before the last PReLU: sign of y, and how much is taken off.
HINGES = tuple((sign, off) for off in (0.0, *BENDS) for sign in (1, -1))


@torch.no_grad()
def start_bicubic(net: SRResNet, noise: float = 0.03) -> None:
    """Set the weights of `net` so that it computes bicubic interpolation.

    Parameters
    ----------
    net
        SRResNet for x2 or x4, with 64 channels at least.
    noise
        Factor on the random weights that stay beside the carried channels.

    Raises
    ------
    OptionError
        If the scale is another, or the network too narrow.
    """
    channels = net.conv_block1.conv.out_channels
    if net.scale not in (2, 4) or channels < 3 * net.scale**2:
        raise OptionError(
            f"a bicubic start exists for x2 and x4 with {3 * net.scale**2} channels at least, "
            f"not for x{net.scale} with {channels}"
        )
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            _bias(module).zero_()
    # The trunk starts at nothing by its weights, not by batch norm's scales: Adam moves
    # every number equally far, and a scale gates 576 weights at once.
    for block in net.residual_blocks:
        cast(ResidualBlock, block).conv_block2.conv.weight.mul_(0.1)
    net.conv_block2.conv.weight.zero_()
    _first(net)
    *inner, outer = (cast(SubPixelBlock, b) for b in net.subpixel_convolutional_blocks)
    for subpixel in inner:
        _carry(subpixel, noise)
    _spread(outer, noise)
    _last(net)


def _bias(conv: nn.Conv2d) -> Tensor:
    return cast(Tensor, conv.bias)


def _first(net: SRResNet) -> None:
    """First layer: channel ``3*phase + colour`` is bicubic upsampling at that phase."""
    conv, bias = net.conv_block1.conv, _bias(net.conv_block1.conv)
    kernel = phase_kernels(net.scale, conv.kernel_size[0])
    for p, (row, column) in enumerate(phases(net.scale)):
        plane = torch.from_numpy(np.outer(kernel[row], kernel[column]))
        for colour in range(3):
            channel = 3 * p + colour
            conv.weight[channel] = 0
            conv.weight[channel, colour] = plane * IMAGENET_STD[colour]
            bias[channel] = IMAGENET_MEAN[colour] - MIDDLE
    # A slope of one: these channels pass as they are.
    cast(nn.PReLU, net.conv_block1.conv_block[1]).weight.fill_(1.0)


def phases(scale: int) -> list[tuple[int, int]]:
    """Phases such that each pixel shuffle takes four neighbours of three channels.

    The first shuffle places the coarse bits of a phase, so channels are grouped by
    the fine bits and, within a group, ordered by the coarse ones.
    """
    fine = range(scale // 2)
    return [
        (scale // 2 * i + y, scale // 2 * j + x)
        for y in fine
        for x in fine
        for i in (0, 1)
        for j in (0, 1)
    ]


def _carry(block: SubPixelBlock, noise: float) -> None:
    """An inner sub-pixel layer: 4 groups of 12 channels become 12 of twice the size."""
    conv = block.conv
    conv.weight *= noise
    middle = conv.kernel_size[0] // 2
    for out in range(12):
        fine, colour = divmod(out, 3)
        for place in range(4):
            # Pixel shuffle makes channel `out` at `place` of row 4 * out + place.
            conv.weight[4 * out + place] = 0
            source = 3 * (4 * fine + place) + colour
            conv.weight[4 * out + place, source, middle, middle] = 1
    block.prelu.weight.fill_(1.0)


def _spread(block: SubPixelBlock, noise: float) -> None:
    """The outer sub-pixel layer: each colour at full size, as y in [-1, 1], on its hinges."""
    conv, bias = block.conv, _bias(block.conv)
    conv.weight *= noise
    middle = conv.kernel_size[0] // 2
    for colour in range(3):
        for hinge, (sign, off) in enumerate(HINGES):
            for place in range(4):
                row = 4 * (colour * len(HINGES) + hinge) + place
                conv.weight[row] = 0
                conv.weight[row, 3 * place + colour, middle, middle] = 2.0 * sign
                bias[row] = -off
    block.prelu.weight.fill_(SLOPE)


def _last(net: SRResNet) -> None:
    """Last layer: a piecewise linear, odd atanh of each colour from its hinges.

    With p = PReLU of slope a, p(y) - p(-y) = (1 + a) y, and p(y - b) - p(-y - b)
    is 2 a y within [-b, b] and gains a further slope of 1 - a beyond.
    """
    ends = np.array([0.0, *BENDS, 1.0])
    slopes = np.diff(np.arctanh(LIMIT * ends)) / np.diff(ends)
    bent = np.diff(slopes) / (1 - SLOPE)
    straight = (slopes[0] - 2 * SLOPE * bent.sum()) / (1 + SLOPE)
    weights = np.repeat([straight, *bent], 2)
    conv = net.conv_block3.conv
    middle = conv.kernel_size[0] // 2
    conv.weight *= 0.01
    conv.weight[:, : 3 * len(HINGES)] = 0
    for colour in range(3):
        for hinge, (sign, _) in enumerate(HINGES):
            row = colour * len(HINGES) + hinge
            conv.weight[colour, row, middle, middle] = sign * weights[hinge]
