"""What each layer computes, by hand and by torch's own functions."""

import numpy as np
import pytest
from ncnn_pairs import one

torch = pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")

from ncnn_pairs import (
    Pair,
    floats,
    judged,
    normal,
    tagged,
)
from torch.nn import functional

from srkit.adapters.pytorch.graphs.rebuilding import rebuild

X = torch.rand(2, 3, 9, 8, generator=torch.Generator().manual_seed(0)) - 0.4


def made(pair, image=X):
    with torch.inference_mode():
        return rebuild(judged(pair))(image)


def kernel(*shape):
    return torch.from_numpy(normal(*shape))


# --- layer by layer -----------------------------------------------------------------------------

POINTWISE = {
    "relu": (one("ReLU"), X.clamp(min=0)),
    "leaky": (one("ReLU", "0=0.25"), torch.where(X < 0, X / 4, X)),
    "sigmoid": (one("Sigmoid"), 1 / (1 + (-X).exp())),
    "swish": (one("Swish"), X / (1 + (-X).exp())),
    "prelu": (
        one("PReLU", "0=3", floats([0.5, 0, -1])),
        torch.where(X < 0, X * torch.tensor([0.5, 0, -1]).view(3, 1, 1), X),
    ),
    "one slope": (one("PReLU", "0=1", floats([0.5])), torch.where(X < 0, X / 2, X)),
    "scale": (
        one("Scale", "0=3 1=1", floats([1, 2, 3, 4, 5, 6])),
        X * torch.tensor([1.0, 2, 3]).view(3, 1, 1) + torch.tensor([4.0, 5, 6]).view(3, 1, 1),
    ),
    "square": (one("UnaryOp", "0=4"), X * X),
    "negative": (one("UnaryOp", "0=1"), -X),
    "tanh": (one("UnaryOp", "0=16"), X.tanh()),
    "number minus": (one("BinaryOp", "0=7 1=1 2=2.0"), 2 - X),
    "minus a number": (one("BinaryOp", "0=1 1=1 2=2.0"), X - 2),
    "number through": (one("BinaryOp", "0=8 1=1 2=2.0"), 2 / X),
    "power of": (one("BinaryOp", "0=9 1=1 2=2.0"), 2**X),
    "at least": (one("BinaryOp", "0=4 1=1 2=0.1"), X.clamp(min=0.1)),
    "at most": (one("BinaryOp", "0=5 1=1 2=0.1"), X.clamp(max=0.1)),
}


@pytest.mark.parametrize("name", POINTWISE)
def test_a_pointwise_layer(name):
    pair, wanted = POINTWISE[name]
    torch.testing.assert_close(made(pair), wanted)


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ("9=1", lambda x: x.clamp(min=0)),
        ("9=2 -23310=1,0.1", lambda x: torch.where(x < 0, 0.1 * x, x)),
        ("9=3 -23310=2,-0.1,0.2", lambda x: x.clamp(-0.1, 0.2)),
        ("9=4", lambda x: 1 / (1 + (-x).exp())),
        ("9=5", lambda x: x * (x.exp() + 1).log().tanh()),
        ("9=6 -23310=2,0.2,0.5", lambda x: x * (0.2 * x + 0.5).clamp(0, 1)),
    ],
)
def test_a_convolution_carries_its_activation(keys, wanted):
    weight, bias = normal(4, 3, 3, 3) * 4, normal(4)
    given = functional.conv2d(X, torch.from_numpy(weight), torch.from_numpy(bias), padding=1)
    got = made(Pair().conv("in", "out", weight, bias, f"4=1 {keys}"))
    torch.testing.assert_close(got, wanted(given), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("keys", "sides", "options"),
    [
        ("4=1", (1, 1, 1, 1), {}),
        ("4=1 14=2", (1, 1, 2, 2), {}),
        ("4=1 14=2 15=0 16=3", (1, 0, 2, 3), {}),
        ("4=-233", (1, 1, 1, 1), {}),
        ("2=2 12=1 4=2 14=1", (2, 2, 1, 1), {"dilation": (1, 2)}),
        ("3=2 13=1 4=1", (1, 1, 1, 1), {"stride": (1, 2)}),
    ],
)
def test_a_convolution_pads_dilates_and_strides(keys, sides, options):
    weight = normal(4, 3, 3, 3)
    wanted = functional.conv2d(functional.pad(X, sides), torch.from_numpy(weight), **options)
    torch.testing.assert_close(made(Pair().conv("in", "out", weight, None, keys)), wanted)


