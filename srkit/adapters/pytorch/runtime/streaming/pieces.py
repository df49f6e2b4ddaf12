"""Which steps of a network are run in small pieces: those behind the upsampling, if they are wide.

What a convolution of 64 channels makes at the size of the result takes 16 times as much memory,
at x4, as what the layers before made of the same strip. So strips could be only as high as these
few layers allow, while all the others had rather few, high strips.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from srkit.adapters.pytorch.runtime.streaming.plan import Step

# Channels that make a convolution at the size of the result a wide one.
WIDE = 16
# What the plane of such a convolution takes in a piece: with the rows that it remembers this stays
# below the 32 MiB from which on glibc has every block from the system anew, which clears it.
BYTES = 16 << 20
# Rows of that plane, nevertheless: of fewer, more are copied than is won; more win nothing.
LEAST, MOST = 8, 32


@dataclass(frozen=True)
class Pieces:
    """Steps that take the rows of one step piece by piece.

    Attributes
    ----------
    source
        The number of that step.
    last
        The last of the steps behind it that run on pieces; its rows alone are read by others.
    numbers
        That a convolution among them reads at most, for each pixel of the source.
    finer
        Rows of the last for each of the source's.

    Examples
    --------
    >>> pieces = Pieces(source=137, last=151, numbers=16 * 64, finer=Fraction(4))
    >>> pieces.rows(width=100, size=4), pieces.rows(width=1000, size=4)
    (8, 4)
    """

    source: int
    last: int
    numbers: float
    finer: Fraction

    @property
    def steps(self) -> range:
        """The steps that run on pieces."""
        return range(self.source + 1, self.last + 1)

    def rows(self, width: int, size: int) -> int:
        """Rows of the source in a piece, which is so wide and has numbers of so many bytes."""
        finer = float(self.finer)
        most = min(BYTES / (self.numbers * width * size), MOST / finer)
        return max(1, math.ceil(LEAST / finer), int(most))


def pieces_of(steps: Sequence[Step], output: int) -> Pieces | None:
    """The steps that are run in pieces; None where that would win nothing, or is not possible.

    The result is what `output` makes.
    """
    if any(step.sized for step in steps):
        return None
    for wide, step in enumerate(steps):
        if step.reads >= WIDE and steps[step.sources[0]].density > 1:
            return _around(steps, wide, output)
    return None


def _around(steps: Sequence[Step], wide: int, output: int) -> Pieces | None:
    """Steps from where the planes of one become large to where they are left, or become small."""
    source = _back(steps, wide, lambda step: step.density > 1)
    # A convolution that makes the channels of a pixel shuffle is large as well.
    widening = _back(steps, source, lambda step: not step.reads)
    if steps[widening].makes > steps[widening].reads:
        source = _back(steps, widening, lambda step: step.makes > step.reads)
    last = source
    while last + 1 < len(steps) and _grows(steps, source, last + 1):
        last += 1
    while last > wide and not _closed(steps, source, last, output):
        last -= 1
    if steps[source].density > 1 or last < wide or not _closed(steps, source, last, output):
        return None
    rate = steps[source].density
    numbers = (
        steps[n].reads * float(steps[steps[n].sources[0]].density / rate) ** 2
        for n in range(source + 1, last + 1)
    )
    return Pieces(source, last, max(numbers), steps[last].density / rate)


def _back(steps: Sequence[Step], number: int, passes: Callable[[Step], bool]) -> int:
    """The nearest step before one, or itself, that does not pass, along a single line of steps."""
    while passes(steps[number]) and len(steps[number].sources) == 1:
        number = steps[number].sources[0]
    return number


def _grows(steps: Sequence[Step], source: int, number: int) -> bool:
    """Whether a step reads only from `source` on, and makes as many rows as it reads, or more."""
    step = steps[number]
    return min(step.sources) >= source and all(
        step.density >= steps[n].density for n in step.sources
    )


def _closed(steps: Sequence[Step], source: int, last: int, output: int) -> bool:
    """Whether nobody behind `last` reads what steps before it made, but for the source's rows.

    Steps whose rows nobody reads at all may lie anywhere.
    """
    read = {output, *(n for step in steps[last + 1 :] for n in step.sources)}
    return last in read and not any(source < n < last for n in read)
