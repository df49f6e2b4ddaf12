"""Writing pictures as Zarr stores, a chunk for each strip of rows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srkit.imaging.metadata import Metadata

_STRIP_BYTES = 2**20


def write_rows(
    folder: Path,
    strips: Iterator[NDArray[Any]],
    metadata: Metadata,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
) -> None:
    """Write an array into an empty folder, of strips that come one by one.

    Of the version and the packing that zarr is configured for: by default 3 and Zstandard.

    Parameters
    ----------
    strips
        `rows_per_strip` rows ``(h, W, C)`` each, from top to bottom; fewer in the last. A
        strip becomes a chunk.
    metadata
        Of which a store holds nothing.
    shape, dtype
        Of the whole picture: ``(H, W)`` or ``(H, W, C)``.
    """
    import zarr

    rows = rows_per_strip(shape, dtype)
    array = zarr.create_array(
        store=folder, shape=shape, chunks=(rows, *shape[1:]), dtype=dtype, overwrite=True
    )
    at = 0
    for strip in strips:
        array[at : at + len(strip)] = strip.reshape(len(strip), *shape[1:])
        at += len(strip)


def write(
    folder: Path, pixels: NDArray[Any], metadata: Metadata, quality: int | None = None
) -> None:
    """Write a picture ``(H, W)`` or ``(H, W, C)`` into an empty folder, as `write_rows`."""
    rows = rows_per_strip(pixels.shape, pixels.dtype)
    strips = (pixels[first : first + rows] for first in range(0, len(pixels), rows))
    write_rows(folder, strips, metadata, pixels.shape, pixels.dtype)


def rows_per_strip(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """Rows that take some megabyte: fewer chunks than TIFF has strips, as each is a file."""
    return min(shape[0], max(1, _STRIP_BYTES // (math.prod(shape[1:]) * dtype.itemsize)))
