"""VGG-19 as neural-enhance keeps it: its file, and the shapes of its layers."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from srkit.adapters.readers.enhance.arrays import ArrayRecord, read_pickle
from srkit.adapters.readers.enhance.files import Floats
from srkit.errors import WeightsError

# Kernel and bias by the layer's name.
VggWeights = Mapping[str, tuple[Floats, Floats]]

# Simonyan and Zisserman 2015, table 1, column E: convolutions of each block, and their width
# against the first's.
BLOCKS = ((2, 1), (2, 2), (4, 4), (4, 8), (4, 8))
LAYERS = tuple(
    f"conv{block}_{n}" for block, (count, _) in enumerate(BLOCKS, 1) for n in range(1, count + 1)
)
# Of blue, green and red. The original takes them off red, green and blue, in this order.
MEANS = (103.939, 116.779, 123.68)
# Bytes after decompression: 20 million numbers, in double precision at most.
MOST_BYTES = 192 << 20


def vgg_shapes(width: int = 64) -> dict[str, tuple[tuple[int, ...], tuple[int]]]:
    """Shapes of kernel and bias of each layer, in their order.

    Parameters
    ----------
    width
        Channels of the first block; 64 in the paper.

    Examples
    --------
    >>> vgg_shapes()["conv2_1"]
    ((128, 64, 3, 3), (128,))
    """
    shapes: dict[str, tuple[tuple[int, ...], tuple[int]]] = {}
    given = 3
    for name in LAYERS:
        made = width * BLOCKS[int(name[4]) - 1][1]
        shapes[name] = (made, given, 3, 3), (made,)
        given = made
    return shapes


def read_vgg(path: Path, width: int = 64) -> VggWeights:
    """Read neural-enhance's ``vgg19_conv.pkl.bz2``; nothing in the file is run.

    Parameters
    ----------
    path
        A list of kernel, bias, kernel, bias and so on, of all sixteen layers.
    width
        Channels of the first block.

    Raises
    ------
    UnsafeFileError
        If its pickle asks for anything but arrays, dicts, lists, texts and numbers.
    CorruptFileError
        If it is damaged, or out of proportion.
    WeightsError
        If it cannot be opened, or holds no such network.
    """
    return read_pickle(path, MOST_BYTES, functools.partial(_weights, width=width))


def _weights(found: object, *, width: int) -> VggWeights:
    values = found if isinstance(found, list | tuple) else ()
    shapes = vgg_shapes(width)
    arrays = [v for v in values[: 2 * len(shapes)] if isinstance(v, ArrayRecord)]
    if len(values) != 2 * len(shapes) or len(arrays) != len(values):
        raise WeightsError(
            f"it holds no list of {2 * len(shapes)} arrays, kernel and bias of each layer of VGG-19"
        )
    made = {}
    for n, (name, wanted) in enumerate(shapes.items()):
        pair = arrays[2 * n : 2 * n + 2]
        if tuple(array.shape for array in pair) != wanted:
            told = " and ".join(str(array.shape) for array in pair)
            raise WeightsError(f"layer {name} has shapes {told}, not {wanted[0]} and {wanted[1]}")
        with np.errstate(over="ignore"):  # of doubles, which are refused below
            kernel, bias = (np.ascontiguousarray(array.array(), np.float32) for array in pair)
        if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
            raise WeightsError(f"layer {name} holds values that are not numbers")
        made[name] = kernel, bias
    return made
