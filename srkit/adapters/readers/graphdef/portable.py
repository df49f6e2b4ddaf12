"""A frozen graph as named tensors and a text, which is what a safetensors file holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from srkit.adapters.readers.graphdef.graph import MOST_NODES, Array, Attribute, Graph, Node
from srkit.adapters.readers.graphdef.program import Program
from srkit.errors import CorruptFileError, WeightsError

# What the header of such a file names as its architecture, and where its operations stand.
ARCHITECTURE, OPERATIONS = "frozen graph", "graph"


def packed(program: Program, output: str | None = None) -> tuple[dict[str, Array], str]:
    """Constants by name, and the operations as JSON: all, or what one output needs.

    Constants that no operation takes are left out, and so is what only reshapes others.

    Raises
    ------
    WeightsError
        If a constant has a name that safetensors keeps for itself.
    """
    nodes = program.nodes if output is None else program.needed(output)
    taken = {name for node in nodes for name in node.inputs}
    if "__metadata__" in taken:
        raise WeightsError("a constant is named __metadata__, which safetensors keeps for itself")
    constants = {
        name: np.ascontiguousarray(value)
        for name, value in program.constants.items()
        if name in taken
    }
    operations = [
        {
            "name": node.name,
            "op": node.op,
            "inputs": node.inputs,
            "attributes": {
                key: value
                for key, value in node.attributes.items()
                if isinstance(value, int | float | str | tuple)
            },
        }
        for node in nodes
    ]
    return constants, json.dumps(operations)


def unpacked(constants: Mapping[str, Array], text: str) -> Graph:
    """The graph of `packed`, to be judged as one that comes from a ``.pb`` file.

    Raises
    ------
    CorruptFileError
        If the text is not of that form.
    """
    nodes = {
        name: Node(name, "Const", attributes={"value": value}) for name, value in constants.items()
    }
    try:
        operations = json.loads(text)
        if not isinstance(operations, list) or len(operations) > MOST_NODES:
            raise ValueError("it is no list, or too long")
        for entry in operations:
            node = _node(entry)
            if node.name in nodes:
                raise ValueError(f"two nodes are named {node.name!r}")
            nodes[node.name] = node
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CorruptFileError(f"its header holds no list of operations: {error}") from error
    return Graph(nodes)


def _node(entry: Any) -> Node:
    name, op = entry["name"], entry["op"]
    if not all(isinstance(text, str) for text in (name, op, *entry["inputs"])):
        raise TypeError("a name is no text")
    attributes = {str(key): _attribute(value) for key, value in entry["attributes"].items()}
    return Node(name, op, tuple(entry["inputs"]), attributes=attributes)


def _attribute(value: Any) -> Attribute:
    if isinstance(value, list) and all(isinstance(n, int) for n in value):
        return tuple(value)
    if isinstance(value, int | float | str):
        return value
    raise TypeError(f"an attribute is {value!r}")
