"""What a run learns from and is checked on, as its recipe has it."""

from __future__ import annotations

import logging
import secrets
from pathlib import Path
from typing import cast

import torch
from lightning_fabric import Fabric
from torch import Tensor

from srkit.errors import OptionError
from srkit.training.checks import COUNT, held_out_pairs
from srkit.training.data.crops import Crops, Pair
from srkit.training.data.lessons import Lessons
from srkit.training.data.motion import Windows, window_pairs
from srkit.training.data.photos import Patches, spread
from srkit.training.data.store import Questions, Store
from srkit.training.data.windows import WindowQuestions
from srkit.training.recipe import Recipe

log = logging.getLogger(__name__)


def store_of(
    patches: Patches, cache: Path, scale: int, recipe: Recipe, window: int
) -> Store | None:
    """The answers that a recipe asks for."""
    if not recipe.teachers:
        return None
    given = patches, scale, recipe.degradations, recipe.seed, recipe.margin
    questions = WindowQuestions(*given, frames=window) if window > 1 else Questions(*given)
    count = len(patches.detail) * recipe.versions
    if count < recipe.answers:
        log.info(
            "there are %d patches and versions=%d, so %d questions, not %d",
            len(patches.detail),
            recipe.versions,
            count,
            recipe.answers,
        )
    return Store(cache, questions, recipe.teachers, min(count, recipe.answers or count))


def check_shared(fabric: Fabric, folder: Path) -> None:
    """Refuse a folder that not all processes see: they would wait for each other's answers."""
    if fabric.world_size == 1:
        return
    folder.mkdir(parents=True, exist_ok=True)
    token = folder / str(fabric.broadcast(f".seen-{secrets.token_hex(4)}"))
    if fabric.is_global_zero:
        token.touch()
    fabric.barrier()
    seen = cast(Tensor, fabric.all_gather(torch.tensor(token.exists()))).all()
    if fabric.is_global_zero:
        token.unlink()
    if not seen:
        raise OptionError(f"{folder}, for answers of teachers, is not one that all processes see")


def crops_of(
    patches: Patches, store: Store | None, scale: int, size: int, recipe: Recipe, window: int
) -> Crops | Windows | Lessons:
    """Crops of so many LR pixels a side, with answers where wanted; or windows of frames."""
    if store:
        return Lessons(store, size, recipe.rim, recipe.seed, recipe.flat, recipe.apart)
    if window > 1:
        return Windows(patches, scale, size, window, recipe.seed, recipe.flat)
    return Crops(patches, scale, size, recipe.seed, recipe.flat, recipe.degradations)


def pairs_of(patches: Patches, scale: int, recipe: Recipe, window: int) -> list[Pair]:
    """What a run is checked on."""
    if window > 1:
        return window_pairs(patches, scale, window, list(spread(patches, COUNT)))
    return held_out_pairs(patches, scale, recipe.degradations)
