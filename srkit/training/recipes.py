"""The built-in recipes."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping

from srkit.errors import OptionError
from srkit.training.data.degradations import Blur, Jpeg, Noise, Shuffled
from srkit.training.data.two_stage import EVERYDAY, POOR_PHOTO
from srkit.training.learning.adversary import Adversary
from srkit.training.learning.losses import (
    NORMALISED,
    FeatureLoss,
    Features,
    Loss,
    Perceptual,
    Pixel,
)
from srkit.training.recipe import Recipe
from srkit.training.stages import Stage

_TINY = Recipe(
    model="espcn",
    steps=60000,
    batch=8,
    crop=40,
    rate=1.5e-3,
    warmup=500,
    expand=4,
    rim=4,
    ema=0.9995,
    check_every=2000,
    picture_every=20000,
)

# As in MD-AVSR's first stage, but for L1.
_VSR = Recipe(
    model="vsr",
    steps=100000,
    batch=8,
    crop=24,
    rate=5e-4,
    rim=2,
    flat=0.03,
    losses=(Pixel(),),
)


def _against(*losses: Loss) -> Recipe:
    """MD-AVSR's second stage, against a discriminator."""
    return dataclasses.replace(
        _VSR,
        start="vsr",
        steps=30000,
        rate=1e-4,
        weight_decay=1e-4,
        schedule="step",
        milestones=(0.5,),
        factor=0.1,
        losses=losses,
        adversary=Adversary(kind="log_ratio", weight=0.001),
    )


# After fastai's lesson 7, for an encoder that starts at random: nothing is frozen, and all layers
# learn at one rate. Pixels are weighted as if they were normalised.
_UNET = Recipe(
    model="unet",
    steps=40000,
    batch=8,
    crop=32,
    rate=5e-4,
    betas=(0.95, 0.99),
    weight_decay=1e-3,
    shares=(1.0, 1.0, 1.0),
    schedule="one_cycle",
    stages=(Stage(), Stage(crop=48, rate=0.3)),
    weight_norm=True,
    losses=(Pixel(weight=NORMALISED), FeatureLoss()),
    rim=2,
    flat=0.05,
)

RECIPES: Mapping[str, Recipe] = {
    "srresnet": Recipe(model="srresnet", steps=100000, batch=16, flat=0.05),
    "srgan": Recipe(
        model="srresnet",
        start="srresnet",
        steps=10000,
        rate=6e-5,
        ema=0.99,
        losses=(Pixel(weight=2.0), Perceptual(weight=0.3)),
        adversary=Adversary(weight=0.02, channels=32),
        flat=0.1,
    ),
    # Best with a teacher: docs/how-trained.md tells how the weights were made.
    "photo": Recipe(
        model="compact",
        steps=100000,
        batch=6,
        crop=48,
        rate=4e-4,
        degradations=EVERYDAY,
        rim=2,
        flat=0.05,
    ),
    "photo-2025": Recipe(
        model="srresnet",
        start="srresnet",
        steps=20000,
        rate=1e-4,
        degradations=POOR_PHOTO,
        rim=2,
        flat=0.05,
    ),
    "espcn": _TINY,
    "fsrcnn": dataclasses.replace(_TINY, model="fsrcnn"),
    "compact": Recipe(
        model="compact",
        steps=100000,
        batch=8,
        crop=32,
        rate=5e-4,
        rim=2,
        flat=0.05,
    ),
    "span": Recipe(
        model="span",
        steps=100000,
        batch=8,
        crop=32,
        optimizer="muon",
        rate=4e-4,
        rim=4,
        flat=0.03,
    ),
    "vsr": _VSR,
    "vsr-small": dataclasses.replace(_VSR, model="vsr-small"),
    # MD-AVSR-FG and MD-AVSR-P: equations 9 and 10, with alpha and beta as Section III-C has them.
    "vsr-fg": _against(
        Pixel(kind="charbonnier", weight=0.001),
        Features(weight=0.998, distance="charbonnier", blocks=(2,)),
    ),
    "vsr-p": _against(
        Pixel(kind="charbonnier", weight=0.95, spare_edges=True),
        Features(weight=0.049, distance="charbonnier", blocks=(2,)),
    ),
    "unet": _UNET,
    "unet-repair": dataclasses.replace(
        _UNET,
        crop=128,
        rim=8,
        stages=(Stage(), Stage(crop=192, rate=0.3)),
        degradations=(
            Shuffled((Blur(sigma=(0.0, 1.2)), Noise(sigma=(0.0, 8.0)))),
            Jpeg(quality=(25.0, 90.0), shifted=0.5),
        ),
    ),
    # As neural-enhance's first stage, with L1 for what its total variation was for.
    "neural-enhance": Recipe(
        model="neural-enhance",
        steps=50000,
        batch=8,
        crop=32,
        rate=5e-4,
        losses=(Pixel(), Features(weight=0.002, blocks=(2,))),
        rim=4,
        flat=0.05,
    ),
    "neural-enhance-repair": Recipe(
        model="neural-enhance",
        steps=50000,
        batch=8,
        crop=96,
        rate=5e-4,
        degradations=(Noise(sigma=(0.0, 2.0)), Jpeg(quality=(15.0, 60.0), shifted=0.5)),
        rim=8,
        flat=0.05,
    ),
}


def recipe_named(name: str) -> Recipe:
    """A built-in recipe.

    Raises
    ------
    OptionError
        If there is none of that name; the message lists the nearest.
    """
    if name not in RECIPES:
        near = difflib.get_close_matches(name, RECIPES, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(RECIPES)}"
        raise OptionError(
            f"no recipe is named {name!r}; {hint}. Recipes train networks of srkit's; for one of "
            "your own see docs/training.md, A network of your own"
        )
    return RECIPES[name]
