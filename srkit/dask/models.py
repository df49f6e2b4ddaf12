"""One model a process: what it is made of, and its use by one task at a time."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from srkit.batch.identity import FREE_OPTIONS, weights_digest
from srkit.errors import OptionError, WeightsError
from srkit.memory import keep_freed
from srkit.models import loading
from srkit.upscaling.upscaler import Upscaler
from srkit.version import __version__

# Dask pauses a worker at 80 % of its limit: images and work stay below this share together.
SHARE = 0.7
# Freed bytes that a worker keeps for what is allocated next.
KEPT = 256 << 20


@dataclass(frozen=True)
class Recipe:
    """What a worker needs to load the same model.

    Attributes
    ----------
    model
        A name, or the absolute path of a weights file.
    scale
        Factor of both sides.
    options
        Of the model, as JSON.
    weights
        Digest of the weights; "" for models without any.
    version
        Of srkit.
    """

    model: str
    scale: int
    options: str
    weights: str
    version: str

    def settings(self, **asked: Any) -> dict[str, Any]:
        """All that results depend on, with what is asked beside the model."""
        settings = asdict(self)
        options = json.loads(self.options)
        settings["options"] = {k: v for k, v in options.items() if k not in FREE_OPTIONS}
        if Path(self.model).is_absolute():
            # The same file elsewhere has the same digest.
            settings["model"] = Path(self.model).name
        return {**settings, **asked}


def recipe_for(
    model: str | Path, scale: int | None, options: Mapping[str, Any]
) -> tuple[Recipe, Upscaler]:
    """Load a model here, where errors are told at once, and what workers load it by.

    Raises
    ------
    OptionError
        If options are no plain values, beside what `srkit.load` raises.
    """
    # A GPU that workers have need not be here.
    here = {name: value for name, value in options.items() if name != "device"}
    upscaler = loading.load(model, scale=scale, **here)
    digest = weights_digest(model, upscaler)
    return recipe_of(model, upscaler.scale, options, digest), upscaler


def recipe_of(model: str | Path, scale: int, options: Mapping[str, Any], digest: str) -> Recipe:
    """The recipe of a model of which scale and digest are known."""
    named = not isinstance(model, Path) and model in loading.list_models()
    name = str(model) if named else str(Path(model).resolve())
    try:
        plain = json.dumps(dict(options), sort_keys=True)
    except TypeError as error:
        raise OptionError(
            f"options that go to workers are numbers, strings or booleans: {error}"
        ) from error
    return Recipe(name, scale, plain, digest, __version__)


_lock = threading.RLock()
_kept: dict[Recipe, Upscaler] = {}


@contextmanager
def model_of(recipe: Recipe) -> Iterator[Upscaler]:
    """The model of a recipe, loaded once a process, for one task at a time.

    Raises
    ------
    WeightsError
        If a weights file is not the one that the recipe was made of.
    OptionError
        If this process has another version of srkit, beside what `srkit.load` raises.
    """
    with _lock:
        if recipe not in _kept:
            upscaler = _load(recipe)
            _kept.clear()
            _kept[recipe] = upscaler
        yield _kept[recipe]


def _load(recipe: Recipe) -> Upscaler:
    if recipe.version != __version__:
        raise OptionError(
            f"the worker has srkit {__version__}, but the work is for {recipe.version}: "
            "install the same"
        )
    path = Path(recipe.model)
    model: str | Path = path if path.is_absolute() else recipe.model
    upscaler = loading.load(model, scale=recipe.scale, **json.loads(recipe.options))
    if (found := weights_digest(model, upscaler)) != recipe.weights:
        raise WeightsError(
            f"{recipe.model} has other weights here ({found[:12]}) than where the work was given "
            f"({recipe.weights[:12]}): copy the same file to every worker"
        )
    if (worker := _worker()) is not None:
        limit = worker.memory_manager.memory_limit
        keep_freed(min(KEPT, limit // 8) if limit else KEPT)
        if (torch := sys.modules.get("torch")) is not None:
            # Workers are given cores; without this each would take all of the machine's.
            torch.set_num_threads(max(1, worker.state.nthreads))
    return upscaler


def budget(upscaler: Upscaler) -> int:
    """Bytes for the model to work in, beside as many for its image: within a worker's limit."""
    worker = _worker()
    limit = worker.memory_manager.memory_limit if worker is not None else None
    if not limit:
        return upscaler.available_memory()
    import psutil  # comes with distributed

    used = psutil.Process(os.getpid()).memory_info().rss
    return max(1, min(upscaler.available_memory(), int((SHARE * limit - used) / 2)))


def _worker() -> Any:
    """The Dask worker that this thread works for, or None."""
    from distributed import get_worker

    try:
        return get_worker()
    except ValueError:
        return None


def digest_of(settings: Mapping[str, Any]) -> str:
    """A short name for settings that are equal.

    Examples
    --------
    >>> digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
    True
    """
    text = json.dumps(settings, sort_keys=True).encode()
    return hashlib.sha256(text).hexdigest()[:16]
