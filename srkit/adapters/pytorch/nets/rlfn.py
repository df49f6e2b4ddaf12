"""RLFN: residual blocks of three convolutions, each weighed by attention.

Kong, Li, Liu, Liu, He, Bai, Chen and Fu, "Residual Local Feature Network for Efficient
Super-Resolution", CVPR workshops 2022, arXiv:2205.07514, Figures 2 and 3. Module names are those
of its checkpoints, so its state dicts load as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

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
    middle
        Channels within blocks; in the paper as many as `features`.
    attention
        Channels of the attention.
    """

    features: int = 52
    blocks: int = 6
    middle: int = 52
    attention: int = 16


class Block(nn.Module):
    """A residual local feature block, Figure 3."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        features, middle = size.features, size.middle
        self.c1_r = nn.Conv2d(features, middle, 3, padding=1)
        self.c2_r = nn.Conv2d(middle, middle, 3, padding=1)
        self.c3_r = nn.Conv2d(middle, features, 3, padding=1)
        self.c5 = nn.Conv2d(features, features, 1)
        self.esa = ESA(features, size.attention, deep=False)
        self.act = nn.LeakyReLU(SLOPE, inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` to the same."""
        y = x
        for conv in (self.c1_r, self.c2_r, self.c3_r):
            y = self.act(conv(y))
        return cast(Tensor, self.esa(self.c5(y + x)))


class RLFN(nn.Module):
    """RGB to RGB, both in levels of 255, as upstream's networks were trained.

    Parameters
    ----------
    scale
        1 or more.
    size
        The default is the paper's RLFN; RLFN-S has 48 features, and the network of the NTIRE 2022
        challenge ``Size(46, 4, middle=48)``.

    Examples
    --------
    >>> sum(p.numel() for p in RLFN(4).parameters())
    543740
    >>> sum(p.numel() for p in RLFN(4, Size(46, 4, middle=48)).parameters())
    317218
    """

    def __init__(self, scale: int, size: Size | None = None) -> None:
        super().__init__()
        self.scale = scale
        self.size = size = size or Size()
        self.conv_1 = nn.Conv2d(3, size.features, 3, padding=1)
        self.names = [f"block_{n}" for n in range(1, size.blocks + 1)]
        for name in self.names:
            self.add_module(name, Block(size))
        self.conv_2 = nn.Conv2d(size.features, size.features, 3, padding=1)
        last = nn.Conv2d(size.features, 3 * scale**2, 3, padding=1)
        self.upsampler = nn.Sequential(last, nn.PixelShuffle(scale))

    def forward(self, levels: Tensor) -> Tensor:
        """``(N, 3, H, W)`` to ``(N, 3, s*H, s*W)``; for the sides see `ESA`."""
        first = y = self.conv_1(levels)
        for name in self.names:
            y = self.get_submodule(name)(y)
        return cast(Tensor, self.upsampler(self.conv_2(y) + first))
