"""Compact: convolutions at low resolution, one after another, and a pixel shuffle.

The network of Real-ESRGAN's small models (Wang et al., "Real-ESRGAN", ICCVW 2021,
arXiv:2107.10833, and its repository, where it is called SRVGGNetCompact). Module names are those
of its checkpoints, so its state dicts load as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn

# Largest square of LR pixels that becomes channels.
MOST_UNSHUFFLE = 4


@dataclass(frozen=True)
class Size:
    """How large a compact network is.

    Attributes
    ----------
    features
        Channels of all layers but the first and the last.
    layers
        Convolutions between the first and the last.
    unshuffle
        Side of the squares of LR pixels that become channels before the first layer: with 2
        the network works at half of LR's resolution, sees twice as far, and takes twice the
        features for the same multiplications.
    """

    features: int = 64
    layers: int = 16
    unshuffle: int = 1

    def __post_init__(self) -> None:
        if not (self.features >= 1 and self.layers >= 0 and 1 <= self.unshuffle <= MOST_UNSHUFFLE):
            raise ValueError(
                "a compact network has 1 feature at least, layers from 0 on, and unshuffle from 1 "
                f"to {MOST_UNSHUFFLE}: {self}"
            )


class Compact(nn.Module):
    """RGB to RGB, both in [0, 1]: what is learned is added to the enlarged input.

    Parameters
    ----------
    scale
        1 or more.
    size
        Upstream's small models have 64 features and 16 or 32 layers.

    Examples
    --------
    >>> sum(p.numel() for p in Compact(4).parameters())
    621424
    >>> sum(p.numel() for p in Compact(4, Size(layers=32)).parameters())
    1213296
    """

    def __init__(self, scale: int, size: Size | None = None) -> None:
        super().__init__()
        self.scale = scale
        self.size = size or Size()
        features, inside = self.size.features, self.size.unshuffle
        self.unshuffle = nn.PixelUnshuffle(inside) if inside > 1 else nn.Identity()
        body: list[nn.Module] = [nn.Conv2d(3 * inside**2, features, 3, padding=1)]
        for _ in range(self.size.layers):
            body += [nn.PReLU(features), nn.Conv2d(features, features, 3, padding=1)]
        body += [nn.PReLU(features), nn.Conv2d(features, 3 * (scale * inside) ** 2, 3, padding=1)]
        self.body = nn.Sequential(*body)
        self.shuffle = nn.PixelShuffle(scale * inside)
        self.enlarge = nn.Upsample(scale_factor=scale) if scale > 1 else nn.Identity()

    @property
    def last(self) -> nn.Conv2d:
        """The last convolution."""
        return cast(nn.Conv2d, self.body[-1])

    def forward(self, rgb: Tensor) -> Tensor:
        """``(N, 3, H, W)`` to ``(N, 3, s*H, s*W)``; sides are multiples of `Size.unshuffle`."""
        learned = self.shuffle(self.body(self.unshuffle(rgb)))
        return cast(Tensor, learned + self.enlarge(rgb))
