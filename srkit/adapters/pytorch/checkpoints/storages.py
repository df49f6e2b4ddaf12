"""Persistent ids, by which a pickle refers to storages, and reading what they refer to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import IO, Protocol

import torch
from torch import Tensor

from srkit.adapters.pytorch.checkpoints.records import LazyTensor, Storage, StorageType
from srkit.adapters.readers.pickles.records import StandIn
from srkit.errors import CorruptFileError, UnsafeFileError, WeightsError

CHUNK = 1 << 20
MAX_PID = 6
MAX_STORAGE = 1 << 40
# Tensors may share storages, or repeat them: so many times, and a little more.
MAX_SHARED, SPARE = 4, 1 << 22


class Container(Protocol):
    """A checkpoint file: its unpickled root, and the storages it refers to."""

    root: object

    def read(self, storage: Storage) -> Tensor:
        """Read one storage as a uint8 tensor of ``storage.nbytes`` bytes."""
        ...

    def is_swapped(self) -> bool:
        """Whether the bytes are in the other order than this machine's."""
        ...


class StorageTable:
    """Turns persistent ids into `Storage` records, none of which is read."""

    def __init__(self) -> None:
        self.storages: dict[str, Storage] = {}

    def persistent_load(self, pid: object) -> object:
        """``("storage", type, key, location, numel[, view])`` or ``("module", class, ...)``.

        The location ("cpu", "cuda:0") is where the storage lay when it was saved;
        everything is loaded to the CPU.
        """
        if not isinstance(pid, tuple) or len(pid) > MAX_PID:
            raise CorruptFileError("its pickle has a persistent id that is no storage")
        match pid:
            case ("module", StandIn() as kind, _, _):
                return kind
            case ("storage", StorageType() as kind, str() as key, str(), int() as numel, *view):
                if any(v is not None for v in view):
                    raise WeightsError(
                        "it was written by torch before 0.4; load it with torch.load where you "
                        "trust it and save model.state_dict() again"
                    )
                return self._add(Storage(key, kind.dtype, numel))
        raise CorruptFileError("its pickle has a persistent id that is no storage")

    def _add(self, storage: Storage) -> Storage:
        # True is an integer to Python; one of megabytes would take its time with each tensor.
        if type(storage.numel) is not int or not 0 <= storage.numel <= MAX_STORAGE:
            raise CorruptFileError("a storage has a size that is none")
        first = self.storages.setdefault(storage.key, storage)
        if first.nbytes != storage.nbytes:
            raise CorruptFileError("a storage has two sizes")
        return storage


def read_tensors(lazy: Mapping[str, LazyTensor], container: Container) -> dict[str, Tensor]:
    """Read the storages behind some tensors, each once, and nothing else of the file."""
    _check_sharing(lazy)
    raw: dict[str, Tensor] = {}
    tensors = {}
    for name, record in lazy.items():
        storage = record.storage
        if storage.key not in raw:
            raw[storage.key] = container.read(storage)
            if container.is_swapped():
                bytes_ = raw[storage.key].untyped_storage()
                bytes_.byteswap(record.dtype)  # type: ignore[no-untyped-call]
        whole = raw[storage.key].view(record.dtype)
        tensors[name] = torch.as_strided(whole, record.size, record.stride, record.offset)
    return tensors


def _check_sharing(lazy: Mapping[str, LazyTensor]) -> None:
    """Refuse tensors that hold far more elements than there are stored."""
    stored = sum({r.storage.key: r.storage.numel for r in lazy.values()}.values())
    if sum(math.prod(r.size) for r in lazy.values()) > MAX_SHARED * stored + SPARE:
        raise UnsafeFileError("its tensors repeat what is stored, out of all proportion")


def fill(view: memoryview, stream: IO[bytes]) -> None:
    """Fill `view` in chunks: zipfile inflates all it is asked for at once."""
    done = 0
    while done < len(view):
        chunk = stream.read(min(CHUNK, len(view) - done))
        if not chunk:
            raise CorruptFileError("a storage is truncated")
        view[done : done + len(chunk)] = chunk
        done += len(chunk)
