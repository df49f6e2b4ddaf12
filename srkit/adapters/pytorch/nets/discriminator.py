"""SRGAN's discriminator: Figure 4 of Ledig et al., CVPR 2017 (arXiv:1609.04802)."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn


class Discriminator(nn.Module):
    """Tells photos from upscaled pictures; one logit a crop, positive for photos.

    Eight 3x3 convolutions of which every second halves the size and every third
    doubles the channels, then two dense layers. As in the PyTorch tutorial, features
    are averaged to 6x6 first, so that crops may have any size, and the sigmoid is
    left to the loss.

    Parameters
    ----------
    channels
        Of the first layer: 64 in the paper, where it has 23,565,505 parameters.

    Examples
    --------
    >>> sum(p.numel() for p in Discriminator().parameters())
    23565505
    """

    def __init__(self, channels: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = 3
        for number in range(8):
            wider = channels * 2 ** (number // 2)
            stride = 1 + number % 2
            layers.append(nn.Conv2d(width, wider, 3, stride, padding=1))
            if number:
                layers.append(nn.BatchNorm2d(wider))
            layers.append(nn.LeakyReLU(0.2))
            width = wider
        self.features = nn.Sequential(*layers)
        self.judge = nn.Sequential(
            nn.AdaptiveAvgPool2d(6),
            nn.Flatten(),
            nn.Linear(width * 36, 16 * channels),
            nn.LeakyReLU(0.2),
            nn.Linear(16 * channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """RGB in [-1, 1], ``(N, 3, H, W)``, to logits ``(N, 1)``."""
        return cast(Tensor, self.judge(self.features(x)))