@pytest.mark.parametrize(("keys", "sides"), [("4=-233", (1, 2, 0, 1)), ("4=-234", (2, 1, 1, 0))])
def test_padding_that_keeps_the_size_puts_what_is_odd_on_one_side(keys, sides):
    weight = normal(4, 3, 2, 4)
    wanted = functional.conv2d(functional.pad(X, sides), torch.from_numpy(weight))
    torch.testing.assert_close(made(Pair().conv("in", "out", weight, None, keys)), wanted)


def test_a_convolution_pads_with_a_number():
    weight = normal(4, 3, 3, 3)
    wanted = functional.conv2d(functional.pad(X, (1, 1, 1, 1), value=0.5), torch.from_numpy(weight))
    torch.testing.assert_close(made(Pair().conv("in", "out", weight, None, "4=1 18=0.5")), wanted)


def test_a_convolution_in_groups():
    weight = normal(6, 1, 3, 3)
    pair = Pair().conv("in", "out", weight, None, "7=3", kind="ConvolutionDepthWise")
    torch.testing.assert_close(made(pair), functional.conv2d(X, torch.from_numpy(weight), groups=3))


@pytest.mark.parametrize(
    ("keys", "options", "cut"),
    [
        ("3=2", {"stride": 2}, (0, 0, 0, 0)),
        ("3=2 4=1", {"stride": 2, "padding": 1}, (0, 0, 0, 0)),
        ("3=2 13=3 4=1 14=0", {"stride": (3, 2), "padding": (0, 1)}, (0, 0, 0, 0)),
        ("3=2 4=1 18=1", {"stride": 2, "padding": 1, "output_padding": 1}, (0, 0, 0, 0)),
        ("3=2 4=1 15=2 14=0 16=3", {"stride": 2}, (1, 2, 0, 3)),
        ("2=2", {"dilation": 2}, (0, 0, 0, 0)),
    ],
)
def test_a_deconvolution_stores_outputs_first(keys, options, cut):
    weight = normal(2, 3, 4, 4)
    stated = f"0=2 1=4 5=1 6=96 {keys}"
    pair = one("Deconvolution", stated, tagged(weight) + floats([1, 2]))
    theirs = torch.from_numpy(weight).transpose(0, 1)
    wanted = functional.conv_transpose2d(X, theirs, torch.tensor([1.0, 2]), **options)
    wanted = functional.pad(wanted, [-n for n in cut])
    torch.testing.assert_close(made(pair), wanted)


