"""A discriminator to train against, as typed settings, and the losses of both.

Numbers in brackets are equations of Wang, Chen, Hoi, "Deep Learning for Image
Super-resolution: A Survey", 2020 (arXiv:1902.06068).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from srkit.errors import OptionError
from srkit.training.learning import backbones

AdversarialKind = Literal[
    "vanilla", "least_squares", "hinge", "relativistic", "log_ratio", "neural-enhance"
]


@dataclass(frozen=True)
class Adversary:
    """A discriminator, and what it adds to the generator's loss.

    Attributes
    ----------
    kind
        ``"vanilla"``: cross-entropy (18, 19; the generator's form is the one that does
        not saturate). ``"least_squares"`` (20, 21). ``"hinge"`` (Lim and Ye, 2017).
        ``"relativistic"``: relativistic average (Wang et al., ESRGAN, 2018, equation 2).
        ``"log_ratio"``: the generator lowers -log(d / (1 - d)), which is -d's logit
        (López-Tapia et al., 2020, equations 6 and 7); the discriminator is vanilla's.
        ``"neural-enhance"``: what that program minimises, which is no cross-entropy: a
        discriminator that is right gains without bound, and one that is wrong learns little.
    weight
        Of the generator's adversarial loss.
    channels
        Of the discriminator's first layer: 64 in SRGAN's paper, 32 in neural-enhance.
    sees
        ``"pixels"``: SRGAN's discriminator; ``"unet"``: Real-ESRGAN's, which judges every
        pixel; ``"features"``: one after neural-enhance's, which judges by the features of a
        `backbone`.
    backbone
        See `srkit.training.learning.losses.Features`.
    target
        What results are to be mistaken for, see `srkit.training.learning.losses.Pixel`: what one
        teacher makes has detail that a small network can learn to draw.
    rate
        Factor on the recipe's rate for the discriminator. One under spectral norm learns slowly
        at the rate of its generator (Heusel et al., "GANs Trained by a Two Time-Scale Update
        Rule", 2017).
    """

    kind: AdversarialKind = "vanilla"
    weight: float = 1e-3
    channels: int = 64
    sees: Literal["pixels", "unet", "features"] = "pixels"
    backbone: str = "auto"
    target: str = "hr"
    rate: float = 1.0

    def resolved(self) -> Adversary:
        """See `losses.Features.resolved`; the backbone of one that sees pixels is left alone."""
        if self.sees != "features":
            return self
        return replace(self, backbone=backbones.resolved(self.backbone))

    def prepare(self, device: torch.device) -> None:
        """Read the backbone, so that one which is missing is missed before any work."""
        if self.sees == "features":
            backbones.extractor(self.backbone, device)

    def check(self) -> None:
        """Refuse an empty judge, and a backbone that does not exist; raises OptionError."""
        if self.channels < 1:
            raise OptionError(f"channels of the adversary are at least 1, not {self.channels}")
        if not self.rate > 0:
            raise OptionError(f"rate of the adversary is above 0, not {self.rate}")
        backbones.check_backbone(self.backbone)


def judge_loss(kind: AdversarialKind, real: Tensor, made: Tensor) -> Tensor:
    """The discriminator's loss on its logits of photos and of what was made."""
    if kind == "least_squares":
        return (real - 1).square().mean() + made.square().mean()
    if kind == "hinge":
        return functional.relu(1 - real).mean() + functional.relu(1 + made).mean()
    if kind == "relativistic":
        real, made = real - made.mean(), made - real.mean()
    if kind == "neural-enhance":
        return functional.logsigmoid(made).mean() - functional.softplus(real).mean()
    return functional.softplus(-real).mean() + functional.softplus(made).mean()


def fooling_loss(kind: AdversarialKind, real: Tensor, made: Tensor) -> Tensor:
    """The generator's loss on the discriminator's logits; `real` counts if relativistic."""
    if kind == "least_squares":
        return (made - 1).square().mean()
    if kind in ("hinge", "log_ratio"):
        return -made.mean()
    if kind == "relativistic":
        real, made = real - made.mean(), made - real.mean()
        return functional.softplus(real).mean() + functional.softplus(-made).mean()
    # neural-enhance's has this form, too, and a constant.
    return functional.softplus(-made).mean()
