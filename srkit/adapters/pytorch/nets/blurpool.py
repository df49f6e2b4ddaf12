"""AlexNet and VGG-16 without aliasing, as ST-LPIPS uses them.

A. Krizhevsky, I. Sutskever, G. Hinton, "ImageNet Classification with Deep
Convolutional Neural Networks", NIPS 2012, Figure 2; K. Simonyan, A. Zisserman, "Very
Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015, Table 1,
column D. Every stride of two is a blur followed by subsampling (R. Zhang, "Making
Convolutional Networks Shift-Invariant Again", ICML 2019), with the wide reflection
padding and, in AlexNet, the stride-1 first layer of A. Ghildyal, F. Liu,
"Shift-tolerant Perceptual Similarity Metric", ECCV 2022.

Only what makes features is here: no classifier. Layers are numbered through the
whole network, as in the files of weights, which load as they are.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from srkit.errors import OptionError


class BlurPool(nn.Module):
    """Half the size: blur by [1 2 1]/4 both ways, then every second sample."""

    filt: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        row = torch.tensor([1.0, 2.0, 1.0]) / 4
        self.register_buffer("filt", torch.outer(row, row).repeat(channels, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` to about half of H and W."""
        padded = functional.pad(x, (2, 2, 2, 2), mode="reflect")
        return functional.conv2d(padded, self.filt, stride=2, groups=x.shape[1])


class _Blocks(nn.Module):
    """Five blocks in a row, each one's output a level of features.

    Attributes
    ----------
    channels
        Features of each block.
    min_side
        The smallest height and width that all blocks can take.
    """

    channels: ClassVar[tuple[int, ...]]
    min_side: ClassVar[int]

    def __init__(self, *blocks: list[nn.Module]) -> None:
        super().__init__()
        layer = 0
        for number, block in enumerate(blocks, 1):
            stage = nn.Sequential()
            for module in block:
                stage.add_module(str(layer), module)
                layer += 1
            self.add_module(f"slice{number}", stage)

    def forward(self, x: Tensor, last: int = 5) -> list[Tensor]:
        """Features of the first `last` blocks; those after it are not computed.

        Parameters
        ----------
        x
            ImageNet-normalised RGB ``(N, 3, H, W)``, at least `min_side` a side
            for all five blocks.
        last
            Number of the last block to compute, 1 to 5.

        Returns
        -------
        list of Tensor
            `last` tensors ``(N, C, h, w)`` after the block's last ReLU.

        Raises
        ------
        OptionError
            If `last` is not 1 to 5.
        """
        if last not in range(1, 6):
            raise OptionError(f"last is the number of a block, 1 to 5, not {last!r}")
        features = []
        for number in range(1, last + 1):
            x = self.get_submodule(f"slice{number}")(x)
            features.append(x)
        return features


def _conv(c_in: int, c_out: int, kernel: int = 3) -> list[nn.Module]:
    return [nn.Conv2d(c_in, c_out, kernel, padding=kernel // 2), nn.ReLU(inplace=True)]


def _pool(channels: int, kernel: int) -> list[nn.Module]:
    return [nn.MaxPool2d(kernel, stride=1), BlurPool(channels)]


class AlexNet(_Blocks):
    """AlexNet's five convolutions, one a block.

    The first slides by one pixel and is blurred to half the size before its ReLU,
    where the original slides by four: the output is finer by two.

    Examples
    --------
    >>> [tuple(level.shape[1:]) for level in AlexNet()(torch.zeros(1, 3, 64, 64))]
    [(64, 30, 30), (192, 15, 15), (384, 8, 8), (256, 8, 8), (256, 8, 8)]
    """

    channels = (64, 192, 384, 256, 256)
    min_side = 21

    def __init__(self) -> None:
        super().__init__(
            [nn.Conv2d(3, 64, 11, padding=2), BlurPool(64), nn.ReLU(inplace=True)],
            [*_pool(64, 3), *_conv(64, 192, 5)],
            [*_pool(192, 3), *_conv(192, 384)],
            _conv(384, 256),
            _conv(256, 256),
        )


class VGG16(_Blocks):
    """VGG-16's thirteen convolutions in its five blocks.

    Examples
    --------
    >>> [tuple(level.shape[1:]) for level in VGG16()(torch.zeros(1, 3, 64, 64), last=3)]
    [(64, 64, 64), (128, 33, 33), (256, 17, 17)]
    """

    channels = (64, 128, 256, 512, 512)
    min_side = 18

    def __init__(self) -> None:
        super().__init__(
            [*_conv(3, 64), *_conv(64, 64)],
            [*_pool(64, 2), *_conv(64, 128), *_conv(128, 128)],
            [*_pool(128, 2), *_conv(128, 256), *_conv(256, 256), *_conv(256, 256)],
            [*_pool(256, 2), *_conv(256, 512), *_conv(512, 512), *_conv(512, 512)],
            [*_pool(512, 2), *_conv(512, 512), *_conv(512, 512), *_conv(512, 512)],
        )
