"""RFDN: blocks that set a part of their features aside three times, each weighed by attention.

Liu, Tang and Wu, "Residual Feature Distillation Network for Lightweight Image Super-Resolution",
ECCV workshops 2020, arXiv:2009.11551, Figures 2 and 3. Module names are those of its checkpoints,
so its state dicts load as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from srkit.adapters.pytorch.nets.esa import ESA

SLOPE = 0.05


@dataclass(frozen=True)
class Size:
    """How large the network is.

    Attributes
    ----------
    features
        Channels between blocks.
    blocks
        Their number.
    aside
        Channels that each of a block's steps sets aside; half of `features` in the paper.
    attention
        Channels of the attention; a quarter of `features` in the paper.
    """

    features: int = 50
    blocks: int = 4
    aside: int = 25
    attention: int = 12


class Block(nn.Module):
    """A residual feature distillation block, Figure 3 (c)."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        features, aside = size.features, size.aside
        self.c1_d = nn.Conv2d(features, aside, 1)
        self.c1_r = nn.Conv2d(features, features, 3, padding=1)
        self.c2_d = nn.Conv2d(features, aside, 1)
        self.c2_r = nn.Conv2d(features, features, 3, padding=1)
        self.c3_d = nn.Conv2d(features, aside, 1)
        self.c3_r = nn.Conv2d(features, features, 3, padding=1)
        self.c4 = nn.Conv2d(features, aside, 3, padding=1)
        self.c5 = nn.Conv2d(4 * aside, features, 1)
        self.esa = ESA(features, size.attention, deep=True)
        self.act = nn.LeakyReLU(SLOPE, inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` to the same."""
        aside = []
        for distill, refine in (
            (self.c1_d, self.c1_r),
            (self.c2_d, self.c2_r),
            (self.c3_d, self.c3_r),
        ):
            aside.append(self.act(distill(x)))
            x = self.act(refine(x) + x)
        aside.append(self.act(self.c4(x)))
        return cast(Tensor, self.esa(self.c5(torch.cat(aside, dim=1))))


class RFDN(nn.Module):
    """RGB to RGB, both in levels of 255, as upstream's network was trained.

    Parameters
    ----------
    scale
        1 or more.
    size
        The default is that of upstream's file, which won the AIM 2020 challenge.

    Examples
    --------
    >>> sum(p.numel() for p in RFDN(4).parameters())
    433448
    """

    def __init__(self, scale: int, size: Size | None = None) -> None:
        super().__init__()
        self.scale = scale
        self.size = size = size or Size()
        features = size.features
        self.fea_conv = nn.Conv2d(3, features, 3, padding=1)
        self.names = [f"B{n}" for n in range(1, size.blocks + 1)]
        for name in self.names:
            self.add_module(name, Block(size))
        fused = nn.Conv2d(size.blocks * features, features, 1)
        self.c = nn.Sequential(fused, nn.LeakyReLU(SLOPE, inplace=True))
        self.LR_conv = nn.Conv2d(features, features, 3, padding=1)
        last = nn.Conv2d(features, 3 * scale**2, 3, padding=1)
        self.upsampler = nn.Sequential(last, nn.PixelShuffle(scale))

    def forward(self, levels: Tensor) -> Tensor:
        """``(N, 3, H, W)`` to ``(N, 3, s*H, s*W)``; for the sides see `ESA`."""
        first = y = self.fea_conv(levels)
        made = []
        for name in self.names:
            y = self.get_submodule(name)(y)
            made.append(y)
        return cast(Tensor, self.upsampler(self.LR_conv(self.c(torch.cat(made, dim=1))) + first))
