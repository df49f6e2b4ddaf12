"""SRResNet, the generator of SRGAN.

Figure 4 of Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a
Generative Adversarial Network", CVPR 2017 (arXiv:1609.04802).

Module names are those of the PyTorch tutorial whose checkpoints many people have
(github.com/sgrvinod/a-PyTorch-Tutorial-to-Super-Resolution), so its state dicts load
as they are. The tutorial differs from the paper in three points, followed here: LR
is normalised by the ImageNet mean and deviation, one PReLU slope serves a whole
layer, and the output passes through tanh.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class ConvBlock(nn.Module):
    """Convolution, optional batch norm, optional activation."""

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int,
        *,
        norm: bool = False,
        act: nn.Module | None = None,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(c_in, c_out, kernel, padding=kernel // 2)]
        if norm:
            layers.append(nn.BatchNorm2d(c_out))
        if act is not None:
            layers.append(act)
        self.conv_block = nn.Sequential(*layers)

    @property
    def conv(self) -> nn.Conv2d:
        """The convolution."""
        return cast(nn.Conv2d, self.conv_block[0])

    @property
    def norm(self) -> nn.BatchNorm2d:
        """The batch norm, of a block that has one."""
        return cast(nn.BatchNorm2d, self.conv_block[1])

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` to the same height and width."""
        return cast(Tensor, self.conv_block(x))


class ResidualBlock(nn.Module):
    """The paper's block: conv, norm, PReLU, conv, norm, plus the input."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.conv_block1 = ConvBlock(channels, channels, kernel, norm=True, act=nn.PReLU())
        self.conv_block2 = ConvBlock(channels, channels, kernel, norm=True)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` to the same shape."""
        return cast(Tensor, self.conv_block2(self.conv_block1(x)) + x)


class SubPixelBlock(nn.Module):
    """Twice the size: convolution to four times the channels, then pixel shuffle."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 4 * channels, kernel, padding=kernel // 2)
        self.pixel_shuffle = nn.PixelShuffle(2)
        self.prelu = nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` to ``(N, C, 2H, 2W)``."""
        return cast(Tensor, self.prelu(self.pixel_shuffle(self.conv(x))))


class SRResNet(nn.Module):
    """The generator of SRGAN, and with a pixel loss a model of its own.

    Parameters
    ----------
    scale
        2, 4 or 8.
    channels, blocks, large_kernel, small_kernel
        Width, number of residual blocks, kernel of the first and last layer, and
        of all others. The defaults are the paper's.

    Notes
    -----
    Takes ImageNet-normalised LR ``(N, 3, H, W)``; returns ``(N, 3, s*H, s*W)`` in
    [-1, 1]. 1,549,462 parameters at x4.
    """

    def __init__(
        self,
        scale: int = 4,
        channels: int = 64,
        blocks: int = 16,
        large_kernel: int = 9,
        small_kernel: int = 3,
    ) -> None:
        super().__init__()
        if scale not in (2, 4, 8):
            raise ValueError(f"SRResNet's scale is 2, 4 or 8, not {scale}")
        self.scale = scale
        self.conv_block1 = ConvBlock(3, channels, large_kernel, act=nn.PReLU())
        self.residual_blocks = nn.Sequential(
            *(ResidualBlock(channels, small_kernel) for _ in range(blocks))
        )
        self.conv_block2 = ConvBlock(channels, channels, small_kernel, norm=True)
        self.subpixel_convolutional_blocks = nn.Sequential(
            *(SubPixelBlock(channels, small_kernel) for _ in range(int(math.log2(scale))))
        )
        self.conv_block3 = ConvBlock(channels, 3, large_kernel, act=nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        """Normalised LR to HR in [-1, 1]; see the class."""
        first = self.conv_block1(x)
        deep = self.conv_block2(self.residual_blocks(first)) + first
        return cast(Tensor, self.conv_block3(self.subpixel_convolutional_blocks(deep)))


def normalise(rgb: Tensor) -> Tensor:
    """RGB in [0, 1], ``(N, 3, H, W)``, to the network's input range."""
    mean = torch.tensor(IMAGENET_MEAN, dtype=rgb.dtype, device=rgb.device).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD, dtype=rgb.dtype, device=rgb.device).view(1, 3, 1, 1)
    return (rgb - mean) / std


def denormalise(output: Tensor) -> Tensor:
    """The network's output range [-1, 1] to [0, 1]."""
    return (output + 1) / 2
