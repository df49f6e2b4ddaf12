"""Networks that losses and an adversary look through: named, read, and known by their digests."""

from __future__ import annotations

import dataclasses

import torch

from srkit.training.learning.adversary import Adversary
from srkit.training.learning.backbones import digest, is_file
from srkit.training.learning.losses import FeatureLoss, Features
from srkit.training.recipe import Recipe


def resolved(recipe: Recipe) -> Recipe:
    """The same with the names of backbones, of which a state or a header must tell."""
    losses = tuple(
        x.resolved() if isinstance(x, Features | FeatureLoss) else x for x in recipe.losses
    )
    adversary = recipe.adversary and recipe.adversary.resolved()
    return dataclasses.replace(recipe, losses=losses, adversary=adversary)


def prepared(recipe: Recipe, device: torch.device) -> dict[str, str]:
    """Read the networks that losses and adversary need; returns digests of those in files."""
    for part in (*recipe.losses, *filter(None, [recipe.adversary])):
        part.prepare(device)
    parts = [
        x
        for x in (*recipe.losses, recipe.adversary)
        if isinstance(x, Features | FeatureLoss | Adversary)
    ]
    names = {x.backbone for x in parts}
    return {name: digest(name) for name in sorted(names) if is_file(name)}
