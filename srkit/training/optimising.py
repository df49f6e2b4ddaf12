"""Learning rates, averaged weights, and batch norm without batch statistics."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from srkit.training.expansion import collapsed
from srkit.training.recipe import Recipe


def rate_at(step: int, recipe: Recipe) -> float:
    """The learning rate of a step: a linear warm-up, then a cosine to zero, or steps.

    Examples
    --------
    >>> recipe = Recipe(model="espcn", steps=110, warmup=10, rate=1.0)
    >>> [rate_at(step, recipe) for step in (0, 10, 60, 110)]
    [0.1, 1.0, 0.5, 0.0]
    """
    if step < recipe.warmup:
        return recipe.rate * (step + 1) / recipe.warmup
    if recipe.schedule == "step":
        passed = sum(step >= share * recipe.steps for share in recipe.milestones)
        return recipe.rate * recipe.factor**passed
    done = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    return recipe.rate * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def freeze_norms(net: nn.Module) -> None:
    """Put every batch norm in inference mode: a learned scale and shift, no statistics.

    Networks for super-resolution do better without batch statistics (Lim et al.,
    EDSR, 2017); the layers stay, so that weights keep the published form.
    """
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


class Average:
    """Exponential moving average of a network's weights, quick to follow at first."""

    def __init__(self, net: nn.Module, decay: float) -> None:
        self._decay = decay
        self.weights = {k: v.detach().clone() for k, v in collapsed(net).items()}

    @torch.no_grad()
    def update(self, net: nn.Module, step: int) -> None:
        """Take one more step's weights in."""
        decay = min(self._decay, (step + 1) / (step + 10))
        ours: list[Tensor] = []
        theirs: list[Tensor] = []
        for key, value in collapsed(net).items():
            if value.is_floating_point():
                ours.append(self.weights[key])
                theirs.append(value)
            else:
                self.weights[key].copy_(value)
        torch._foreach_lerp_(ours, theirs, 1 - decay)
