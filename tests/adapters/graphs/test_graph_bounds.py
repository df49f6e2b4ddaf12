"""Bounds of frozen graphs that no damaged file of the other tests comes to."""

import os

import numpy as np
import pytest
from protobuf import FLOAT, IMAGE, ONES, block, const, conv, node, number, shape, shuffle

from srkit import CorruptFileError, SrkitError, UnsafeFileError
from srkit.adapters.readers.graphdef.frozen import contents
from srkit.adapters.readers.graphdef.graph import parse_graph
from srkit.adapters.readers.graphdef.program import understand


def constant(*sides, content=b""):
    return node("k", "Const", value=block(8, number(1, FLOAT) + block(2, shape(*sides)) + content))


CONSTANTS = {
    "nine sides": (constant(*[1] * 9), "8 sides"),
    "a side below -1": (constant(2, -2), r"\(2, -2\)"),
    "an unknown side": (constant(2, -1), r"\(2, -1\)"),
    "more numbers than it has room for": (constant(2, content=block(5, bytes(12))), "3 numbers"),
    "floats as a whole number": (constant(1, content=number(5, 7)), "no floats"),
    "floats that are cut off": (constant(2, content=block(5, bytes(7))), "cut off"),
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_whose_numbers_do_not_fit_are_damage(name):
    data, told = CONSTANTS[name]
    with pytest.raises(CorruptFileError, match=told):
        parse_graph(IMAGE + data)


def test_a_file_larger_than_any_graph_is_not_read(tmp_path):
    path = tmp_path / "a.pb"
    path.write_bytes(IMAGE)
    os.truncate(path, 1 << 40)  # a hole, which takes no place
    with pytest.raises(UnsafeFileError, match="1099511627776 bytes"):
        contents(path)


def test_constants_made_of_constants_are_counted():
    """Each `Neg` makes another of a million numbers, for thirty bytes of the file."""
    data = IMAGE + const("n0", np.zeros((1 << 20, 1), np.float32))
    data += b"".join(node(f"n{n + 1}", "Neg", f"n{n}") for n in range(200))
    data += const("k", ONES) + conv("c", "image", "k") + shuffle("o", "c", 2)
    with pytest.raises(SrkitError, match="out of all proportion"):
        understand(parse_graph(data))
