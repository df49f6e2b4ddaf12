"""Where rows and columns of pixels lie while a network reshapes and transposes its planes.

Exporters write a pixel unshuffle as a reshape to (N, C, H/r, r, W/r, r), a transpose and another
reshape; a shuffle likewise. Followed axis by axis they are what they are, and everything that
mixes rows with columns, or pixels with pictures, is told from them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

Shape = Sequence[int]


@dataclass(frozen=True)
class Layout:
    """What the axes of a tensor are.

    Attributes
    ----------
    axes
        For each: ``"y"`` for rows, ``"x"`` for columns, ``"c"`` for what is no place: pictures,
        channels, and the places within a block of pixels.
    y, x
        Rows and columns for each row and column of the plane that this began with.
    coarsest
        The smallest that these have been.
    """

    axes: tuple[str, ...] = ("c", "c", "y", "x")
    y: Fraction = Fraction(1)
    x: Fraction = Fraction(1)
    coarsest: Fraction = Fraction(1)

    @property
    def is_plane(self) -> bool:
        """Whether it is ``(N, C, H, W)`` again, as coarse along both axes."""
        return self.axes == ("c", "c", "y", "x") and self.y == self.x

    def transposed(self, order: Sequence[int]) -> Layout | None:
        """With the axes in another order; None if there are not as many."""
        if sorted(order) != list(range(len(self.axes))):
            return None
        return replace(self, axes=tuple(self.axes[place] for place in order))

    def reshaped(self, before: Shape, after: Shape) -> Layout | None:
        """With other axes of as many numbers; None where places of pixels would be mixed.

        Examples
        --------
        >>> shape = Layout().reshaped((1, 3, 6, 10), (1, 3, 3, 2, 5, 2))
        >>> shape.axes, shape.y
        (('c', 'c', 'y', 'c', 'x', 'c'), Fraction(1, 2))
        >>> inner = shape.transposed((0, 1, 3, 5, 2, 4))
        >>> inner.reshaped((1, 3, 2, 2, 3, 5), (1, 12, 3, 5)).is_plane
        True
        >>> Layout().reshaped((1, 3, 6, 10), (1, 3, 60)) is None
        True
        """
        groups = _groups(before, after)
        if len(before) != len(self.axes) or groups is None:
            return None
        if any(side == 1 for side, axis in zip(before, self.axes, strict=True) if axis != "c"):
            return None
        made, axes = self, []
        for given, wanted in groups:
            kinds = [self.axes[place] for place in given]
            sides = [before[place] for place in given]
            news = [after[place] for place in wanted]
            if set(kinds) <= {"c"}:
                axes += ["c"] * len(wanted)
                continue
            # Pixels are the outermost of what is joined or parted.
            if kinds[0] == "c" or set(kinds[1:]) - {"c"} or not news:
                return None
            factor = Fraction(news[0], sides[0])
            if len(given) > 1 and len(wanted) > 1 and factor != 1:
                return None
            made = made._scaled(kinds[0], factor)
            axes += [kinds[0]] + ["c"] * (len(wanted) - 1)
        return replace(made, axes=tuple(axes))

    def _scaled(self, axis: str, factor: Fraction) -> Layout:
        y = self.y * factor if axis == "y" else self.y
        x = self.x * factor if axis == "x" else self.x
        return Layout(self.axes, y, x, min(self.coarsest, y, x))


def _groups(before: Shape, after: Shape) -> list[tuple[list[int], list[int]]] | None:
    """Which axes became which: the shortest runs of as many numbers; None if there are none.

    An axis of one number belongs to no other: it comes and goes by itself.
    """
    if math.prod(before) != math.prod(after) or not math.prod(before):
        return None
    old, new = ([n for n, side in enumerate(s) if side > 1] for s in (before, after))
    groups: dict[int, tuple[list[int], list[int]]] = {}
    i = j = 0
    while i < len(old) or j < len(new):
        given, wanted = [old[i]], [new[j]]
        i, j = i + 1, j + 1
        left, right = before[given[0]], after[wanted[0]]
        while left != right:
            if left < right:
                given.append(old[i])
                left, i = left * before[old[i]], i + 1
            else:
                wanted.append(new[j])
                right, j = right * after[new[j]], j + 1
        groups[wanted[0]] = given, wanted
    made: list[tuple[list[int], list[int]]] = []
    for place, side in enumerate(after):
        if side == 1:
            made.append(([], [place]))
        elif place in groups:
            made.append(groups[place])
    return made
