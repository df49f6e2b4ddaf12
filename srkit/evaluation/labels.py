"""What tables and sheets call models: names of which no two are alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from srkit.errors import OptionError
from srkit.evaluation.scores import Model
from srkit.models.specs import in_a_line, split
from srkit.upscaling.upscaler import Upscaler

Models = Sequence[Model] | Mapping[str, Model]


def listed(models: Models) -> tuple[list[Model], list[str] | None]:
    """Models in a list, and what the caller calls them; None where they are called by their names.

    Raises
    ------
    OptionError
        If they are no list, or a model is called by what is no text.

    Examples
    --------
    >>> listed({"soft": "srgan:perception=0", "sharp": "srgan"})
    (['srgan:perception=0', 'srgan'], ['soft', 'sharp'])
    """
    if not isinstance(models, Iterable):
        raise OptionError(f"models is a list such as ['bicubic', 'srgan'], not {models!r}")
    if not isinstance(models, Mapping):
        return list(models), None
    for label in models:
        if not isinstance(label, str) or not label.strip():
            raise OptionError(f"a model is called by a text, as {{'soft': model}}, not {label!r}")
    return list(models.values()), list(models)


def label_of(model: Model, loaded: Upscaler) -> str:
    """What one model is called: its name, with the options that stand behind it in a line.

    Examples
    --------
    >>> import srkit
    >>> label_of("bicubic:device=cpu", srkit.load("bicubic:device=cpu"))
    'bicubic:device=cpu'
    """
    options = split(model)[1] if isinstance(model, str | Path) else {}
    return in_a_line(loaded.card.name, options)


def apart(models: Sequence[Model], loaded: Sequence[Upscaler]) -> list[str]:
    """Names of which no two are alike.

    Settings of one model are told apart by options, files of one name by paths; what is then still
    alike is counted.

    Examples
    --------
    >>> import srkit
    >>> both = [srkit.load("bicubic", scale=3, device="cpu"), srkit.load("bicubic", scale=3)]
    >>> apart(both, both), apart(["bicubic", "bicubic"], both)
    (['bicubic:device=cpu', 'bicubic'], ['bicubic', 'bicubic (2)'])
    """
    pairs = list(zip(models, loaded, strict=True))
    told = [label_of(*pair) for pair in pairs]
    for longer in (_with_options, _with_path):
        told = [
            longer(*pair) if told.count(label) > 1 else label
            for label, pair in zip(told, pairs, strict=True)
        ]
    counts = [told[: number + 1].count(label) for number, label in enumerate(told)]
    return [
        label if count == 1 else f"{label} ({count})"
        for label, count in zip(told, counts, strict=True)
    ]


def _with_options(model: Model, loaded: Upscaler) -> str:
    """A model that was loaded, as one asks for it in a line."""
    return (
        in_a_line(loaded.card.name, _asked(loaded)) if model is loaded else label_of(model, loaded)
    )


def _with_path(model: Model, loaded: Upscaler) -> str:
    """A model by its file, if it is of one."""
    if isinstance(model, str | Path):
        return str(model)
    file = getattr(loaded.origin, "model", None)
    path = file if isinstance(file, Path) else loaded.card.name
    return in_a_line(path, _asked(loaded)) if model is loaded else loaded.card.name


def _asked(loaded: Upscaler) -> Mapping[str, Any]:
    """Options that `srkit.load` was given."""
    asked: Mapping[str, Any] = getattr(loaded.origin, "options", {})
    return asked
