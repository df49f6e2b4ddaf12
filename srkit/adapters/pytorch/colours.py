"""Even colours come back as they went in: low frequencies that a network shifts are put back.

A network trained on pictures is hardly ever shown an even colour, least of all a saturated one, and
answers with another: of green of 255 SRResNet made green of 238, with a grid on it of the period
of a pixel of LR. Put back is the difference between picture and result, blurred, by layers that
stream and that count in the receptive field as the network's own do.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from srkit.card import ModelCard

# Of the blur, in LR pixels. A narrower one would put noise back that a network takes away, of
# which this one leaves a tenth; a wider one would carry the network's own border into pictures.
SIGMA, RADIUS = 3.0, 8
# Levels of 255 by which the places within an LR pixel are taken to be off their mean: more than the
# grids that networks leave on even colours, and so little that an edge leaves no copies of itself.
MOST_GRID = 6


class Fixed(nn.Conv2d):
    """A convolution of each channel by itself, of weights that are not trained.

    It computes in float32 in a network of whatever precision, and so does all that follows it.

    Parameters
    ----------
    weight
        ``(channels out, 1, height, width)``.
    channels
        That go in.
    stride, padding
        As of any convolution.
    """

    def __init__(
        self,
        weight: Tensor,
        channels: int,
        *,
        stride: int = 1,
        padding: tuple[int, int] = (0, 0),
    ) -> None:
        out, _, height, width = weight.shape
        super().__init__(
            channels, out, (height, width), stride, padding, groups=channels, bias=False
        )
        del self.weight
        self.register_buffer("weight", weight.float())


class EvenColours(nn.Module):
    """A network whose result keeps the low frequencies of its input.

    x + B(E y - x) for a result x of a picture y, in which the `scale`² places within an LR pixel
    are channels: E is bilinear interpolation, of which the mean over these channels is y itself,
    and B a Gaussian blur of every channel. An even colour whose places all are alike is right then,
    and so is a slope. What is blurred is the difference of means, and what places differ from it
    within `MOST_GRID` levels.

    Parameters
    ----------
    net
        ``(N, 3, H, W)`` in [0, 1] to ``(N, 3, scale*H, scale*W)``.
    scale
        Its factor.
    """

    def __init__(self, net: nn.Module, scale: int) -> None:
        super().__init__()
        self.net = net
        channels = 3 * scale**2
        self.shrink = shrinking(scale)
        self.places = nn.PixelUnshuffle(scale)
        # Beyond the border it sees zeros, of which `most` lets little through.
        self.enlarge = Fixed(_interpolation(scale).repeat(3, 1, 1, 1), 3, padding=(1, 1))
        self.spread = Fixed(torch.ones(channels, 1, 1, 1), 3)
        line = _gaussian().repeat(channels, 1, 1, 1)
        self.blur = nn.Sequential(
            Fixed(line, channels, padding=(0, RADIUS)),
            Fixed(line.transpose(2, 3), channels, padding=(RADIUS, 0)),
        )
        self.shuffle = nn.PixelShuffle(scale)
        self.most = MOST_GRID / 255

    def forward(self, rgb: Tensor) -> Tensor:
        """What the network makes, with low frequencies put back."""
        # The network comes first, as its first convolution is looked for by reduced precisions.
        made = self.net(rgb)
        mean = self.spread(rgb - self.shrink(made))
        apart = self.enlarge(rgb) - self.places(made)
        grid = torch.clamp(apart - mean, -self.most, self.most)
        return cast(Tensor, made + self.shuffle(self.blur(mean + grid)))


def shrinking(scale: int) -> Fixed:
    """The mean within each LR pixel."""
    return Fixed(torch.full((3, 1, scale, scale), 1 / scale**2), 3, stride=scale)


def even_colours(net: nn.Module, card: ModelCard, scale: int) -> nn.Module:
    """The network as its card has it: with even colours kept where that says so.

    Examples
    --------
    >>> from srkit.models.builtin import ESPCN, PHOTO
    >>> type(even_colours(nn.Identity(), PHOTO, 4)).__name__
    'EvenColours'
    """
    return EvenColours(net, scale) if card.even_colours else net


def _interpolation(scale: int) -> Tensor:
    """Kernels ``(scale², 1, 3, 3)`` of all places within a pixel, whose mean is no blur."""
    place = (np.arange(scale) + 0.5) / scale - 0.5
    line = np.stack([np.maximum(0, -place), 1 - np.abs(place), np.maximum(0, place)], 1)
    kernels = np.einsum("ik,jl->ijkl", line, line).reshape(scale**2, 3, 3)
    kernels -= kernels.mean(0)
    kernels[:, 1, 1] += 1
    return torch.from_numpy(kernels)[:, None]


def _gaussian() -> Tensor:
    """A line of weights ``(1, 1, 1, 2 * RADIUS + 1)``, of the sum 1."""
    line = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / SIGMA) ** 2)
    return torch.from_numpy(line / line.sum())[None, None, None]
