"""`Cards`: what there is to choose from, as a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape

from srkit.card import ModelCard
from srkit.errors import UnknownModelError
from srkit.extras import missing_packages
from srkit.models.near import near_names
from srkit.models.weights import absent
from srkit.tables import html_table, text_table


@dataclass(frozen=True, repr=False)
class Cards:
    """Cards of several models, shown as a table: in a terminal, and in a notebook.

    Attributes
    ----------
    cards
        By the names of their models, sorted.
    broken
        Models of plugins that have no card, and why.
    pattern
        Which names were asked for.

    Examples
    --------
    >>> import srkit
    >>> srkit.cards("bi*")
    name      scales  framework  licence     good for
    bicubic   x2-x16  numpy      Apache-2.0  a baseline to compare with
    bilinear  x2-x16  numpy      Apache-2.0  a baseline to compare with
    >>> [card.name for card in srkit.cards() if card.licence == "Apache-2.0" and 16 in card.scales]
    ['bicubic', 'bilinear', 'lanczos', 'nearest']
    >>> srkit.cards()["nearest"].good_for
    'pixel art'
    """

    cards: tuple[ModelCard, ...]
    broken: Mapping[str, str] = field(default_factory=dict)
    pattern: str = "*"

    def rows(self) -> list[list[str]]:
        """The cells of the table, its heading first.

        Examples
        --------
        >>> import srkit
        >>> srkit.cards("nearest").rows()[1]
        ['nearest', 'x2-x16', 'numpy', 'Apache-2.0', 'pixel art']
        """
        told = [
            [c.name, scales_of(c), framework_of(c), licence_of(c), c.good_for or c.summary]
            for c in self.cards
        ]
        told += [[name, "-", "broken", "-", why] for name, why in self.broken.items()]
        return [["name", "scales", "framework", "licence", "good for"], *sorted(told)]

    def __len__(self) -> int:
        return len(self.cards)

    def __iter__(self) -> Iterator[ModelCard]:
        return iter(self.cards)

    def __contains__(self, model: object) -> bool:
        """Whether a card is here, or that of a name."""
        return any(model in (card, card.name) for card in self.cards)

    def __getitem__(self, place: int | str) -> ModelCard:
        """The card at a place, or that of a name."""
        if not isinstance(place, str):
            return self.cards[place]
        names = [card.name for card in self.cards]
        if place not in names:
            near = ", ".join(near_names(place, names) or names) or "none at all"
            raise UnknownModelError(f"no model here is named {place!r}; there are {near}")
        return self.cards[names.index(place)]

    def _none(self) -> str:
        """What is said of an empty table."""
        if self.cards or self.broken:
            return ""
        return f"no model's name fits {self.pattern!r}; srkit.cards() shows all"

    def __repr__(self) -> str:
        if told := self._none():
            return told
        return "\n\n".join([text_table(self.rows(), "lllll"), *notes_on(self)])

    def _repr_html_(self) -> str:
        if told := self._none():
            return f"<p>{escape(told)}</p>"
        notes = [f"<p>{escape(note)}</p>" for note in notes_on(self)]
        return "\n".join([html_table(self.rows()), *notes])


def licence_of(card: ModelCard) -> str:
    """A licence, with a star where there is something to know of it."""
    return (card.licence or "-") + ("*" if card.licence_note else "")


def notes_on(cards: Iterable[ModelCard]) -> list[str]:
    """What the stars of licences stand for, a line each.

    Examples
    --------
    >>> import srkit
    >>> notes_on(srkit.cards("realesrgan"))[0].split(":")[0]
    '* realesrgan'
    """
    names: dict[str, list[str]] = {}
    for card in cards:
        if card.licence_note:
            names.setdefault(card.licence_note, []).append(card.name)
    return [f"* {', '.join(those)}: {note}" for note, those in names.items()]


def framework_of(card: ModelCard) -> str:
    """The framework of a model, and what of it is missing."""
    if missing_packages(card.framework):
        return f"{card.framework} (missing)"
    files = absent(card.weights.values())
    if files and all(file.downloaded for file in files):
        return f"{card.framework} (to download)"
    return f"{card.framework} (weights missing)" if files else card.framework


def scales_of(card: ModelCard) -> str:
    """Scales in few words: ``x2-x16`` where none is left out.

    Examples
    --------
    >>> import srkit
    >>> scales_of(srkit.card("bicubic")), scales_of(srkit.card("srresnet"))
    ('x2-x16', 'x2, x4')
    """
    first, last = min(card.scales), max(card.scales)
    if len(card.scales) > 2 and sorted(card.scales) == list(range(first, last + 1)):
        return f"x{first}-x{last}"
    return ", ".join(f"x{scale}" for scale in card.scales)
