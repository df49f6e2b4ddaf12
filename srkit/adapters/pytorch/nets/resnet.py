"""ResNet of two-layer blocks, as an encoder: features where the resolution changes.

K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition", CVPR
2016, Figures 2 and 3 and Table 1 (18 and 34 layers), without its mean over the image
and its classifier. Module names are torchvision's, whose state dicts load as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from srkit.errors import WeightsError


@dataclass(frozen=True)
class Form:
    """Width and depth of an encoder.

    Attributes
    ----------
    widths
        Channels of each stage; the first is the stem's, too. Each stage has half the
        resolution of the one before it, and the first a quarter of the image's.
    blocks
        Residual blocks of each stage.
    """

    widths: tuple[int, ...]
    blocks: tuple[int, ...]

    @property
    def multiple(self) -> int:
        """Sides of images are multiples of this, so that every stage halves evenly."""
        return int(2 ** (len(self.widths) + 1))


RESNET34 = Form((64, 128, 256, 512), (3, 4, 6, 3))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut (Figure 2)."""

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(c_out)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(c_out)
        self.downsample: nn.Module = nn.Identity()
        if stride > 1 or c_in != c_out:
            self.downsample = nn.Sequential(
                nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out)
            )

    def forward(self, x: Tensor) -> Tensor:
        """``(N, c_in, H, W)`` to ``(N, c_out, H/stride, W/stride)``."""
        y = self.relu(self.bn1(self.conv1(x)))
        made: Tensor = self.relu(self.bn2(self.conv2(y)) + self.downsample(x))
        return made


class ResNet(nn.Module):
    """The encoder.

    Parameters
    ----------
    form
        Its width and depth.

    Examples
    --------
    >>> import torch
    >>> [tuple(x.shape[1:]) for x in ResNet(RESNET34)(torch.zeros(1, 3, 64, 64))]
    [(64, 32, 32), (64, 16, 16), (128, 8, 8), (256, 4, 4), (512, 2, 2)]
    """

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.form = form
        width = form.widths[0]
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        for number, (wider, blocks) in enumerate(zip(form.widths, form.blocks, strict=True), 1):
            stage = [BasicBlock(width, wider, 1 if number == 1 else 2)]
            stage += [BasicBlock(wider, wider, 1) for _ in range(1, blocks)]
            self.add_module(f"layer{number}", nn.Sequential(*stage))
            width = wider

    @property
    def stages(self) -> list[nn.Module]:
        """The stages, from fine to coarse."""
        return [self.get_submodule(f"layer{n}") for n in range(1, len(self.form.widths) + 1)]

    def forward(self, x: Tensor) -> list[Tensor]:
        """Features of ImageNet-normalised RGB ``(N, 3, H, W)``: of the stem and every stage.

        The stem's are ``(N, widths[0], H/2, W/2)``; each stage halves the size again.
        """
        features = [self.relu(self.bn1(self.conv1(x)))]
        y = self.maxpool(features[0])
        for stage in self.stages:
            y = stage(y)
            features.append(y)
        return features


def form_of(tensors: Mapping[str, Tensor], prefix: str = "") -> Form:
    """The form of the encoder that a state dict holds below a prefix.

    Raises
    ------
    WeightsError
        If it holds none.
    """
    widths: list[int] = []
    blocks: list[int] = []
    while (key := f"{prefix}layer{len(widths) + 1}.0.conv1.weight") in tensors:
        stage = key.removesuffix("0.conv1.weight")
        if tensors[key].ndim != 4:
            raise WeightsError(f"{key} is no kernel of a convolution")
        widths.append(len(tensors[key]))
        named = (k for k in tensors if k.startswith(stage))
        blocks.append(len({k.removeprefix(stage).split(".")[0] for k in named}))
    if not widths:
        raise WeightsError("these are no weights of a ResNet: layer1.0.conv1.weight is missing")
    return Form(tuple(widths), tuple(blocks))
