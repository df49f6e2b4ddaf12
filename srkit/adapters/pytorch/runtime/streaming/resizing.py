"""One plane at the size of another, row by row: what `ResizedLike` is over strips."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from srkit.adapters.pytorch.runtime.streaming.rows import Machine, Rows, cut, joined, own


def mixed_rows(
    small: int, tall: int, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor, Tensor]:
    """Of which two rows each row of a bilinear interpolation is mixed, and the lower one's share.

    Torch's rule where corners are not aligned, computed in the precision that it computes in.

    Examples
    --------
    >>> [rows.tolist() for rows in mixed_rows(2, 4)]
    [[0, 0, 0, 1], [1, 1, 1, 1], [0.0, 0.25, 0.75, 0.25]]
    """
    step = torch.tensor(small, dtype=dtype) / torch.tensor(tall, dtype=dtype)
    places = (step * (torch.arange(tall, dtype=dtype) + 0.5) - 0.5).clamp(min=0)
    upper = places.long().clamp(max=small - 1)
    return upper, (upper + 1).clamp(max=small - 1), (places - upper).clamp(0, 1)


class Resize(Machine):
    """Bilinear interpolation of a plane to the height and width of another.

    Rows come out as soon as both that they are mixed of are there; what the other plane holds does
    not matter, only how wide it is.

    Parameters
    ----------
    small, tall
        Rows of both planes, in all.
    """

    def __init__(self, small: int, tall: int) -> None:
        self._small, self._tall = small, tall
        self._mixed: tuple[Tensor, Tensor, Tensor] | None = None
        self._width = 0
        # Rows that are still needed, and the first of them.
        self._kept: Rows = None
        self._first = self._done = 0

    def push(self, given: Sequence[Rows], last: bool) -> Rows:
        """See `Machine.push`."""
        rows, like = given
        if like is not None:
            self._width = like.shape[3]
        if rows is not None:
            self._kept = joined([self._kept, rows])
        kept = self._kept
        if kept is None or not self._width:
            return None
        upper, lower, _ = self._rules(kept.dtype)
        known = self._first + kept.shape[2]
        ready = int(torch.searchsorted(lower, known))
        made = self._between(kept, self._done, ready) if ready > self._done else None
        self._done = ready
        needed = min(int(upper[ready]), known) if ready < self._tall else known
        self._kept = own(cut(kept, needed - self._first, kept.shape[2]))
        self._first = needed
        return made

    def _between(self, kept: Tensor, first: int, stop: int) -> Tensor:
        """Rows of the result from `first` on, of which all that they are mixed of is kept."""
        size = kept.shape[2], self._width
        wide = functional.interpolate(kept, size, mode="bilinear", align_corners=False)
        upper, lower, share = (rows[first:stop].to(kept.device) for rows in self._rules(kept.dtype))
        share = share.to(kept.dtype).view(-1, 1)
        above = wide.index_select(2, upper - self._first)
        below = wide.index_select(2, lower - self._first)
        return above * (1 - share) + below * share

    def _rules(self, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
        if self._mixed is None:
            exact = dtype if dtype == torch.float64 else torch.float32
            self._mixed = mixed_rows(self._small, self._tall, exact)
        return self._mixed

    @property
    def held(self) -> Sequence[Rows]:
        """See `Machine.held`."""
        return (self._kept,)
