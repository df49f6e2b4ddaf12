"""Losses between what a network made and the photo, as typed settings that compute.

Numbers in brackets are equations of Wang, Chen, Hoi, "Deep Learning for Image
Super-resolution: A Survey", 2020 (arXiv:1902.06068). Planes are in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from srkit.errors import OptionError
from srkit.training.learning import backbones
from srkit.training.learning.adversary import Adversary
from srkit.training.learning.grain import Grain
from srkit.training.learning.phases import Phases
from srkit.training.learning.sharpening import sharpened

# What is compared with: "hr", "teacher", "auto", or one teacher's model.
Target = str


@dataclass(frozen=True)
class Pixel:
    """Difference of pixels: L1 (12), L2 (13), or Charbonnier (14) with epsilon 1e-3.

    Attributes
    ----------
    kind
        Or ``"log_l2"``, each crop's mean square in dB, at least -45: minus its PSNR, see
        `decibels`. Its gradients are so long that a run takes it with ``clip=0``.
    spare_edges
        Whether differences count less where the photo has edges: times 1 minus the length
        of Sobel's gradient, at most 1 (López-Tapia et al., 2020, equation 10). There an
        adversary is to decide.
    target
        What is compared with: ``"hr"``, the photo; ``"teacher"``, the mean of what teachers
        make of LR; ``"auto"``, that mean where there are teachers; or the model of one of the
        teachers, for what that one makes.
    sharpened
        Whether what is compared with is sharpened first; see `srkit.training.learning.sharpening`.
    """

    kind: Literal["l1", "l2", "charbonnier", "log_l2"] = "l1"
    weight: float = 1.0
    spare_edges: bool = False
    target: Target = "auto"
    sharpened: bool = False

    def prepare(self, device: torch.device) -> None:
        """Nothing has to be read."""

    def __call__(self, made: Tensor, photo: Tensor) -> Tensor:
        """A scalar, not weighted."""
        photo = sharpened(photo) if self.sharpened else photo
        differences = _DISTANCES[self.kind](made - photo)
        if self.spare_edges:
            differences = (1 - sobel(photo)) * differences
        return decibels(differences) if self.kind == "log_l2" else differences.mean()


# Mean square that is added to each crop's own, so that an exact one has a finite slope: 45 dB.
FLOOR = 3e-5


def decibels(squares: Tensor) -> Tensor:
    """Mean of crops' errors in dB: minus their PSNR, so that what is measured is what is learned.

    Crops of sky and of foliage count alike, as pictures do in a mean of PSNRs, whereas by mean
    squares a crop with ten times the error counts ten times (L. Chen et al., "HINet", CVPR
    workshops 2021, minimise the same). What is fainter than `FLOOR` counts less and less.

    Parameters
    ----------
    squares
        ``(N, C, H, W)``, of differences of values in [0, 1].

    Examples
    --------
    >>> round(float(decibels(torch.full((1, 1, 2, 2), 0.01))), 1)
    -20.0
    """
    means: Tensor = squares.mean((1, 2, 3))
    return 10 * (means + FLOOR).log10().mean()


def charbonnier(difference: Tensor) -> Tensor:
    """Nearly the absolute value, smooth at 0: epsilon is 1e-3 (14)."""
    return (difference.square() + 1e-6).sqrt()


_DISTANCES: Mapping[str, Callable[[Tensor], Tensor]] = {
    "l1": torch.abs,
    "l2": torch.square,
    "log_l2": torch.square,
    "charbonnier": charbonnier,
}


def sobel(planes: Tensor) -> Tensor:
    """Length of the gradient of the channels' mean, ``(N, 1, H, W)``, from 0 to 1."""
    grey = functional.pad(planes.mean(dim=1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    smooth, slope = grey.new_tensor([0.25, 0.5, 0.25]), grey.new_tensor([-1.0, 0.0, 1.0])
    down = functional.conv2d(grey, torch.outer(slope, smooth)[None, None])
    right = functional.conv2d(grey, torch.outer(smooth, slope)[None, None])
    return ((down.square() + right.square()) / 2).sqrt()


@dataclass(frozen=True)
class Features:
    """Difference of a trained network's features.

    Attributes
    ----------
    kind
        ``"vgg"``: difference of features (Ledig et al., 2017, equation 5); ``"gram"``: of
        their Gram matrices, which hold texture (16, 17).
    blocks
        Which of VGG's five blocks are compared, after their last rectified layer.
    backbone
        ``"vgg16"`` and ``"vgg19"`` are torchvision's, which are downloaded;
        ``"blurpool"`` is the anti-aliased VGG-16 of ``srkit[perceptual]``; ``"auto"``
        is vgg19 where torchvision is installed, else blurpool; a path is of
        neural-enhance's ``vgg19_conv.pkl.bz2``, whose features are far larger.
    distance
        ``"l2"``: the mean square; ``"charbonnier"``: as in `Pixel`.
    target, sharpened
        See `Pixel`.
    """

    kind: Literal["vgg", "gram"] = "vgg"
    weight: float = 1.0
    blocks: tuple[int, ...] = (5,)
    backbone: str = "auto"
    distance: Literal["l2", "charbonnier"] = "l2"
    target: Target = "auto"
    sharpened: bool = False

    def resolved(self) -> Features:
        """The same with the backbone that ``"auto"`` stands for here, for records."""
        return replace(self, backbone=backbones.resolved(self.backbone))

    def prepare(self, device: torch.device) -> None:
        """Read the backbone, so that one which is missing is missed before any work."""
        backbones.extractor(self.backbone, device)

    def __call__(self, made: Tensor, photo: Tensor) -> Tensor:
        """A scalar, not weighted."""
        extract = backbones.extractor(self.backbone, made.device)
        last = max(self.blocks)
        photo = sharpened(photo) if self.sharpened else photo
        with torch.no_grad():
            wanted = extract(photo, last)
        pairs = [(a, b) for a, b in zip(extract(made, last), wanted, strict=True)]
        chosen = [pairs[block - 1] for block in self.blocks]
        if self.kind == "gram":
            chosen = [(gram(a), gram(b)) for a, b in chosen]
        distance = _DISTANCES[self.distance]
        return torch.stack([distance(a - b).mean() for a, b in chosen]).sum()


# What makes features of the anti-aliased VGG-16 as large as those of torchvision's vgg16_bn, by
# block: docs/unet.md tells how it was found. Blocks 1 and 2 were not compared.
BLURPOOL_GAINS = (1.0, 1.0, 2.5, 0.28, 0.045)


@dataclass(frozen=True)
class FeatureLoss:
    """Difference of VGG-16's features and of their Gram matrices, as fastai's lesson 7 has it.

    The sum over blocks of w L1(f) + gram w² L1(G), where G is a Gram matrix divided by
    C*H*W. It goes with `Pixel` of weight `NORMALISED`, since fastai's pixels are normalised.

    Attributes
    ----------
    blocks, weights
        Which of VGG's five blocks are compared, after their last rectified layer, and w
        of each.
    gram
        Weight of Gram matrices; 0 leaves them out.
    backbone
        ``"vgg16_bn"`` is torchvision's, which is downloaded; ``"blurpool"`` is the
        anti-aliased VGG-16 of ``srkit[perceptual]``, its features brought to the size of
        the other's; ``"auto"`` is the first that is installed. See `Features` for others.
    target
        See `Pixel`.
    """

    kind: Literal["feature"] = "feature"
    weight: float = 1.0
    blocks: tuple[int, ...] = (3, 4, 5)
    weights: tuple[float, ...] = (5.0, 15.0, 2.0)
    gram: float = 5e3
    backbone: str = "auto"
    target: Target = "auto"

    def resolved(self) -> FeatureLoss:
        """See `Features.resolved`."""
        return replace(self, backbone=backbones.resolved(self.backbone, "vgg16_bn"))

    def prepare(self, device: torch.device) -> None:
        """See `Features.prepare`."""
        backbones.extractor(self.resolved().backbone, device)

    def __call__(self, made: Tensor, photo: Tensor) -> Tensor:
        """A scalar, not weighted."""
        backbone = self.resolved().backbone
        extract = backbones.extractor(backbone, made.device)
        last = max(self.blocks)
        with torch.no_grad():
            wanted = extract(photo, last)
        found = extract(made, last)
        total = torch.zeros((), device=made.device)
        for block, weight in zip(self.blocks, self.weights, strict=True):
            gain = BLURPOOL_GAINS[block - 1] if backbone == "blurpool" else 1.0
            a, b = gain * found[block - 1], gain * wanted[block - 1]
            total = total + weight * functional.l1_loss(a, b)
            if self.gram:
                total = total + self.gram * weight**2 * functional.l1_loss(gram(a), gram(b))
        return total


# L1 of pixels that are normalised as ImageNet's is so many times that in [0, 1]: the mean of
# one over the deviations.
NORMALISED = 4.43


@dataclass(frozen=True)
class Perceptual:
    """ST-LPIPS on the anti-aliased VGG-16 (Ghildyal and Liu, ECCV 2022).

    Attributes
    ----------
    target
        See `Pixel`.
    """

    kind: Literal["stlpips"] = "stlpips"
    weight: float = 1.0
    target: Target = "auto"

    def prepare(self, device: torch.device) -> None:
        """Read the network, so that one which is missing is missed before any work."""
        backbones.stlpips(device)

    def __call__(self, made: Tensor, photo: Tensor) -> Tensor:
        """A scalar, not weighted."""
        return backbones.stlpips(made.device).between(made, photo)


@dataclass(frozen=True)
class TotalVariation:
    """Mean length of the gradient of what was made (23): less of it is smoother.

    Attributes
    ----------
    power
        Of the squared length: 0.5 is the length itself, which bears edges; neural-enhance
        took 1.25, which does not.
    """

    kind: Literal["tv"] = "tv"
    weight: float = 1.0
    power: float = 0.5

    def prepare(self, device: torch.device) -> None:
        """Nothing has to be read."""

    def __call__(self, made: Tensor, photo: Tensor) -> Tensor:
        """A scalar, not weighted; `photo` does not matter."""
        down = made[..., 1:, :-1] - made[..., :-1, :-1]
        right = made[..., :-1, 1:] - made[..., :-1, :-1]
        # The small constant keeps the root's slope finite on even areas.
        return (down.square() + right.square() + 1e-8).pow(self.power).mean()


Loss = Pixel | Features | FeatureLoss | Perceptual | TotalVariation | Phases | Grain


def target_of(loss: Loss | Adversary, taught: bool) -> Target:
    """What a loss compares with, in a run with teachers or without."""
    target: Target = getattr(loss, "target", "hr")
    if target == "auto":
        return "teacher" if taught else "hr"
    return target


def gram(features: Tensor) -> Tensor:
    """Gram matrices ``(N, C, C)`` of ``(N, C, H, W)``: correlations of channels (16).

    Divided by C*H*W, so that neither size nor width of the network matters.
    """
    n, c, h, w = features.shape
    flat = features.reshape(n, c, h * w)
    return flat @ flat.transpose(1, 2) / (c * h * w)


def check(losses: tuple[Loss, ...], adversary: Adversary | None) -> None:
    """Refuse no losses, blocks and backbones that do not exist, and an empty judge.

    Raises
    ------
    OptionError
    """
    if not losses:
        raise OptionError("a recipe needs at least one loss")
    if adversary:
        adversary.check()
    for loss in losses:
        if isinstance(loss, Phases | Grain):
            loss.check()
        if not isinstance(loss, Features | FeatureLoss):
            continue
        if isinstance(loss, FeatureLoss) and len(loss.blocks) != len(loss.weights):
            raise OptionError(f"weights are one a block, not {loss.weights} for {loss.blocks}")
        if not (loss.blocks and set(loss.blocks) <= set(range(1, 6))):
            raise OptionError(f"blocks are numbers from 1 to 5, not {loss.blocks}")
        backbones.check_backbone(loss.backbone)
