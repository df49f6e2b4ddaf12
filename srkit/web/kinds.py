"""What the page offers: models by the kind of picture, with a word each.

The kinds are those of docs/which-model.md; a test compares them.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from srkit.card import ModelCard
from srkit.errors import SrkitError
from srkit.models import loading
from srkit.models.weights import absent, install_lines, missing_for, with_companions

log = logging.getLogger(__name__)

SCALES = (2, 4)
# Of no use beside others on a page of photos: pixels repeated, and models for video.
_LEFT_OUT = ("nearest", "vsr", "vsr-small")
# What beside denoise, of which cards state where it begins, has a slider.
_PERCEPTION = ("srgan",)


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
            ("realesrgan-general", "calm and soft"),
            ("photo", "a little crisper"),
        ),
    ),
    Kind(
        "clean original",
        (
            ("srresnet", "truest, adds nothing"),
            ("span", "in a third of the time"),
            ("srgan", "sharper, less true"),
        ),
    ),
    Kind(
        "text, screenshot",
        (
            ("photo-2025", "soft, invents no letters"),
            ("espcn", "if it never was a JPEG"),
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


def offered(scale: int) -> list[str]:
    """Names of the models for `scale` for which all is installed.

    Examples
    --------
    >>> "bicubic" in offered(4), "neural-enhance-repair" in offered(4), "nearest" in offered(4)
    (True, False, False)
    """
    return [card.name for card in _cards() if scale in card.scales and not missing_for(card)]


def menu() -> dict[str, Any]:
    """What the page shows: kinds with their models, and all models with what there is to know.

    Examples
    --------
    >>> [kind["name"] for kind in menu()["kinds"]][:2]
    ['photo', 'face']
    >>> menu()["models"]["bicubic"]["scales"]
    [2, 4]
    """
    cards = {card.name: card for card in _cards()}
    kinds = [
        {
            "name": kind.name,
            "models": [{"name": name, "word": w} for name, w in kind.models if name in cards],
        }
        for kind in KINDS
    ]
    return {"kinds": kinds, "models": {name: _facts(card) for name, card in cards.items()}}


def options_of(model: str, asked: dict[str, float | str]) -> dict[str, float | str]:
    """Those of the options that the model has.

    Examples
    --------
    >>> options_of("photo", {"denoise": "auto", "perception": 0.5})
    {'denoise': 'auto'}
    """
    dials = _dials(loading.card(model))
    return {name: value for name, value in asked.items() if name in dials}


def _cards() -> list[ModelCard]:
    """Cards of models for photos; a broken plugin does not take the page along."""
    cards = []
    for name in loading.list_models():
        try:
            card = loading.card(name)
        except SrkitError as error:
            log.warning("%s is left out: %s", name, error)
            continue
        if name not in _LEFT_OUT and set(SCALES) & set(card.scales):
            cards.append(card)
    return cards


def _facts(card: ModelCard) -> dict[str, Any]:
    files = [file for file in absent(with_companions(card.weights.values())) if file.downloaded]
    return {
        "summary": card.summary,
        "scales": [scale for scale in SCALES if scale in card.scales],
        "dials": _dials(card),
        "install": " && ".join(install_lines(card)),
        "download": sum(file.size or 0 for file in files),
    }


def _dials(card: ModelCard) -> list[str]:
    denoise = ["denoise"] if "denoise" in card.defaults else []
    return denoise + (["perception"] if card.name in _PERCEPTION else [])