def test_nearest_interpolation_takes_the_pixel_before():
    # Of 2 x 3 pixels at 1.5 times, by hand: floor(n / 1.5) is 0, 0, 1 and then 2, 2, 3.
    line = torch.arange(8.0).expand(1, 3, 8, 8)
    wanted = torch.tensor([0.0, 0, 1, 2, 2, 3, 4, 4, 5, 6, 6, 7]).expand(1, 3, 12, 12)
    assert torch.equal(made(one("Interp", "0=1 1=1.5 2=1.5"), line), wanted)
    assert torch.equal(made(one("Interp", "0=1 1=0.5 2=0.5"), line)[0, 0, 0], line[0, 0, 0, ::2])
    assert torch.equal(
        made(one("Interp", "0=1 1=2.0 2=2.0")), X.repeat_interleave(2, 2).repeat_interleave(2, 3)
    )


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("up", "down"), [(2, 1), (3, 1), (1, 2), (3, 4), (3, 2), (2, 3), (1, 4)])
def test_interpolation_is_that_of_torch_without_antialiasing(mode, up, down):
    # In double precision, where torch does not round positions much.
    image = torch.rand(1, 3, 24, 36, dtype=torch.double)
    number = {"bilinear": 2, "bicubic": 3}[mode]
    factor = f"{up / down:.7g}" if up % down else f"{up // down}.0"
    net = rebuild(judged(one("Interp", f"0={number} 1={factor} 2={factor}"))).double()
    size = (24 * up // down, 36 * up // down)
    wanted = functional.interpolate(image, size, mode=mode, align_corners=False)
    torch.testing.assert_close(net(image), wanted, rtol=0, atol=1e-6)


def test_pixel_shuffle_in_both_orders():
    for keys, wanted in (("0=2", [[0, 1], [2, 3]]), ("0=2 1=1", [[0, 2], [4, 6]])):
        # Channels 0 to 7 are their numbers.
        pair = Pair().conv("in", "c", np.zeros((8, 3, 1, 1)), np.arange(8))
        got = made(pair.add("PixelShuffle", "c", "out", keys), torch.zeros(1, 3, 1, 1))
        assert torch.equal(got[0, 0], torch.tensor(wanted).float())


ALL = slice(None)
REST = "3=-233 4=-233"
CROPS = {
    "slices": ("-23309=2,1,2 -23310=2,-2,-3 -23311=2,1,2", (ALL, slice(1, -2), slice(2, -3))),
    "axes": ("-23309=2,1,2 -23310=2,-2,-233 -23311=2,-2,-1", (ALL, slice(1, -2), slice(2, None))),
    "channels": ("-23309=1,-2 -23310=1,-233 -23311=1,0", (slice(1, 3),)),
    "no axes": ("-23309=3,1,1,0 -23310=3,3,-1,-1", (slice(1, 3), slice(1, -1), slice(0, -1))),
    "new arrays": ("9=1,2 10=-2,-3 11=1,2", (ALL, slice(1, -2), slice(2, -3))),
    "offsets": (f"0=2 1=1 5=-233 {REST}", (ALL, slice(1, None), slice(2, None))),
    "both offsets": (f"0=2 1=1 6=3 7=1 5=-233 {REST}", (ALL, slice(1, -1), slice(2, -3))),
    "some channels": (f"2=1 5=1 {REST}", (slice(1, 2),)),
}


@pytest.mark.parametrize("name", CROPS)
def test_a_crop_says_what_is_left_in_several_ways(name):
    keys, left = CROPS[name]
    assert torch.equal(made(one("Crop", keys)), X[:, *left])


def test_a_crop_to_the_size_of_another():
    pair = Pair().add("Split", "in", "a b").conv("a", "c", normal(3, 3, 3, 5))
    pair.add("Split", "c", "d e").add("Crop", "b d", "f", "0=3 1=1")
    assert torch.equal(
        made(pair.add("Eltwise", "f e", "out", "0=0 ")),
        X[:, :, 1:8, 3:7] * made(Pair().conv("in", "out", normal(3, 3, 3, 5))),
    )


@pytest.mark.parametrize(("number", "mode"), [(0, "constant"), (1, "replicate"), (2, "reflect")])
def test_padding(number, mode):
    got = made(one("Padding", f"0=1 1=2 2=3 3=0 4={number} 5=0.5"))
    value = {"value": 0.5} if mode == "constant" else {}
    assert torch.equal(got, functional.pad(X, (3, 0, 1, 2), mode, **value))


def test_pooling():
    most = made(one("Pooling", "0=0 1=3 2=1 3=1 5=1"))
    torch.testing.assert_close(most, functional.max_pool2d(X, 3, 1, 1))
    mean = made(one("Pooling", "0=1 1=3 2=1 3=1 5=1"))
    wanted = functional.avg_pool2d(X, 3, 1, 1, count_include_pad=False)
    torch.testing.assert_close(mean, wanted)
    counted = made(one("Pooling", "0=1 1=3 2=1 3=1 5=1 6=1"))
    torch.testing.assert_close(counted, functional.avg_pool2d(X, 3, 1, 1))


def test_squeeze_and_excitation():
    weight, bias = normal(3, 3), normal(3)
    pair = Pair().add("Split", "in", "a b").add("Pooling", "a", "mean", "0=1 4=1")
    data = tagged(weight) + floats(bias)
    pair.add("InnerProduct", "mean", "fc", "0=3 1=1 2=9 9=4", data).add(
        "BinaryOp", "b fc", "out", "0=2"
    )
    share = (X.mean((2, 3)) @ torch.from_numpy(weight).T + torch.from_numpy(bias)).sigmoid()
    torch.testing.assert_close(made(pair), X * share[:, :, None, None])


def test_sums_products_and_numbers_of_the_file():
    pair = Pair().add("Split", "in", "a b c").add("Eltwise", "a b", "d", "0=1 -23301=2,0.25,-1.0")
    pair.add("MemoryData", "", "m", "0=1 1=1 2=3", floats([1, 2, 3]))
    pair.add("BinaryOp", "d m", "e", "0=1").add("Concat", "c e", "out", "0=0")
    numbers = torch.tensor([1.0, 2, 3]).view(3, 1, 1)
    torch.testing.assert_close(made(pair), torch.cat([X, -0.75 * X - numbers], 1))
