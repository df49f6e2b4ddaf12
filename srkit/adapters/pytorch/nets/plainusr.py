"""PlainUSR: plain convolutions on fewer and fewer channels, and on more again, with attention.

Wang, Li, Wang and Liu, "PlainUSR: Chasing Faster ConvNet for Efficient Super-Resolution", ACCV
2024, arXiv:2409.13435, Figures 2 to 5, in the form that is run: each re-parameterised part
(RepMBConv) is one 3x3 convolution. Module names are those of upstream's merged checkpoints.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn

from srkit.adapters.pytorch.nets.resizing import ResizedLike

SLOPE = 0.05
# Fewer pixels along a side leave no place for the pool.
LEAST_SIDE = 7

Attention = Literal["none", "local", "fast"]


@dataclass(frozen=True)
class Part:
    """What one block is.

    Attributes
    ----------
    name
        Of the module.
    channels
        Of the first so many features the block makes others; the rest pass by.
    convolutions
        With LeakyReLU between them.
    attention
        ``"local"`` looks at a coarse plane, ``"fast"`` through a convolution.
    inner
        Channels of local attention.
    """

    name: str
    channels: int
    convolutions: int = 2
    attention: Attention = "local"
    inner: int = 16


@dataclass(frozen=True)
class Size:
    """How large the network is.

    Attributes
    ----------
    features
        Channels between blocks, beside three that carry the picture itself.
    parts
        The blocks, in the order in which they are run.
    """

    features: int
    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        most = max(part.channels for part in self.parts)
        if most > self.features:
            raise ValueError(f"a block of {most} channels, where there are {self.features}")


def u_shaped(*widths: int, convolutions: int = 2, inner: int = 16) -> Size:
    """Upstream's networks with local attention: widths on the way down, and the same up.

    Examples
    --------
    >>> [(part.name, part.channels) for part in u_shaped(64, 48, 32).parts]
    [('block1', 64), ('block2', 48), ('blockm', 32), ('block3', 48), ('block4', 64)]
    """
    count = len(widths)
    down = [f"block{n}" for n in range(1, count)]
    up = [f"block{n}" for n in range(count, 2 * count - 1)]
    names = [*down, "blockm", *up]
    sides = [*widths, *widths[-2::-1]]
    parts = (
        Part(name, channels, convolutions, "local", inner)
        for name, channels in zip(names, sides, strict=True)
    )
    return Size(widths[0], tuple(parts))


class SoftPool(nn.Module):
    """The mean of a window, in which large values count more: Figure 4."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.AvgPool2d(7, stride=3)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` to a plane of a third of its sides."""
        weights = torch.exp(x)
        return cast(Tensor, self.mean(weights * x) / self.mean(weights))


class LocalAttention(nn.Module):
    """Local importance-based attention, Figure 4; the first channel is a gate."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, inner, 1),
            SoftPool(),
            nn.Conv2d(inner, inner, 3, stride=2, padding=1),
            nn.Conv2d(inner, channels, 3, padding=1),
        )
        self.resized = ResizedLike()

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` to the same; sides are `LEAST_SIDE` at least."""
        weights = torch.sigmoid(self.body(x))
        return cast(Tensor, x * self.resized(weights, x) * torch.sigmoid(x[:, :1]))


class FastAttention(nn.Module):
    """The same of the smallest networks, which look through a convolution at full size."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` to the same."""
        return x * torch.sigmoid(x[:, :1]) * torch.sigmoid(self.body(x))


class Block(nn.Module):
    """Convolutions, and attention on what they give."""

    def __init__(self, part: Part) -> None:
        super().__init__()
        self.body = nn.Sequential(*_layers(part))

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` to the same."""
        return cast(Tensor, self.body(x))


def _layers(part: Part) -> Iterator[nn.Module]:
    for n in range(part.convolutions):
        if n:
            yield nn.LeakyReLU(SLOPE, inplace=True)
        yield nn.Conv2d(part.channels, part.channels, 3, padding=1)
    if part.attention == "local":
        yield LocalAttention(part.channels, part.inner)
    if part.attention == "fast":
        yield FastAttention(part.channels)


class PlainUSR(nn.Module):
    """RGB to RGB, both in [0, 1].

    Parameters
    ----------
    scale
        1 or more.
    size
        The default is the paper's PlainUSR; PlainUSR-L is ``u_shaped(80, 64, 48,
        convolutions=3)``.

    Examples
    --------
    >>> sum(p.numel() for p in PlainUSR(4).parameters())
    333108
    >>> large = PlainUSR(4, u_shaped(80, 64, 48, convolutions=3))
    >>> sum(p.numel() for p in large.parameters())
    734004
    """

    def __init__(self, scale: int, size: Size | None = None) -> None:
        super().__init__()
        self.scale = scale
        self.size = size = size or u_shaped(64, 48, 32)
        self.head = nn.Conv2d(3, size.features + 3, 3, padding=1)
        for part in size.parts:
            self.add_module(part.name, Block(part))
        last = nn.Conv2d(size.features + 3, 3 * scale**2, 3, padding=1)
        self.tail = nn.Sequential(last, nn.PixelShuffle(scale))

    @property
    def looks_coarsely(self) -> bool:
        """Whether a block has local attention, which asks for `LEAST_SIDE` pixels."""
        return any(part.attention == "local" for part in self.size.parts)

    def forward(self, rgb: Tensor) -> Tensor:
        """``(N, 3, H, W)`` to ``(N, 3, s*H, s*W)``; for the sides see `LocalAttention`."""
        x = self.head(rgb)
        for part in self.size.parts:
            made = self.get_submodule(part.name)(x[:, : part.channels])
            x = torch.cat([made, x[:, part.channels :]], dim=1)
        return cast(Tensor, self.tail(x))
