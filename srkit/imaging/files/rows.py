"""Rows of a picture in a file, read as they are asked for, whatever the format."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import OrderedDict
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from srkit.errors import ImageError
from srkit.imaging.files.decoding import naming
from srkit.imaging.levels import check_range
from srkit.imaging.metadata import Metadata

# Rows decoded at a time, at least.
BAND = 64


class Rows(ABC):
    """The picture of a file, as an array of which parts are read.

    The last rows that were read are kept, so that what reads on from top to bottom decodes
    nothing twice; reading elsewhere is slow, but right.

    Parameters
    ----------
    path
        The file, which errors name.
    kind
        Its format, likewise.
    shape
        Height, width and channels: 1 or 3.
    stored
        Dtype in the file; all floats become float32.
    metadata
        As `read_image` gives it.
    tall
        Rows that cannot be decoded apart from each other.

    Raises
    ------
    ImageError
        If there are no pixels.

    Attributes
    ----------
    shape, metadata
        As above.
    dtype
        uint8, uint16 or float32.
    band
        Rows that are decoded at a time.
    kept
        Rows to keep, beside those of two bands.
    """

    def __init__(
        self,
        path: Path,
        kind: str,
        shape: tuple[int, int, int],
        stored: np.dtype[Any],
        metadata: Metadata,
        tall: int,
    ) -> None:
        if min(shape) < 1:
            raise ImageError(f"the image is empty: it has {shape[1]}x{shape[0]} pixels")
        self._path, self._kind = path, kind
        self.shape, self.metadata = shape, metadata
        self.dtype: np.dtype[Any] = (
            np.dtype(np.float32) if stored.kind == "f" else stored.newbyteorder("=")
        )
        self.band = tall * math.ceil(BAND / tall)
        self.kept = 0
        self._bands: OrderedDict[int, NDArray[Any]] = OrderedDict()

    @classmethod
    @abstractmethod
    def open(cls, path: Path) -> AbstractContextManager[Self]:
        """Open a file; errors name it."""

    @classmethod
    @abstractmethod
    def size_of(cls, path: Path) -> tuple[int, int, int]:
        """Height, width and bytes a pixel that a file states; raises anything at all."""

    @abstractmethod
    def decode(self, first: int, last: int) -> NDArray[Any]:
        """Rows of a band, ``(h, W, C)``, of `dtype`; raises anything at all on damage."""

    @property
    def top(self) -> float:
        """The value that stands for 1.0."""
        return 1.0 if self.dtype.kind == "f" else float(np.iinfo(self.dtype).max)

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.shape[1] * self.shape[2] * self.dtype.itemsize

    def __getitem__(self, place: tuple[slice, slice], /) -> NDArray[Any]:
        """Some rows and columns, ``(h, w, C)``, as a copy; both slices have ends."""
        rows, columns = place
        size = rows.stop - rows.start, columns.stop - columns.start, self.shape[2]
        part = np.empty(size, self.dtype)
        for number in range(rows.start // self.band, math.ceil(rows.stop / self.band)):
            band, top = self._band(number), number * self.band
            first, last = max(rows.start, top), min(rows.stop, top + len(band))
            part[first - rows.start : last - rows.start] = band[first - top : last - top, columns]
        return part

    def _band(self, number: int) -> NDArray[Any]:
        if number in self._bands:
            self._bands.move_to_end(number)
            return self._bands[number]
        while len(self._bands) > 1 + math.ceil(self.kept / self.band):
            self._bands.popitem(last=False)
        first = number * self.band
        with naming(self._path, self._kind):
            band = self.decode(first, min(first + self.band, self.shape[0]))
            if band.dtype.kind == "f":
                check_range(band, 1.0)
        self._bands[number] = band
        return band
