"""MD-AVSR: one sharp frame from several, beside the pseudo-inverse of how LR came about.

Figure 4 and Section III-B of S. López-Tapia, A. Lucas, R. Molina, A. Katsaggelos, "A
Single Video Super-Resolution GAN for Multiple Downsampling Operators based on
Pseudo-Inverse Image Formation Models", Digital Signal Processing 2020
(arXiv:1907.01399).

Where the paper leaves things open: each frame has a first convolution of its own, the
encoder's first layer is the one with a stride, and a third convolution brings the 96
channels back to 64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Size:
    """How wide and deep the network is; by default as in the paper.

    Attributes
    ----------
    width, encoder
        Channels of the trunk, and of what is learned of the pseudo-inverse.
    low, high
        Residual blocks at the size of LR and of HR.
    """

    width: int = 64
    encoder: int = 32
    low: int = 10
    high: int = 5


class Residual(nn.Module):
    """Convolution, ReLU, convolution, sum, ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` to the same."""
        return cast(Tensor, self.relu(x + self.conv2(self.relu(self.conv1(x)))))


class AVSR(nn.Module):
    """f of the paper: what the projection is applied to.

    Parameters
    ----------
    scale
        2, 3 or 4.
    window
        LR frames, an odd number; the middle one becomes HR.
    channels
        Of a frame: 1 for luma, 3 for RGB.
    size
        See `Size`.

    Examples
    --------
    >>> sum(p.numel() for p in AVSR(4).parameters())
    1961025
    """

    def __init__(
        self, scale: int, window: int = 5, channels: int = 1, size: Size | None = None
    ) -> None:
        super().__init__()
        size = size or Size()
        self.scale, self.window, self.channels, self.size = scale, window, channels, size
        width = size.width
        # The first convolutions of all frames are one of so many groups.
        self.frames = nn.Conv2d(window * channels, window * width, 3, padding=1, groups=window)
        self.merge = nn.Conv2d(window * width, width, 3, padding=1)
        self.encode = nn.Sequential(
            nn.Conv2d(channels, size.encoder, 3, stride=scale, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(size.encoder, size.encoder, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(size.encoder, size.encoder, 3, padding=1),
            nn.ReLU(inplace=True),
        )
        self.join = nn.Conv2d(width + size.encoder, width, 3, padding=1)
        self.low = nn.Sequential(*(Residual(width) for _ in range(size.low)))
        self.expand = nn.Conv2d(width, width * scale**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(scale)
        self.high = nn.Sequential(*(Residual(width) for _ in range(size.high)))
        self.out = nn.Conv2d(width, channels, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, frames: Tensor, inverse: Tensor) -> Tensor:
        """One HR frame.

        Parameters
        ----------
        frames
            LR, in the order of time, ``(N, window*channels, H, W)``.
        inverse
            A⁺y of the middle frame, ``(N, channels, s*H, s*W)``.

        Returns
        -------
        Tensor
            ``(N, channels, s*H, s*W)``.
        """
        x = self.relu(self.merge(self.relu(self.frames(frames))))
        x = self.join(torch.cat([x, self.encode(inverse)], dim=1))
        x = self.high(self.shuffle(self.expand(self.low(x))))
        return cast(Tensor, self.out(x))
