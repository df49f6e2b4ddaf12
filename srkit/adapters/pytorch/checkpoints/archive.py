"""The zip format that torch has written since 1.6."""

from __future__ import annotations

import io
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

import torch
from torch import Tensor

from srkit.adapters.pytorch.checkpoints.allowlist import find_global
from srkit.adapters.pytorch.checkpoints.records import Storage
from srkit.adapters.pytorch.checkpoints.storages import StorageTable, fill
from srkit.adapters.readers.pickles.machine import MAX_BYTES, PickleSource
from srkit.errors import CorruptFileError, SrkitError, UnsafeFileError
from srkit.models.strangers import what_archive

# torch stores without compression; a checkpoint zipped anew shrinks little.
MAX_INFLATION = 16
# The directory takes some 80 bytes a tensor in the file, ten times that in memory.
MAX_READ = 8 << 20


class ZipCheckpoint:
    """A checkpoint in zip format.

    Parameters
    ----------
    file
        Open for reading, and to be kept open while storages are read.
    size
        Length of the file in bytes.

    Raises
    ------
    UnsafeFileError
        For programs (TorchScript, torch.package), archives that inflate out of
        proportion, and whatever `PickleSource.run` refuses.
    CorruptFileError
        For other archives and damaged ones.
    """

    def __init__(self, file: IO[bytes], size: int) -> None:
        with _typed_errors():
            self._zip = zipfile.ZipFile(cast(IO[bytes], _ShortReads(file)))
        self._entries = {entry.filename: entry for entry in self._zip.infolist()}
        if len(self._entries) != len(self._zip.infolist()):
            raise CorruptFileError("the archive has two entries of one name")
        if sum(entry.file_size for entry in self._zip.infolist()) > MAX_INFLATION * size:
            raise UnsafeFileError(
                f"the archive inflates to more than {MAX_INFLATION} times its size"
            )
        self._folder = self._find_folder()
        self._refuse_programs()
        self._order = self._byte_order()
        table = StorageTable()
        data = io.BytesIO(self._read("data.pkl", MAX_BYTES))
        self.root = PickleSource(data, find_global).run(table.persistent_load)

    def _find_folder(self) -> str:
        """Return the one folder, slash included, that holds ``data.pkl``."""
        found = [n for n in self._entries if n.count("/") <= 1 and n.split("/")[-1] == "data.pkl"]
        if len(found) != 1:
            raise CorruptFileError(
                "it is a zip archive, but not one that torch.save writes: "
                + what_archive(self._entries)
            )
        return found[0].removesuffix("data.pkl")

    def _refuse_programs(self) -> None:
        program = tuple(
            self._folder + n for n in ("code/", "constants.pkl", ".data/extern_modules")
        )
        if any(name.startswith(program) for name in self._entries):
            raise UnsafeFileError(
                "it is a TorchScript or torch.package archive, which contains code; nothing was "
                "run. If you trust the file, load it with torch.jit.load and save the tensors "
                "alone: torch.save(module.state_dict(), 'weights.pth')"
            )

    def _byte_order(self) -> str:
        if self._folder + "byteorder" not in self._entries:
            return sys.byteorder
        order = self._read("byteorder", len(b"little"))
        if order not in (b"little", b"big"):
            raise CorruptFileError("the byte order is neither little nor big")
        return order.decode()

    def is_swapped(self) -> bool:
        """Whether the bytes are in the other order than this machine's."""
        return self._order != sys.byteorder

    def read(self, storage: Storage) -> Tensor:
        """Read one storage as a uint8 tensor of ``storage.nbytes`` bytes."""
        entry = self._entry(f"data/{storage.key}")
        if entry.file_size != storage.nbytes:
            raise CorruptFileError("a storage is not of the size that the pickle tells")
        raw = torch.empty(storage.nbytes, dtype=torch.uint8)
        self._fill(entry, raw.numpy().data)
        return raw

    def _read(self, name: str, limit: int) -> bytes:
        entry = self._entry(name)
        if entry.file_size > limit:
            raise CorruptFileError(f"{name} is larger than a checkpoint needs")
        data = bytearray(entry.file_size)
        self._fill(entry, memoryview(data))
        return bytes(data)

    def _entry(self, name: str) -> zipfile.ZipInfo:
        entry = self._entries.get(self._folder + name)
        if entry is None:
            raise CorruptFileError("the archive lacks a storage that the pickle refers to")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise CorruptFileError("the archive is compressed in a way that torch cannot read")
        return entry

    def _fill(self, entry: zipfile.ZipInfo, view: memoryview) -> None:
        with _typed_errors(), self._zip.open(entry) as stream:
            fill(view, stream)
            # Reaching the end makes zipfile compare the checksum.
            if stream.read(1):
                raise CorruptFileError("a storage is longer than the archive tells")


class _ShortReads:
    """A file that refuses long reads: zipfile reads the directory at one go, unbounded."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, n: int = -1) -> bytes:
        data = self._file.read(n if 0 <= n <= MAX_READ else MAX_READ + 1)
        if len(data) > MAX_READ:
            raise CorruptFileError("the archive's directory is larger than a checkpoint needs")
        return data


@contextmanager
def _typed_errors() -> Iterator[None]:
    try:
        yield
    except SrkitError:
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        ArithmeticError,
        EOFError,
        LookupError,
        OSError,
        RuntimeError,  # encrypted; NotImplementedError is one too
        ValueError,
    ) as error:
        raise CorruptFileError(f"the archive is damaged: {error}") from error
