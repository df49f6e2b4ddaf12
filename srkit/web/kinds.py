"""What the page offers: models by the kind of picture, with a word each.

The kinds are those of docs/which-model.md; a test compares them.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from srkit.card import ModelCard
from srkit.errors import OptionError, SrkitError
from srkit.models import loading
from srkit.models.weights import absent, install_lines, missing_for
from srkit.upscaling.upscaler import Upscaler

log = logging.getLogger(__name__)

SCALES = (2, 4)
# Of no use beside others on a page of photos: pixels repeated, and models for video.
_LEFT_OUT = ("nearest", "vsr", "vsr-small")
# What beside denoise, of which cards state where it begins, has a slider.
_PERCEPTION = ("srgan",)
# Bytes of a name of what was handed over, which is a part of results' names.
_MOST_NAMED = 80
Own = Mapping[str, Upscaler]
_NONE: Own = MappingProxyType({})


@dataclass(frozen=True)
class Kind:
    """A kind of picture.

    Attributes
    ----------
    name
        What people call it.
    models
        What to take, and what else may be worth a look, each with a word.
    """

    name: str
    models: tuple[tuple[str, str], ...]


# What was handed over, before all that comes along.
_OWN: dict[str, Any] = {"name": "your model"}

KINDS = (
    Kind(
        "photo",
        (
            ("photo", "crisp and calm"),
            ("realesrgan", "crisper, draws more, slow"),
        ),
    ),
    Kind(
        "face",
        (
            ("photo", "even skin, crisp edges"),
            ("realesrgan", "for faces of 50 pixels or more, slow"),
        ),
    ),
    Kind(
        "JPEG from the web",
        (
            ("photo", "blocks and fringes gone"),
            ("realesrgan", "straighter lines, slow"),
        ),
    ),
    Kind(
        "old photo, scan",
        (
            ("photo", "calm and crisp"),
            ("realesrgan-general", "softer"),
        ),
    ),
    Kind(
        "clean original",
        (
            ("photo", "keeps what is there"),
            ("srresnet", "truest, twice the time"),
            ("span", "nearly as true, half the time"),
            ("srgan", "sharper, less true"),
        ),
    ),
    Kind(
        "text, screenshot",
        (
            ("photo", "crisp, keeps letters"),
            ("photo-2025", "softer"),
        ),
    ),
    Kind(
        "drawing, anime",
        (
            ("realesrgan-anime", "clean lines, slow"),
            ("realesr-animevideo", "six times as fast"),
        ),
    ),
)


def named(models: Iterable[Upscaler]) -> dict[str, Upscaler]:
    """Models that were handed over, by the names that the page gives them.

    A result's file has such a name in its own, so they hold what file names may. Of weights files
    with one name, such as ``best``, as many folders are told, too, as differ: ``a_best``.

    Raises
    ------
    OptionError
        If one is no model, or two have one name and are not files of different folders.

    Examples
    --------
    >>> import srkit
    >>> model = srkit.wrap(lambda tiles: tiles, scale=1, name="as it/was")
    >>> list(named([model]))
    ['as it_was']
    """
    given = list(models)
    for model in given:
        if not isinstance(model, Upscaler):
            raise OptionError(
                f"a model is served, not {type(model).__name__}: srkit.load(name) gives one, "
                "and srkit.wrap(function, scale=...)"
            )
    found: dict[str, Upscaler] = {}
    for model in given:
        same = [one for one in given if one is not model and one.card.name == model.card.name]
        name = as_file_name(_told_apart(model, same), _MOST_NAMED) or "model"
        if name in found:
            raise OptionError(f"two models are called {name}; srkit.wrap(..., name=) says another")
        found[name] = model
    return found


def as_file_name(text: str, most: int) -> str:
    """A text as a part of a file's name, of at most so many bytes, of which systems take 255.

    Examples
    --------
    >>> as_file_name(" her face?", 80), as_file_name("写真", 4)
    ('her face_', '写')
    """
    kept = re.sub(r"[^\w ()+,.’–—…-]", "_", text).strip(" .")
    return kept.encode()[:most].decode(errors="ignore")


def _told_apart(model: Upscaler, others: Sequence[Upscaler]) -> str:
    """A model's name, behind as many folders of its file as no other of that name has."""
    folders, rest = _folders(model), [_folders(one) for one in others]
    for depth in range(len(folders) + 1):
        if all(one[:depth] != folders[:depth] for one in rest):
            return "_".join([*reversed(folders[:depth]), model.card.name])
    return model.card.name


