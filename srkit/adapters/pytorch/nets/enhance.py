"""The generator of neural-enhance (A. J. Champandard, 2016) as a torch module.

A chain of convolutions and PReLUs, written from the description of its files; the
elementwise sums of its blocks are not wired in, whatever ``generator_residual`` says, as
in the original.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from srkit.adapters.readers.enhance.config import Config, Stage
from srkit.adapters.readers.enhance.files import EnhanceWeights
from srkit.adapters.readers.enhance.tensors import layers_of, tensors_of


class EnhanceStage(nn.Module):
    """A convolution, PReLU and, to double the sides, a pixel shuffle."""

    def __init__(self, given: int, stage: Stage) -> None:
        super().__init__()
        down = stage.kind == "down"
        self.conv = nn.Conv2d(
            given,
            stage.channels,
            stage.kernel,
            stride=2 if down else 1,
            padding=1 if down else stage.kernel // 2,
        )
        # The start of training; the original's blocks begin with less.
        slope = 0.1 if stage.name.endswith("-A") else 0.25
        self.act = nn.PReLU(stage.channels, init=slope)
        self.shuffle = nn.PixelShuffle(2) if stage.kind == "up" else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` to the same, half or twice the sides."""
        return cast(Tensor, self.shuffle(self.act(self.conv(x))))


class EnhanceNet(nn.Module):
    """neural-enhance's generator.

    Parameters
    ----------
    config
        Its shape.

    Notes
    -----
    Takes RGB ``(N, 3, H, W)`` in [0, 1], with sides that are multiples of
    ``config.multiple``; returns the same at `scale` times the size, not clipped.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config, self.scale = config, config.scale
        stages, given = [], 3
        for stage in config.stages:
            stages.append(EnhanceStage(given, stage))
            given = stage.passed
        self.stages = nn.Sequential(*stages)
        self.out = nn.Conv2d(given, 3, 7, padding=3)

    def forward(self, rgb: Tensor) -> Tensor:
        """See the class."""
        return cast(Tensor, self.out(self.stages(rgb - 0.5))) + 0.5


def from_layers(weights: EnhanceWeights) -> EnhanceNet:
    """The network of a file."""
    net = EnhanceNet(weights.config)
    net.load_state_dict({k: torch.from_numpy(v) for k, v in tensors_of(weights).items()})
    return net


def to_layers(net: EnhanceNet) -> EnhanceWeights:
    """What a file holds of a network."""
    return layers_of({k: v.float().cpu().numpy() for k, v in net.state_dict().items()})
