"""How much memory an ONNX network takes for each pixel, measured by running it once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx

from srkit.adapters.onnx.session import make_session, memory_errors
from srkit.adapters.onnx.shapes import inferred_shapes

# Side of the tile that is run; small, since the figure is one per pixel.
PROBE = 16
# What kernels take past the tensors themselves (layout copies, scratch), found by
# comparing with the peak memory of whole processes: srresnet x4 took 1.49 times that sum.
HEADROOM = 1.6


def bytes_per_pixel(model: Any, channels: int, multiple: int, device: str) -> float:
    """Working memory in bytes for each LR pixel: the largest sum of results alive at once.

    Parameters
    ----------
    model
        A judged ``onnx.ModelProto``.
    channels, multiple
        Channels of its input, and what sides are multiples of.
    device
        See `make_session`.
    """
    side = -(-PROBE // multiple) * multiple
    sizes = _sizes(model, (1, channels, side, side), device)
    return HEADROOM * _peak(model.graph, sizes) / side**2


def bytes_of_fixed(model: Any, channels: int, sides: tuple[int, int], scale: int) -> float:
    """As `bytes_per_pixel`, of a network that takes images of one size, with what it is cut from.

    Nothing is run, since that size may be large: shapes are inferred.
    """
    shapes = inferred_shapes(model, (1, channels, *sides))
    sizes = {name: 4 * math.prod(shape) for name, shape in shapes.items()}
    # The sum of tiles and its weights, for each pixel of the result.
    return HEADROOM * _peak(model.graph, sizes) / math.prod(sides) + 8 * (channels + 1) * scale**2


def _sizes(model: Any, shape: tuple[int, ...], device: str) -> dict[str, int]:
    """Bytes of every result that is as large as the tile; of others nobody needs to know."""
    told = onnx.ModelProto()
    told.CopyFrom(model)
    names = [name for node in model.graph.node for name in node.output if name]
    known = {value.name for value in model.graph.output}
    told.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names if n not in known)
    session = make_session(told, device, plain=True)
    given = session.get_inputs()[0].name
    with memory_errors():
        made = session.run(names, {given: np.full(shape, 0.5, np.float32)})
    area = shape[2] * shape[3]
    sizes = {
        name: value.nbytes for name, value in zip(names, made, strict=True) if value.size >= area
    }
    return sizes | {given: 4 * int(np.prod(shape))}


def _peak(graph: Any, sizes: dict[str, int]) -> int:
    """The largest sum of results that some later node still takes."""
    last = {name: place for place, node in enumerate(graph.node) for name in node.input}
    last |= {value.name: len(graph.node) for value in graph.output}
    going: dict[int, list[str]] = {}
    for name, place in last.items():
        going.setdefault(place, []).append(name)
    alive = {graph.input[0].name: sizes.get(graph.input[0].name, 0)}
    held = peak = sum(alive.values())
    for place, node in enumerate(graph.node):
        made = {name: sizes.get(name, 0) for name in node.output if name not in alive}
        alive |= made
        held += sum(made.values())
        peak = max(peak, held)
        unused = [name for name in made if name not in last]
        held -= sum(alive.pop(name, 0) for name in (*going.get(place, ()), *unused))
    return peak
