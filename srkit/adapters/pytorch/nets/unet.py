"""U-Net on a ResNet encoder, for images that were resized to their target size before.

After fastai's `DynamicUnet` (J. Howard and others, fastai 1.0, `vision/models/unet.py`, in
the form of its lesson 7 on super-resolution), which is a U-Net (O. Ronneberger, P.
Fischer, T. Brox, MICCAI 2015, Figure 1) whose way down is a classifier's. Each step up
is a sub-pixel convolution that begins as nearest-neighbour upsampling ("ICNR": A.
Aitken and others, "Checkerboard artifact free sub-pixel convolution", 2017).

fastai trains the decoder with weight norm (T. Salimans, D. Kingma, NIPS 2016):
`add_weight_norm`. What is saved and run are the weights that it stands for.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from srkit.adapters.pytorch.nets.resnet import Form, ResNet


def _conv(c_in: int, c_out: int) -> nn.Sequential:
    """3x3 convolution and ReLU."""
    conv = nn.Conv2d(c_in, c_out, 3, padding=1)
    nn.init.kaiming_normal_(conv.weight)
    nn.init.zeros_(cast(Tensor, conv.bias))
    return nn.Sequential(conv, nn.ReLU(inplace=True))


class ShuffleUp(nn.Module):
    """Twice the size: 1x1 convolution, ReLU, pixel shuffle, and blur if wanted.

    Parameters
    ----------
    c_in, c_out
        Channels.
    blur
        Whether to take the mean of each pixel and its left, upper and upper left neighbours,
        which takes away what is left of a grid.
    """

    def __init__(self, c_in: int, c_out: int, *, blur: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c_in, 4 * c_out, 1)
        icnr(self.conv)
        self.relu = nn.ReLU(inplace=True)
        self.shuffle = nn.PixelShuffle(2)
        self.blur = nn.Sequential(nn.ReplicationPad2d((1, 0, 1, 0)), nn.AvgPool2d(2, stride=1))
        if not blur:
            self.blur = nn.Sequential()

    def forward(self, x: Tensor) -> Tensor:
        """``(N, c_in, H, W)`` to ``(N, c_out, 2H, 2W)``."""
        return cast(Tensor, self.blur(self.shuffle(self.relu(self.conv(x)))))


@torch.no_grad()
def icnr(conv: nn.Conv2d, factor: int = 2) -> None:
    """Make a convolution and a pixel shuffle after it nearest-neighbour upsampling.

    Each kernel, drawn anew, serves the ``factor**2`` channels that become one pixel's
    neighbours. A weight norm that is added later keeps them.
    """
    kernels = torch.empty_like(conv.weight[:: factor**2])
    nn.init.kaiming_normal_(kernels)
    conv.weight.copy_(kernels.repeat_interleave(factor**2, dim=0))
    nn.init.zeros_(cast(Tensor, conv.bias))


class UpBlock(nn.Module):
    """A step up: what comes from below at twice its size, beside the encoder's features.

    Parameters
    ----------
    below, skip
        Channels from below, and of the encoder's features.
    c_out
        Channels of the result.
    """

    def __init__(self, below: int, skip: int, c_out: int) -> None:
        super().__init__()
        self.up = ShuffleUp(below, below // 2, blur=True)
        self.norm = nn.BatchNorm2d(skip)
        self.relu = nn.ReLU(inplace=True)
        self.conv1 = _conv(below // 2 + skip, c_out)
        self.conv2 = _conv(c_out, c_out)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """``(N, below, H, W)`` and ``(N, skip, 2H, 2W)`` to ``(N, c_out, 2H, 2W)``."""
        both = self.relu(torch.cat([self.up(x), self.norm(skip)], dim=1))
        return cast(Tensor, self.conv2(self.conv1(both)))


class UNet(nn.Module):
    """The network, between images of the same size.

    Parameters
    ----------
    scale
        The factor by which images were resized before: the network itself keeps sizes.
    form
        Of the encoder. The decoder's widths follow from it.

    Examples
    --------
    >>> from srkit.adapters.pytorch.nets.resnet import RESNET34
    >>> with torch.device("meta"):
    ...     net = UNet(4, RESNET34)
    >>> sum(p.numel() for p in net.parameters())
    41221268
    """

    def __init__(self, scale: int, form: Form) -> None:
        super().__init__()
        self.scale, self.form = scale, form
        self.encoder = ResNet(form)
        width = form.widths[-1]
        self.norm = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.middle = nn.Sequential(*_conv(width, 2 * width), *_conv(2 * width, width))
        self.blocks = nn.ModuleList()
        skips = (form.widths[0], *form.widths[:-1])
        for number, skip in enumerate(reversed(skips), 1):
            both = width // 2 + skip
            wanted = both // 2 if number == len(skips) else both
            self.blocks.append(UpBlock(width, skip, wanted))
            width = wanted
        self.up = ShuffleUp(width, width, blur=False)
        width += 3
        self.cross = nn.Sequential(*_conv(width, width), *_conv(width, width))
        self.out = nn.Conv2d(width, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        """ImageNet-normalised RGB ``(N, 3, H, W)`` to the same; sides are multiples of the form's.

        See `Form.multiple`.
        """
        *skips, y = self.encoder(x)
        y = self.middle(self.relu(self.norm(y)))
        for block, skip in zip(self.blocks, reversed(skips), strict=True):
            y = block(y, skip)
        y = torch.cat([self.up(y), x], dim=1)
        return cast(Tensor, self.out(y + self.cross(y)))

    @property
    def groups(self) -> list[list[nn.Module]]:
        """Layer groups, from the image on: first half of the encoder, second half, decoder."""
        net = self.encoder
        half = len(net.stages) // 2
        early = [net.conv1, net.bn1, *net.stages[:half]]
        decoder = [self.norm, self.middle, self.blocks, self.up, self.cross, self.out]
        return [early, net.stages[half:], decoder]


def add_weight_norm(net: UNet) -> None:
    """Train the decoder's convolutions as direction and length, in place.

    The network computes the same, ICNR included: both are taken from the weights.
    """
    for group in net.groups[-1]:
        for module in group.modules():
            if isinstance(module, nn.Conv2d):
                parametrizations.weight_norm(module)
