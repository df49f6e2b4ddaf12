"""Write frozen graphs in the operators and names of the published ones.

OpenCV's ``dnn_superres`` and TensorFlow load them. Keras' own freezing adds operators at
which OpenCV fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from srkit.adapters.readers.graphdef.encoding import (
    INT32,
    TYPE,
    block,
    integers,
    node,
    number,
    tensor,
    text,
)
from srkit.adapters.readers.luma_weights import looks_like_espcn
from srkit.errors import WeightsError

Floats = NDArray[np.float32]

INPUT, LAST, OUTPUT = "IteratorGetNext", "NHWC_output", "NCHW_output"


class GraphWriter:
    """Collects nodes; constants come first, as in the published files."""

    def __init__(self) -> None:
        self._constants: list[bytes] = []
        self._nodes: list[bytes] = []
        shape = block(7, b"".join(block(2, number(1, n)) for n in (1, -1, -1, 1)))
        self._add(self._nodes, INPUT, "Placeholder", (), {"dtype": TYPE, "shape": shape})

    def data(self) -> bytes:
        """The GraphDef."""
        return b"".join((*self._constants, *self._nodes))

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        """A constant of float32 or int32."""
        return self._add(self._constants, name, "Const", (), tensor(value))

    def convolution(self, name: str, given: str, kernel: str) -> str:
        """SAME, stride 1, channels last."""
        attributes = {
            "T": TYPE,
            "data_format": text("NHWC"),
            "dilations": integers((1, 1, 1, 1)),
            "padding": text("SAME"),
            "strides": integers((1, 1, 1, 1)),
            "use_cudnn_on_gpu": number(5, 1),
        }
        return self._add(self._nodes, name, "Conv2D", (given, kernel), attributes)

    def operation(self, name: str, op: str, *inputs: str) -> str:
        """An operation that works pixel by pixel."""
        return self._add(self._nodes, name, op, inputs, {"T": TYPE})

    def depth_to_space(self, name: str, given: str, block: int) -> str:
        """Blocks of ``block * block`` channels become pixels."""
        attributes = {"T": TYPE, "block_size": number(3, block), "data_format": text("NHWC")}
        return self._add(self._nodes, name, "DepthToSpace", (given,), attributes)

    def to_nchw(self, name: str, given: str) -> str:
        """Channels first."""
        order = self.constant(f"{name}/perm", np.array([0, 3, 1, 2], np.int32))
        attributes = {"T": TYPE, "Tperm": number(6, INT32)}
        return self._add(self._nodes, name, "Transpose", (given, order), attributes)

    @staticmethod
    def _add(
        to: list[bytes], name: str, op: str, inputs: Sequence[str], attributes: Mapping[str, bytes]
    ) -> str:
        to.append(node(name, op, inputs, attributes))
        return name


def network_graph(weights: Mapping[str, Floats], scale: int) -> bytes:
    """The frozen graph of ESPCN or FSRCNN, whichever the weights are of.

    Parameters
    ----------
    weights
        State dict of a network in `srkit.adapters.pytorch.nets`, as float32.
    scale
        The factor.

    Raises
    ------
    WeightsError
        If a layer is missing or its bias does not fit.
    """
    for name, value in weights.items():
        if value.ndim == 4 and name.endswith(".weight"):
            bias = weights.get(name.replace(".weight", ".bias"))
            out = value.shape[1] if name.startswith("deconv") else value.shape[0]
            if bias is None or bias.shape != (out,):
                raise WeightsError(f"the layer of {name} has no bias that fits")
    try:
        if looks_like_espcn(weights):
            return espcn_graph(weights)
        return fsrcnn_graph(weights, scale)
    except (KeyError, ValueError, IndexError) as error:
        raise WeightsError(f"these are no weights of ESPCN or FSRCNN: {error}") from error


def espcn_graph(weights: Mapping[str, Floats], *, tanh: bool = False) -> bytes:
    """ESPCN's frozen graph.

    Parameters
    ----------
    weights
        State dict of `srkit.adapters.pytorch.nets.espcn.ESPCN`.
    tanh
        Whether the output passes through tanh, as in TF-ESPCN.
    """
    graph, given = GraphWriter(), INPUT
    for n in (1, 2, 3):
        kernel = graph.constant(f"f{n}", _hwio(weights[f"conv{n}.weight"]))
        bias = graph.constant(f"b{n}", weights[f"conv{n}.bias"])
        tail = f"_{n - 1}" if n > 1 else ""
        made = graph.convolution(f"conv{n}", given, kernel)
        given = graph.operation(f"add{tail}", "Add", made, bias)
        if n < 3:
            given = graph.operation(f"Relu{tail}", "Relu", given)
    scale = round(weights["conv3.bias"].size ** 0.5)
    if tanh:
        given = graph.depth_to_space("DepthToSpace", given, scale)
        graph.to_nchw(OUTPUT, graph.operation(LAST, "Tanh", given))
    else:
        graph.to_nchw(OUTPUT, graph.depth_to_space(LAST, given, scale))
    return graph.data()


def fsrcnn_graph(weights: Mapping[str, Floats], scale: int) -> bytes:
    """FSRCNN's frozen graph; its transposed convolution becomes one at low resolution.

    Parameters
    ----------
    weights
        State dict of `srkit.adapters.pytorch.nets.fsrcnn.FSRCNN`.
    scale
        The factor, which the weights do not tell.
    """
    graph, given = GraphWriter(), INPUT
    maps = {n for name in weights if (n := _place(name, "map.")) is not None}
    inner = [f"map.{n}" for n in sorted(maps) if weights[f"map.{n}.weight"].ndim == 4]
    layers = ["extract.0", "shrink.0", *inner, "expand.0", "deconv"]
    for n, layer in enumerate(layers[:-1], 1):
        kernel = graph.constant(f"f{n}", _hwio(weights[f"{layer}.weight"]))
        bias = graph.constant(f"b{n}", weights[f"{layer}.bias"])
        stage, _, place = layer.rpartition(".")
        slopes = weights[f"{stage}.{int(place) + 1}.weight"]
        made = graph.convolution(f"conv{n}", given, kernel)
        given = _prelu(graph, n, graph.operation(f"add{n}", "Add", made, bias), slopes)
    last = len(layers)
    kernel = graph.constant(f"f{last}", at_low_resolution(weights["deconv.weight"], scale))
    made = graph.convolution(f"conv{last}", given, kernel)
    bias = graph.constant(f"b{last}", np.full(scale**2, weights["deconv.bias"][0], np.float32))
    made = graph.operation(f"add{last}", "Add", made, bias)
    graph.to_nchw(OUTPUT, graph.depth_to_space(LAST, made, scale))
    return graph.data()


def _place(name: str, stage: str) -> int | None:
    """Which place within a stage a kernel or slope has."""
    parts = name.removeprefix(stage).split(".")
    known = name.startswith(stage) and parts[-1] == "weight" and parts[0].isdecimal()
    return int(parts[0]) if known else None


def _prelu(graph: GraphWriter, n: int, given: str, slopes: Floats) -> str:
    """relu(x) + a * (x - |x|) / 2, as the published graphs spell it."""
    alpha = graph.constant(f"alpha{n}", slopes)
    half = graph.constant(f"half{n}", np.array(0.5, np.float32))
    size = graph.operation(f"Abs{n}", "Abs", given)
    twice = graph.operation(f"sub{n}", "Sub", given, size)
    scaled = graph.operation(f"mul{n}", "Mul", alpha, twice)
    below = graph.operation(f"halved{n}", "Mul", scaled, half)
    return graph.operation(f"prelu{n}", "Add", graph.operation(f"Relu{n}", "Relu", given), below)


def at_low_resolution(kernel: Floats, scale: int) -> Floats:
    """A transposed convolution's kernel as a convolution before a depth-to-space.

    Parameters
    ----------
    kernel
        ``(C, 1, 9, 9)``, for stride `scale`, padding 4 and output padding
        ``scale - 1``.

    Returns
    -------
    NDArray
        ``(5, 5, C, scale**2)``: each phase takes its taps of the input pixels around.
    """
    made = np.zeros((5, 5, kernel.shape[0], scale**2), np.float32)
    for phase in range(scale**2):
        for y in range(9):
            for x in range(9):
                # Output o gets input i by tap o + 4 - scale * i; o is `phase` of pixel 0.
                row, odd_row = divmod(phase // scale + 4 - y, scale)
                column, odd_column = divmod(phase % scale + 4 - x, scale)
                if not (odd_row or odd_column):
                    made[row + 2, column + 2, :, phase] = kernel[:, 0, y, x]
    return made


def _hwio(kernel: Floats) -> Floats:
    return np.ascontiguousarray(kernel.transpose(2, 3, 1, 0))
