"""The models of this process: found by name or file, loaded, kept for the next call."""

from __future__ import annotations

import copy
import functools
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from srkit.card import ModelCard
from srkit.errors import OptionError, SrkitError, WeightsError
from srkit.models import inspection
from srkit.models.cards import Cards
from srkit.models.inspection import FileReport
from srkit.models.options import as_loaded, as_text, as_version
from srkit.models.origin import Source, Stamp, digest_of, stamp_of
from srkit.models.registry import Registry
from srkit.models.specs import split, together
from srkit.upscaling.passes import Options, S, T
from srkit.upscaling.upscaler import Progress, Upscaler

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
    weights: str | int | None = None,
    device: str = "auto",
    precision: str = "auto",
    **options: Any,
) -> Upscaler:
    """Load a model by name, or a weights file.

    Parameters
    ----------
    model
        A name from `list_models`; or the path of a weights file: a `Path`, or a
        string with a path separator or the suffix of a known format. Nothing that
        a file holds is ever run. Options may stand behind either: ``"srgan:perception=0.5"``.
    scale
        Factor of both sides; the model's default if left out.
    runtime
        ``"auto"``, or the framework to run on.
    dist
        The distribution to take the model from, where two have one of its name; it can be said by
        the name as well, ``"model@distribution"``. A name of srkit's own is srkit's.
    weights
        Version of a model's weights, 2025 or ``"2025"``, so that pixels stay when defaults change:
        `ModelCard.version`, or one of `ModelCard.earlier`. The current one if left out.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``; or a ``torch.device``.
    precision
        ``"auto"``, ``"float32"``, ``"bfloat16"``, ``"float16"`` or ``"int8"``; or a
        ``torch.dtype``. ``"auto"`` is the fastest on the device that is known to change no picture:
        with some models bfloat16, on CPUs that have units for it. ``"float32"`` gives the same
        pixels everywhere, but for rounding. ``"int8"`` is for CPUs with VNNI and is never chosen
        by itself. Models without a choice of either take what they have.
    options
        Keywords of the model's adapter, such as ``perception``, ``denoise``, ``color``,
        ``tiling``, ``tile``, ``overlap``, ``match_histograms`` or ``window``; they have no types
        here, as who publishes a model names its options. Names that the adapter does not know are
        refused. All networks take ``border``: ``"reflect"`` lets them see the picture reflected
        beyond its border, ``"zero"`` what their own layers put there, which gives the pixels of a
        plain run of the network, to the rim; by default what the card says.

    Returns
    -------
    Upscaler
        It can be pickled: another process, as of a pool, loads it again by name or file and
        options, and refuses a file that moved and weights that are others by then.

    Raises
    ------
    UnknownModelError
        If no model has that name; the message lists the nearest.
    DuplicateModelError
        If two distributions have it, none of them srkit, and `dist` is not given.
    MissingDependencyError
        If the framework is not installed; the message has the line that installs it.
    OptionError
        If an option is unknown, or the model does not exist for `scale` or `weights`.
    BrokenPluginError, UnsafeFileError, CorruptFileError, WeightsError
        If a plugin or a weights file is at fault.

    Examples
    --------
    >>> load("bicubic", scale=3)
    <srkit.Upscaler bicubic x3, numpy on cpu>
    """
    if isinstance(model, str) and split(model)[1]:
        told = {"scale": scale, "runtime": runtime, "dist": dist, "weights": as_version(weights)}
        name, given = together(model, told | {"device": device, "precision": precision} | options)
        return load(name, **given)
    if device != "auto":
        options["device"] = as_text(device)
    if precision != "auto":
        options["precision"] = as_text(precision)
    asked = {"runtime": runtime, "dist": dist, "weights": as_version(weights), **options}
    stamp = stamp_of(model)
    made = REGISTRY.load(model, scale=scale, **asked)
    # Where there is no such file it is a name; to look for names takes longer.
    if isinstance(model, str) and (not stamp or model in REGISTRY.names()):
        added = None if dist else REGISTRY.registered(model)
        digest = digest_of(made.card, made.scale)
        made.origin = _Loaded(model, made.scale, asked, added, (), digest)
    else:
        made.origin = _Loaded(Path(model).absolute(), scale, asked, None, stamp)
    return made


class _Loaded(Source):
    """What `load` was called with."""

    def again(self) -> Upscaler:
        """See `srkit.upscaling.copying.Origin`.

        Raises
        ------
        WeightsError
            If the file moved, or weights are others.
        OptionError
            If another model is registered here by that name.
        SrkitError
            As `load`.
        """
        self.check()
        if self.card is not None:
            here = REGISTRY.registered(self.card.name)
            if here is None:
                register(self.card, replace=True)
            elif here != self.card:
                raise OptionError(f"another model is registered here as {self.card.name}")
        made = load(self.model, scale=self.scale, **self.options)
        if isinstance(self.model, str) and digest_of(made.card, made.scale) != self.digest:
            raise WeightsError(
                f"{self.model} x{made.scale} has other weights here than where it was loaded "
                "first; install the same version of srkit, or of its plugin"
            )
        return made

    def reduced(self) -> tuple[Any, ...]:
        """See `srkit.upscaling.copying.Origin`."""
        return _restored, (self,)


