"""What only torch's pickles hold: storages, and tensors not read yet."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from srkit.adapters.readers.pickles.records import Record


@dataclass(frozen=True, slots=True)
class StorageType:
    """A legacy typed storage, such as ``torch.FloatStorage``."""

    name: str
    dtype: torch.dtype


@dataclass(frozen=True, slots=True)
class Storage:
    """A block of `numel` elements in the file, not read yet."""

    key: str
    dtype: torch.dtype
    numel: int

    @property
    def nbytes(self) -> int:
        """Size in the file, in bytes."""
        return self.numel * self.dtype.itemsize


@dataclass(frozen=True, slots=True, eq=False)
class LazyTensor(Record):
    """A view of a storage: offset and strides count elements of `dtype`."""

    storage: Storage
    dtype: torch.dtype
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]
