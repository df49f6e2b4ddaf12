"""`wrap`: a function or a torch module of one's own, as a model, without a package."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import Any, Literal, cast

from srkit.card import ModelCard
from srkit.errors import OptionError
from srkit.extras import import_adapter
from srkit.models.options import as_text
from srkit.upscaling.upscaler import Upscaler

FUNCTIONS = "srkit.adapters.functions:FunctionUpscaler"
MODULES = "srkit.adapters.pytorch.wrapping:wrapped"

# Letters of what was given that a message repeats.
_TOLD = 200
_COLOURS = ("rgb", "luma")
_BORDERS = ("zero", "reflect", "mirror", "edge")
_UNSEEN = "how far it sees is not known, so it is given whole pictures; radius= states it"
# Checks of the conformance kit that cut pictures by how far a model sees.
_BY_RADIUS = (
    "check_receptive_field",
    "check_tiles",
    "check_memory_failures",
    "check_memory_limit",
)


def wrap(
    model: Callable[..., Any],
    scale: int,
    *,
    name: str | None = None,
    colour: Literal["rgb", "luma"] | None = None,
    radius: int | None = None,
    multiple: int = 1,
    border: Literal["zero", "reflect", "mirror", "edge"] = "zero",
    device: str = "auto",
    precision: str = "auto",
) -> Upscaler:
    """Make a model of a function, or of a torch module, of your own.

    It then takes every kind of image, and goes wherever a loaded model goes: `srkit.compare`,
    `srkit.evaluate`, the conformance kit of `srkit.testing`.

    Parameters
    ----------
    model
        A function from an array ``(N, H, W, C)`` of float32 in [0, 1], which it may write to, to
        an array ``(N, scale*H, scale*W, C)`` of floats in [0, 1]; what lies a little beyond is
        clipped. C is 3, or 1 for ``colour="luma"``. Or an ``nn.Module`` from planes
        ``(N, C, H, W)`` to ``(N, C, scale*H, scale*W)``, both in [0, 1]. The module is copied as
        it is now, and the copy is put into evaluation mode: it can be trained on.
    scale
        Factor of both sides; 1 for a model that repairs.
    name
        For tables, sheets and messages; by default what the function or class is called.
    colour
        ``"rgb"``, or ``"luma"`` for a model that sees brightness alone, where chroma is upscaled
        by bicubic interpolation. By default ``"rgb"``, and for a module what it takes.
    radius
        How many LR pixels away an input pixel can be and still change an output pixel. Pictures
        are then cut into tiles, which overlap by that much, wherever memory asks for it; stated
        too small it shows seams, which `srkit.testing.check_receptive_field` finds. By default it
        is worked out from the layers of a module; a function, or a module with layers
        that see all of a picture or are not known, is given whole pictures.
    multiple
        Of which the sides of what the model is given have to be multiples.
    border
        What it sees beyond the picture: ``"zero"`` leaves that to the model, as ``model(image)``
        by itself does; for the others see `ModelCard`.
    device, precision
        Of a module; see `srkit.load`. A function runs where it runs.

    Returns
    -------
    Upscaler

    Raises
    ------
    OptionError
        If `model` is neither, or an option makes no sense; or a module takes no such planes.
    BrokenPluginError, WeightsError
        If what it returns has another shape or dtype, is far beyond [0, 1], or is not a number.
        Of a module that is seen here, of a function when it is run.

    Examples
    --------
    >>> import numpy as np
    >>> import srkit
    >>> def fours(tiles):
    ...     return tiles.repeat(2, axis=1).repeat(2, axis=2)
    >>> model = srkit.wrap(fours, scale=2)
    >>> model.upscale(np.array([[0, 255]], np.uint8))
    array([[  0,   0, 255, 255],
           [  0,   0, 255, 255]], dtype=uint8)
    >>> photo = np.zeros((20, 30, 3), np.uint8)
    >>> list(srkit.compare(photo, [model, "bicubic"], scale=2).results)
    ['fours', 'bicubic']
    """
    # What `torch.compile` made is wrapped as the module that it made it of: srkit runs it itself.
    model = getattr(model, "_orig_mod", model)
    name = _name_of(model) if name is None else name
    device, precision = as_text(device), as_text(precision)
    _check(model, name, scale, radius, multiple)
    for what, value, known in (("border", border, _BORDERS), ("colour", colour, (*_COLOURS, None))):
        if value not in known:
            listed = ", ".join(map(repr, known))
            raise OptionError(f"{what} is one of {listed}, not {value!r}")
    module = _is_module(model)
    card = ModelCard(
        name=name,
        summary=f"{_name_of(model)}, wrapped.",
        adapter=MODULES if module else FUNCTIONS,
        framework="torch" if module else "numpy",
        scales=(int(scale),),
        default_scale=int(scale),
        colour=colour or "rgb",
        border=border,
        radius=radius,
        multiple=multiple,
    )
    adapter = import_adapter(card.adapter, card.framework, None)
    if module:
        made = adapter(model, card, colour=colour, device=device, precision=precision)
    else:
        _check_place(name, device, precision)
        made = adapter(card, card.default_scale, model)
    made = cast(Upscaler, made)
    if made.sees_all:
        made.card = _excused(made.card)
    return made


def _excused(card: ModelCard) -> ModelCard:
    """A card without the checks that cut pictures by a radius, which it has not."""
    return replace(card, excused=dict.fromkeys(_BY_RADIUS, _UNSEEN))


def _is_module(model: object) -> bool:
    """Whether it is a torch module; torch is not imported to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def _name_of(model: object) -> str:
    """What a function, or the class of an object that is called, is called."""
    if isinstance(model, functools.partial):
        return _name_of(model.func)
    # What TorchScript made says so.
    scripted = getattr(model, "original_name", type(model).__name__)
    return str(getattr(model, "__name__", scripted)).strip("<>")


def _check(model: object, name: object, scale: object, radius: object, multiple: object) -> None:
    if isinstance(model, Upscaler):
        raise OptionError(f"{model.card.name} is a model already: it can be used as it is")
    if inspect.isclass(model):
        raise OptionError(f"{name} is a class; wrap takes an object of it, such as {name}()")
    if not callable(model):
        raise OptionError(f"wrap takes a function or a torch module, not {_shown(model)}")
    if not isinstance(name, str) or not name.strip():
        raise OptionError(f"name is a text, not {name!r}")
    for what, number, least in (
        ("scale", scale, 1),
        ("multiple", multiple, 1),
        ("radius", 0 if radius is None else radius, 0),
    ):
        whole = isinstance(number, Integral) and not isinstance(number, bool)
        if not whole or int(cast(int, number)) < least:
            raise OptionError(f"{what} is a whole number, {least} or more, not {number!r}")


def _shown(given: object) -> str:
    """What was given in place of a model, and what to do with it; weights are not written out."""
    if isinstance(given, Mapping):
        return (
            f"{type(given).__name__} with {len(given)} entries; if these are weights, load them "
            "into the module (load_state_dict), and wrap that"
        )
    if isinstance(given, str | Path):
        return f"{str(given)!r}; names and files are for srkit.load"
    told = repr(given)
    return told if len(told) <= _TOLD else type(given).__name__


def _check_place(name: str, device: str, precision: str) -> None:
    """A function has no choice of these."""
    for option, value in (("device", device), ("precision", precision)):
        if value != "auto":
            raise OptionError(
                f"{name} is a function, which runs where it runs: {option} is for torch modules"
            )