def _restored(source: _Loaded) -> Upscaler:
    """A model that came from another process: kept for the next, since each task brings it."""
    source.check()
    return copy.copy(_kept(pickle.dumps(source)))


@functools.lru_cache(maxsize=4)
def _kept(source: bytes) -> Upscaler:
    made: Upscaler = pickle.loads(source).again()  # of this process  # noqa: S301
    return made


def list_models(pattern: str = "*") -> list[str]:
    """Names of all models that fit a shell pattern, sorted.

    Only metadata of installed packages is read; no plugin is imported. `srkit.cards` shows what
    the models are.

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
        If two distributions have it, none of them srkit.
    BrokenPluginError
        If what is installed under that name is no card.

    Examples
    --------
    >>> card("srresnet").framework
    'torch'
    """
    return REGISTRY.card(name)


def cards(pattern: str = "*") -> Cards:
    """A table of the models: name, scales, framework, licence, and what each is good for.

    Parameters
    ----------
    pattern
        As of `list_models`.

    Returns
    -------
    Cards
        A sequence of cards, which a terminal and a notebook show as a table.

    Examples
    --------
    >>> cards("bicub*")
    name     scales  framework  licence     good for
    bicubic  x2-x16  numpy      Apache-2.0  a baseline to compare with
    """
    if not isinstance(pattern, str):
        raise OptionError(f"a pattern is a text such as 'sr*', not {pattern!r}; see srkit.card")
    found: list[ModelCard] = []
    broken: dict[str, str] = {}
    for name in list_models(pattern):
        try:
            found.append(card(name))
        except SrkitError as error:
            broken[name] = str(error)
    return Cards(tuple(found), broken, pattern)


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
    >>> report.format, report.safe
    ('safetensors file', True)
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
    OptionError
        If it is no card, or one that makes no sense.

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
    _kept.cache_clear()


@functools.lru_cache(maxsize=4, typed=True)  # 2 is a scale, and 2.0 is none
def _loaded(
    model: str | Path,
    scale: int | None,
    options: tuple[tuple[str, Any], ...],
    stamp: Stamp,
) -> Upscaler:
    return load(model, scale=scale, **dict(options))


@overload
def upscale(
    image: NDArray[S],
    model: str | Path | Upscaler = ...,
    *,
    scale: int | None = ...,
    **options: Any,
) -> NDArray[S]: ...
@overload
def upscale(
    image: PILImage, model: str | Path | Upscaler = ..., *, scale: int | None = ..., **options: Any
) -> PILImage: ...
@overload
def upscale(
    image: Image | Encoded,
    model: str | Path | Upscaler = ...,
    *,
    scale: int | None = ...,
    **options: Any,
) -> Image: ...
@overload
def upscale(
    image: list[Any] | tuple[Any, ...],
    model: str | Path | Upscaler = ...,
    *,
    scale: int | None = ...,
    **options: Any,
) -> list[Any]: ...
@overload
def upscale(
    image: T, model: str | Path | Upscaler = ..., *, scale: int | None = ..., **options: Any
) -> T: ...
def upscale(
    image: Any,
    model: str | Path | Upscaler = "photo",
    *,
    scale: int | None = None,
    size: tuple[int, int] | None = None,
    memory: int | str | None = None,
    self_ensemble: bool = False,
    consistent: bool = False,
    progress: Progress = False,
    **options: Any,
) -> Any:
    """Load a model (kept for the next call) and upscale an image with it.

    Parameters
    ----------
    image
        See `Upscaler.upscale`.
    model, scale
        See `load`; or a loaded model, of which no other scale and no options can be asked.
    size, memory, self_ensemble, consistent, progress
        See `Upscaler.upscale`. `size` is ``(height, width)``.
    options
        Those of `load`, such as ``device`` and ``precision``.

    Returns
    -------
    array, PIL.Image or srkit.Image
        The kind that was given; `Image` for a file: a path, a URL, bytes, or an open file;
        a list for a list.

    Examples
    --------
    >>> import numpy as np
    >>> upscale(np.zeros((8, 8), np.uint16), "bicubic", scale=2).dtype
    dtype('uint16')
    """
    given = (size, memory, self_ensemble, consistent, progress)
    asked: dict[str, Any] = {
        name: value
        for name, value in zip(Options.__annotations__, given, strict=True)
        if not (value is None or value is False)
    }
    if isinstance(model, Upscaler):
        return as_loaded(model, scale, options).upscale(image, **asked)
    key = tuple(sorted(options.items()))
    try:
        hash((scale, key))
    except TypeError:
        made = load(model, scale=scale, **options)
    else:
        file = split(model)[0] if isinstance(model, str) else model
        made = _loaded(model, scale, key, stamp_of(file))
    return made.upscale(image, **asked)
