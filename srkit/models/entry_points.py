"""What installed distributions declare to srkit: entry points, and the values that they name."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib import metadata
from typing import TypeVar

from srkit.card import ModelCard
from srkit.errors import BrokenPluginError, DuplicateModelError, UnknownModelError
from srkit.models.card_faults import fault_of

log = logging.getLogger(__name__)

T = TypeVar("T")

# The distribution whose names of models nobody else can take.
OWN = "srkit"
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


def by_name(entries: Iterable[metadata.EntryPoint]) -> dict[str, list[metadata.EntryPoint]]:
    """Entry points by the names of models.

    What more than one distribution has is called ``name@distribution`` as well. A name of one of
    srkit's own stays srkit's: a plugin that has it, too, changes no result of who installed it.

    Examples
    --------
    >>> mine = metadata.EntryPoint("mine", "some.module:CARD", MODELS)
    >>> by_name([mine]) == {"mine": [mine]}
    True
    """
    found: dict[str, list[metadata.EntryPoint]] = {}
    for entry in entries:
        found.setdefault(entry.name, []).append(entry)
    for name, alike in list(found.items()):
        if len(alike) == 1:
            continue  # to read whose it is takes a while
        owners = {owner_of(entry): entry for entry in alike}
        found[name] = [owners[OWN]] if OWN in owners else list(owners.values())
        if len(owners) > 1:
            found |= {_full(e): [e] for owner, e in owners.items() if owner != OWN}
    return found


def card_of(
    found: Mapping[str, list[metadata.EntryPoint]], name: str, dist: str | None = None
) -> ModelCard:
    """The card of an installed model, under the name that it is called by.

    Parameters
    ----------
    found
        What `by_name` gives; the name is in it.
    name, dist
        Of the model, and of the distribution to take it from.

    Raises
    ------
    UnknownModelError
        If `dist` has none of that name.
    DuplicateModelError
        If distributions other than srkit have it and `dist` is not given.
    BrokenPluginError
        As `read_card`.

    Examples
    --------
    >>> card_of(by_name(installed(MODELS)), "bicubic").framework
    'numpy'
    """
    entry = _chosen(found, name, dist)
    owner = owner_of(entry)
    if dist is None and owner == OWN:
        for other in _others(found, name):
            _warn(told_taken(other))
    card, full = read_card(entry, owner), _full(entry)
    return replace(card, name=full) if full in found else card


def _chosen(
    found: Mapping[str, list[metadata.EntryPoint]], name: str, dist: str | None
) -> metadata.EntryPoint:
    whose = {owner_of(entry): entry for entry in (*found[name], *_others(found, name))}
    listed = ", ".join(sorted(whose))
    if dist is not None:
        if dist not in whose:
            raise UnknownModelError(
                f"no distribution {dist!r} has a model {name!r}; it is in {listed}"
            )
        return whose[dist]
    if len(found[name]) > 1:
        first = sorted(whose)[0]
        raise DuplicateModelError(
            f"{len(whose)} distributions have a model named {name!r}: {listed}; "
            f"choose with dist={first!r}, or by the name {_full(whose[first])!r}"
        )
    return found[name][0]


def _others(found: Mapping[str, list[metadata.EntryPoint]], name: str) -> list[metadata.EntryPoint]:
    """Those of a name that are called by their distributions', too."""
    return [entry for full, (entry, *_) in found.items() if full.startswith(f"{name}@")]


def _full(entry: metadata.EntryPoint) -> str:
    return f"{entry.name}@{owner_of(entry)}"


@functools.cache
def _warn(message: str) -> None:
    """Once in a process: a card is asked for often."""
    log.warning("%s", message)


def told_taken(entry: metadata.EntryPoint) -> str:
    """What is said of a plugin's model that has the name of one of srkit's.

    Examples
    --------
    >>> told_taken(metadata.EntryPoint("photo", "plug:CARD", MODELS))
    "plug has a model named 'photo', as srkit has: 'photo' is srkit's, and plug's is \
'photo@plug'; a name of its own would be better"
    """
    owner = owner_of(entry)
    return (
        f"{owner} has a model named {entry.name!r}, as srkit has: {entry.name!r} is srkit's, and "
        f"{owner}'s is {_full(entry)!r}; a name of its own would be better"
    )


def read_card(entry: metadata.EntryPoint, owner: str) -> ModelCard:
    """The card that an entry point names.

    Raises
    ------
    BrokenPluginError
        As `resolve`, or if the card has another name than the entry point, or makes no sense.

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
    if fault := fault_of(card):
        raise BrokenPluginError(f"{entry.name!r} of {owner} ({entry.value}): {fault}")
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
