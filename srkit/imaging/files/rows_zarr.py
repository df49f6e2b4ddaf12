"""Rows of a Zarr store, read as they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from srkit.errors import NotByRowsError
from srkit.imaging.files import zarr as zarrs
from srkit.imaging.files.pillow import naming
from srkit.imaging.files.rows import Rows


class ZarrRows(Rows):
    """The picture of a Zarr store.

    Raises
    ------
    NotByRowsError
        If it is transparent, and has to be read whole.
    ImageError, UnsafeFileError, CorruptFileError, MissingDependencyError
        As `srkit.imaging.files.zarr.open_array`.
    """

    def __init__(self, path: Path) -> None:
        self._array = array = zarrs.open_array(path)
        metadata = zarrs.metadata_of(array)
        if metadata.mode == "RGBA":
            # Colour under transparent pixels comes from visible ones, however far away.
            raise NotByRowsError("a picture with transparency has to be read whole")
        height, width = array.shape[:2]
        shape = height, width, array.shape[2] if array.ndim == 3 else 1
        stored, tall = np.dtype(array.dtype), min(array.chunks[0], height)
        super().__init__(path, "Zarr", shape, stored, metadata, tall)

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        """Open a store; errors name it."""
        with naming(path, "Zarr"):
            picture = cls(path)
        yield picture

    def decode(self, first: int, last: int) -> NDArray[Any]:
        """See `Rows.decode`."""
        return zarrs.plain(self._array[first:last]).reshape(last - first, *self.shape[1:])
