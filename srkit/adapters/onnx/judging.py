"""What of an ONNX file may reach ONNX Runtime.

The file is parsed as data and judged; ONNX Runtime gets bytes that are written anew of what
was judged, never the file, and is told that they are ONNX: it would take a file with the
right four bytes for its own format, which nobody judged.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError, Message

from srkit.adapters.onnx.external import check_external, is_external, take_in
from srkit.adapters.onnx.reach import Shapes
from srkit.adapters.onnx.session import OUT_OF_MEMORY
from srkit.adapters.onnx.shapes import Tile, inferred_shapes, run_shapes
from srkit.adapters.onnx.trial import MOST_TIMES, attempt
from srkit.errors import CorruptFileError, UnsafeFileError, WeightsError
from srkit.guard import reading
from srkit.models.contents import Contents, TensorFacts

MOST_BYTES = 1 << 29
MOST_NODES = 20_000
# Numbers that one constant may become, or one result on a small tile.
MOST_NUMBERS = 1 << 26
# Pixels of a tile that the bounds of a trial are for.
_SMALL_TILE = 96 * 96
# The standard's own operators, by either name.
DOMAINS = ("", "ai.onnx")
# Those that only compute; none of these holds a graph of its own.
_OPERATORS = """
    Abs Add And ArgMax ArgMin AveragePool BatchNormalization Cast CastLike Ceil Celu Clip Concat
    Constant ConstantOfShape Conv ConvTranspose Cos CumSum DepthToSpace DequantizeLinear Div
    Dropout Einsum Elu Equal Erf Exp Expand Flatten Floor Gather GatherElements GatherND Gelu Gemm
    GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual GridSample GroupNormalization
    HardSigmoid HardSwish Identity InstanceNormalization LRN LayerNormalization LeakyRelu Less
    LessOrEqual Log LogSoftmax LpNormalization MatMul Max MaxPool Mean Min Mish Mod Mul Neg Not Or
    PRelu Pad Pow QuantizeLinear Range Reciprocal ReduceL1 ReduceL2 ReduceMax ReduceMean ReduceMin
    ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize Round ScatterElements ScatterND Selu
    Shape Sigmoid Sign Sin Size Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub
    Sum Tanh ThresholdedRelu Tile Transpose Trilu Unsqueeze Upsample Where
