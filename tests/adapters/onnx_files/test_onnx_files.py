"""ONNX files of others: what is found out of them, and what is refused."""

from contextlib import suppress

import numpy as np
import pytest

ort = pytest.importorskip("onnxruntime", reason="needs pip install 'srkit[onnx]'")
onnx = pytest.importorskip("onnx", reason="needs pip install 'srkit[onnx]'")

from networks import (
    coarse,
    constant,
    doubling,
    kernel,
    model,
    nearest,
    node,
    saved,
    shifted,
)
from onnx import TensorProto, helper

import srkit
from srkit import CorruptFileError, OptionError, UnsafeFileError, WeightsError, testing

RGB = np.random.default_rng(0).random((37, 41, 3), np.float32)


# --- what is found out ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "radius", "multiple"),
    [(doubling(), 2, 1), (doubling(1), 2, 1), (nearest(), 1, 1), (coarse(), 3, 2)],
    ids=["rgb", "luma", "resize", "coarse"],
)
def test_scale_reach_and_multiple(tmp_path, made, radius, multiple):
    path = saved(made, tmp_path / "net.onnx")
    loaded = srkit.load(path)
    assert (loaded.scale, loaded.card.multiple) == (2, multiple)
    assert loaded.radius == radius
    testing.check_upscaler(lambda: srkit.load(path), trained=False)


def test_pixels_are_what_onnx_runtime_makes_of_the_whole_image(tmp_path):
    path = saved(doubling(), tmp_path / "net.onnx")
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (wanted,) = session.run(None, {"x": RGB.transpose(2, 0, 1)[None]})
    got = srkit.load(path).upscale(RGB)
    np.testing.assert_allclose(got, wanted[0].transpose(1, 2, 0).clip(0, 1), atol=1e-5)


def test_channels_decide_about_colour(tmp_path):
    assert srkit.load(saved(doubling(3), tmp_path / "a.onnx")).card.colour == "rgb"
    assert srkit.load(saved(doubling(1), tmp_path / "b.onnx")).card.colour == "luma"


def test_a_network_of_single_tiles_gets_one_at_a_time(tmp_path):
    made = doubling()
    path = saved(made, tmp_path / "many.onnx")
    made.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    single = srkit.load(saved(made, tmp_path / "single.onnx"))
    batch = np.stack([RGB, RGB[::-1], RGB[:, ::-1]])
    np.testing.assert_allclose(single.run(batch), srkit.load(path).run(batch), atol=1e-6)


def test_content_decides_what_a_file_is(tmp_path):
    for name in ("net.bin", "net.pb", "net.pth"):
        assert srkit.load(saved(doubling(), tmp_path / name)).card.framework == "onnx"


def test_another_scale_than_asked_for_is_an_error(tmp_path):
    path = saved(doubling(), tmp_path / "net.onnx")
    assert srkit.load(path, scale=2).scale == 2
    with pytest.raises(OptionError, match="for x2, not x3"):
        srkit.load(path, scale=3)


def test_where_the_reach_is_not_known_halo_is_asked_for(tmp_path):
    path = saved(shifted(), tmp_path / "net.onnx")
    with pytest.raises(OptionError, match=r"Slice .* give halo=, the number of LR pixels"):
        srkit.load(path)
    loaded = srkit.load(path, halo=5)
    assert (loaded.radius, loaded.scale) == (5, 2)
    assert loaded.upscale(RGB).shape == (74, 82, 3)


def test_a_halo_below_the_reach_is_an_error(tmp_path):
    path = saved(doubling(), tmp_path / "net.onnx")
    assert srkit.load(path, halo=7).radius == 7
    with pytest.raises(OptionError, match="sees 2 pixels far"):
        srkit.load(path, halo=1)
    for halo in (-1, 2.5, True, 10**9):
        with pytest.raises(OptionError, match="halo is"):
            srkit.load(path, halo=halo)


def test_devices(tmp_path):
    path = saved(doubling(), tmp_path / "net.onnx")
    srkit.load(path, device="cpu")
    with pytest.raises(OptionError, match="device is 'auto', 'cpu'"):
        srkit.load(path, device="tpu")
    if "CUDAExecutionProvider" not in ort.get_available_providers():
        with pytest.raises(OptionError, match="onnxruntime-gpu"):
            srkit.load(path, device="cuda")


def test_a_missing_onnx_runtime_is_named_with_its_install_line(tmp_path, monkeypatch):
    path = saved(doubling(), tmp_path / "net.onnx")
    monkeypatch.setattr("srkit.extras.find_spec", lambda name: None)
    with pytest.raises(srkit.MissingDependencyError, match=r'pip install "srkit\[onnx\]"'):
        srkit.load(path)


# --- what is refused because it could do harm -----------------------------------------------


def refused(made, tmp_path, match, kind=UnsafeFileError):
    with pytest.raises(kind, match=match):
        srkit.load(saved(made, tmp_path / "net.onnx"), halo=4)


def test_custom_operators_are_refused(tmp_path):
    made = doubling(opsets=[helper.make_opsetid("com.stranger", 1)])
    made.graph.node.insert(0, helper.make_node("Run", ["x"], ["z"], domain="com.stranger"))
    refused(made, tmp_path, "'Run' of 'com.stranger'")


@pytest.mark.parametrize("op", ["ImageDecoder", "RandomNormal", "StringSplit", "NoSuchOperator"])
def test_operators_beyond_the_list_are_refused(tmp_path, op):
    made = doubling()
    made.graph.node.insert(0, helper.make_node(op, ["x"], ["z"]))
    refused(made, tmp_path, f"'{op}' is not on the list")


