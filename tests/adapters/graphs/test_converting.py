"""Frozen graphs as safetensors files."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from protobuf import DOUBLE, IMAGE, const, conv, node, shuffle, splat

torch = pytest.importorskip("torch", reason="torch is not installed")

from safetensors import safe_open
from safetensors.numpy import load_file, save_file

import srkit
from srkit import CorruptFileError, OptionError, UnsafeFileError, WeightsError
from srkit.cli import main

RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 256, (9, 11, 3), np.uint8)


@pytest.fixture
def double(tmp_path):
    path = tmp_path / "double.pb"
    path.write_bytes(DOUBLE + const("unused", np.ones(3, np.float32)))
    return path


def header(path):
    with safe_open(path, framework="np") as file:
        return file.metadata()


def altered(path, **changes):
    """The same file with other entries in its header."""
    save_file(load_file(path), path, header(path) | changes)
    return path


def operations(path, change):
    """The same file with other operations."""
    listed = json.loads(header(path)["graph"])
    change(listed)
    return altered(path, graph=json.dumps(listed))


def test_tensors_keep_their_names_and_the_header_says_what_they_are_of(double, tmp_path):
    made = srkit.convert(double, tmp_path / "double.safetensors")
    assert list(load_file(made)) == ["kernel"]
    found = header(made)
    assert (found["architecture"], found["colour"]) == ("frozen graph", "luma")
    assert found["made_from"].startswith("double.pb, SHA-256 ")
    assert [entry["op"] for entry in json.loads(found["graph"])] == [
        "Placeholder",
        "Conv2D",
        "DepthToSpace",
    ]
    # No TensorFlow is needed, and the pixels are the graph's.
    model = srkit.load(made, device="cpu")
    np.testing.assert_array_equal(
        model.upscale(PHOTO), srkit.load(double, device="cpu").upscale(PHOTO)
    )
    assert model.scale == 2


@pytest.mark.skipif(
    "SRKIT_DATA" not in os.environ, reason="SRKIT_DATA names the folder of real graphs"
)
@pytest.mark.parametrize("name", ["ESPCN_x3", "FSRCNN_x2", "FSRCNN-small_x4", "LapSRN_x8"])
def test_published_graphs_are_the_same_after_conversion(name, tmp_path):
    source = Path(os.environ["SRKIT_DATA"]) / "tf_graphs" / f"{name}.pb"
    made = srkit.convert(source, tmp_path / "made.safetensors")
    for options in ({}, {"color": "float"}) + (({"scale": 4},) if name == "LapSRN_x8" else ()):
        before, after = (srkit.load(path, device="cpu", **options) for path in (source, made))
        np.testing.assert_array_equal(before.upscale(PHOTO), after.upscale(PHOTO))
        assert before.scale == after.scale


def test_the_command(double, tmp_path, capsys):
    target = tmp_path / "double.safetensors"
    assert main(["convert", str(double), str(target)]) == 0
    assert capsys.readouterr().out.strip() == str(target)
    assert srkit.load(target).scale == 2


def test_a_graph_that_is_refused_leaves_no_file(tmp_path):
    path = tmp_path / "evil.pb"
    path.write_bytes(DOUBLE + node("evil", "WriteFile"))
    with pytest.raises(UnsafeFileError, match="WriteFile"):
        srkit.convert(path, tmp_path / "evil.safetensors")
    path.write_bytes(DOUBLE)
    with pytest.raises(OptionError, match="no output for x3"):
        srkit.convert(path, tmp_path / "evil.safetensors", scale=3)
    with pytest.raises(OptionError, match="cannot become"):
        srkit.convert(path, tmp_path / "evil.pb")
    assert sorted(tmp_path.iterdir()) == [path]


def entry(name="a", **changes):
    return json.dumps([{"name": name, "op": "Relu", "inputs": [], "attributes": {}} | changes])


BROKEN = {
    "nothing": "",
    "no list": "{}",
    "a list of numbers": "[1]",
    "a node without operation": '[{"name": "a"}]',
    "a name that is no text": entry(1),
    "an input that is no text": entry(inputs=[2]),
    "an attribute of attributes": entry(attributes={"x": {}}),
    "two of one name": entry("kernel"),
    "deep": "[" * 100_000,
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN.keys())
def test_headers_that_hold_no_operations(double, tmp_path, text):
    path = altered(srkit.convert(double, tmp_path / "a.safetensors"), graph=text)
    with pytest.raises(CorruptFileError, match="no list of operations"):
        srkit.load(path)


def test_a_header_is_judged_as_a_graph_is(double, tmp_path):
    path = srkit.convert(double, tmp_path / "a.safetensors")
    evil = {"name": "evil", "op": "WriteFile", "inputs": [], "attributes": {}}
    operations(path, lambda listed: listed.append(evil))
    with pytest.raises(UnsafeFileError, match=r"a\.safetensors: node 'evil'"):
        srkit.load(path)


def test_tensors_that_do_not_fit_their_graph(double, tmp_path):
    path = srkit.convert(double, tmp_path / "a.safetensors")
    save_file({"kernel": np.ones((1, 1, 2, 4), np.float32)}, path, header(path))
    with pytest.raises(WeightsError):
        srkit.load(path)
    save_file({"other": np.ones((1, 1, 1, 4), np.float32)}, path, header(path))
    with pytest.raises(CorruptFileError, match="'kernel', which is not there"):
        srkit.load(path)


def test_options_of_graphs_are_for_graphs_alone():
    packaged = Path(srkit.__file__).parent / "pretrained" / "espcn_x2.safetensors"
    with pytest.raises(OptionError, match="holds ESPCN, which has no option color"):
        srkit.load(packaged, color="opencv")


def test_constants_of_graphs_count_once(tmp_path):
    """What only fills or reshapes is stored as what it makes."""
    path = tmp_path / "splat.pb"
    path.write_bytes(IMAGE + splat("k", 1.0, 1, 1, 1, 4) + conv("c", "image", "k")
                     + shuffle("o", "c", 2))  # fmt: skip
    made = srkit.convert(path, tmp_path / "splat.safetensors")
    np.testing.assert_array_equal(load_file(made)["k"], np.ones((1, 1, 1, 4)))
