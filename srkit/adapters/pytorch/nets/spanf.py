"""SPANF: SPAN made smaller, with LR pixels beside its features.

The network of SPAN's authors in NTIRE's challenge of 2025 (Ren et al., "The Tenth NTIRE 2025
Efficient Super-Resolution Challenge Report", arXiv:2504.10686).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from srkit.adapters.pytorch.nets.span import Block, convolution

BLOCKS = 5


class SPANF(nn.Module):
    """RGB to RGB, both in [0, 1].

    Parameters
    ----------
    scale
        1 or more.
    features
        Channels of the blocks: 32 upstream.

    Examples
    --------
    >>> sum(p.numel() for p in SPANF(4).parameters())
    148288
    """

    def __init__(self, scale: int, features: int = 32) -> None:
        super().__init__()
        self.scale, self.features = scale, features
        pixels = 3 * scale**2
        # By its start each pixel repeated; it is trained like the others.
        self.near = nn.Conv2d(3, pixels, 3, padding=1, groups=3, bias=False)
        self.blocks = nn.ModuleList(
            Block(features, None if number else 3) for number in range(BLOCKS)
        )
        self.join = nn.Conv2d(2 * features + pixels, features, 1)
        self.last = convolution(features, pixels)
        self.shuffle = nn.PixelShuffle(scale)

    def forward(self, rgb: Tensor) -> Tensor:
        """``(N, 3, H, W)`` to ``(N, 3, s*H, s*W)``."""
        near, made, early = self.near(rgb), rgb, rgb
        for number, block in enumerate(self.blocks):
            made, _, _ = block(made)
            early = early if number else made
        joined = self.join(torch.cat([near, made, early], dim=1))
        return cast(Tensor, self.shuffle(self.last(joined)))