def test_graphs_within_graphs_and_functions_are_refused(tmp_path):
    inner = helper.make_graph([helper.make_node("Relu", ["x"], ["i"])], "inner", [], [])
    made = doubling()
    made.graph.node.insert(0, helper.make_node("If", ["x"], ["z"], then_branch=inner))
    refused(made, tmp_path, "'If' is not on the list")
    made = doubling()
    made.graph.node[0].attribute.append(helper.make_attribute("body", inner))
    refused(made, tmp_path, "holds a graph of its own")
    made = doubling()
    relu = helper.make_node("Relu", ["a"], ["b"])
    made.functions.append(
        helper.make_function("f", "Conv", ["a"], ["b"], [relu], [helper.make_opsetid("", 17)])
    )
    refused(made, tmp_path, "functions")


def test_constants_that_grow_are_refused_before_they_do(tmp_path):
    nodes = [
        node("ConstantOfShape", "s", "huge"),
        node("ReduceMax", "huge", "m", keepdims=0),
        node("Add", "x m", "y"),
    ]
    made = model(nodes, [constant("s", np.array([1 << 20, 1 << 20], np.int64))])
    refused(made, tmp_path, "out of all proportion")
    made = doubling()
    made.graph.sparse_initializer.add(dims=[1 << 40])
    refused(made, tmp_path, "sparse")


def test_files_out_of_proportion_are_refused_unread(tmp_path, monkeypatch):
    path = saved(doubling(), tmp_path / "net.onnx")
    monkeypatch.setattr("srkit.adapters.onnx.judging.MOST_BYTES", 1000)
    with pytest.raises(UnsafeFileError, match="over 1000 are refused"):
        srkit.load(path)


def test_bytes_that_look_like_onnx_runtimes_own_format_are_read_as_onnx(tmp_path):
    made = doubling(producer_name="ORTM" + "\0" * 40)
    assert made.SerializeToString()[4:8] == b"ORTM"
    assert srkit.load(saved(made, tmp_path / "net.onnx")).scale == 2


# --- what cannot be run -----------------------------------------------------------------------


def test_truncated_and_damaged_files(tmp_path):
    whole = doubling().SerializeToString()
    path = tmp_path / "net.onnx"
    for size in (5, 20, 40, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises((CorruptFileError, WeightsError), match=r"net\.onnx"):
            srkit.load(path)
    rng = np.random.default_rng(0)
    for _ in range(60):
        damaged = np.frombuffer(whole, np.uint8).copy()
        damaged[rng.integers(0, 400, 3)] = rng.integers(0, 256, 3)
        path.write_bytes(damaged.tobytes())
        with suppress(srkit.SrkitError):
            srkit.load(path)


def test_what_is_no_onnx_at_all(tmp_path):
    path = tmp_path / "net.onnx"
    for content in (b"", b"hello, world", bytes(100)):
        path.write_bytes(content)
        with pytest.raises(WeightsError, match="no weights file"):
            srkit.load(path)
    with pytest.raises(WeightsError, match="cannot be read"):
        srkit.load(tmp_path / "nowhere.onnx")


@pytest.mark.parametrize(
    ("sides", "match"),
    [
        (("n", 2, "h", "w"), r"\?x2x\?x\?.*1 channel"),
        (("n", 4, "h", "w"), "1 channel .luma. or 3"),
        (("n", "h", "w", 3), "batch, channels, height, width"),
        ((4, 3, "h", "w"), "4x3"),
        (("n", 3, 1 << 20, 224), "images of up to 4096"),
        ((3, "h", "w"), "only .batch"),
    ],
)
def test_inputs_of_other_forms(tmp_path, sides, match):
    made = model([node("Relu", "x", "y")], sides=sides)
    refused(made, tmp_path, match, WeightsError)


def test_other_networks_than_those_of_images(tmp_path):
    refused(
        model([node("Relu", "x", "y")], kind=TensorProto.FLOAT16), tmp_path, "FLOAT16", WeightsError
    )
    two = doubling()
    two.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [1]))
    refused(two, tmp_path, "2 inputs and 1 outputs", WeightsError)
    grey = model([node("Conv", "x w", "y")], [kernel("w", 1, 3, 1, 1)])
    refused(grey, tmp_path, "whole factor", WeightsError)
    smaller = model([node("Conv", "x w", "y")], [kernel("w", 3, 3, 3, 3)])
    refused(smaller, tmp_path, "whole factor", WeightsError)


def test_graphs_that_make_no_sense(tmp_path):
    for nodes in (
        [node("Relu", "nothing", "y")],
        [node("Conv", "x", "y")],
        [node("Relu", "x", "z")],
        [node("DepthToSpace", "x", "y", blocksize=2)],
    ):
        with pytest.raises((CorruptFileError, WeightsError), match=r"net\.onnx"):
            srkit.load(saved(model(nodes), tmp_path / "net.onnx"), halo=1)


@pytest.mark.parametrize(
    ("key", "value"),
    [("scale", "99"), ("scale", "two"), ("radius", "-1"), ("border", "wild"), ("colour", "luma"),
     ("luma", ""), ("multiple", "0"), ("scale", "3")],
)  # fmt: skip
def test_headers_that_make_no_sense(tmp_path, key, value):
    made = doubling()
    header = {"scale": "2", "colour": "rgb", "border": "zero", "radius": "2", "rim": "0",
              "multiple": "1", "luma": "float"}  # fmt: skip
    helper.set_model_props(made, {f"srkit.{k}": v for k, v in header.items()})
    assert srkit.load(saved(made, tmp_path / "net.onnx")).radius == 2
    helper.set_model_props(made, {f"srkit.{k}": v for k, v in (header | {key: value}).items()})
    with pytest.raises(CorruptFileError, match="its header states"):
        srkit.load(saved(made, tmp_path / "net.onnx"))
