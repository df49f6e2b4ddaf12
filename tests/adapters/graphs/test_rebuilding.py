"""Frozen graphs on torch: what is rebuilt computes what TensorFlow's operations are."""

import os
from pathlib import Path

import numpy as np
import pytest
from protobuf import DOUBLE, IMAGE, const, conv, node, number, shuffle, text
from scipy import ndimage

torch = pytest.importorskip("torch", reason="torch is not installed")

import srkit
from srkit import OptionError
from srkit.adapters.pytorch.graphs.graphdef import rebuild
from srkit.adapters.readers.graphdef.graph import parse_graph
from srkit.adapters.readers.graphdef.program import understand

RNG = np.random.default_rng(0)


def computed(data, image, output=None):
    """What a graph makes of ``(H, W, C)``."""
    program = understand(parse_graph(data))
    net = rebuild(program, program.output(name=output))
    with torch.no_grad():
        made = net(torch.from_numpy(image.transpose(2, 0, 1)[None].copy()))
    return made[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("height", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("width", [1, 2, 3])
def test_convolutions_are_correlations_with_zeros_beyond_the_border(height, width):
    kernel = RNG.standard_normal((height, width, 1, 1)).astype(np.float32)
    image = RNG.random((7, 9, 1), np.float32)
    made = computed(IMAGE + const("k", kernel) + conv("c", "image", "k"), image)
    # SAME: of an odd number of zeros the larger half comes after.
    before = [(n - 1) // 2 for n in (height, width)]
    padded = np.pad(
        image[..., 0], [(b, n - 1 - b) for b, n in zip(before, (height, width), strict=True)]
    )
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width))
    np.testing.assert_allclose(made[..., 0], (windows * kernel[..., 0, 0]).sum((2, 3)), atol=1e-5)


def test_dilated_convolutions():
    kernel = RNG.standard_normal((3, 3, 1, 1)).astype(np.float32)
    image = RNG.random((9, 8, 1), np.float32)
    from protobuf import CONVOLUTION, integers

    attributes = CONVOLUTION | {"dilations": integers(1, 2, 3, 1)}
    data = IMAGE + const("k", kernel) + node("c", "Conv2D", "image", "k", **attributes)
    spread = np.zeros((5, 7))
    spread[::2, ::3] = kernel[..., 0, 0]
    wanted = ndimage.correlate(image[..., 0], spread, mode="constant")
    np.testing.assert_allclose(computed(data, image)[..., 0], wanted, atol=1e-5)


def test_depth_to_space_of_colours_takes_channels_that_run_fastest():
    kernel = RNG.standard_normal((1, 1, 3, 12)).astype(np.float32)
    image = RNG.random((3, 4, 3), np.float32)
    made = computed(
        IMAGE + const("k", kernel) + conv("c", "image", "k") + shuffle("o", "c", 2), image
    )
    deep = image @ kernel[0, 0]
    wanted = deep.reshape(3, 4, 2, 2, 3).transpose(0, 2, 1, 3, 4).reshape(6, 8, 3)
    np.testing.assert_allclose(made, wanted, atol=1e-6)


def test_a_model_of_three_colours(tmp_path):
    """Loads as a model, and pixels of one colour stay at their places."""
    kernel = np.zeros((1, 1, 3, 12), np.float32)
    for phase in range(4):
        kernel[0, 0, :, 3 * phase : 3 * phase + 3] = np.eye(3)
    path = tmp_path / "colour.pb"
    path.write_bytes(IMAGE + const("k", kernel) + conv("c", "image", "k") + shuffle("o", "c", 2))
    model = srkit.load(path, device="cpu")
    assert (model.card.colour, model.scale, model.radius) == ("rgb", 2, 0)
    photo = RNG.integers(0, 256, (6, 7, 3), np.uint8)
    np.testing.assert_array_equal(model.upscale(photo), photo.repeat(2, 0).repeat(2, 1))


def test_prelu_as_keras_spells_it():
    """relu(x) + (-a) * relu(-x): the slopes' sign is changed within the graph."""
    slope = np.array([0.25, 0.5], np.float32)
    data = IMAGE + const("a", slope) + node("minus", "Neg", "a") + node("p", "Relu", "image")
    data += const("k", np.array([[[[1, -1]]]], np.float32)) + conv("c", "image", "k")
    data = data.replace(node("p", "Relu", "image"), node("p", "Relu", "c"))
    data += node("neg", "Neg", "c") + node("below", "Relu", "neg")
    data += node("scaled", "Mul", "minus", "below") + node("both", "Add", "p", "scaled")
    data += const("e", np.ones((1, 1, 2, 4), np.float32)) + conv("w", "both", "e")
    image = RNG.standard_normal((3, 4, 1)).astype(np.float32)
    both = np.concatenate([image, -image], axis=2)
    wanted = np.where(both > 0, both, slope * both).sum(axis=2)
    made = computed(data + shuffle("o", "w", 2), image)
    np.testing.assert_allclose(made[..., 0], wanted.repeat(2, 0).repeat(2, 1), atol=1e-6)


def test_prelu_as_the_published_graphs_spell_it():
    alpha = np.array([0.25], np.float32)
    data = (
        IMAGE
        + const("alpha", alpha)
        + const("half", np.array(0.5, np.float32))
        + const("one", np.full((1, 1, 1, 1), 1, np.float32))
        + const("shift", np.array([-0.5], np.float32))
        + conv("c", "image", "one")
        + node("x", "BiasAdd", "c", "shift")
        + node("abs", "Abs", "x")
        + node("sub", "Sub", "x", "abs")
        + node("mul", "Mul", "alpha", "sub")
        + node("halved", "Mul", "mul", "half")
        + node("relu", "Relu", "x")
        + node("out", "Add", "relu", "halved")
    )
    image = RNG.random((4, 5, 1), np.float32)
    x = image - 0.5
    np.testing.assert_allclose(computed(data, image), np.where(x > 0, x, x / 4), atol=1e-6)


def test_constants_that_keras_reshapes_are_constants():
    data = (
        IMAGE
        + const("bias", np.array([0.25], np.float32))
        + const("shape", np.array([1, 1, 1, 1], np.int32))
        + node("reshaped", "Reshape", "bias", "shape")
        + const("k", np.full((1, 1, 1, 1), 2, np.float32))
        + node("kept", "Identity", "k")
        + conv("c", "image", "kept")
        + node("sum", "AddV2", "c", "reshaped")
        + node("nothing", "NoOp")
        + node("out", "Identity", "sum", "^nothing")
    )
    image = RNG.random((4, 5, 1), np.float32)
    np.testing.assert_allclose(computed(data, image), 2 * image + 0.25, atol=1e-6)


def test_constants_of_planes_that_come_first():
    """A vector adds along the width there, unless it is a bias of that layout."""
    kernel = const("k", RNG.standard_normal((1, 1, 1, 4)).astype(np.float32))
    turned = IMAGE + kernel + conv("c", "image", "k") + const("p", np.array([0, 3, 1, 2], np.int32))
    turned += node("t", "Transpose", "c", "p")
    shift = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    nchw = {"block_size": number(3, 2), "data_format": text("NCHW")}
    tail = node("o", "DepthToSpace", "b", **nchw)
    with pytest.raises(srkit.WeightsError, match="no number a channel"):
        computed(turned + const("v", shift) + node("b", "Add", "t", "v") + tail, np.ones((4, 4, 1)))
    image = RNG.random((3, 5, 1), np.float32)
    layout = {"data_format": text("NCHW")}
    bias = const("v", shift) + node("b", "BiasAdd", "t", "v", **layout)
    column = const("v", shift.reshape(1, 4, 1, 1)) + node("b", "Add", "t", "v")
    plain = IMAGE + kernel + conv("c", "image", "k") + const("v", shift)
    wanted = computed(plain + node("b", "Add", "c", "v") + shuffle("o", "b", 2), image)
    for added in (bias, column):
        np.testing.assert_allclose(computed(turned + added + tail, image), wanted, atol=1e-6)


def test_a_change_of_layout_changes_no_pixel():
    turned = DOUBLE + const("order", np.array([0, 3, 1, 2], np.int32))
    turned += node("nchw", "Transpose", "out", "order")
    image = RNG.random((4, 5, 1), np.float32)
    np.testing.assert_array_equal(computed(turned, image), image.repeat(2, 0).repeat(2, 1))


# --- as a model -------------------------------------------------------------------------------


@pytest.fixture
def double(tmp_path):
    path = tmp_path / "double.pb"
    path.write_bytes(DOUBLE)
    return path


def test_a_graph_loads_by_its_path(double):
    model = srkit.load(double, device="cpu")
    assert (model.scale, model.radius, model.card.colour, model.card.border) == (
        2,
        0,
        "luma",
        "zero",
    )
    grey = RNG.integers(0, 256, (5, 6), np.uint8)
    np.testing.assert_array_equal(model.upscale(grey), grey.repeat(2, 0).repeat(2, 1))
    with pytest.raises(OptionError, match="no output for x3"):
        srkit.load(double, scale=3)
    with pytest.raises(OptionError, match="'opencv' or 'float'"):
        srkit.load(double, color="rgb")
    with pytest.raises(OptionError, match="runtime is one of 'auto', 'torch', 'tensorflow'"):
        srkit.load(double, runtime="theano")


def test_colour_is_opencvs_by_default_and_srkits_on_request(double):
    image = np.zeros((4, 4, 3), np.uint8)
    image[:, 2:] = (200, 40, 90)
    opencv, ours = (
        srkit.load(double, device="cpu", color=c).upscale(image) for c in ("opencv", "float")
    )
    # Even areas far from the edge are themselves, within the rounding of YCrCb.
    for made in (opencv, ours):
        assert np.abs(made[:, :2].astype(int)).max() <= 2
        assert np.abs(made[:, -2:].astype(int) - (200, 40, 90)).max() <= 2
    # At the edge, bilinear and bicubic chroma part.
    assert not np.array_equal(opencv, ours)
    deep = srkit.load(double, device="cpu").upscale(image / 255)
    assert np.abs(deep - opencv / 255).max() < 3 / 255


def test_unknown_layouts_are_said_by_name(tmp_path):
    path = tmp_path / "odd.pb"
    path.write_bytes(DOUBLE.replace(text("NHWC"), text("NCHW")))
    with pytest.raises(srkit.WeightsError, match=r"odd\.pb: node 'conv' \(Conv2D\): it takes NCHW"):
        srkit.load(path)


@pytest.mark.parametrize(("scale", "psnr"), [(2, 34.79), (3, 30.53), (4, 28.38)])
def test_published_espcn_scores_what_it_is_known_to_score(scale, psnr):
    if "SRKIT_DATA" not in os.environ:
        pytest.skip("SRKIT_DATA is not set: it names the folder of real graphs")
    data = Path(os.environ["SRKIT_DATA"])
    model = srkit.load(data / "tf_graphs" / f"ESPCN_x{scale}.pb", color="float", device="cpu")
    made = srkit.evaluate(model, data / "bench" / "Set5", scale=scale)
    # 8-bit RGB LR, full-range luma into the network; trained on aliased LR. The figures are
    # of luma itself, which here goes through RGB of 8 bits.
    assert made.mean.psnr == pytest.approx(psnr, abs=0.06)
