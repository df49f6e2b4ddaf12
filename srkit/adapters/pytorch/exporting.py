"""Trained networks as frozen graphs of TensorFlow."""

from __future__ import annotations

from pathlib import Path

from srkit.adapters.graphdef.writing import network_graph
from srkit.adapters.luma_weights import looks_like_espcn, scale_of_weights
from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.adapters.pytorch.luma import build_espcn, build_fsrcnn
from srkit.errors import SrkitError


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
    try:
        found = scale_of_weights(checkpoint.tensors, checkpoint.metadata, scale)
        build = build_espcn if looks_like_espcn(checkpoint.tensors) else build_fsrcnn
        net = build(checkpoint.tensors, found)
    except SrkitError as error:
        raise type(error)(f"{path}: {error}") from error
    weights = {name: value.numpy() for name, value in net.state_dict().items()}
    return network_graph(weights, found)
