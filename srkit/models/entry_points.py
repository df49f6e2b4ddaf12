"""What installed distributions declare to srkit: entry points, and the values that they name."""

from __future__ import annotations

from importlib import metadata
from typing import TypeVar

from srkit.card import ModelCard
from srkit.errors import BrokenPluginError

T = TypeVar("T")

MODELS = "srkit.models"
FORMATS = "srkit.formats"


def installed(group: str) -> list[metadata.EntryPoint]:
    """Entry points of a group, from the metadata of installed distributions alone.

    Examples
    --------
    >>> "bicubic" in {entry.name for entry in installed(MODELS)}
    True
    """
    return list(metadata.entry_points(group=group))


def read_card(entry: metadata.EntryPoint, owner: str) -> ModelCard:
    """The card that an entry point names.

    Raises
    ------
    BrokenPluginError
        As `resolve`, or if the card has another name than the entry point.

    Examples
    --------
    >>> (bicubic,) = [entry for entry in installed(MODELS) if entry.name == "bicubic"]
    >>> read_card(bicubic, owner_of(bicubic)).framework
    'numpy'
    """
    card = resolve(entry, ModelCard, owner)
    if card.name != entry.name:
        raise BrokenPluginError(
            f"{owner} registers the card of {card.name!r} under the name {entry.name!r}"
        )
    return card


def resolve(entry: metadata.EntryPoint, kind: type[T], owner: str) -> T:
    """What an entry point names, of the kind that it must be.

    Raises
    ------
    BrokenPluginError
        If it cannot be imported, or is of another kind.

    Examples
    --------
    >>> resolve(metadata.EntryPoint("circle", "math:pi", "numbers"), float, "Python")
    3.141592653589793
    """
    try:
        value = entry.load()
    except Exception as error:
        raise BrokenPluginError(
            f"{entry.name!r} of {owner} ({entry.value}) cannot be imported: "
            f"{type(error).__name__}: {error}"
        ) from error
    if not isinstance(value, kind):
        raise BrokenPluginError(
            f"{entry.name!r} of {owner} ({entry.value}) is {type(value).__name__}, "
            f"not {kind.__name__}"
        )
    return value


def owner_of(entry: metadata.EntryPoint) -> str:
    """The distribution that an entry point is of."""
    return entry.dist.name if entry.dist is not None else entry.module
