"""What a pickle becomes: records that hold data and do nothing.

None of these classes defines behaviour that pickled data could reach: there is no
``__setstate__``, no ``__call__`` and no attribute named by the file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


class Record:
    """A value of some format's own: it may be a key, as it is hashed by what it is."""

    __slots__ = ()


class Fillable(Record):
    """A record that takes the state which a pickle gives it after making it."""

    __slots__ = ()

    def fill(self, state: object) -> None:
        """Check a state and keep what is needed of it."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Label(Record):
    """A harmless global that may be named but neither called nor instantiated."""

    name: str


@dataclass(frozen=True, slots=True)
class StandIn(Record):
    """A class of a network or an optimizer; its instances only keep their state."""

    name: str


@dataclass(frozen=True, slots=True)
class DictStandIn(StandIn):
    """A class of dicts; its instances become plain ones."""


@dataclass(frozen=True, slots=True)
class Rebuild:
    """A function that pickles may call: `make`, our own, is called in its place."""

    name: str
    make: Callable[[tuple[object, ...]], object]
    # Arguments that it may be given; bounded, as one long tuple may be given to many calls.
    most: int = 8


@dataclass(frozen=True, slots=True, eq=False)
class Opaque(Record):
    """A value of no use here, such as a numpy scalar; its content is not kept."""

    name: str


@dataclass(slots=True, eq=False)
class Instance(Record):
    """An object of a `StandIn` class and the state that the pickle gave it."""

    kind: StandIn
    state: dict[object, object] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Members:
    """A set; kept as the list it was made of, so that making it costs nothing."""

    items: list[object]


def shown(text: str) -> str:
    """Foreign text fit for a message: short, control characters escaped."""
    return repr(text[:100])[1:-1]
