"""Enhanced spatial attention: features weighed by what a coarse look at them says.

Liu, Zhang, Tang and Wu, "Residual Feature Aggregation Network for Image Super-Resolution", CVPR
2020, Figure 4, as RFDN and RLFN have it. Module names are those of their checkpoints.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from srkit.adapters.pytorch.nets.resizing import ResizedLike

# Fewer pixels along a side leave no place for the pool.
LEAST_SIDE = 15


class ESA(nn.Module):
    """Strided convolution and pool, convolutions there, and interpolation back.

    Parameters
    ----------
    channels
        Of what comes in and goes out.
    inner
        Channels within.
    deep
        Three convolutions with ReLU on the coarse plane, as in RFDN; else one, as in RLFN.
    """

    def __init__(self, channels: int, inner: int, *, deep: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, inner, 1)
        self.conv_f = nn.Conv2d(inner, inner, 1)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride=2)
        self.conv3 = nn.Conv2d(inner, inner, 3, padding=1)
        self.conv4 = nn.Conv2d(inner, channels, 1)
        self.deep = deep
        if deep:
            self.conv_max = nn.Conv2d(inner, inner, 3, padding=1)
            self.conv3_ = nn.Conv2d(inner, inner, 3, padding=1)
        self.pool = nn.MaxPool2d(7, stride=3)
        self.relu = nn.ReLU()
        self.resized = ResizedLike()

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` to the same; sides are `LEAST_SIDE` at least."""
        given = self.conv1(x)
        coarse = self.pool(self.conv2(given))
        if self.deep:
            coarse = self.relu(self.conv3(self.relu(self.conv_max(coarse))))
            coarse = self.conv3_(coarse)
        else:
            coarse = self.conv3(coarse)
        weights = self.conv4(self.resized(coarse, x) + self.conv_f(given))
        return x * torch.sigmoid(weights)
