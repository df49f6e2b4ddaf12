"""Train models on a folder of photos; needs ``pip install "srkit[train]"``."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric

from srkit.errors import OptionError
from srkit.training.data.teachers import Named, Teacher, teachers
from srkit.training.loop import Run
from srkit.training.recipe import Recipe, read_recipe
from srkit.training.recipes import RECIPES, recipe_named

__all__ = ["RECIPES", "Recipe", "Teacher", "read_recipe", "recipe_named", "train"]


def train(
    recipe: str | Recipe,
    photos: str | Path,
    out: str | Path,
    *,
    scale: int,
    init: str | Path | None = None,
    resume: bool = True,
    teacher: Named = (),
    config: str | Path | None = None,
    cache: str | Path | None = None,
    device: str = "auto",
    devices: int = 1,
    **changes: Any,
) -> Path:
    """See `srkit.train`."""
    made = recipe if isinstance(recipe, Recipe) else recipe_named(recipe)
    name = made.model if isinstance(recipe, Recipe) else recipe
    if config:
        made = read_recipe(Path(config), made)
    if teacher:
        if "teachers" in changes:
            raise OptionError("teacher= and teachers= say the same; give one of them")
        changes["teachers"] = [asdict(one) for one in teachers(teacher)]
    if changes:
        made = made.changed(changes)
    try:
        # torchrun tells each of its processes how many there are, here and elsewhere.
        devices = int(os.environ.get("LOCAL_WORLD_SIZE", devices))
        nodes = int(os.environ.get("GROUP_WORLD_SIZE", 1))
        fabric = Fabric(
            accelerator=device, devices=devices, num_nodes=nodes, precision=made.precision
        )
        fabric.launch()
    except (RuntimeError, ValueError, TypeError, ImportError) as error:
        raise OptionError(f"device {device!r} x{devices} cannot be used: {error}") from error
    out = Path(out)
    run = Run(
        made,
        name,
        Path(photos),
        out,
        cache=Path(cache) if cache else out / "cache",
        scale=scale,
        init=init,
        resume=resume,
        fabric=fabric,
    )
    return run.train()
