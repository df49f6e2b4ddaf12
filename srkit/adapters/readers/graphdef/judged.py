"""A graph that was judged, as bytes for TensorFlow.

TensorFlow never sees the file: protocol buffers leave room for two readers to read two
things, and what was not read was not judged. Nodes get names of our own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import numpy as np

from srkit.adapters.readers.graphdef.attributes import dilation, layout
from srkit.adapters.readers.graphdef.encoding import (
    INT32,
    TYPE,
    integers,
    node,
    number,
    real,
    tensor,
    text,
)
from srkit.adapters.readers.graphdef.graph import Node
from srkit.adapters.readers.graphdef.program import Program

INPUT, OUTPUT = "image", "made"


def judged_graph(program: Program, output: str) -> bytes:
    """The GraphDef of what one output needs: from the node `INPUT` to the node `OUTPUT`."""
    names = {program.input: INPUT}
    parts = [node(INPUT, "Placeholder", (), {"dtype": TYPE})]

    def known(name: str) -> str:
        """Our name of a result, or of a constant, which is written when first needed."""
        if name not in names:
            names[name] = f"constant{len(names)}"
            value = program.constants[name]
            kind = np.float32 if np.issubdtype(value.dtype, np.floating) else np.int32
            parts.append(node(names[name], "Const", (), tensor(value.astype(kind))))
        return names[name]

    for step in program.needed(output):
        if step.op == "Placeholder":
            continue
        inputs = [known(name) for name in step.inputs]
        names[step.name] = OUTPUT if step.name == output else f"step{len(names)}"
        attributes = {"T": TYPE, **_ATTRIBUTES.get(step.op, _none)(step)}
        parts.append(node(names[step.name], step.op, inputs, attributes))
    return b"".join(parts)


def _none(step: Node) -> Mapping[str, bytes]:
    return {}


def _convolution(step: Node) -> Mapping[str, bytes]:
    rows, columns = dilation(step)
    first = layout(step) == "NCHW"
    return {
        "data_format": text(layout(step)),
        "padding": text("SAME"),
        "strides": integers((1, 1, 1, 1)),
        "dilations": integers((1, 1, rows, columns) if first else (1, rows, columns, 1)),
    }


def _shuffle(step: Node) -> Mapping[str, bytes]:
    block_size = cast(int, step.attributes["block_size"])  # `understand` made sure
    return {"block_size": number(3, block_size), "data_format": text(layout(step))}


# Beside the type, which all operations state.
_ATTRIBUTES: Mapping[str, Callable[[Node], Mapping[str, bytes]]] = {
    "BiasAdd": lambda step: {"data_format": text(layout(step))},
    "Conv2D": _convolution,
    "DepthToSpace": _shuffle,
    "LeakyRelu": lambda step: {"alpha": real(cast(float, step.attributes.get("alpha", 0.2)))},
    "Transpose": lambda step: {"Tperm": number(6, INT32)},
}
