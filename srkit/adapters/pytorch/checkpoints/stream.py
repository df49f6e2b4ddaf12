"""The stream format that torch wrote before 1.6, and writes still when asked to.

Five pickles in a row (magic number, protocol, system, the object, storage keys), then
the storages in the order of the keys: an int64 count and the elements, little-endian.
"""

from __future__ import annotations

import struct
import sys
from typing import IO

import torch
from torch import Tensor

from srkit.adapters.pytorch.checkpoints.allowlist import find_global
from srkit.adapters.pytorch.checkpoints.records import Storage
from srkit.adapters.pytorch.checkpoints.storages import StorageTable, fill
from srkit.adapters.readers.pickles.machine import PickleSource
from srkit.errors import CorruptFileError

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001


class StreamCheckpoint:
    """A checkpoint in stream format.

    Parameters
    ----------
    file
        Open for reading, and to be kept open while storages are read.
    size
        Length of the file in bytes.

    Raises
    ------
    UnsafeFileError
        Whatever `PickleSource.run` refuses, in any of the five pickles.
    CorruptFileError
        For other files and damaged ones.
    """

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        source = PickleSource(file, find_global)
        self._check_magic(source)
        if source.run() != PROTOCOL_VERSION:
            raise CorruptFileError("the stream has an unknown protocol version")
        source.run()  # what system it was written on: of no use
        table = StorageTable()
        self.root = source.run(table.persistent_load)
        keys = source.run()
        self._offsets = self._locate(keys, table.storages, size)

    @staticmethod
    def _check_magic(source: PickleSource) -> None:
        try:
            magic = source.run()
        except CorruptFileError:
            magic = None
        if magic != MAGIC_NUMBER:
            raise CorruptFileError(
                "it is neither a torch checkpoint nor a safetensors file, whatever its name says"
            )

    def _locate(self, keys: object, storages: dict[str, Storage], size: int) -> dict[str, int]:
        """Return where each storage's elements begin; all must lie in the file."""
        if not isinstance(keys, list) or len(keys) > len(storages):
            raise CorruptFileError("the list of storages is malformed")
        offsets = {}
        position = self._file.tell()
        for key in keys:
            storage = storages.get(key) if isinstance(key, str) else None
            if storage is None:
                raise CorruptFileError("the list of storages does not fit the pickle")
            self._file.seek(position)
            count = self._file.read(8)
            if len(count) != 8 or struct.unpack("<q", count)[0] != storage.numel:
                raise CorruptFileError("a storage is not of the size that the pickle tells")
            offsets[key] = position + 8
            position += 8 + storage.nbytes
            if position > size:
                raise CorruptFileError("the stream is truncated")
        return offsets

    def is_swapped(self) -> bool:
        """Whether the bytes are in the other order than this machine's."""
        return sys.byteorder != "little"

    def read(self, storage: Storage) -> Tensor:
        """Read one storage as a uint8 tensor of ``storage.nbytes`` bytes."""
        if storage.key not in self._offsets:
            raise CorruptFileError("the stream lacks a storage that the pickle refers to")
        raw = torch.empty(storage.nbytes, dtype=torch.uint8)
        self._file.seek(self._offsets[storage.key])
        fill(raw.numpy().data, self._file)
        return raw
