"""Trained networks as frozen graphs of TensorFlow."""

from __future__ import annotations

from pathlib import Path

from srkit.adapters.graphdef.writing import espcn_graph, fsrcnn_graph
from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.adapters.pytorch.luma import (
    build_espcn,
    build_fsrcnn,
    looks_like_espcn,
    looks_like_fsrcnn,
)
from srkit.errors import OptionError, WeightsError


def frozen_graph(path: Path, scale: int | None) -> bytes:
    """The GraphDef of a file with weights of ESPCN or FSRCNN.

    Parameters
    ----------
    path
        A checkpoint or ``.safetensors``.
    scale
        The factor, where neither the weights nor their header tell.

    Raises
    ------
    WeightsError
        If the weights are of another network, or another scale.
    OptionError
        If the scale is not known.
    """
    checkpoint = read_checkpoint(path)
    tensors = checkpoint.tensors
    if looks_like_espcn(tensors):
        net = build_espcn(tensors, scale)
        return espcn_graph({name: value.numpy() for name, value in net.state_dict().items()})
    if not looks_like_fsrcnn(tensors):
        raise WeightsError(f"{path} holds weights of neither ESPCN nor FSRCNN")
    stated = checkpoint.metadata.get("scale")
    known = int(stated) if stated and stated.isdecimal() else scale
    if known is None:
        raise OptionError(f"{path} does not tell for which scale its weights are; give scale=")
    if scale not in (None, known):
        raise OptionError(f"{path} holds weights for x{known}, not x{scale}")
    weights = build_fsrcnn(tensors, known).state_dict()
    return fsrcnn_graph({name: value.numpy() for name, value in weights.items()}, known)
