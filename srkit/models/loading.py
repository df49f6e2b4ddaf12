"""The models of this process: found by name or file, loaded, kept for the next call."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from srkit.card import ModelCard
from srkit.models import inspection
from srkit.models.formats import files_of
from srkit.models.inspection import FileReport
from srkit.models.registry import Registry
from srkit.upscaling.passes import S, T
from srkit.upscaling.upscaler import Upscaler

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image as PILImage

    from srkit.imaging.files.sources import Encoded
    from srkit.imaging.image import Image

# The registry of this process: entry points, and what `register` added.
REGISTRY = Registry()


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
        Keywords of the model's adapter: srkit's own take ``device`` and ``precision``,
        ``"auto"`` by default, and some ``perception``, ``denoise``, ``color``, ``tiling``,
        ``tile``, ``overlap``, ``match_histograms`` or ``window``. All networks take
        ``border``: ``"reflect"`` lets them see the picture reflected beyond its border,
        ``"zero"`` what their own layers put there, which gives the pixels of a plain run of the
        network, to the rim; by default what the card says. Options have no types
        here, as who publishes a model names its options; names that the adapter does not know are
        refused.

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
    return REGISTRY.load(model, scale=scale, runtime=runtime, dist=dist, weights=weights, **options)


def list_models(pattern: str = "*") -> list[str]:
    """Names of all models that fit a shell pattern, sorted.

    Only metadata of installed packages is read; no plugin is imported.

    Parameters
    ----------
    pattern
        With ``*`` and ``?``, as of file names; upper and lower case differ.

    Examples
    --------
    >>> list_models("bi*")
    ['bicubic', 'bilinear']
    """
    return REGISTRY.names(pattern)


def card(name: str) -> ModelCard:
    """The static facts of a model: scales, licence, paper, training data.

    Raises
    ------
    UnknownModelError
        If no model has that name; the message lists the nearest.
    DuplicateModelError
        If two distributions have it.
    BrokenPluginError
        If what is installed under that name is no card.

    Examples
    --------
    >>> card("srresnet").framework
    'torch'
    """
    return REGISTRY.card(name)


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
    return inspection.inspect(Path(path), REGISTRY, {"scale": scale})


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

    Examples
    --------
    >>> from dataclasses import replace
    >>> from unittest.mock import patch
    >>> with patch.dict(REGISTRY._added):  # for this example alone
    ...     register(replace(card("srresnet"), name="mine", licence="CC0-1.0"))
    ...     card("mine").licence
    'CC0-1.0'
    """
    REGISTRY.register(card, replace=replace)
    _loaded.cache_clear()


# What `upscale` asks of a loaded model; all other options are for loading it.
_ASKED = ("size", "memory", "self_ensemble", "consistent", "progress")


@functools.lru_cache(maxsize=4, typed=True)  # 2 is a scale, and 2.0 is none
def _loaded(
    model: str | Path,
    scale: int | None,
    options: tuple[tuple[str, Any], ...],
    stamp: tuple[tuple[int, ...], ...],
) -> Upscaler:
    return load(model, scale=scale, **dict(options))


def _stamp(model: str | Path) -> tuple[tuple[int, ...], ...]:
    """What changes when a weights file is written anew, or its name is another file's."""
    try:
        stats = [file.stat() for file in files_of(Path(model)) if file.is_file()]
    except (OSError, TypeError):  # `load` says what is wrong
        return ()
    return tuple((s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns) for s in stats)


@overload
def upscale(
    image: NDArray[S], model: str | Path = ..., *, scale: int | None = ..., **options: Any
) -> NDArray[S]: ...
@overload
def upscale(
    image: PILImage, model: str | Path = ..., *, scale: int | None = ..., **options: Any
) -> PILImage: ...
@overload
def upscale(
    image: Image | Encoded,
    model: str | Path = ...,
    *,
    scale: int | None = ...,
    **options: Any,
) -> Image: ...
@overload
def upscale(image: T, model: str | Path = ..., *, scale: int | None = ..., **options: Any) -> T: ...
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
        The kind that was given; `Image` for a file: a path, a URL, bytes, or an open file.

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
    return _loaded(model, scale, key, _stamp(model)).upscale(image, **asked)