def _folders(model: Upscaler) -> tuple[str, ...]:
    """Folders of the weights file that a model was loaded from, the innermost first."""
    source = getattr(model.origin, "model", None)
    return tuple(parent.name for parent in source.parents) if isinstance(source, Path) else ()


def scales(own: Own = _NONE) -> list[int]:
    """The factors of all models.

    Examples
    --------
    >>> scales()
    [2, 4]
    """
    return sorted({*SCALES, *(model.scale for model in own.values())})


def offered(scale: int, own: Own = _NONE) -> list[str]:
    """Names of the models for `scale` for which all is installed; first those handed over.

    Examples
    --------
    >>> "bicubic" in offered(4), "neural-enhance-repair" in offered(4), "nearest" in offered(4)
    (True, False, False)
    """
    first = [name for name, model in own.items() if model.scale == scale]
    cards = [card for card in _cards(own) if scale in card.scales]
    return first + [card.name for card in cards if not missing_for(card)]


def menu(own: Own = _NONE, first: Sequence[str] = ()) -> dict[str, Any]:
    """What the page shows: kinds with their models, and all models with what there is to know.

    Models that were handed over are a kind of their own, which is the first; so are those of
    `first`, names of models that come along.

    Examples
    --------
    >>> [kind["name"] for kind in menu()["kinds"]][:2]
    ['photo', 'face']
    >>> menu()["models"]["bicubic"]["scales"]
    [2, 4]
    """
    cards = {card.name: card for card in _cards(own)}
    there = scales(own)
    words = dict.fromkeys(own, "") | {name: cards[name].summary for name in first if name in cards}
    told = [{"name": name, "word": word} for name, word in words.items()]
    kinds = [_OWN | {"models": told}] if told else []
    kinds += [
        {
            "name": kind.name,
            "models": [
                {"name": name, "word": word}
                for name, word in kind.models
                if name in cards and name not in own
            ],
        }
        for kind in KINDS
    ]
    models = {name: _facts_of_own(model) for name, model in own.items()}
    models |= {name: _facts(card, there) for name, card in cards.items()}
    begins = [model.scale for model in own.values()]
    begins += [cards[name].default_scale for name in words if name not in own]
    return {"kinds": kinds, "models": models, "scales": there, "scale": (*begins, 4)[0]}


def comes_along(name: str) -> bool:
    """Whether the page offers a model by itself, at each of its scales.

    Examples
    --------
    >>> comes_along("espcn"), comes_along("runs/mine/best.safetensors"), comes_along("nearest")
    (True, False, False)
    """
    return any(card.name == name for card in _cards(_NONE))


def instead_of(names: Sequence[str], scale: int) -> str:
    """A model that is on this machine, to be taken where others cannot be had.

    Examples
    --------
    >>> instead_of(["photo"], 4)
    'bicubic'
    """
    here = "photo" not in names and "photo" in offered(scale)
    return "photo" if here and not absent(loading.card("photo").weights.values()) else "bicubic"


def options_of(
    model: str, asked: dict[str, float | str], own: Own = _NONE
) -> dict[str, float | str]:
    """Those of the options that the model has; one that was handed over has what it was given.

    Examples
    --------
    >>> options_of("photo", {"denoise": "auto", "perception": 0.5})
    {'denoise': 'auto'}
    """
    dials = [] if model in own else _dials(loading.card(model))
    return {name: value for name, value in asked.items() if name in dials}


def _cards(own: Own = _NONE) -> list[ModelCard]:
    """Cards of models for photos; a broken plugin does not take the page along."""
    there = set(scales(own))
    cards = []
    for name in loading.list_models():
        try:
            card = loading.card(name)
        except SrkitError as error:
            log.warning("%s is left out: %s", name, error)
            continue
        if name not in (*_LEFT_OUT, *own) and there & set(card.scales):
            cards.append(card)
    return cards


def _facts_of_own(model: Upscaler) -> dict[str, Any]:
    facts = {"summary": model.card.summary, "scales": [model.scale]}
    return facts | {"dials": [], "install": "", "download": 0}


def _facts(card: ModelCard, there: list[int]) -> dict[str, Any]:
    files = [file for file in absent(card.weights.values()) if file.downloaded]
    return {
        "summary": card.summary,
        "scales": [scale for scale in there if scale in card.scales],
        "dials": _dials(card),
        "install": " && ".join(install_lines(card)),
        "download": sum(file.size or 0 for file in files),
    }


def _dials(card: ModelCard) -> list[str]:
    denoise = ["denoise"] if "denoise" in card.defaults else []
    return denoise + (["perception"] if card.name in _PERCEPTION else [])
