"""Start SRResNet as exact bicubic interpolation, so that no step is spent on learning it.

The first layer computes all phases of bicubic upsampling as channels of LR, the
sub-pixel layers carry them to their places, and the last PReLU and convolution
undo the tanh of the output by a piecewise linear inverse. Residual blocks start
as the identity. All other weights keep a small random value to learn from.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from srkit.adapters.pytorch.nets.srresnet import IMAGENET_MEAN, IMAGENET_STD, SRResNet
from srkit.errors import OptionError
from srkit.imaging.resize import taps

# Carried channels hold pixel values less this, so that they are small and centred.
MIDDLE = 0.5
# The last layer's inverse of tanh bends here; y is the pixel value in [-1, 1].
BENDS, LIMIT, SLOPE = (0.5, 0.8), 0.97, 0.1
# Hinges of one colour before the last PReLU: sign of y, and how much is taken off.
HINGES = tuple((sign, off) for off in (0.0, *BENDS) for sign in (1, -1))


def start_bicubic(net: SRResNet, noise: float = 0.03) -> None:
    """Set the weights of `net` (x2 or x4) so that it computes bicubic interpolation.

    Parameters
    ----------
    noise
        Factor on the random weights that stay beside the carried channels.
    """
    if net.scale not in (2, 4):
        raise OptionError("a bicubic start exists for x2 and x4; start x8 from trained x4 weights")
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                module.bias.zero_()
        for block in net.residual_blocks:
            block.conv_block2.conv_block[1].weight.zero_()
        net.conv_block2.conv_block[1].weight.zero_()
        net.conv_block1.conv_block[1].weight.fill_(1.0)
        _phases(net)
        _carry(net, noise)
        _undo_tanh(net)


def _phases(net: SRResNet) -> None:
    """First layer: channel ``3*phase + colour`` is bicubic upsampling at that phase."""
    conv = net.conv_block1.conv_block[0]
    kernel = _phase_kernel(net.scale, conv.kernel_size[0])
    for p, (row, column) in enumerate(_order(net.scale)):
        plane = torch.from_numpy(np.outer(kernel[row], kernel[column]))
        for colour in range(3):
            channel = 3 * p + colour
            conv.weight[channel] = 0
            conv.weight[channel, colour] = plane * IMAGENET_STD[colour]
            conv.bias[channel] = IMAGENET_MEAN[colour] - MIDDLE


def _order(scale: int) -> list[tuple[int, int]]:
    """Phases such that each pixel shuffle takes four neighbours of three channels.

    The first shuffle places the coarse bits of a phase, so channels are grouped by
    the fine bits and, within a group, ordered by the coarse ones.
    """
    if scale == 2:
        return [(i, j) for i in range(2) for j in range(2)]
    return [
        (2 * i1 + i2, 2 * j1 + j2)
        for i2 in range(2)
        for j2 in range(2)
        for i1 in range(2)
        for j1 in range(2)
    ]


def _phase_kernel(scale: int, size: int) -> NDArray[np.float64]:
    """Weights of each phase of one axis as a centred kernel of `size` taps."""
    n = 2 * size
    index, weight = taps(n, n * scale, float(scale), True, "mirror")
    kernel = np.zeros((scale, size))
    for phase in range(scale):
        row = size * scale + phase
        for i, w in zip(index[row] - size + size // 2, weight[row], strict=True):
            kernel[phase, i] += w
    return kernel


def _carry(net: SRResNet, noise: float) -> None:
    """Sub-pixel layers: the last one subtracts the lift and spreads over the knots."""
    blocks = list(net.subpixel_convolutional_blocks)
    for number, block in enumerate(blocks):
        last = number == len(blocks) - 1
        conv: nn.Conv2d = block.conv
        bias = conv.bias
        assert bias is not None
        conv.weight *= noise
        middle = conv.kernel_size[0] // 2
        width = 3 * len(HINGES) if last else 12
        for out in range(width):
            for place in range(4):
                # Pixel shuffle makes channel `out` at `place` from row 4 * out + place.
                row = 4 * out + place
                if last:
                    colour, hinge = divmod(out, len(HINGES))
                    sign, off = HINGES[hinge]
                    source, gain, shift = 3 * place + colour, 2.0 * sign, -off
                else:
                    fine, colour = divmod(out, 3)
                    source, gain, shift = 3 * (4 * fine + place) + colour, 1.0, 0.0
                conv.weight[row] = 0
                conv.weight[row, source, middle, middle] = gain
                bias[row] = shift
        block.prelu.weight.fill_(SLOPE if last else 1.0)


def _undo_tanh(net: SRResNet) -> None:
    """Last layer: a piecewise linear, odd atanh of each colour from its hinges.

    With p = PReLU of slope a, p(y) - p(-y) = (1 + a) y, and p(y - b) - p(-y - b)
    is 2 a y within [-b, b] and gains a further slope of 1 - a beyond.
    """
    ends = np.array([0.0, *BENDS, 1.0])
    slopes = np.diff(np.arctanh(LIMIT * ends)) / np.diff(ends)
    bent = np.diff(slopes) / (1 - SLOPE)
    straight = (slopes[0] - 2 * SLOPE * bent.sum()) / (1 + SLOPE)
    weights = np.repeat([straight, *bent], 2)
    conv: nn.Conv2d = net.conv_block3.conv_block[0]
    middle = conv.kernel_size[0] // 2
    conv.weight *= 0.01
    conv.weight[:, : 3 * len(HINGES)] *= 0
    for colour in range(3):
        for hinge, (sign, _) in enumerate(HINGES):
            row = colour * len(HINGES) + hinge
            conv.weight[colour, row, middle, middle] = sign * weights[hinge]
