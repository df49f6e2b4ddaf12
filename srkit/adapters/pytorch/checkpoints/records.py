"""What a checkpoint's pickle becomes: records that hold data and do nothing.

None of these classes defines behaviour that pickled data could reach: there is no
``__setstate__``, no ``__call__`` and no attribute named by the file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch


@dataclass(frozen=True, slots=True)
class Label:
    """A harmless global that may be named but neither called nor instantiated."""

    name: str


@dataclass(frozen=True, slots=True)
class StandIn:
    """A class of a network or an optimizer; its instances only keep their state."""

    name: str


@dataclass(frozen=True, slots=True)
class StorageType:
    """A legacy typed storage, such as ``torch.FloatStorage``."""

    name: str
    dtype: torch.dtype


@dataclass(frozen=True, slots=True)
class Rebuild:
    """A function that pickles may call: `make`, our own, is called in its place."""

    name: str
    make: Callable[[tuple[object, ...]], object]


@dataclass(frozen=True, slots=True, eq=False)
class Opaque:
    """A value of no use here, such as a numpy scalar; its content is not kept."""

    name: str


@dataclass(slots=True, eq=False)
class Instance:
    """An object of a `StandIn` class and the state that the pickle gave it."""

    kind: StandIn
    state: dict[object, object] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Members:
    """A set; kept as the list it was made of, so that making it costs nothing."""

    items: list[object]


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
class LazyTensor:
    """A view of a storage: offset and strides count elements of `dtype`."""

    storage: Storage
    dtype: torch.dtype
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]
