"""Trained networks in the formats of other programs."""

from __future__ import annotations

from pathlib import Path

from srkit.adapters.pytorch.architectures.enhance import build_enhance
from srkit.adapters.pytorch.architectures.espcn import build_espcn
from srkit.adapters.pytorch.architectures.fsrcnn import build_fsrcnn
from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.adapters.pytorch.nets.enhance import to_layers
from srkit.adapters.readers.enhance.files import packed_weights
from srkit.adapters.readers.graphdef.writing import network_graph
from srkit.adapters.readers.luma_weights import looks_like_espcn, scale_of_weights
from srkit.errors import OptionError, SrkitError


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


def enhance_file(path: Path, scale: int | None) -> bytes:
    """Weights of neural-enhance's network as the ``.pkl.bz2`` that the original reads.

    Raises
    ------
    WeightsError
        If they are of another network, or do not fit half precision.
    OptionError
        If they are for another scale.
    """
    try:
        net = build_enhance(read_checkpoint(path).tensors)
        if scale not in (None, net.scale):
            raise OptionError(f"these weights are for x{net.scale}, not x{scale}")
        return packed_weights(to_layers(net))
    except SrkitError as error:
        raise type(error)(f"{path}: {error}") from error
