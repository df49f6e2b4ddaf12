"""The models espcn and fsrcnn, and users' weights of them, on TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from srkit.adapters.readers.graphdef.frozen import RULES, Frozen
from srkit.adapters.readers.graphdef.graph import parse_graph
from srkit.adapters.readers.graphdef.program import understand
from srkit.adapters.readers.graphdef.writing import Floats, network_graph
from srkit.adapters.readers.luma_weights import scale_of_weights
from srkit.adapters.tensorflow.frozen import TensorFlowGraph
from srkit.card import ModelCard
from srkit.errors import CorruptFileError, SrkitError, WeightsError
from srkit.models.contents import check_header


def load_model(
    card: ModelCard, scale: int, weights: Path, *, device: str = "auto"
) -> TensorFlowGraph:
    """A built-in model, whose weights become a graph in memory.

    Parameters
    ----------
    card, scale
        The model and its factor.
    weights
        A safetensors file.
    device
        See `TensorFlowGraph`.
    """
    tensors, _ = _read(weights)
    return _graph(card, tensors, scale, device)


def open_weights(path: Path, *, scale: int | None = None, device: str = "auto") -> TensorFlowGraph:
    """An upscaler from a safetensors file of ESPCN or FSRCNN, as `srkit train` writes it.

    Parameters
    ----------
    path
        The file.
    scale
        The factor, where the file does not tell.
    device
        See `TensorFlowGraph`.

    Raises
    ------
    CorruptFileError
        If the file is damaged.
    WeightsError
        If the weights are of another network; that may run on torch.
    OptionError
        If the scale is not known, or another.
    """
    tensors, header = _read(path)
    try:
        found = scale_of_weights(tensors, header, scale)
    except SrkitError as error:
        raise type(error)(f"{path}, on TensorFlow: {error}") from error
    card = ModelCard(
        name=path.name.split(".")[0],
        summary=f"Weights from {path.name}.",
        adapter="srkit.adapters.tensorflow.luma:open_weights",
        framework="tensorflow",
        scales=(found,),
        default_scale=found,
        colour="luma",
    )
    return _graph(card, tensors, found, device)


def _graph(card: ModelCard, tensors: dict[str, Floats], scale: int, device: str) -> TensorFlowGraph:
    program = understand(parse_graph(network_graph(tensors, scale)))
    return TensorFlowGraph(
        Frozen(program, program.output(scale), scale, card, RULES["float"]), device
    )


def _read(path: Path) -> tuple[dict[str, Floats], dict[str, str]]:
    try:
        check_header(path)
        with safe_open(path, framework="np") as file:
            names = list(file.keys())
            tensors = {name: file.get_tensor(name) for name in names}
            header = file.metadata() or {}
    except SafetensorError as error:
        raise CorruptFileError(f"{path}: the safetensors file is damaged: {error}") from error
    except TypeError as error:
        raise WeightsError(
            f"{path} holds a type that numpy lacks ({error}); torch runs it"
        ) from error
    return {name: np.asarray(value, np.float32) for name, value in tensors.items()}, header
