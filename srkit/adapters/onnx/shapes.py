"""Shapes of results within a network, for pictures of some sizes.

They are inferred as far as the standard's own inference goes, which follows constants; where
a network works its shapes out from the picture's, a small tile is run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx

from srkit.adapters.onnx.session import make_session, memory_errors

Tile = tuple[int, int, int, int]


def inferred_shapes(model: Any, tile: Tile) -> dict[str, tuple[int, ...]]:
    """Shapes of results that follow from that of the input, by the standard's inference."""
    sized = onnx.ModelProto()
    sized.CopyFrom(model)
    del sized.graph.value_info[:]
    sides = sized.graph.input[0].type.tensor_type.shape.dim
    for dim, side in zip(sides, tile, strict=True):
        dim.dim_value = side
    sized.graph.output[0].type.tensor_type.ClearField("shape")
    made = onnx.shape_inference.infer_shapes(sized, data_prop=True).graph
    found = {}
    for value in (*made.value_info, *made.output, *made.input):
        shape = value.type.tensor_type.shape.dim
        if value.type.tensor_type.HasField("shape") and all(d.HasField("dim_value") for d in shape):
            found[value.name] = tuple(dim.dim_value for dim in shape)
    return found


def run_shapes(
    model: Any, names: Sequence[str], tiles: Sequence[Tile]
) -> list[dict[str, tuple[int, ...]]]:
    """Shapes of results, by running a grey tile of each shape."""
    told = onnx.ModelProto()
    told.CopyFrom(model)
    known = {value.name for value in told.graph.output}
    told.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names if n not in known)
    # Those of constants and of the input are no results.
    session = make_session(told, "cpu", plain=True)
    given = session.get_inputs()[0].name
    with memory_errors():
        runs = [session.run(list(names), {given: np.full(t, 0.5, np.float32)}) for t in tiles]
    return [{n: v.shape for n, v in zip(names, made, strict=True)} for made in runs]
