"""Where rows are kept from strip to strip: apart from what comes and goes.

Each layer keeps some rows. Taken from the heap they would lie between the strips that were freed
there: where one had been, what is left beside a layer's rows is too small for the next one, and
the heap grows by a strip for each layer, 160 MB for SRResNet in strips of 48x400.
"""

from __future__ import annotations

import mmap
import threading

import torch
from torch import Tensor

# Bytes of a shelf, of rows that are cloned instead, and of which pieces begin at multiples.
SHELF, SMALL, ALIGNED = 4 << 20, 64 << 10, 64


class _Shelves(threading.local):
    """The shelf of a thread that is being filled. A full one goes with the last of its rows."""

    def __init__(self) -> None:
        self._bytes = torch.empty(0, dtype=torch.uint8)
        self._used = 0

    def take(self, size: int) -> Tensor:
        """So many bytes that nobody else has."""
        if self._used + size > len(self._bytes):
            # Not from the allocator, whatever its limits are.
            self._bytes = torch.frombuffer(mmap.mmap(-1, max(size, SHELF)), dtype=torch.uint8)
            self._used = 0
        taken = self._bytes[self._used : self._used + size]
        self._used += -(-size // ALIGNED) * ALIGNED
        return taken


_SHELVES = _Shelves()


def shelved(rows: Tensor) -> Tensor:
    """A copy of rows ``(N, C, h, W)``, channels last, that lies apart from the heap on a CPU.

    Examples
    --------
    >>> rows = torch.rand(1, 64, 2, 400)
    >>> kept = shelved(rows)
    >>> torch.equal(kept, rows), kept.is_contiguous(memory_format=torch.channels_last)
    (True, True)
    """
    size = rows.numel() * rows.element_size()
    if rows.device.type != "cpu" or size < SMALL:
        return rows.clone(memory_format=torch.channels_last)
    count, channels, height, width = rows.shape
    place = _SHELVES.take(size).view(rows.dtype).view(count, height, width, channels)
    return place.permute(0, 3, 1, 2).copy_(rows)
