"""What passes rows on: small machines that take strips and remember what they still need.

A machine is made anew for every image. It takes the next rows of its inputs, top to
bottom, and gives what follows from them; told that these were the last, it gives the rest.
Rows are tensors ``(N, C, h, W)``; no rows are None.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from srkit.adapters.pytorch.runtime.streaming.shelf import shelved

Rows = Tensor | None
Apply = Callable[[Tensor], Tensor]


def joined(parts: Iterable[Rows]) -> Rows:
    """Rows one below the other, channels last; None where there are none.

    Examples
    --------
    >>> joined([torch.zeros(1, 2, 3, 4), None, torch.zeros(1, 2, 1, 4)]).shape
    torch.Size([1, 2, 4, 4])
    """
    there = [part for part in parts if part is not None]
    if len(there) < 2:
        return there[0] if there else None
    # In this view a strip is one piece of memory, and joining is copying pieces.
    return torch.cat([part.permute(0, 2, 3, 1) for part in there], 1).permute(0, 3, 1, 2)


def cut(rows: Tensor, first: int, stop: int) -> Rows:
    """A view of some rows, or None where that leaves none."""
    return rows[:, :, first:stop] if first < min(stop, rows.shape[2]) else None


def split(rows: Tensor, height: int) -> list[Tensor]:
    """Views of at most so many rows each, one below the other; of no rows, these.

    Examples
    --------
    >>> [part.shape[2] for part in split(torch.zeros(1, 2, 5, 4), 2)]
    [2, 2, 1]
    """
    tops = range(0, max(1, rows.shape[2]), height)
    return [rows[:, :, top : top + height] for top in tops]


def own(rows: Rows) -> Rows:
    """A copy to keep, on a shelf: a view would hold the memory of the whole strip."""
    return None if rows is None else shelved(rows)


class Machine(ABC):
    """One step of a network, for one image."""

    @abstractmethod
    def push(self, given: Sequence[Rows], last: bool) -> Rows:
        """Take the next rows of every input, and give those of the output that follow.

        Parameters
        ----------
        given
            Not modified.
        last
            Whether these are the last. There is no call after that.
        """

    @property
    def held(self) -> Sequence[Rows]:
        """What is kept for rows to come."""
        return ()


class Each(Machine):
    """What is done to every row by itself, or to each block of output rows by its row."""

    def __init__(self, apply: Apply) -> None:
        self._apply = apply

    def push(self, given: Sequence[Rows], last: bool) -> Rows:
        """See `Machine.push`."""
        return None if given[0] is None else self._apply(given[0])


class Window(Machine):
    """A window that slides down, as of a convolution or a pool; without padding.

    Parameters
    ----------
    apply
        From rows to one result for each place of the window that lies inside them.
    span
        Rows that it sees.
    stride
        Rows from one place to the next.
    """

    def __init__(self, apply: Apply, span: int, stride: int) -> None:
        self._apply, self._span, self._stride = apply, span, stride
        self._kept: Rows = None
        # Rows to come that lie between two places.
        self._skip = 0

    def push(self, given: Sequence[Rows], last: bool) -> Rows:
        """See `Machine.push`."""
        new, kept = given[0], self._kept
        if last:
            # No window begins in these rows alone, or it would have been computed.
            self._kept = None
        if new is None:
            return None
        if self._skip:
            height = new.shape[2]
            new, self._skip = cut(new, self._skip, height), max(0, self._skip - height)
        rows = joined([kept, new])
        if rows is None:
            return None
        height = rows.shape[2]
        places = max(0, (height - self._span) // self._stride + 1)
        begin = places * self._stride
        self._skip += max(0, begin - height)
        self._kept = None if last else own(cut(rows, begin, height))
        return self._apply(rows[:, :, : begin - self._stride + self._span]) if places else None

    @property
    def held(self) -> Sequence[Rows]:
        """See `Machine.held`."""
        return (self._kept,)


class Spread(Machine):
    """A transposed convolution, neither cropped nor biased: each row is spread over `span`.

    Parameters
    ----------
    apply
        From rows to ``(h - 1) * stride + span`` rows.
    span, stride
        Rows that a row is spread over, and from one row's to the next one's.
    """

    def __init__(self, apply: Apply, span: int, stride: int) -> None:
        self._apply, self._overlap = apply, span - stride
        self._begun = False
        # Sums to which rows to come add their share.
        self._sums: Rows = None

    def push(self, given: Sequence[Rows], last: bool) -> Rows:
        """See `Machine.push`."""
        if given[0] is None:
            made, self._sums = (self._sums, None) if last else (None, self._sums)
            return made
        made, overlap = self._apply(given[0]), self._overlap
        if self._sums is not None:
            made[:, :, :overlap] += self._sums
        elif self._begun and overlap < 0:
            made = functional.pad(made, (0, 0, -overlap, 0))
        self._begun, self._sums = True, None
        if last or overlap <= 0:
            return made
        whole = made.shape[2] - overlap
        self._sums = own(made[:, :, whole:])
        return cut(made, 0, whole)

    @property
    def held(self) -> Sequence[Rows]:
        """See `Machine.held`."""
        return (self._sums,)


class Pad(Machine):
    """Rows and columns around the image.

    Parameters
    ----------
    top, bottom
        Rows, at least 0.
    columns
        Left and right.
    mode, value
        As `torch.nn.functional.pad` takes them; ``"circular"`` for columns alone.
    """

    def __init__(
        self,
        top: int,
        bottom: int,
        columns: tuple[int, int] = (0, 0),
        mode: str = "constant",
        value: float = 0.0,
    ) -> None:
        self._top, self._bottom, self._columns = top, bottom, columns
        self._mode, self._value = mode, value
        # Reflection leaves out the row at the border.
        self._wait = top + 1 if mode == "reflect" else 1
        self._needs = {"reflect": bottom + 1, "replicate": 1}.get(mode, 0)
        self._first: Rows = None
        self._recent: Rows = None
        self._begun = False

    def push(self, given: Sequence[Rows], last: bool) -> Rows:
        """See `Machine.push`."""
        rows, top = given[0], 0
        if not self._begun:
            rows, top = joined([self._first, rows]), self._top
            if rows is None or (rows.shape[2] < self._wait and not last):
                self._first = rows
                return None
            self._begun, self._first = True, None
        if rows is not None and (top or any(self._columns)):
            rows = self._padded(rows, (*self._columns, top, 0))
        if not self._bottom:
            return rows
        recent = self._remember(rows)
        if not last:
            return rows
        self._recent = None
        below = self._padded(recent, (0, 0, 0, self._bottom))[:, :, recent.shape[2] :]
        return joined([rows, below])

    def _remember(self, rows: Rows) -> Tensor:
        """Keep what bottom rows are made of: at least how wide they are."""
        if rows is not None:
            enough = rows.shape[2] >= self._needs
            recent = rows if enough else joined([self._recent, rows])
            recent = recent if recent is not None else rows
            self._recent = own(recent[:, :, max(0, recent.shape[2] - self._needs) :])
        if self._recent is None:
            raise RuntimeError("an image has to have rows")
        return self._recent

    def _padded(self, rows: Tensor, sides: tuple[int, int, int, int]) -> Tensor:
        value = self._value if self._mode == "constant" else None
        return functional.pad(rows, sides, self._mode, value)

    @property
    def held(self) -> Sequence[Rows]:
        """See `Machine.held`."""
        return (self._first, self._recent)


class Crop(Machine):
    """All but the first and the last rows; an image of none where that leaves nothing."""

    def __init__(self, top: int, bottom: int) -> None:
        self._drop, self._bottom = top, bottom
        self._none: Rows = None
        self._begun = False
        # The last rows so far: whether they are the image's last is not known.
        self._kept: Rows = None

    def push(self, given: Sequence[Rows], last: bool) -> Rows:
        """See `Machine.push`."""
        rows = given[0]
        if rows is not None and not self._begun:
            self._none = own(rows[:, :, :0])
        made = self._cropped(rows, last)
        self._begun |= made is not None
        # What follows may put rows around those that are not there.
        return self._none if last and not self._begun else made

    def _cropped(self, rows: Rows, last: bool) -> Rows:
        if rows is not None and self._drop:
            height = rows.shape[2]
            rows, self._drop = cut(rows, self._drop, height), max(0, self._drop - height)
        if not self._bottom:
            return rows
        rows = joined([self._kept, rows])
        if rows is None:
            return None
        whole = max(0, rows.shape[2] - self._bottom)
        self._kept = None if last else own(rows[:, :, whole:])
        return cut(rows, 0, whole)

    @property
    def held(self) -> Sequence[Rows]:
        """See `Machine.held`."""
        return (self._kept,)


class Join(Machine):
    """What is done to the same rows of several branches, which queue up for each other.

    Parameters
    ----------
    apply
        From rows of every branch to rows of the result.
    branches
        Their number.
    """

    def __init__(self, apply: Callable[[Sequence[Tensor]], Tensor], branches: int) -> None:
        self._apply = apply
        self._queues: list[list[Tensor]] = [[] for _ in range(branches)]

    def push(self, given: Sequence[Rows], last: bool) -> Rows:
        """See `Machine.push`."""
        for queue, rows in zip(self._queues, given, strict=True):
            if rows is not None:
                queue.append(rows)
        heights = [sum(rows.shape[2] for rows in queue) for queue in self._queues]
        if last and len(set(heights)) > 1:
            raise RuntimeError(f"branches that are joined differ in height, by {heights} rows")
        ready = min(heights)
        if not ready:
            return None
        return self._apply([_take(queue, ready) for queue in self._queues])

    @property
    def held(self) -> Sequence[Rows]:
        """See `Machine.held`."""
        return [rows for queue in self._queues for rows in queue]


def _take(queue: list[Tensor], count: int) -> Tensor:
    """Take so many rows out of a queue that has them."""
    parts: list[Tensor] = []
    while count:
        rows = queue.pop(0)
        parts.append(rows[:, :, :count])
        rest = own(cut(rows, count, rows.shape[2]))
        if rest is not None:
            queue.insert(0, rest)
        count -= parts[-1].shape[2]
    taken = joined(parts)
    if taken is None:
        raise RuntimeError("no rows are asked for")
    return taken
