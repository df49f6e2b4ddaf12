"""How much memory a network takes to run strip by strip, measured on a narrow image."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import fx

from srkit.adapters.pytorch.runtime.footprint import HEADROOM
from srkit.adapters.pytorch.runtime.streaming.plan import Plan, Stream, plan
from srkit.adapters.pytorch.runtime.streaming.rows import Rows
from srkit.adapters.pytorch.runtime.tracing import resizes

# Rows of the strips that are run, and how wide they are: narrow, since the figure is one a column.
FEW, MANY, WIDTH = 8, 64, 4
# For networks that look at a coarse plane, and how tall their image is said to be at first.
SIZED_WIDTH, TALL = 32, 1 << 16


@dataclass(frozen=True)
class Cost:
    """Memory of a network for images of any width and strips of any height.

    Attributes
    ----------
    column
        Bytes for each column of the image, whatever the height of strips.
    pixel
        Bytes for each pixel of a strip.
    """

    column: float
    pixel: float

    def bytes(self, rows: int, width: int) -> float:
        """Working memory with strips of so many rows."""
        return width * (self.column + self.pixel * rows)


class _Watched(Stream):
    """Keeps the largest sums of what is alive at once: in layers of strips, and of pieces."""

    def __init__(self, planned: Plan, height: int | None = None) -> None:
        super().__init__(planned, height)
        self.peaks = [0, 0]
        self._pieces = planned.pieces.steps if planned.pieces else range(0)
        # What each machine holds, how many of them hold a piece, and the bytes of all pieces.
        self._held: dict[int, dict[int, int]] = {}
        self._holders: Counter[int] = Counter()
        self._kept = 0

    def _watch(self, number: int, values: Mapping[int, Rows]) -> None:
        # Of the machines only the one that ran holds something else than before; a sum over all
        # of them after each step would take seconds for a network of a thousand.
        for piece, size in self._held.get(number, {}).items():
            self._holders[piece] -= 1
            if not self._holders[piece]:
                del self._holders[piece]
                self._kept -= size
        self._held[number] = _storages(self._machines[number - 1].held)
        for piece, size in self._held[number].items():
            self._kept += 0 if piece in self._holders else size
            self._holders[piece] += 1
        self._count(values, of_pieces=number in self._pieces)

    def _watch_joined(self, values: Mapping[int, Rows]) -> None:
        self._count(values, of_pieces=True)

    def _count(self, values: Mapping[int, Rows], *, of_pieces: bool) -> None:
        passing = _storages(values.values())
        new = sum(size for piece, size in passing.items() if piece not in self._holders)
        self.peaks[of_pieces] = max(self.peaks[of_pieces], self._kept + new)


def _storages(tensors: Iterable[Rows]) -> dict[int, int]:
    """Bytes of each piece of memory that tensors keep alive, which views share."""
    pieces = (t.untyped_storage() for t in tensors if t is not None)
    return {piece._cdata: piece.nbytes() for piece in pieces}


def cost_of(traced: fx.GraphModule, channels: int, multiple: int = 1) -> Cost:
    """Measure the memory of a network.

    Parameters
    ----------
    traced
        A network that `plan` takes, on its device, in its precision.
    channels
        Channels of its input.
    multiple
        Of which the sides of images are multiples.
    """
    least = SIZED_WIDTH if resizes(traced) else WIDTH
    few, many, width = (-(-n // multiple) * multiple for n in (FEW, MANY, least))
    if pieces := plan(traced).pieces:
        # Of lower strips than this, pieces are low as well.
        few = max(few, -(-pieces.rows(width, 4) // multiple) * multiple)
    many = max(many, 2 * few)
    peaks = [_peaks(traced, channels, rows, width) for rows in (few, many)]
    # What is kept for the next strip does not grow with it; a line through two heights finds
    # both shares, of layers of strips and of pieces each for itself.
    pixels = [(high - low) / (many - few) for low, high in zip(*peaks, strict=True)]
    columns = [low - pixel * few for low, pixel in zip(peaks[0], pixels, strict=True)]
    return Cost(HEADROOM * max(0.0, *columns) / width, HEADROOM * max(pixels) / width)


@torch.inference_mode()
def _peaks(traced: fx.GraphModule, channels: int, rows: int, width: int) -> list[int]:
    """Bytes alive at once, from the first strip of an image to its end, in strips and pieces."""
    # A network without parameters, as some graphs are, runs anywhere.
    like = next(itertools.chain(traced.parameters(), traced.buffers()), torch.zeros(()))
    dtype = like.dtype if like.is_floating_point() else torch.float32
    strip = torch.zeros(1, channels, rows, width, device=like.device, dtype=dtype)
    strip = strip.contiguous(memory_format=torch.channels_last)
    planned = plan(traced)
    # When the result begins, all that has to be kept is kept.
    stream, results, strips = _Watched(planned, TALL), 0, 0
    while results < 2:
        results += stream.push(strip) is not None
        strips += 1
    if planned.wants_height:
        # Such a stream cannot end before its time: once more, for so many rows in all.
        stream = _Watched(planned, strips * rows)
        for _ in range(strips):
            stream.push(strip)
    for _ in stream.finish():
        pass
    return stream.peaks
