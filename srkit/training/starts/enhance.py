"""Start neural-enhance's network as bicubic interpolation, or at x1 as the image itself.

Some channels carry pixels through all layers: each of their kernels is one tap, and the
slope of their PReLU is one, since PReLUs here have a slope for each channel. Where the
sides are halved, pixels become channels, and back where they are doubled. All other
channels start at random, and what the last layer takes of them is small.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from srkit.adapters.pytorch.nets.enhance import EnhanceNet, EnhanceStage
from srkit.errors import OptionError
from srkit.imaging.resize import phase_kernels

# Factor on the last layer's random weights.
NOISE = 0.02

# What a carried channel holds: a colour, and which of the parts of a pixel, by row and column.
Channel = tuple[int, tuple[int, int]]


@torch.no_grad()
def start_enhance(net: EnhanceNet) -> None:
    """Set the weights of `net`.

    Raises
    ------
    OptionError
        If a layer has too few channels to carry the image.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            cast(Tensor, module.bias).zero_()
    stages = [cast(EnhanceStage, stage) for stage in net.stages]
    carried = _first(stages[0], net.scale)
    for stage, shape in zip(stages[1:], net.config.stages[1:], strict=True):
        step = {"down": _halve, "up": _double, "plain": _keep}[shape.kind]
        carried = step(stage, carried)
    net.out.weight.mul_(NOISE)
    for row, (colour, _) in enumerate(carried):
        net.out.weight[:, row] = 0
        net.out.weight[colour, row, 3, 3] = 1


def _first(stage: EnhanceStage, scale: int) -> list[Channel]:
    """All phases of bicubic interpolation as channels."""
    kernels = phase_kernels(scale, stage.conv.kernel_size[0]) if scale > 1 else None
    carried: list[Channel] = []
    for y in range(scale):
        for x in range(scale):
            for colour in range(3):
                if kernels is None:
                    plane = torch.zeros(7, 7)
                    plane[3, 3] = 1
                else:
                    plane = torch.from_numpy(np.outer(kernels[y], kernels[x])).float()
                row = _row(stage, len(carried))
                row.zero_()
                row[colour] = plane
                carried.append((colour, (y, x)))
    return carried


def _keep(stage: EnhanceStage, carried: list[Channel]) -> list[Channel]:
    for n in range(len(carried)):
        _tap(stage, n, n, 1, 1)
    return carried


def _halve(stage: EnhanceStage, carried: list[Channel]) -> list[Channel]:
    """Four neighbours of a channel become four channels; taps 1 and 2 of 4 are theirs."""
    made: list[Channel] = []
    size = _size(carried)
    for y in (0, 1):
        for x in (0, 1):
            for n, (colour, (row, column)) in enumerate(carried):
                _tap(stage, len(made), n, 1 + y, 1 + x)
                made.append((colour, (size * y + row, size * x + column)))
    return made


def _double(stage: EnhanceStage, carried: list[Channel]) -> list[Channel]:
    """Each pixel falls into quarters: the same part of all four becomes one channel."""
    made: list[Channel] = []
    half = _size(carried) // 2
    for colour, (row, column) in carried:
        if row >= half or column >= half:
            continue
        for y in (0, 1):
            for x in (0, 1):
                source = carried.index((colour, (row + half * y, column + half * x)))
                # Pixel shuffle makes channel n of rows 4 n to 4 n + 3.
                _tap(stage, 4 * len(made) + 2 * y + x, source, 1, 1)
        made.append((colour, (row, column)))
    return made


def _size(carried: list[Channel]) -> int:
    """Parts of a pixel along a side."""
    return 1 + max(row for _, (row, _) in carried)


def _row(stage: EnhanceStage, row: int) -> Tensor:
    """The kernel of an output channel, whose slope becomes one."""
    channels = stage.conv.out_channels
    if row >= channels:
        raise OptionError(f"this start needs more than the {channels} channels of a layer")
    stage.act.weight[row] = 1
    return stage.conv.weight[row]


def _tap(stage: EnhanceStage, row: int, source: int, y: int, x: int) -> None:
    kernel = _row(stage, row)
    kernel.zero_()
    kernel[source, y, x] = 1
