"""SPAN: few convolutions, and attention without parameters.

Wan et al., "Swift Parameter-free Attention Network for Efficient Super-Resolution", CVPRW 2024
(arXiv:2311.12770). Each block weighs what it made by a symmetric function of itself: 0 where it
found nothing, towards one half where it found much.

Upstream trains each convolution as a product of three beside a fourth of one pixel, and ships the
sum. These layers are the sums.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

# What the paper's program subtracts and multiplies by: the means of DIV2K's colours, and levels.
MEAN, LEVELS = (0.4488, 0.4371, 0.4040), 255.0
BLOCKS = 6


def convolution(given: int, made: int) -> nn.Conv2d:
    """Of 3x3 pixels."""
    return nn.Conv2d(given, made, 3, padding=1)


class Block(nn.Module):
    """Three convolutions, and their result weighed by itself."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3 = (convolution(features, features) for _ in range(3))
        self.activation = nn.SiLU()

    def forward(self, given: Tensor) -> tuple[Tensor, Tensor]:
        """What the block makes of features, and what its first convolution does."""
        first = self.conv1(given)
        found = self.conv3(self.activation(self.conv2(self.activation(first))))
        return (found + given) * (torch.sigmoid(found) - 0.5), first


class SPAN(nn.Module):
    """RGB to RGB, both in [0, 1].

    Parameters
    ----------
    scale
        1 or more.
    features
        Channels of all layers but the first and the last: 48 or 52 in the paper, 28 in its
        smallest.
    centred
        Whether `MEAN` is taken from what it sees, and the rest multiplied by `LEVELS`.

    Examples
    --------
    >>> [sum(p.numel() for p in SPAN(4, n).parameters()) for n in (28, 48, 52)]
    [150688, 426288, 498208]
    """

    mean: Tensor

    def __init__(self, scale: int, features: int = 48, centred: bool = True) -> None:
        super().__init__()
        self.scale, self.features, self.centred = scale, features, centred
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.first = convolution(3, features)
        self.blocks = nn.ModuleList(Block(features) for _ in range(BLOCKS))
        self.deep = convolution(features, features)
        self.join = nn.Conv2d(4 * features, features, 1)
        self.last = convolution(features, 3 * scale**2)
        self.shuffle = nn.PixelShuffle(scale)

    def forward(self, rgb: Tensor) -> Tensor:
        """``(N, 3, H, W)`` to ``(N, 3, s*H, s*W)``."""
        shallow = self.first((rgb - self.mean) * LEVELS if self.centred else rgb)
        made, kept = shallow, []
        for block in self.blocks:
            made, inner = block(made)
            kept.append((made, inner))
        joined = self.join(torch.cat([shallow, self.deep(made), kept[0][0], kept[-1][1]], dim=1))
        return cast(Tensor, self.shuffle(self.last(joined)))