"""
OPERATORS = frozenset(_OPERATORS.split())

Model = Any  # onnx.ModelProto, whose fields have no types


@dataclass(frozen=True)
class Judged:
    """An ONNX file that was found harmless.

    Attributes
    ----------
    model
        Its graph and nothing else.
    header
        Its ``metadata_props``.
    """

    model: Model
    header: dict[str, str]


def read_network(path: Path) -> Judged:
    """Read and judge an ONNX file, and those beside it in which its numbers lie. Nothing is run.

    Raises
    ------
    UnsafeFileError
        If it names files elsewhere, see `srkit.adapters.onnx.external`, operators beyond the
        list, functions or graphs in which operators can hide, or tensors out of proportion.
    CorruptFileError
        If it is damaged.
    WeightsError
        If it cannot be opened, or holds no graph.
    """
    with reading(path, "ONNX network"):
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise UnsafeFileError(f"it has {size} bytes; over {MOST_BYTES} are refused")
        judged = judge(path.read_bytes())
        outside = [t for t in _messages(judged.model.graph, onnx.TensorProto) if is_external(t)]
        take_in(outside, path, MOST_BYTES - size)
        return judged


def contents(path: Path) -> Contents:
    """What an ONNX file holds: its constants, and its metadata and operators as the header.

    Raises
    ------
    UnsafeFileError, CorruptFileError, WeightsError
        See `read_network`.
    """
    judged = read_network(path)
    graph = judged.model.graph
    tensors = {
        tensor.name: TensorFacts(tuple(tensor.dims), kind_name(tensor.data_type).lower())
        for tensor in graph.initializer
    }
    counts = Counter(node.op_type for node in graph.node)
    operators = ", ".join(f"{count} {name}" for name, count in counts.items())
    return Contents(tensors, {"operators": operators, **judged.header})


def kind_name(number: int) -> str:
    """A type of numbers by the number that stands for it in files.

    Examples
    --------
    >>> kind_name(1), kind_name(77)
    ('FLOAT', 'type 77')
    """
    kinds = onnx.TensorProto.DataType
    return str(kinds.Name(number)) if number in kinds.values() else f"type {number}"


def judge(data: bytes) -> Judged:
    """`read_network` of the bytes of a file."""
    attempt("parse", data)
    return _judge(data)


def parse_trial(request: Mapping[str, Any], data: bytes) -> None:
    """What `judge` does, for `srkit.adapters.onnx.trial`."""
    _judge(data)


def _judge(data: bytes) -> Judged:
    given = onnx.ModelProto()
    try:
        given.ParseFromString(data)
    except DecodeError as error:
        raise CorruptFileError("it is damaged, or no ONNX file") from error
    if not given.graph.node:
        raise CorruptFileError("it holds no graph: it is truncated, or no ONNX file")
    if given.functions:
        raise UnsafeFileError("it holds functions, in which operators can hide")
    model = onnx.ModelProto(ir_version=given.ir_version, opset_import=given.opset_import)
    model.graph.CopyFrom(given.graph)
    model.DiscardUnknownFields()
    _judge_operators(model.graph)
    for tensor in _messages(model.graph, onnx.TensorProto):
        if is_external(tensor):
            check_external(tensor)
    if any(_messages(model.graph, onnx.SparseTensorProto)):
        raise UnsafeFileError("it holds sparse tensors, which can be small here and huge in memory")
    texts = {_text(entry.key): _text(entry.value) for entry in given.metadata_props}
    return Judged(model, texts)


def _text(value: str | bytes) -> str:
    """A text, which comes as bytes where it is no UTF-8."""
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


def _judge_operators(graph: Any) -> None:
    if len(graph.node) > MOST_NODES:
        raise UnsafeFileError(f"it has {len(graph.node)} nodes; over {MOST_NODES} are refused")
    for node in graph.node:
        if node.domain not in DOMAINS:
            raise UnsafeFileError(
                f"it asks for the operator {node.op_type[:60]!r} of {node.domain[:60]!r}; only "
                "those of the ONNX standard are known"
            )
        if node.op_type not in OPERATORS:
            raise UnsafeFileError(
                f"the operator {node.op_type[:60]!r} is not on the list of those that only compute"
            )
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.graphs:
                raise UnsafeFileError(f"a node {node.op_type!r} holds a graph of its own")


def _messages(message: Message, kind: type[Any]) -> Iterator[Any]:
    """All messages of a kind, however deep they lie; protobuf bounds the depth."""
    for _, value in message.ListFields():
        parts = [value] if isinstance(value, Message) else value
        if isinstance(parts, str | bytes | int | float) or not len(parts):
            continue
        if not isinstance(parts[0], Message):
            continue
        for part in parts:
            if isinstance(part, kind):
                yield part
            yield from _messages(part, kind)


def judge_sizes(model: Model, shape: tuple[int, ...]) -> None:
    """Refuse tensors that grow out of proportion, before memory is taken for them.

    Parameters
    ----------
    shape
        Of a small tile.

    Raises
    ------
    UnsafeFileError
        As far as the shapes follow from the graph, which those that a small file hides do.
    CorruptFileError
        If they contradict each other.
    """
    # Of a network of one size, the tile is as large as that.
    times = max(1, math.prod(shape[2:]) / _SMALL_TILE)
    attempt("run", model.SerializeToString(), times=times, shape=shape)


def run_trial(request: Mapping[str, Any], data: bytes) -> None:
    """What becomes of a network that was judged, for `srkit.adapters.onnx.trial`."""
    from srkit.adapters.onnx.files import tried
    from srkit.adapters.onnx.session import make_session

    model = onnx.ModelProto.FromString(data)
    shape = tuple(request["shape"])
    _judge_sizes(model, shape)
    try:
        sides = model.graph.input[0].type.tensor_type.shape.dim
        fixed = sides[2].dim_value or None, sides[3].dim_value or None
        tried(make_session(model, "cpu"), shape[1], sides=fixed)
    except WeightsError as error:
        # Other refusals are told where it is done again.
        if any(sign in str(error).lower() for sign in OUT_OF_MEMORY):
            raise MemoryError from error


def shapes_of(model: Any, tiles: Sequence[Tile]) -> Shapes:
    """What `receptive_field` asks for the shapes of results.

    Parameters
    ----------
    model
        A judged ``onnx.ModelProto``.
    tiles
        Shapes of its input. They are tried in a process beside this one first.
    """
    inferred = [inferred_shapes(model, tile) for tile in tiles]

    def shapes(names: Sequence[str]) -> Sequence[Mapping[str, tuple[int, ...]]]:
        missing = [name for name in names if any(name not in known for known in inferred)]
        if missing:
            attempt("shapes", model.SerializeToString(), names=missing, tiles=list(tiles))
            for known, found in zip(inferred, run_shapes(model, missing, tiles), strict=True):
                known |= found
        return inferred

    return shapes


def shapes_trial(request: Mapping[str, Any], data: bytes) -> None:
    """What `shapes_of` runs, for `srkit.adapters.onnx.trial`."""
    tiles = [tuple(tile) for tile in request["tiles"]]
    run_shapes(onnx.ModelProto.FromString(data), request["names"], tiles)


def _judge_sizes(model: Model, shape: tuple[int, ...]) -> None:
    sized = onnx.ModelProto()
    sized.CopyFrom(model)
    for dim, side in zip(sized.graph.input[0].type.tensor_type.shape.dim, shape, strict=True):
        dim.dim_value = side
    del sized.graph.value_info[:]
    try:
        inferred = onnx.shape_inference.infer_shapes(sized, data_prop=True)
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError) as error:
        raise CorruptFileError(f"its shapes make no sense: {_line(error)}") from error
    most = MOST_NUMBERS * max(1, min(math.prod(shape[2:]) / _SMALL_TILE, MOST_TIMES))
    for value in (*inferred.graph.value_info, *inferred.graph.output):
        sides = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        if math.prod(sides) > most:
            raise UnsafeFileError(
                f"{value.name[:60]!r} has the shape {tuple(sides)} on a tile of "
                f"{shape[2]}x{shape[3]}: out of all proportion"
            )


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
