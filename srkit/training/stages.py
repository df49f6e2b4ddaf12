"""Stages of a run, one after another, and how fast each of its steps learns."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from srkit.errors import OptionError

if TYPE_CHECKING:
    from srkit.training.recipe import Recipe

# The one-cycle schedule (L. Smith, N. Topin, "Super-Convergence", 2018) as fastai has it:
# where the rate starts and ends, as shares of the highest, and the momentum at its lowest
# where the rate is highest.
RISE_FROM, FALL_TO = 1 / 25, 1 / 25e4
MOMENTUM_DIP = 0.10


@dataclass(frozen=True)
class Stage:
    """A part of a run, with a schedule of its own.

    Attributes
    ----------
    length
        Relative to those of the other stages.
    crop, batch
        As in the recipe, which they replace; 0 leaves it. Crops that grow from stage to
        stage are called progressive resizing.
    rate
        Factor on the recipe's rate.
    frozen
        How many of the network's layer groups, from the image on, learn nothing.
    rise
        Share of a one-cycle schedule in which the rate rises.
    """

    length: float = 1.0
    crop: int = 0
    batch: int = 0
    rate: float = 1.0
    frozen: int = 0
    rise: float = 0.3


@dataclass(frozen=True)
class Stretch:
    """A stage with its place in a run: from step `first` to before step `last`."""

    stage: Stage
    first: int
    last: int


@dataclass(frozen=True)
class Pace:
    """How a step learns: the rate, Adam's first decay, and the number of frozen groups."""

    rate: float
    momentum: float
    frozen: int = 0


def stretches(recipe: Recipe) -> Iterator[Stretch]:
    """The stages of a run, one that is all of it where the recipe names none.

    Examples
    --------
    >>> from srkit.training.recipe import Recipe
    >>> run = Recipe(model="espcn", steps=9, stages=(Stage(2, crop=16), Stage(1, batch=4)))
    >>> [(s.first, s.last, s.stage.crop, s.stage.batch) for s in stretches(run)]
    [(0, 6, 16, 16), (6, 9, 24, 4)]
    """
    stages = recipe.stages or (Stage(),)
    total, done, first = sum(stage.length for stage in stages), 0.0, 0
    for stage in stages:
        done += stage.length
        last = round(recipe.steps * done / total)
        filled = replace(stage, crop=stage.crop or recipe.crop, batch=stage.batch or recipe.batch)
        yield Stretch(filled, first, last)
        first = last


def pace_at(step: int, recipe: Recipe) -> Pace:
    """How the step of that number learns.

    Within each stage the rate follows the recipe's schedule. ``"cosine"``: a linear
    warm-up, then a cosine to zero. ``"step"``: a warm-up, then times `factor` at each
    milestone. ``"one_cycle"``: by half a cosine up, and down to nearly nothing, while
    the momentum falls and rises by 0.1.

    Examples
    --------
    >>> from srkit.training.recipe import Recipe
    >>> recipe = Recipe(model="espcn", steps=110, warmup=10, rate=1.0)
    >>> [pace_at(step, recipe).rate for step in (0, 10, 60, 110)]
    [0.1, 1.0, 0.5, 0.0]
    """
    stretch = next(s for s in stretches(recipe) if step < s.last or s.last == recipe.steps)
    stage, steps = stretch.stage, stretch.last - stretch.first
    step -= stretch.first
    peak, momentum = recipe.rate * stage.rate, recipe.betas[0]
    if recipe.schedule == "one_cycle":
        rise = stage.rise * steps
        if step < rise:
            share = _swing(RISE_FROM, 1.0, step / rise)
        else:
            share = _swing(1.0, FALL_TO, (step - rise) / max(1.0, steps - rise))
        # The momentum mirrors the rate: fastai's goes from 0.95 to 0.85 and back.
        turn = step / rise if step < rise else 1 - (step - rise) / max(1.0, steps - rise)
        return Pace(peak * share, _swing(momentum, momentum - MOMENTUM_DIP, turn), stage.frozen)
    if step < recipe.warmup:
        return Pace(peak * (step + 1) / recipe.warmup, momentum, stage.frozen)
    if recipe.schedule == "step":
        passed = sum(step >= share * steps for share in recipe.milestones)
        return Pace(peak * recipe.factor**passed, momentum, stage.frozen)
    done = (step - recipe.warmup) / max(1, steps - recipe.warmup)
    return Pace(_swing(peak, 0.0, done), momentum, stage.frozen)


def _swing(start: float, end: float, done: float) -> float:
    """Half a cosine from `start` to `end`."""
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def check(stages: tuple[Stage, ...]) -> None:
    """Refuse stages that make no sense.

    Raises
    ------
    OptionError
    """
    for stage in stages:
        if not (stage.length > 0 and stage.rate > 0):
            raise OptionError(f"length and rate of a stage are above 0, not as in {stage}")
        if min(stage.crop, stage.batch, stage.frozen) < 0:
            raise OptionError(f"crop, batch and frozen of a stage are not negative: {stage}")
        if not 0 <= stage.rise <= 1:
            raise OptionError(f"rise of a stage is from 0 to 1, not {stage.rise}")
