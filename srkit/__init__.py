"""srkit upscales images with any super-resolution model, whatever framework it came from.

>>> import srkit
>>> import numpy as np
>>> photo = np.zeros((20, 30, 3), np.uint8)
>>> srkit.load("bicubic", scale=4).upscale(photo).shape
(80, 120, 3)
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srkit import metrics
from srkit.adapters.conversion import convert
from srkit.calls import export, train, upscale_video
from srkit.card import ModelCard, WeightsFile
from srkit.errors import (
    BrokenPluginError,
    ClusterError,
    CorruptFileError,
    DuplicateModelError,
    ImageError,
    ImageTooLargeError,
    MissingDependencyError,
    NotByRowsError,
    OptionError,
    SrkitError,
    UnknownModelError,
    UnsafeFileError,
    VideoError,
    WeightsError,
)
from srkit.evaluation.benchmark import Scores, evaluate
from srkit.evaluation.comparison import Comparison, compare
from srkit.imaging.files.reading import read_image
from srkit.imaging.image import Image
from srkit.imaging.resize import imresize
from srkit.models import inspection
from srkit.models.inspection import FileReport
from srkit.models.registry import FileFormat, Registry
from srkit.upscaling.upscaler import Upscaler
from srkit.upscaling.video import VideoUpscaler

if TYPE_CHECKING:
    from srkit.video.upscaling import VideoReport

__version__ = "0.1.0"
__all__ = [
    "BrokenPluginError",
    "ClusterError",
    "Comparison",
    "CorruptFileError",
    "DuplicateModelError",
    "FileFormat",
    "FileReport",
    "Image",
    "ImageError",
    "ImageTooLargeError",
    "MissingDependencyError",
    "ModelCard",
    "NotByRowsError",
    "OptionError",
    "Registry",
    "Scores",
    "SrkitError",
    "UnknownModelError",
    "UnsafeFileError",
    "Upscaler",
    "VideoError",
    "VideoReport",
    "VideoUpscaler",
    "WeightsError",
    "WeightsFile",
    "card",
    "compare",
    "convert",
    "evaluate",
    "export",
    "imresize",
    "inspect",
    "list_models",
    "load",
    "metrics",
    "read_image",
    "register",
    "train",
    "upscale",
    "upscale_video",
]

# The registry of this process: entry points, and what `register` added.
_registry = Registry()


def load(
    model: str | Path,
    *,
    scale: int | None = None,
    runtime: str = "auto",
    dist: str | None = None,
    weights: str | None = None,
    **options: Any,
) -> Upscaler:
    """Load a model by name, or a weights file.

    Parameters
    ----------
    model
        A name from `list_models`; or the path of a weights file: a `Path`, or a
        string with a path separator or the suffix of a known format. Nothing that
        a file holds is ever run.
    scale
        Factor of both sides; the model's default if left out.
    runtime
        ``"auto"``, or the framework to run on.
    dist
        The distribution to take the model from, where two have one of its name.
    weights
        Version of a model's weights, so that its pixels stay when srkit's default changes:
        `ModelCard.version`, or one of `ModelCard.earlier`. The current one if left out.
    options
        Options of the model's adapter, such as ``device="cuda"``.

    Returns
    -------
    Upscaler

    Raises
    ------
    UnknownModelError
        If no model has that name; the message lists the nearest.
    DuplicateModelError
        If two distributions have it and `dist` is not given.
    MissingDependencyError
        If the framework is not installed; the message has the line that installs it.
    OptionError
        If an option is unknown, or the model does not exist for `scale` or `weights`.
    BrokenPluginError, UnsafeFileError, CorruptFileError, WeightsError
        If a plugin or a weights file is at fault.

    Examples
    --------
    >>> load("bicubic", scale=3).scale
    3
    """
    return _registry.load(
        model, scale=scale, runtime=runtime, dist=dist, weights=weights, **options
    )


def list_models(pattern: str = "*") -> list[str]:
    """Names of all models that fit a shell pattern, sorted.

    Only metadata of installed packages is read; no plugin is imported.

    Examples
    --------
    >>> list_models("bi*")
    ['bicubic', 'bilinear']
    """
    return _registry.names(pattern)


def card(name: str) -> ModelCard:
    """The static facts of a model: scales, licence, paper, training data.

    Examples
    --------
    >>> card("srresnet").framework
    'torch'
    """
    return _registry.card(name)


def inspect(path: str | Path, *, scale: int | None = None) -> FileReport:
    """Find out what a weights file holds, whether it is safe, and which model it is.

    Nothing in the file is run: it is read as data, and then loaded as `load` does.

    Parameters
    ----------
    path
        The file.
    scale
        Factor of both sides, where the weights do not tell.

    Returns
    -------
    FileReport
        Also of files that are refused; its `problem` says why.

    Raises
    ------
    WeightsError
        If the file cannot be read, or is no weights file that srkit knows.

    Examples
    --------
    >>> from srkit.models.weights import PACKAGED
    >>> report = inspect(PACKAGED / "espcn_x3.safetensors")
    >>> report.format, report.size
    ('safetensors file', 92300)
    """
    return inspection.inspect(Path(path), _registry, {"scale": scale})


def register(card: ModelCard, *, replace: bool = False) -> None:
    """Add a model for this process; it outranks an installed one of the same name.

    Parameters
    ----------
    card
        The model.
    replace
        Take the place of a model of that name.

    Raises
    ------
    DuplicateModelError
        If the name is taken and `replace` is false.
    """
    _registry.register(card, replace=replace)
    _loaded.cache_clear()


def __getattr__(name: str) -> Any:
    """`VideoReport`, imported when it is asked for, since it comes with PyAV."""
    if name == "VideoReport":
        from srkit.video.upscaling import VideoReport

        return VideoReport
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# What `upscale` asks of a loaded model; all other options are for loading it.
_ASKED = ("size", "memory", "self_ensemble", "consistent", "progress")


@functools.lru_cache(maxsize=4, typed=True)  # 2 is a scale, and 2.0 is none
def _loaded(model: str | Path, scale: int | None, options: tuple[tuple[str, Any], ...]) -> Upscaler:
    return load(model, scale=scale, **dict(options))


def upscale(
    image: Any, model: str | Path = "photo", *, scale: int | None = None, **options: Any
) -> Any:
    """Load a model (kept for the next call) and upscale an image with it.

    Parameters
    ----------
    image
        See `Upscaler.upscale`.
    model, scale
        See `load`.
    options
        Those of `load`, and those of `Upscaler.upscale`: size, memory, self_ensemble,
        consistent, progress.

    Returns
    -------
    array, PIL.Image or srkit.Image
        The kind that was given; `Image` for a path.

    Examples
    --------
    >>> import numpy as np
    >>> upscale(np.zeros((8, 8), np.uint16), "bicubic", scale=2).dtype
    dtype('uint16')
    """
    asked = {name: options.pop(name) for name in _ASKED if name in options}
    key = tuple(sorted(options.items()))
    try:
        hash((scale, key))
    except TypeError:
        return load(model, scale=scale, **options).upscale(image, **asked)
    return _loaded(model, scale, key).upscale(image, **asked)
