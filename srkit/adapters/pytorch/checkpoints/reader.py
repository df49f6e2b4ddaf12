"""Reading a checkpoint, of whatever format, as tensors and nothing else."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from safetensors import SafetensorError, safe_open
from torch import Tensor

from srkit.adapters.pytorch.checkpoints.archive import ZipCheckpoint
from srkit.adapters.pytorch.checkpoints.network import find_network, strip_prefixes
from srkit.adapters.pytorch.checkpoints.storages import Container, read_tensors
from srkit.adapters.pytorch.checkpoints.stream import StreamCheckpoint
from srkit.errors import CorruptFileError, SrkitError, WeightsError

SUFFIXES = (".pth", ".pt", ".ckpt", ".tar")
HEAD = 512

_ZIP = b"PK\x03\x04"
# The long that opens every stream, behind the protocol and perhaps a frame.
_STREAM = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_TAR_MEMBERS = (b"sys_info", b"pickle", b"tensors", b"storages")
# The limit of the safetensors format itself.
_MAX_HEADER = 100_000_000


@dataclass(frozen=True)
class Checkpoint:
    """What srkit takes from a weights file.

    Attributes
    ----------
    tensors
        State dict of one network: CPU tensors in the dtype stored. Tensors that
        shared memory when saved share it again.
    metadata
        The metadata of a safetensors header; empty for other formats.
    """

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]


def is_torch_checkpoint(head: bytes, path: Path) -> bool:
    r"""Whether a file is torch's: zip, stream or the oldest, tar.

    Parameters
    ----------
    head
        The first bytes of the file, best 512 of them.
    path
        Asked for its suffix only where the bytes leave it open: in archives not
        in the order in which torch writes.

    Examples
    --------
    >>> is_torch_checkpoint(b"PK\x03\x04", Path("weights.pth"))
    True
    >>> is_torch_checkpoint(b"PK\x03\x04", Path("letter.docx"))
    False
    """
    if head.startswith(_ZIP):
        return _first_entry(head).endswith("data.pkl") or path.suffix in SUFFIXES
    if _is_tar(head):
        return _is_oldest(head) or path.name.endswith(".pth.tar")
    return head[:1] == b"\x80" and _STREAM in head[:40]


def is_safetensors(head: bytes, path: Path) -> bool:
    r"""Whether a file is in safetensors format.

    Parameters
    ----------
    head
        The first bytes of the file, at least nine.
    path
        Not asked: the bytes suffice.

    Examples
    --------
    >>> is_safetensors(b"\x02\x00\x00\x00\x00\x00\x00\x00{}", Path("a.pth"))
    True
    """
    if len(head) < 9 or head[8:9] != b"{":
        return False
    return 2 <= int(struct.unpack("<Q", head[:8])[0]) <= _MAX_HEADER


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read the network in a weights file; nothing that the file holds is run.

    The content decides about the format, not the suffix: torch's zip and stream
    formats (state dicts, whole modules, checkpoints of a training run) and
    safetensors. In a checkpoint with several networks the first of these is taken:
    ``generator``, ``params_ema``, ``average``, ``params``, ``state_dict``, ``model``,
    ``net``. Only its tensors are read, so that memory stays near their size.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Checkpoint
        Tensors with the prefixes ``module.``, ``_orig_mod.`` and ``net.`` removed
        where every name has them.

    Raises
    ------
    UnsafeFileError
        If the file asks for anything but tensors and known classes, contains
        code, or inflates out of proportion.
    CorruptFileError
        If it is damaged, or no weights file at all.
    WeightsError
        If it cannot be opened, holds no network, or is in a form of torch
        too old to be read.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return _read(file, path)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}") from error
    except SrkitError as error:
        raise type(error)(f"{path}: {error}") from error


def _read(file: IO[bytes], path: Path) -> Checkpoint:
    head = file.read(HEAD)
    file.seek(0)
    if is_safetensors(head, path):
        return _read_safetensors(path)
    if _is_tar(head):
        raise WeightsError(_tar_message(head))
    size = os.fstat(file.fileno()).st_size
    read_container = ZipCheckpoint if head.startswith(_ZIP) else StreamCheckpoint
    container: Container = read_container(file, size)
    lazy = find_network(container.root)
    names = strip_prefixes(list(lazy))
    renamed = dict(zip(names, lazy.values(), strict=True))
    return Checkpoint(read_tensors(renamed, container), {})


def _read_safetensors(path: Path) -> Checkpoint:
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            stored = list(file.keys())
            if not stored:
                raise WeightsError("no network found in it: it holds no tensors")
            names = strip_prefixes(stored)
            tensors = {new: file.get_tensor(old) for new, old in zip(names, stored, strict=True)}
            return Checkpoint(tensors, file.metadata() or {})
    except SafetensorError as error:
        raise CorruptFileError(f"the safetensors file is damaged: {error}") from error


def _is_tar(head: bytes) -> bool:
    return head[257:262] == b"ustar"


def _is_oldest(head: bytes) -> bool:
    return head[:100].split(b"\0")[0] in _TAR_MEMBERS


def _tar_message(head: bytes) -> str:
    if _is_oldest(head):
        return (
            "it is in the tar format of torch before 0.1.10 (2017), which srkit does not read. If "
            "you trust the file, load it with torch.load(path, weights_only=False), with the torch "
            "and classes it was made with, and save the tensors: "
            "torch.save(model.state_dict(), 'weights.pth')"
        )
    return "it is a tar archive (torch's own .pth.tar files are not); unpack it first"


def _first_entry(head: bytes) -> str:
    """Name of the first entry of a zip archive."""
    length = int.from_bytes(head[26:28], "little")
    return head[30 : 30 + length].decode("latin-1")
