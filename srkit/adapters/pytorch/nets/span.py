"""SPAN: few convolutions, and attention without parameters.

Wan et al., "Swift Parameter-free Attention Network for Efficient Super-Resolution", CVPRW 2024
(arXiv:2311.12770). Each block weighs what it made by a symmetric function of itself: 0 where it
found nothing, towards one half where it found much.

Upstream trains each convolution as a product of three beside a fourth of one pixel, and ships the
sum. These layers are the sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

# What upstream's program subtracts and multiplies by: the means of DIV2K's colours, and levels.
MEAN, LEVELS = (0.4488, 0.4371, 0.4040), 255.0
BLOCKS = 6


@dataclass(frozen=True)
class Form:
    """Which of the forms that there are a SPAN has.

    Attributes
    ----------
    features
        Channels of all layers but the first and the last: 48 or 52 in the paper, 28 in the
        network that won NTIRE's challenge.
    joined
        Channels that the last layer sees; 0 for as many as `features`.
    centred
        Whether `MEAN` is taken from what it sees, and the rest multiplied by `LEVELS`.
    activated
        Whether what the last block's first convolution made is joined after its activation, as
        upstream's program does, where activations write to their input, or before it, as here.
    """

    features: int = 48
    joined: int = 0
    centred: bool = True
    activated: bool = False

    def __post_init__(self) -> None:
        if self.features < 1 or self.joined < 0:
            raise ValueError(f"SPAN has 1 feature at least: {self}")


def convolution(given: int, made: int) -> nn.Conv2d:
    """Of 3x3 pixels.

    Examples
    --------
    >>> convolution(3, 8)(torch.zeros(1, 3, 5, 7)).shape
    torch.Size([1, 8, 5, 7])
    """
    return nn.Conv2d(given, made, 3, padding=1)


class Block(nn.Module):
    """Three convolutions, and their result weighed by itself.

    Parameters
    ----------
    features
        Channels that it makes.
    given
        Channels that it takes; None for as many. Where these are others there is nothing to add
        the result to, and it is not weighed either.

    Examples
    --------
    >>> made, first, activated = Block(4)(torch.zeros(1, 4, 5, 7))
    >>> made.shape
    torch.Size([1, 4, 5, 7])
    """

    def __init__(self, features: int, given: int | None = None) -> None:
        super().__init__()
        self.attends = given is None or given == features
        self.conv1 = convolution(given or features, features)
        self.conv2, self.conv3 = (convolution(features, features) for _ in range(2))
        self.activation = nn.SiLU()

    def forward(self, given: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What it makes, and what its first convolution makes, before and after activation."""
        first = self.conv1(given)
        activated = self.activation(first)
        found = self.conv3(self.activation(self.conv2(activated)))
        if not self.attends:
            return found, first, activated
        return (found + given) * (torch.sigmoid(found) - 0.5), first, activated


class SPAN(nn.Module):
    """RGB to RGB, both in [0, 1].

    Parameters
    ----------
    scale
        1 or more.
    form
        See `Form`. State dicts tell of what is not by default: by shapes, or by a tensor of that
        name.

    Examples
    --------
    >>> [sum(p.numel() for p in SPAN(4, Form(n)).parameters()) for n in (28, 48, 52)]
    [150688, 426288, 498208]
    >>> SPAN(2, Form(8))(torch.zeros(1, 3, 5, 7)).shape
    torch.Size([1, 3, 10, 14])
    """

    def __init__(self, scale: int, form: Form | None = None) -> None:
        super().__init__()
        self.scale, self.form = scale, form or Form()
        features = self.form.features
        joined = self.form.joined or features
        self.first = convolution(3, features)
        self.blocks = nn.ModuleList(Block(features) for _ in range(BLOCKS))
        self.deep = convolution(features, features)
        self.join = nn.Conv2d(4 * features, joined, 1)
        self.last = convolution(joined, 3 * scale**2)
        self.shuffle = nn.PixelShuffle(scale)
        # Nothing is computed from these; upstream's files have the first of them.
        if not self.form.centred:
            self.register_buffer("no_norm", torch.zeros(1))
        if self.form.activated:
            self.register_buffer("activated", torch.zeros(1))

    def forward(self, rgb: Tensor) -> Tensor:
        """``(N, 3, H, W)`` to ``(N, 3, s*H, s*W)``."""
        shallow = self.first(centred(rgb) if self.form.centred else rgb)
        made = early = shallow
        for number, block in enumerate(self.blocks):
            made, first, activated = block(made)
            early = early if number else made
        inner = activated if self.form.activated else first
        joined = self.join(torch.cat([shallow, self.deep(made), early, inner], dim=1))
        return cast(Tensor, self.shuffle(self.last(joined)))


def centred(rgb: Tensor) -> Tensor:
    """Colours less `MEAN`, in levels.

    By numbers, and not by a tensor: a network that is put into bfloat16 would round it.

    Examples
    --------
    >>> [round(float(n), 2) for n in centred(torch.full((1, 3, 1, 1), 0.5)).flatten()]
    [13.06, 16.04, 24.48]
    """
    colours = [rgb[:, n : n + 1] - mean for n, mean in enumerate(MEAN)]
    return torch.cat(colours, dim=1) * LEVELS
