"""Train models on a folder of photos; needs ``pip install "srkit[train]"``.

The package itself imports without: who calls `train` is told what is missing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srkit.errors import OptionError
from srkit.extras import absent, missing_extra

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from srkit.training.data.teachers import Named, Teacher
    from srkit.training.recipe import Recipe, read_recipe
    from srkit.training.recipes import RECIPES, recipe_named

__all__ = ["RECIPES", "Recipe", "Teacher", "read_recipe", "recipe_named", "train"]

_HOMES = {
    "RECIPES": "srkit.training.recipes",
    "Recipe": "srkit.training.recipe",
    "Teacher": "srkit.training.data.teachers",
    "read_recipe": "srkit.training.recipe",
    "recipe_named": "srkit.training.recipes",
}


if not TYPE_CHECKING:  # for type checkers it would be any name that one mistypes

    def __getattr__(name: str) -> Any:
        """What comes with torch, imported when it is asked for."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)


def train(
    recipe: str | Recipe,
    photos: str | Path,
    out: str | Path,
    *,
    scale: int,
    init: str | Path | None = None,
    resume: bool = True,
    teacher: str | Path | Teacher | Sequence[str | Path | Teacher] | Mapping[str, float] = (),
    config: str | Path | None = None,
    cache: str | Path | None = None,
    device: str = "auto",
    devices: int = 1,
    **changes: Any,
) -> Path:
    """Train a model on a folder of photos; needs ``pip install "srkit[train]"``.

    Stopped at any moment, it goes on where it was when called again; on the CPU the
    result is then the same, bit for bit.

    Parameters
    ----------
    recipe
        ``"photo"``, ``"srresnet"``, ``"srgan"``, ``"photo-2025"``, ``"espcn"``, ``"fsrcnn"``,
        ``"neural-enhance"``, ``"neural-enhance-repair"``, ``"unet"``,
        ``"unet-repair"``, ``"compact"``, ``"span"``, ``"vsr"``, ``"vsr-small"``, ``"vsr-fg"``,
        ``"vsr-p"``, or a `srkit.training.Recipe`.
    photos
        Folder of pictures of any format and size, searched to any depth. A broken one
        is skipped with a warning.
    out
        Folder of results: ``best.safetensors`` and ``weights.safetensors`` (averaged
        weights, with the best PSNR on held-out photos and the newest), ``log.csv``,
        ``pictures/``, and ``state.pth`` from which the run goes on.
    scale
        Factor of the model.
    init
        Model or weights file to start from; by default what the recipe says, which is
        bicubic interpolation for most.
    resume
        False starts again.
    teacher
        A model or weights file, or several, to learn from; a mapping gives each its weight, and
        `srkit.training.Teacher` what else there is to say. It answers once, before the steps
        begin, and losses then compare with its answers.
    config
        A TOML file with changes to the recipe.
    cache
        Folder for decoded photos; in `out` by default.
    device, devices
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``, and how many of them.
    changes
        Changes to the recipe, such as ``steps=2000``.

    Returns
    -------
    Path
        The best weights, or for recipes with an adversary the newest: `load` takes it.

    Raises
    ------
    OptionError
        If the recipe, a change or the device makes no sense, the folder holds no
        usable photos, or `out` holds a run with other settings.
    WeightsError
        If `init` does not fit.
    MissingDependencyError
        If torch, lightning-fabric or pydantic is not installed.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import srkit
    >>> photos = Path(tempfile.mkdtemp())
    >>> for name in ("one.png", "two.png"):
    ...     noise = np.random.default_rng(len(name)).integers(0, 256, (96, 96, 3), np.uint8)
    ...     srkit.Image(noise).save(photos / name)
    >>> best = train("espcn", photos, photos / "run", scale=2, device="cpu", steps=2, batch=1,
    ...              crop=12, rim=1, warmup=1, held_out=1, check_every=2, save_every=2)
    >>> best.name, srkit.load(best).scale
    ('best.safetensors', 2)

    In earnest, on photos of one's own::

        path = srkit.train("srresnet", "portraits/", "runs/portraits", scale=4,
                           init="srresnet", steps=2000)
        srkit.load(path).upscale("portrait.jpg").save("large.png")
    """
    if missing := absent("lightning_fabric", "torch", "safetensors"):
        raise missing_extra(f"training needs {missing[0]}, which is not installed", "train")
    from srkit.training.loop import Run
    from srkit.training.recipe import Recipe
    from srkit.training.recipes import recipe_named

    made = recipe if isinstance(recipe, Recipe) else recipe_named(recipe)
    name = made.model if isinstance(recipe, Recipe) else recipe
    made = _changed(made, config, teacher, changes)
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
        fabric=_fabric(device, devices, made.precision),
    )
    return run.train()


def _changed(
    recipe: Recipe, config: str | Path | None, teacher: Named, changes: dict[str, Any]
) -> Recipe:
    """The recipe with what a file and the caller say otherwise."""
    from srkit.training.data.teachers import teachers
    from srkit.training.recipe import read_recipe

    if config:
        recipe = read_recipe(Path(config), recipe)
    if teacher:
        if "teachers" in changes:
            raise OptionError("teacher= and teachers= say the same; give one of them")
        changes = {**changes, "teachers": [asdict(one) for one in teachers(teacher)]}
    return recipe.changed(changes) if changes else recipe


def _fabric(device: str, devices: int, precision: Any) -> Fabric:
    """The devices, and their processes."""
    from lightning_fabric import Fabric

    try:
        # torchrun tells each of its processes how many there are, here and elsewhere.
        devices = int(os.environ.get("LOCAL_WORLD_SIZE", devices))
        nodes = int(os.environ.get("GROUP_WORLD_SIZE", 1))
        fabric = Fabric(accelerator=device, devices=devices, num_nodes=nodes, precision=precision)
        fabric.launch()
    except (RuntimeError, ValueError, TypeError, ImportError) as error:
        raise OptionError(f"device {device!r} x{devices} cannot be used: {error}") from error
    # Fabric would round pictures as it does features: of white by half a level.
    fabric.strategy.precision.convert_input = _as_given  # type: ignore[method-assign]
    return fabric


def _as_given(data: Any) -> Any:
    return data
