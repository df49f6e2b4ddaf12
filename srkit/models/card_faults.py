"""What is wrong with a card: told when it is read, before a picture comes out wrong by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import get_args, get_type_hints

from srkit.card import ModelCard, WeightsFile

_HINTS = get_type_hints(ModelCard)
_COLOURS = get_args(_HINTS["colour"])
_BORDERS = get_args(_HINTS["border"])


def fault_of(card: object) -> str:
    """The first thing that is wrong with a card; empty where nothing is.

    Examples
    --------
    >>> from dataclasses import replace
    >>> import srkit
    >>> fault_of(replace(srkit.card("bicubic"), border="reflct"))
    "the card's border is 'reflct', not one of 'reflect', 'mirror', 'edge', 'zero'"
    >>> fault_of(srkit.card("bicubic"))
    ''
    """
    if not isinstance(card, ModelCard):
        return f"{card!r} is no ModelCard"
    scales = card.scales
    if not (isinstance(scales, tuple | list) and scales and all(_whole(s, 1) for s in scales)):
        return f"the card's scales are {scales!r}, not whole numbers such as (2, 4)"
    if card.default_scale not in scales:
        return f"the card's default scale, {card.default_scale!r}, is not among its scales {scales}"
    for what, value, known in (
        ("colour", card.colour, _COLOURS),
        ("border", card.border, _BORDERS),
    ):
        if value not in known:
            return f"the card's {what} is {value!r}, not one of {', '.join(map(repr, known))}"
    if not _whole(card.multiple, 1):
        return f"the card's multiple is {card.multiple!r}, not a whole number above 0"
    stated = card.radius.values() if isinstance(card.radius, Mapping) else [card.radius]
    if any(radius is not None and not _whole(radius, 0) for radius in stated):
        return f"the card's radius is {card.radius!r}, not a whole number of LR pixels, nor None"
    if not (isinstance(card.weights, Mapping) and _are_files(card.weights.values())):
        return "the card's weights are no files by scale, such as {2: WeightsFile(...)}"
    return ""


def _whole(number: object, least: int) -> bool:
    return isinstance(number, Integral) and not isinstance(number, bool) and int(number) >= least


def _are_files(values: Iterable[object]) -> bool:
    return all(isinstance(value, WeightsFile) for value in values)
