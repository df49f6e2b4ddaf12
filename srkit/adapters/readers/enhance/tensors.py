"""The same weights as neural-enhance's files have them, and as torch has them.

In torch's state dict stage n is ``stages.n.conv`` and ``stages.n.act``, the last layer
``out``. Files name stages by what they do, and flip kernels, as Lasagne's convolutions do.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np

from srkit.adapters.readers.enhance.config import Config
from srkit.adapters.readers.enhance.files import EnhanceWeights, Floats
from srkit.adapters.readers.luma_weights import Tensor
from srkit.errors import WeightsError


def looks_like_enhance(tensors: Mapping[str, Tensor]) -> bool:
    """Whether a state dict has the first and last layer of this network."""
    return {"stages.0.conv.weight", "stages.0.act.weight", "out.weight"} <= tensors.keys()


def config_of(tensors: Mapping[str, Tensor]) -> Config:
    """The shape of the network that a state dict is of, worked out from its kernels.

    Raises
    ------
    WeightsError
        If they are of no such network.
    """
    count = sum(name.endswith(".conv.weight") for name in tensors)
    names = [*(f"stages.{n}.conv.weight" for n in range(count)), "out.weight"]
    shapes = [tuple(tensors[name].shape) for name in names if name in tensors]
    if not count or len(shapes) != count + 1 or any(len(shape) != 4 for shape in shapes):
        raise WeightsError("these are no weights of neural-enhance: its kernels are not in order")
    first = shapes[0][0]
    found: dict[str, list[int]] = {"plain": [], "down": [], "up": []}
    for (made, _, kernel, _), following in itertools.pairwise(shapes[1:]):
        up = following[1] * 4 == made
        found["down" if kernel == 4 else "up" if up else "plain"].append(made)
    downs, ups = found["down"], [made // 4 for made in found["up"]]
    width = (found["plain"] or downs or [first])[-1]
    filters = [first, *downs, width, *ups]
    while len(filters) > 1 and filters[-1] == filters[-2]:
        filters.pop()  # the last number repeats
    return Config(len(ups), len(downs), len(found["plain"]), tuple(filters))


def tensors_of(weights: EnhanceWeights) -> dict[str, Floats]:
    """The state dict of what a file holds."""
    tensors = {}
    for prefix, name in _names(weights.config):
        kernel, bias = weights.layers[f"{name}x" if name != "out" else name]
        conv = f"{prefix}.conv" if name != "out" else prefix
        tensors[f"{conv}.weight"] = np.ascontiguousarray(kernel[..., ::-1, ::-1])
        tensors[f"{conv}.bias"] = bias
        if name != "out":
            tensors[f"{prefix}.act.weight"] = weights.layers[f"{name}>"][0]
    return tensors


def layers_of(tensors: Mapping[str, Floats]) -> EnhanceWeights:
    """What a file holds of a state dict.

    Raises
    ------
    WeightsError
        If it is of another network, or incomplete.
    """
    config = config_of(tensors)
    layers: dict[str, tuple[Floats, ...]] = {}
    try:
        for prefix, name in _names(config):
            conv = f"{prefix}.conv" if name != "out" else prefix
            kernel = np.ascontiguousarray(tensors[f"{conv}.weight"][..., ::-1, ::-1], np.float32)
            bias = np.asarray(tensors[f"{conv}.bias"], np.float32)
            layers[f"{name}x" if name != "out" else name] = kernel, bias
            if name != "out":
                layers[f"{name}>"] = (np.asarray(tensors[f"{prefix}.act.weight"], np.float32),)
    except KeyError as error:
        raise WeightsError(f"these are no weights of neural-enhance: {error} is missing") from error
    shapes = {name: tuple(array.shape for array in arrays) for name, arrays in layers.items()}
    if shapes != config.shapes():
        raise WeightsError("these are no weights of neural-enhance: its layers do not fit together")
    return EnhanceWeights(config, layers)


def _names(config: Config) -> list[tuple[str, str]]:
    """Names in state dicts and in files, layer by layer."""
    stages = [(f"stages.{n}", stage.name) for n, stage in enumerate(config.stages)]
    return [*stages, ("out", "out")]
