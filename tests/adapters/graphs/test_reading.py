"""Frozen graphs are read without TensorFlow, and refused where they are not understood."""

import contextlib
import os
from pathlib import Path

import numpy as np
import pytest
from protobuf import (
    CONVOLUTION,
    DOUBLE,
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
    text,
)

from srkit import CorruptFileError, OptionError, SrkitError, UnsafeFileError, WeightsError
from srkit.adapters.readers.graphdef.frozen import open_frozen
from srkit.adapters.readers.graphdef.graph import MOST_NUMBERS, parse_graph, read_graph
from srkit.adapters.readers.graphdef.program import understand

FUNCTION = block(2, block(1, block(1, block(1, "hidden"))))


def test_nodes_and_constants_are_read_as_they_were_written():
    kernel = np.arange(12, dtype=np.float32).reshape(1, 3, 1, 4)
    graph = parse_graph(IMAGE + const("kernel", kernel) + conv("conv", "image", "kernel"))
    assert list(graph.nodes) == ["image", "kernel", "conv"]
    np.testing.assert_array_equal(graph.nodes["kernel"].attributes["value"], kernel)
    assert graph.nodes["conv"].inputs == ("image", "kernel")
    assert graph.nodes["conv"].attributes["strides"] == (1, 1, 1, 1)
    assert graph.nodes["conv"].attributes["padding"] == "SAME"


def test_a_constant_of_one_number_is_filled_with_it():
    value = parse_graph(splat("a", 2.5, 2, 3)).nodes["a"].attributes["value"]
    np.testing.assert_array_equal(value, np.full((2, 3), 2.5, np.float32))


def test_input_output_scale_and_reach_follow_from_the_graph():
    wide = np.zeros((5, 3, 1, 4), np.float32)
    program = understand(
        parse_graph(
            IMAGE
            + const("a", wide)
            + const("b", np.zeros((3, 3, 1, 9), np.float32))
            + conv("one", "image", "a")
            + shuffle("two", "one", 2)
            + conv("three", "two", "b")
            + shuffle("six", "three", 3)
        )
    )
    assert (program.input, program.outputs, program.channels) == ("image", ("six",), 1)
    assert program.planes["six"].scale == 6
    # Two pixels, and one at twice the resolution.
    assert program.planes["six"].reach == 2.5


# --- hostile -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "hostile",
    [
        DOUBLE + node("evil", "WriteFile", "name", "text"),
        IMAGE + node("evil", "WriteFile") + node("out", "Relu", "image", "^evil"),
        DOUBLE + node("evil", "ReadFile"),
        DOUBLE + node("evil", "PyFunc"),
        DOUBLE + node("evil", "PartitionedCall", f=block(10, block(1, "hidden"))),
        DOUBLE + FUNCTION,
        DOUBLE + node("kernel2", "Const", value=block(10, block(1, "hidden"))),
        DOUBLE + node("list", "Const", value=block(1, block(9, block(1, "hidden")))),
        DOUBLE + node("out2", "Save", "out"),
        DOUBLE + node("relu", "relu", "out"),
    ],
    ids=range(10),
)
def test_whatever_could_act_is_refused_wherever_it_stands(hostile, tmp_path):
    path = tmp_path / "graph.pb"
    path.write_bytes(hostile)
    with pytest.raises(UnsafeFileError, match=r"graph\.pb"):
        open_frozen(path, None, None, "opencv", "torch")


