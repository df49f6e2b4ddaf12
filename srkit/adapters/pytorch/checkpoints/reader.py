"""Reading a checkpoint, of whatever format, as tensors and nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from safetensors import SafetensorError, safe_open
from torch import Tensor

from srkit.adapters.pytorch.checkpoints.archive import ZipCheckpoint
from srkit.adapters.pytorch.checkpoints.network import find_network
from srkit.adapters.pytorch.checkpoints.storages import Container, read_tensors
from srkit.adapters.pytorch.checkpoints.stream import StreamCheckpoint
from srkit.adapters.pytorch.checkpoints.wrappers import network_names, without_counters
from srkit.errors import CorruptFileError, WeightsError
from srkit.guard import reading, refuse_pipes
from srkit.models.contents import Contents, TensorFacts, check_header
from srkit.models.formats import ZIP, is_oldest_torch, is_safetensors, is_tar

HEAD = 512


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


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read the network in a weights file; nothing that the file holds is run.

    The content decides about the format, not the suffix: torch's zip and stream
    formats (state dicts, whole modules, checkpoints of a training run) and
    safetensors. In a checkpoint with several networks an average of weights is taken before
    the weights themselves (``ema``, ``g_ema``, ``ema_state_dict``), then the first of these:
    ``generator``, ``params_ema``, ``params-ema``, ``average``, ``params``, ``model_state_dict``,
    ``state_dict``, ``model``, ``net``; then ``netG`` and its like, and what is the only network
    under any other name. Numbers and texts among the tensors are passed over. Only the network's
    tensors are read, so that memory stays near their size.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Checkpoint
        Tensors by their names in the network: ``module.``, ``model.``, ``generator.``, ``netG.``
        and their like are removed, and what lies beside them (``discriminator.``) is left out.

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
    with reading(path, "PyTorch checkpoint"):
        refuse_pipes(path, WeightsError)
        with path.open("rb") as file:
            return _read(file, path)


def contents(path: Path) -> Contents:
    """What a checkpoint of torch holds: the tensors of its network.

    Raises
    ------
    UnsafeFileError, CorruptFileError, WeightsError
        See `read_checkpoint`.
    """
    checkpoint = read_checkpoint(path)
    tensors = {
        name: TensorFacts(tuple(value.shape), str(value.dtype).removeprefix("torch."))
        for name, value in checkpoint.tensors.items()
    }
    return Contents(tensors)


def _read(file: IO[bytes], path: Path) -> Checkpoint:
    head = file.read(HEAD)
    file.seek(0)
    if is_safetensors(head, path):
        return _read_safetensors(path)
    if is_tar(head):
        raise WeightsError(_tar_message(head))
    size = os.fstat(file.fileno()).st_size
    read_container = ZipCheckpoint if head.startswith(ZIP) else StreamCheckpoint
    container: Container = read_container(file, size)
    lazy = find_network(container.root)
    renamed = {new: lazy[old] for old, new in network_names(lazy).items()}
    return Checkpoint(read_tensors(renamed, container), {})


def _read_safetensors(path: Path) -> Checkpoint:
    check_header(path)
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            stored = list(file.keys())
            if not stored:
                raise WeightsError("no network found in it: it holds no tensors")
            shapes = {name: file.get_slice(name).get_shape() for name in stored}
            names = network_names(without_counters(shapes))
            tensors = {new: file.get_tensor(old) for old, new in names.items()}
            return Checkpoint(tensors, file.metadata() or {})
    except SafetensorError as error:
        raise CorruptFileError(f"the safetensors file is damaged: {error}") from error


def _tar_message(head: bytes) -> str:
    if is_oldest_torch(head):
        return (
            "it is in the tar format of torch before 0.1.10 (2017), which srkit does not read. If "
            "you trust the file, load it with torch.load(path, weights_only=False), with the torch "
            "and classes it was made with, and save the tensors: "
            "torch.save(model.state_dict(), 'weights.pth')"
        )
    return "it is a tar archive (torch's own .pth.tar files are not); unpack it first"
