"""Frozen graphs that try to make their reader fail, or to take memory and time."""

import itertools
import resource
import sys
import time

import numpy as np
import pytest
from protobuf import (
    CONVOLUTION,
    DOUBLE,
    FLOAT,
    IMAGE,
    ONES,
    block,
    const,
    conv,
    integers,
    node,
    number,
    shape,
    shuffle,
    splat,
)

from srkit import CorruptFileError, SrkitError, UnsafeFileError, WeightsError
from srkit.adapters.readers.graphdef.frozen import open_frozen
from srkit.adapters.readers.graphdef.graph import MOST_FIELDS, MOST_NODES, parse_graph
from srkit.adapters.readers.graphdef.program import understand

DOUBLES, INTEGERS = 2, 3
HUGE = 1 << 40


def tensor(*sides, kind=FLOAT, content=b""):
    return block(8, number(1, kind) + block(2, shape(*sides)) + content)


def constant(name, *sides, **options):
    return node(name, "Const", value=tensor(*sides, **options))


def numbers(name, *values):
    return const(name, np.array(values, np.float32))


def kernel_of(first):
    """The doubling graph, whose kernel is what another operation makes of one."""
    return IMAGE + const("k", ONES) + first + conv("c", "image", "made") + shuffle("o", "c", 2)


def convolution(**attributes):
    options = {**CONVOLUTION, **attributes}
    layer = node("c", "Conv2D", "image", "k", **options)
    return IMAGE + const("k", ONES) + layer + shuffle("o", "c", 2)


def transposed(*order):
    turn = numbers("order", *order) + node("turned", "Transpose", "image", "order")
    return IMAGE + const("k", ONES) + turn + conv("c", "turned", "k") + shuffle("o", "c", 2)


def squeezed(*dims):
    return kernel_of(node("made", "Squeeze", "k", squeeze_dims=integers(*dims)))


def reshaped(*sides):
    return kernel_of(numbers("sides", *sides) + node("made", "Reshape", "k", "sides"))


EMPTY_FLOATS, NO_BYTES = block(5, b""), block(4, b"")
ODD = {
    "no side, and sides beyond all arrays": constant("k", 0, HUGE, HUGE, content=NO_BYTES),
    "the same, filled": constant("k", 0, HUGE, HUGE, content=EMPTY_FLOATS),
    "a shape of infinity": reshaped(np.inf, 1, 1, 1),
    "a shape of no number": reshaped(np.nan),
    "a shape without a shape": kernel_of(node("made", "Reshape", "k")),
    "squeezing far beyond": squeezed(HUGE),
    "squeezing a tensor": kernel_of(node("made", "Squeeze", "k", squeeze_dims=tensor(4))),
    "an order of infinity": transposed(np.inf, 3, 1, 2),
    "an order of no number": transposed(np.nan, 3, 1, 2),
    "a padding that is a tensor": convolution(padding=tensor(4)),
    "a layout that is a tensor": convolution(data_format=tensor(4)),
    "a layout that is a number": convolution(data_format=number(3, 1)),
    "strides that are a tensor": convolution(strides=tensor(4)),
    "dilations that are a tensor": convolution(dilations=tensor(4)),
    "a block that is a tensor": DOUBLE + node("x", "DepthToSpace", "conv", block_size=tensor(4)),
    "a slope that is a tensor": DOUBLE + node("x", "LeakyRelu", "out", alpha=tensor(4)),
    "a kernel of no channels": IMAGE + const("k", ONES[:, :, :0]) + conv("c", "image", "k"),
    "a long name": DOUBLE + node("x" * 5000, "NoOp"),
}


@pytest.mark.parametrize("name", ODD)
def test_what_no_graph_states_is_an_error_of_srkit_whatever_it_is(name):
    graph = ODD[name] if ODD[name].startswith(IMAGE) else DOUBLE + ODD[name]
    with pytest.raises(SrkitError) as caught:
        understand(parse_graph(graph))
    assert len(str(caught.value)) < 1000


def test_a_constant_that_states_no_numbers_is_nought_as_in_tensorflow():
    graph = parse_graph(constant("k", 2, content=EMPTY_FLOATS))
    np.testing.assert_array_equal(graph.nodes["k"].attributes["value"], np.zeros(2, np.float32))


def test_whatever_a_reader_raises_names_the_file_and_is_an_error_of_srkit(tmp_path, monkeypatch):
    path = tmp_path / "graph.pb"
    path.write_bytes(DOUBLE)

    def fails(graph):
        raise IndexError("index -1 is out of bounds")

    monkeypatch.setattr("srkit.adapters.readers.graphdef.frozen.understand", fails)
    with pytest.raises(CorruptFileError, match=r"graph\.pb: .*IndexError: index -1 is out"):
        open_frozen(path, None, None, "opencv", "torch")


# --- in proportion -----------------------------------------------------------------------------

MANY_INTEGERS = number(7, 1) * 300_000
BOMBS = {
    "a number that fills 128 MB": splat("k", 1.0, 1 << 25),
    "doubles that fill 256 MB": constant("k", 1 << 25, kind=DOUBLES, content=block(6, b"\0" * 8)),
    "integers one by one": constant("k", 300_000, kind=INTEGERS, content=MANY_INTEGERS),
    "a shape of as many sides as a constant has numbers": reshaped(*[1.0] * (1 << 16)),
    "fields beyond number": block(1, number(7, 1) * (MOST_FIELDS + 1)),
    "lists of integers without end": block(1, block(5, block(2, block(1, number(3, 1) * 100_000)))),
}


@pytest.mark.parametrize("name", BOMBS)
def test_little_in_a_file_never_becomes_much(name):
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises((UnsafeFileError, CorruptFileError, WeightsError)):
        understand(parse_graph(IMAGE + BOMBS[name]))
    unit = 1 if sys.platform == "darwin" else 1024
    risen = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit
    assert risen < 128 << 20
    assert time.process_time() - began < 10


def test_a_chain_of_as_many_nodes_as_are_allowed_is_read_in_seconds():
    pytest.importorskip("torch")
    from srkit.adapters.pytorch.graphs.graphdef import rebuild

    links = [f"n{n}" for n in range(MOST_NODES - 10)]
    chain = [const("one", np.ones(1, np.float32)), node("n0", "Add", "image", "one")]
    chain += [node(to, "Mul", at, "one") for at, to in itertools.pairwise(links)]
    data = IMAGE + b"".join(chain)
    began = time.process_time()
    rebuild(understand(parse_graph(data)), links[-1])
    assert time.process_time() - began < 10
