"""Discriminators: SRGAN's, Real-ESRGAN's U-Net, and neural-enhance's, which sees features.

The first is Figure 4 of Ledig et al., CVPR 2017 (arXiv:1609.04802), the second Figure 6 of Wang
et al., "Real-ESRGAN", ICCVW 2021 (arXiv:2107.10833).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm


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


class UNetDiscriminator(nn.Module):
    """Tells photos from upscaled pictures pixel by pixel; logits positive for photos.

    Three times the size is halved, and brought back by bilinear interpolation, where what was
    there before is added. Spectral norm (Miyato et al., ICLR 2018) holds all layers but the first
    and the last, and nothing is normalised by statistics of a batch.

    Parameters
    ----------
    channels
        Of the first layer: 64 in the paper, where it has 4,376,897 parameters.

    Examples
    --------
    >>> sum(p.numel() for p in UNetDiscriminator().parameters())
    4376897
    """

    def __init__(self, channels: int = 64) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, channels, 3, padding=1)
        widths = [channels * 2**n for n in range(4)]
        self.down = nn.ModuleList(
            spectral_norm(nn.Conv2d(given, made, 4, 2, padding=1, bias=False))
            for given, made in pairwise(widths)
        )
        self.up = nn.ModuleList(_steady(given, made) for given, made in pairwise(widths[::-1]))
        self.judge = nn.Sequential(
            _steady(channels, channels),
            nn.LeakyReLU(0.2),
            _steady(channels, channels),
            nn.LeakyReLU(0.2),
            nn.Conv2d(channels, 1, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """RGB in [-1, 1], ``(N, 3, H, W)``, to logits ``(N, 1, H, W)``."""
        x = functional.leaky_relu(self.first(x), 0.2)
        skipped: list[Tensor] = []
        for down in self.down:
            skipped.append(x)
            x = functional.leaky_relu(down(x), 0.2)
        for up in self.up:
            before = skipped.pop()
            x = functional.interpolate(x, before.shape[-2:], mode="bilinear", align_corners=False)
            x = functional.leaky_relu(up(x), 0.2) + before
        return cast(Tensor, self.judge(x))


def _steady(given: int, made: int) -> nn.Module:
    conv: nn.Module = spectral_norm(nn.Conv2d(given, made, 3, padding=1, bias=False))
    return conv


class FeatureDiscriminator(nn.Module):
    """Tells photos from upscaled pictures by what a trained network sees in them.

    After neural-enhance (A. J. Champandard, 2016): the features of three blocks of VGG,
    each normalised, are brought to a quarter of the size, joined, and judged place by
    place. The original also normalises its logits, over photos and pictures together. Here
    each kind is normalised by itself, and logits of mean 0 would tell nothing. Nor does it
    take a convolution of the third block before its bias, as the original does, or leave
    the last layer untrained.

    Parameters
    ----------
    extract
        Gives features of the first three blocks of RGB in [0, 1]: `extract(rgb, 3)`. It
        is no part of this module's state.
    widths
        Their channels.
    channels
        Of the first layer.
    """

    def __init__(
        self,
        extract: Callable[[Tensor, int], list[Tensor]],
        widths: Sequence[int],
        channels: int,
    ) -> None:
        super().__init__()
        self._extract = extract
        fine, middle, coarse = widths
        self.fine = nn.Sequential(
            nn.BatchNorm2d(fine),
            *_judging(fine, channels, 5, stride=2),
            *_judging(channels, channels, 5, stride=2),
        )
        self.middle = nn.Sequential(
            nn.BatchNorm2d(middle), *_judging(middle, 2 * channels, 5, stride=2)
        )
        self.coarse = nn.Sequential(nn.BatchNorm2d(coarse), *_judging(coarse, 3 * channels, 3))
        self.judge = nn.Sequential(
            *_judging(6 * channels, 4 * channels, 1),
            *_judging(4 * channels, 3 * channels, 3, stride=2),
            *_judging(3 * channels, 2 * channels, 1),
            nn.Conv2d(2 * channels, 1, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """RGB in [-1, 1], ``(N, 3, H, W)``, to logits ``(N, 1, H / 8, W / 8)``."""
        parts = (self.fine, self.middle, self.coarse)
        # VGG's features outgrow float16, not bfloat16.
        kind = x.device.type
        brief = torch.is_autocast_enabled(kind) and torch.get_autocast_dtype(kind) is torch.bfloat16
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=brief):
            features = self._extract((x.float() + 1) / 2, 3)
        seen = [part(found) for part, found in zip(parts, features, strict=True)]
        # Sides are halved twice, by pooling here and by strides there, which round apart.
        height, width = (min(found.shape[side] for found in seen) for side in (-2, -1))
        joined = torch.cat([found[..., :height, :width] for found in seen], 1)
        return cast(Tensor, self.judge(joined))


def _judging(given: int, made: int, kernel: int, stride: int = 1) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(given, made, kernel, stride, padding=kernel // 2), nn.PReLU(made)
