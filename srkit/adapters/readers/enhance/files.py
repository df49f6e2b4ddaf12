"""Reading and writing neural-enhance's ``.pkl.bz2``: data in, data out, nothing run."""

from __future__ import annotations

import bz2
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from srkit.adapters.readers.enhance.arrays import ArrayRecord, read_pickle
from srkit.adapters.readers.enhance.config import Config
from srkit.errors import WeightsError
from srkit.models.contents import Contents, TensorFacts

Floats = NDArray[np.float32]

# Bytes after decompression. The largest network of the original takes 6 million.
MOST_BYTES = 64 << 20
# Arrays of a layer that are looked at; none has more than two.
MOST_ARRAYS = 4
_OLD, _NEW = b"cnumpy.core.multiarray\n", b"cnumpy._core.multiarray\n"


@dataclass(frozen=True)
class EnhanceWeights:
    """What a file holds.

    Attributes
    ----------
    config
        The network's shape.
    layers
        Arrays of each layer by its name in files: kernel and bias, or slopes. Kernels are
        ``(out, in, height, width)`` and flipped, as Lasagne has them.
    """

    config: Config
    layers: Mapping[str, tuple[Floats, ...]]


def read_weights(path: Path) -> EnhanceWeights:
    """Read a ``.pkl.bz2``.

    Raises
    ------
    UnsafeFileError
        If its pickle asks for anything but arrays, dicts, lists, texts and numbers.
    CorruptFileError
        If it is damaged, or out of proportion.
    WeightsError
        If it cannot be opened, or holds no such network.
    """
    return read_pickle(path, MOST_BYTES, _weights)


def contents(path: Path) -> Contents:
    """What a ``.pkl.bz2`` holds: its layers' arrays, and its config as the header.

    Raises
    ------
    UnsafeFileError, CorruptFileError, WeightsError
        See `read_weights`.
    """
    weights = read_weights(path)
    tensors = {
        f"{layer}.{number}": TensorFacts(array.shape, "float32")
        for layer, arrays in weights.layers.items()
        for number, array in enumerate(arrays)
    }
    return Contents(tensors, {key: str(value) for key, value in weights.config.as_dict().items()})


def _weights(found: object) -> EnhanceWeights:
    match found:
        case (dict() as raw, dict() as params):
            config = Config.of(raw)
        case _:
            raise WeightsError("it holds no pair of a config and layers, as neural-enhance writes")
    shapes = config.shapes()
    if missing := shapes.keys() - params.keys():
        told = ", ".join(sorted(missing)[:5])
        raise WeightsError(f"its layers lack {told}, which its config wants")
    if extra := params.keys() - shapes.keys():
        told = ", ".join(sorted(map(_shown, extra))[:5])
        raise WeightsError(f"its config has no place for the layers {told}")
    return EnhanceWeights(
        config, {name: _layer(name, params[name], shapes[name]) for name in shapes}
    )


def _shown(name: object) -> str:
    """A layer's name for a message; what else a pickle has for a name may be huge."""
    return repr(name[:40]) if isinstance(name, str) else type(name).__name__


def _layer(name: str, found: object, shapes: tuple[tuple[int, ...], ...]) -> tuple[Floats, ...]:
    values = found if isinstance(found, list | tuple) else ()
    records = [v for v in values[:MOST_ARRAYS] if isinstance(v, ArrayRecord)]
    if len(records) != len(values) or tuple(r.shape for r in records) != shapes:
        told = ", ".join(str(r.shape) for r in records) or "no arrays"
        wanted = ", ".join(map(str, shapes))
        raise WeightsError(f"layer {name} holds {told}, where its config wants {wanted}")
    with np.errstate(over="ignore"):  # of doubles, which are refused below
        made = tuple(np.ascontiguousarray(r.array(), np.float32) for r in records)
    if not all(np.isfinite(array).all() for array in made):
        raise WeightsError(f"layer {name} holds values that are not numbers")
    return made


def packed_weights(weights: EnhanceWeights) -> bytes:
    """A ``.pkl.bz2`` that the original program reads, in half precision.

    Raises
    ------
    WeightsError
        If a number does not fit half precision.
    """
    params = {}
    for name, arrays in weights.layers.items():
        with np.errstate(over="ignore"):
            halves = [array.astype(np.float16) for array in arrays]
        if not all(np.isfinite(half).all() for half in halves):
            raise WeightsError(f"layer {name} does not fit half precision")
        params[name] = halves
    data = pickle.dumps((weights.config.as_dict(), params), protocol=3)
    # numpy 2 moved the function that makes arrays; the original's numpy knows the old name.
    # It is named once, before the first array's bytes.
    old = data.replace(_NEW, _OLD, 1)
    if _OLD not in old:
        raise WeightsError("this numpy writes arrays in a way that the original cannot read")
    return bz2.compress(old)
