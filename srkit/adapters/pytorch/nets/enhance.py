"""The generator of neural-enhance (A. J. Champandard, 2016) as a torch module.

A chain of convolutions and PReLUs, written from the description of its files; the
elementwise sums of its blocks are not wired in, whatever ``generator_residual`` says, as
in the original.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from srkit.adapters.enhance.config import Config, Stage
from srkit.adapters.enhance.files import EnhanceWeights


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


@torch.no_grad()
def from_layers(weights: EnhanceWeights) -> EnhanceNet:
    """The network of a file. Lasagne flips kernels, and torch does not."""
    net = EnhanceNet(weights.config)
    for name, (conv, act) in _named(net).items():
        kernel, bias = weights.layers[f"{name}x" if act is not None else name]
        conv.weight.copy_(torch.from_numpy(kernel[..., ::-1, ::-1].copy()))
        cast(Tensor, conv.bias).copy_(torch.from_numpy(bias))
        if act is not None:
            act.weight.copy_(torch.from_numpy(weights.layers[f"{name}>"][0]))
    return net


def to_layers(net: EnhanceNet) -> EnhanceWeights:
    """What a file holds of a network."""
    layers: dict[str, tuple[NDArray[np.float32], ...]] = {}
    for name, (conv, act) in _named(net).items():
        kernel = _array(conv.weight)[..., ::-1, ::-1].copy()
        layers[f"{name}x" if act is not None else name] = kernel, _array(cast(Tensor, conv.bias))
        if act is not None:
            layers[f"{name}>"] = (_array(act.weight),)
    return EnhanceWeights(net.config, layers)


def _array(tensor: Tensor) -> NDArray[np.float32]:
    made: NDArray[np.float32] = tensor.detach().float().cpu().numpy()
    return made


def _named(net: EnhanceNet) -> Mapping[str, tuple[nn.Conv2d, nn.PReLU | None]]:
    """Layers by the names of files, in their order."""
    named: dict[str, tuple[nn.Conv2d, nn.PReLU | None]] = {}
    for stage, module in zip(net.config.stages, net.stages, strict=True):
        made = cast(EnhanceStage, module)
        named[stage.name] = made.conv, made.act
    named["out"] = net.out, None
    return named