def test_a_constant_out_of_proportion_is_refused_before_it_is_made():
    for sides in ((1 << 40,), (MOST_NUMBERS + 1,), (1 << 13, 1 << 14)):
        with pytest.raises(UnsafeFileError, match="out of all proportion"):
            parse_graph(splat("bomb", 1.0, *sides))
    halves = splat("a", 1.0, MOST_NUMBERS // 2) + splat("b", 1.0, MOST_NUMBERS // 2 + 1)
    with pytest.raises(UnsafeFileError, match="out of all proportion"):
        parse_graph(halves)


def test_constants_made_of_constants_are_counted_too():
    bomb = IMAGE + splat("a", 1.0, MOST_NUMBERS // 4)
    bomb += b"".join(node(f"n{k}", "Neg", "a") for k in range(5))
    with pytest.raises(UnsafeFileError, match="out of all proportion"):
        understand(parse_graph(bomb))


def test_copies_of_a_constant_are_counted_by_the_layers_that_hold_them():
    side = 1 << 9
    wide = splat("k", 1.0, 1, 1, side, side)
    first = const("f", np.zeros((1, 1, 1, side), np.float32))
    layers = [conv("c0", "image", "f")]
    layers += [conv(f"c{n + 1}", f"c{n}", "k") for n in range(MOST_NUMBERS // side**2 + 1)]
    with pytest.raises(UnsafeFileError, match="layers hold numbers out of all proportion"):
        understand(parse_graph(IMAGE + wide + first + b"".join(layers)))


def test_long_lists_of_integers_are_refused_undecoded():
    long = block(1, block(3, b"\x01" * 100_000))
    with pytest.raises(UnsafeFileError, match="out of all proportion"):
        parse_graph(node("a", "Relu", strides=long))


def test_many_needs_are_followed_once():
    """Two nodes that need each of many: their order is found in one walk."""
    many = [f"n{k}" for k in range(3000)]
    wide = b"".join(node(name, "NoOp") for name in many)
    first = node("first", "NoOp", *(f"^{name}" for name in many))
    second = node("second", "NoOp", "^first", *(f"^{name}" for name in reversed(many)))
    assert understand(parse_graph(second + first + wide + DOUBLE)).outputs == ("out",)


# --- operations are what they should be --------------------------------------------------------

SLOPE = {"alpha": text("steep")}
THREE = const("c", np.ones(3, np.float32))
ROW = const("c", np.ones((1, 2, 1), np.float32))
NOTHING = const("c", np.ones((0, 0, 1, 4), np.float32))
ODD = {
    "an input that makes nothing": node("n", "NoOp") + node("o", "Add", "out", "n"),
    "an image where a constant should be": const("c", ONES) + node("o", "Identity", "c", "out"),
    "a shuffle of a constant": const("c", ONES) + shuffle("o", "c", 2),
    "two inputs where there is one": node("o", "Relu", "out", "out"),
    "one input where there are two": node("o", "Add", "out"),
    "three inputs": node("o", "Add", "out", "out", "out"),
    "as many numbers as no channels": const("c", np.ones(3, np.float32))
    + node("o", "Add", "out", "c"),
    "numbers along the width": const("c", np.ones((1, 2, 1), np.float32))
    + node("o", "Mul", "out", "c"),
    "a slope that is a text": node("o", "LeakyRelu", "out", **SLOPE),
    "a kernel of no pixels": const("c", np.ones((0, 0, 1, 4), np.float32))
    + conv("o", "image", "c"),
    "too many channels": splat("c", 1.0, 1, 1, 1, 1 << 13) + conv("o", "image", "c"),
}


@pytest.mark.parametrize("name", ODD)
def test_operations_with_odd_inputs_are_refused_by_name(name):
    with pytest.raises((CorruptFileError, WeightsError), match="node 'o'"):
        understand(parse_graph(DOUBLE + ODD[name]))


@pytest.mark.parametrize("dilations", [(1, 0, 0, 1), (1, -2, -2, 1), (1, 1 << 20, 1, 1), (2, 2)])
def test_dilations_that_are_none_are_refused(dilations):
    kernel = const("k", np.ones((3, 3, 1, 4), np.float32))
    options = {**CONVOLUTION, "dilations": integers(*dilations)}
    wide = node("c", "Conv2D", "image", "k", **options)
    with pytest.raises(WeightsError, match="its dilations are"):
        understand(parse_graph(IMAGE + kernel + wide + shuffle("o", "c", 2)))


def test_even_kernels_are_not_dilated():
    kernel = const("k", np.ones((2, 2, 1, 4), np.float32))
    wide = node("c", "Conv2D", "image", "k", **{**CONVOLUTION, "dilations": integers(1, 2, 2, 1)})
    with pytest.raises(WeightsError, match="kernel of even size"):
        understand(parse_graph(IMAGE + kernel + wide + shuffle("o", "c", 2)))


# --- damaged -----------------------------------------------------------------------------------


def test_every_truncation_is_an_error_or_a_smaller_graph():
    for length in range(len(DOUBLE)):
        try:
            understand(parse_graph(DOUBLE[:length]))
        except SrkitError:
            continue
        pytest.fail(f"the first {length} bytes were taken for a whole graph")


@pytest.mark.parametrize("seed", range(40))
def test_random_and_altered_bytes_raise_nothing_else(seed):
    rng = np.random.default_rng(seed)
    for _ in range(50):
        data = bytearray(DOUBLE)
        for place in rng.integers(len(data), size=int(rng.integers(1, 6))):
            data[place] = rng.integers(256)
        for candidate in (bytes(data), rng.bytes(int(rng.integers(1, 200)))):
            # Whatever else it raised would end the test.
            with contextlib.suppress(SrkitError):
                assert understand(parse_graph(candidate)).outputs


@pytest.mark.parametrize(
    ("graph", "error", "told"),
    [
        (b"", CorruptFileError, "no nodes"),
        (number(1, 1) + block(2, b"meta"), WeightsError, "SavedModel"),
        (const("a", ONES) + node("b", "Relu", "a"), WeightsError, "has none"),
        (DOUBLE + node("more", "Placeholder"), WeightsError, "image, more"),
        (IMAGE + conv("conv", "image", "gone"), CorruptFileError, "'gone', which is not there"),
        (IMAGE + node("a", "Relu", "b") + node("b", "Relu", "a"), CorruptFileError, "own result"),
        (IMAGE + IMAGE, CorruptFileError, "two nodes are named 'image'"),
        (IMAGE + node("a", "Relu", "image:1"), WeightsError, "output 1 of image"),
        (IMAGE + const("k", ONES) + node("c", "Conv2D", "image", "k"), WeightsError, "padding"),
        (IMAGE + shuffle("a", "image", 2), WeightsError, "blocks of 2x2"),
        (DOUBLE.replace(b"SAME", b"SOME"), WeightsError, "SOME"),
        (block(9, b"x"), CorruptFileError, "a field 9"),
        (node("a", "Const", value=block(8, number(1, 7))), WeightsError, "'a' holds no numbers"),
        (
            node("a", "Const", value=block(8, number(1, 1) + block(2, shape(2)) + block(4, b"xy"))),
            CorruptFileError,
            "has 2 bytes",
        ),
    ],
)
def test_what_is_wrong_is_said(graph, error, told):
    with pytest.raises(error, match=told):
        understand(parse_graph(graph))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(WeightsError, match="cannot be read"):
        read_graph(tmp_path / "gone.pb")


# --- the graphs that people use ------------------------------------------------------------


def graphs() -> Path:
    if "SRKIT_DATA" not in os.environ:
        pytest.skip("SRKIT_DATA is not set: it names the folder of real graphs")
    return Path(os.environ["SRKIT_DATA"]) / "tf_graphs"


@pytest.mark.parametrize(
    ("name", "scale"),
    [
        *((name, s) for name in ("ESPCN", "FSRCNN", "FSRCNN-small") for s in (2, 3, 4)),
        *(("LapSRN", s) for s in (2, 4)),
    ],
)
def test_published_graphs_are_understood(name, scale):
    path = graphs() / f"{name}_x{scale}.pb"
    program = understand(read_graph(path))
    assert program.input == "IteratorGetNext"
    assert program.planes[program.output(scale)].scale == scale
    # By their kernels: 5+3+3; 5+1+3x4+1+1 and 5+1+3+1+1, whose halves add up.
    reach = {"ESPCN": 4, "FSRCNN": 6, "FSRCNN-small": 3, "LapSRN": 18 if scale == 4 else 12}
    assert program.planes[program.output()].reach == reach[name]


def test_a_graph_of_several_outputs_offers_each_scale():
    program = understand(read_graph(graphs() / "LapSRN_x8.pb"))
    assert [program.planes[program.output(scale)].scale for scale in (2, 4, 8)] == [2, 4, 8]
    assert program.output(name="NCHW_output_2x") == "NCHW_output_2x"
    with pytest.raises(OptionError, match=r"no output for x3; .*NCHW_output_4x \(x4\)"):
        program.output(3)
