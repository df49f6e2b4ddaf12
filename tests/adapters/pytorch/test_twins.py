"""Functions that have a module: known wherever the module is, and equal to it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from streams import CHANNELS, check_equal, picture, streamed, whole_numbers
from torch import nn
from torch.nn import functional
from wrapping import wrapped

from srkit.adapters.pytorch.runtime.footprint import bytes_per_pixel
from srkit.adapters.pytorch.runtime.receptive import receptive_radius
from srkit.adapters.pytorch.runtime.streaming import CannotStream, plan
from srkit.adapters.pytorch.runtime.tracing import trace
from srkit.adapters.pytorch.runtime.twins import METHODS, TWINS
from srkit.errors import WeightsError

C = CHANNELS

F = functional

# Name, the call as people write it, and the module that PyTorch documents as the same.
PAIRS = {
    "relu": (lambda x: F.relu(x), nn.ReLU()),
    "relu of torch": (lambda x: torch.relu(x), nn.ReLU()),
    "relu, method": (lambda x: x.relu(), nn.ReLU()),
    "relu in place": (lambda x: F.relu(x * 1, inplace=True), nn.ReLU()),
    "leaky_relu": (lambda x: F.leaky_relu(x, 0.25), nn.LeakyReLU(0.25)),
    "leaky_relu, default": (lambda x: F.leaky_relu(x), nn.LeakyReLU()),
    "leaky_relu by name": (lambda x: F.leaky_relu(x, negative_slope=0.5), nn.LeakyReLU(0.5)),
    "relu6": (lambda x: F.relu6(x), nn.ReLU6()),
    "elu": (lambda x: F.elu(x, 0.5), nn.ELU(0.5)),
    "celu": (lambda x: F.celu(x, alpha=0.5), nn.CELU(0.5)),
    "selu": (lambda x: F.selu(x), nn.SELU()),
    "gelu": (lambda x: F.gelu(x, approximate="tanh"), nn.GELU("tanh")),
    "silu": (lambda x: F.silu(x), nn.SiLU()),
    "mish": (lambda x: F.mish(x), nn.Mish()),
    "tanh": (lambda x: torch.tanh(x), nn.Tanh()),
    "tanh, method": (lambda x: x.tanh(), nn.Tanh()),
    "tanh of functional": (lambda x: F.tanh(x), nn.Tanh()),
    "sigmoid": (lambda x: torch.sigmoid(x), nn.Sigmoid()),
    "sigmoid, method": (lambda x: x.sigmoid(), nn.Sigmoid()),
    "log_sigmoid": (lambda x: F.logsigmoid(x), nn.LogSigmoid()),
    "softplus": (lambda x: F.softplus(x, 2.0, 10.0), nn.Softplus(2.0, 10.0)),
    "softsign": (lambda x: F.softsign(x), nn.Softsign()),
    "hardtanh": (lambda x: F.hardtanh(x, -2, 2), nn.Hardtanh(-2, 2)),
    "hardsigmoid": (lambda x: F.hardsigmoid(x), nn.Hardsigmoid()),
    "hardswish": (lambda x: F.hardswish(x), nn.Hardswish()),
    "dropout": (lambda x: F.dropout(x, 0.5, training=False), nn.Identity()),
    "dropout2d": (lambda x: F.dropout2d(x, 0.5, training=False), nn.Dropout2d()),
    "pixel_shuffle": (lambda x: F.pixel_shuffle(x, 2), nn.PixelShuffle(2)),
    "pixel_shuffle of torch": (lambda x: torch.pixel_shuffle(x, 2), nn.PixelShuffle(2)),
    "pixel_unshuffle": (lambda x: F.pixel_unshuffle(x, 3), nn.PixelUnshuffle(3)),
    "interpolate": (lambda x: F.interpolate(x, scale_factor=3), nn.Upsample(scale_factor=3)),
    "interpolate, sides": (
        lambda x: F.interpolate(x, scale_factor=[2, 3]),
        nn.Upsample(scale_factor=(2.0, 3.0)),
    ),
    "interpolate, bilinear": (
        lambda x: F.interpolate(x, None, 2, "bilinear", align_corners=False),
        nn.Upsample(scale_factor=2, mode="bilinear"),
    ),
    "interpolate, bicubic": (
        lambda x: F.interpolate(x, scale_factor=4, mode="bicubic"),
        nn.Upsample(scale_factor=4, mode="bicubic"),
    ),
    "max_pool2d": (lambda x: F.max_pool2d(x, 3, 1, 1), nn.MaxPool2d(3, 1, 1)),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 3, 1, padding=1), nn.AvgPool2d(3, 1, 1)),
    "pad": (lambda x: F.pad(x, (2, 1, 0, 3)), nn.ZeroPad2d((2, 1, 0, 3))),
    "pad, columns": (lambda x: F.pad(x, [1, 2], value=0.5), nn.ConstantPad2d((1, 2, 0, 0), 0.5)),
    "pad, mirrored": (lambda x: F.pad(x, (2,) * 4, "reflect"), nn.ReflectionPad2d(2)),
    "pad, repeated": (lambda x: F.pad(x, (2,) * 4, mode="replicate"), nn.ReplicationPad2d(2)),
}  # fmt: skip
# With weights: the function is given those of the module.
WEIGHTED = {
    "conv2d": (
        lambda x, m: F.conv2d(x, m.weight, m.bias, padding=2, dilation=2),
        nn.Conv2d(C, 3, 3, padding=2, dilation=2),
    ),
    "conv2d, grouped": (
        lambda x, m: F.conv2d(x, m.weight, None, (1, 1), "same", groups=4),
        nn.Conv2d(C, 8, 3, padding="same", groups=4, bias=False),
    ),
    "conv_transpose2d": (
        lambda x, m: F.conv_transpose2d(x, m.weight, m.bias, stride=2, padding=1),
        nn.ConvTranspose2d(C, 3, 4, 2, padding=1),
    ),
    "conv_transpose2d, grouped": (
        lambda x, m: F.conv_transpose2d(x, m.weight, bias=m.bias, groups=2, output_padding=0),
        nn.ConvTranspose2d(C, 6, 3, groups=2),
    ),
    "prelu": (lambda x, m: F.prelu(x, m.weight), nn.PReLU(C)),
    "prelu, method": (lambda x, m: x.prelu(m.weight), nn.PReLU()),
    "batch_norm": (
        lambda x, m: F.batch_norm(
            x, m.running_mean, m.running_var, m.weight, m.bias, eps=m.eps),
        nn.BatchNorm2d(C, eps=0.5),
    ),
}  # fmt: skip


class Called(nn.Module):
    """A convolution, then a function; with the weights of a module beside it, if it has some."""

    def __init__(self, call, beside=None):
        super().__init__()
        self.first = nn.Conv2d(C, C, 3, padding=1)
        self.beside = beside
        self.call = call

    def forward(self, x):
        x = self.first(x)
        return self.call(x) if self.beside is None else self.call(x, self.beside)


def pair(name):
    """The network of the function, and that of the module, with the same weights."""
    call, module = PAIRS.get(name) or WEIGHTED[name]
    called = whole_numbers(Called(call, module if name in WEIGHTED else None))
    return called, nn.Sequential(called.first, module).eval()


# Of those torch computes what is left over of a vector by another formula.
CURVED = ("gelu", "mish", "softplus", "silu", "tanh", "sigmoid", "log_sigmoid", "elu", "celu")

ALL = [*PAIRS, *WEIGHTED]


@pytest.mark.parametrize("name", ALL)
def test_a_function_is_known_as_its_module_is(name):
    called, layers = pair(name)
    ours, theirs = trace(called), trace(layers)
    image = picture(18)
    with torch.inference_mode():
        assert torch.equal(ours(image), called(image))
        assert torch.equal(called(image), layers(image))
    assert receptive_radius(ours) == receptive_radius(theirs)
    twin = list(ours.children())[-1]
    assert type(twin) is type(list(theirs.children())[-1]) or name.startswith(("pad", "dropout"))
    ours, theirs = (trace(net.float()) for net in (called, layers))
    assert bytes_per_pixel(ours, C, 3) == bytes_per_pixel(theirs, C, 3)


@pytest.mark.parametrize("name", ALL)
def test_a_function_streams_as_its_module_does(name):
    called, _ = pair(name)
    for heights in ((1,), (7,), (3, 1, 4)):
        if name not in CURVED:
            check_equal(called, picture(18), heights)
            continue
        with torch.inference_mode():
            whole = called(picture(18))
        made = streamed(called, picture(18), heights)
        torch.testing.assert_close(made, whole, rtol=1e-12, atol=1e-12)


def test_every_function_that_has_a_module_is_tried():
    tried = {name.split(",")[0].split()[0] for name in ALL}
    assert tried == set(TWINS)
    assert {name.split(",")[0] for name in ALL if name.endswith("method")} == set(METHODS)


# --- reach, measured ----------------------------------------------------------------------


class Residual(nn.Module):
    """What many networks are: a few convolutions, shuffled, on top of an enlarged picture."""

    def __init__(self, mode):
        super().__init__()
        self.deep = nn.Conv2d(1, 8, 3, padding=1)
        self.last = nn.Conv2d(8, 4, 3)
        self.mode = mode

    def forward(self, x):
        deep = F.leaky_relu(self.deep(x), 0.1).mul(0.2)
        deep = F.pad(deep, (1, 1, 1, 1), mode="reflect")
        made = F.pixel_shuffle(self.last(deep), 2)
        return made.add(F.interpolate(x, scale_factor=2, mode=self.mode)).clamp(0, 1)


def reached(net, scale, side=41):
    """How many LR pixels away a change of a pixel is seen, along rows or columns."""
    torch.manual_seed(0)
    image = torch.rand(1, 1, side, side, dtype=torch.float64) / 2 + 0.2
    changed = image.clone()
    changed[..., side // 2, side // 2] += 0.01
    with torch.inference_mode():
        places = torch.nonzero((net(changed) != net(image))[0, 0]) // scale
    return int((places - side // 2).abs().max())


@pytest.mark.parametrize(
    ("net", "scale"),
    [
        (Residual("bilinear"), 2),
        (Residual("bicubic"), 2),
        (nn.Upsample(scale_factor=3, mode="bilinear"), 3),
        (nn.Upsample(scale_factor=2, mode="bicubic"), 2),
        (nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.PixelShuffle(2),
                       nn.Upsample(scale_factor=2, mode="bicubic")), 4),
        (nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(1, 1, 7)), 1),
        (nn.Sequential(nn.ZeroPad2d(1), nn.Conv2d(1, 1, 5, padding=1)), 1),
    ],
)  # fmt: skip
def test_the_radius_is_as_far_as_a_change_is_seen(net, scale):
    net = net.double().eval()
    assert receptive_radius(trace(net)) == reached(net, scale)


@pytest.mark.parametrize(
    "net",
    [
        # What is padded at once for several convolutions, or for one with a stride.
        nn.Sequential(nn.ReflectionPad2d(2), nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 3)),
        nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(1, 1, 2)),
        nn.Sequential(nn.ZeroPad2d(1), nn.Conv2d(1, 4, 2, 2, padding=0), nn.PixelShuffle(2)),
    ],
)
def test_padding_that_is_taken_up_elsewhere_is_counted_rather_too_far(net):
    net = net.double().eval()
    assert receptive_radius(trace(net)) >= reached(net, 1)


def test_a_network_of_functions_and_methods_is_tiled_and_streamed_exactly():
    torch.manual_seed(0)
    net = Residual("bicubic")
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randint(-2, 3, parameter.shape) / 8)
    model = wrapped(net, colour="luma", border="zero")
    assert model.streams
    assert model.multiply_adds == 9 * 8 + 9 * 8 * 4
    grey = np.random.default_rng(0).random((40, 50), np.float32)
    with torch.inference_mode():
        wanted = net(torch.from_numpy(grey)[None, None])[0, 0].numpy()
    np.testing.assert_allclose(model.upscale(grey), wanted, atol=1e-6)
    parts = []
    run_rows = model.run_rows
    model.run_rows = lambda strips: run_rows(parts.append(s.shape) or s for s in strips)
    tiled = model.upscale(grey, memory=30_000)
    assert len(parts) > 1
    np.testing.assert_allclose(tiled, wanted, atol=1e-6)


def test_a_network_without_weights_has_no_multiplications():
    model = wrapped(nn.Upsample(scale_factor=2, mode="bicubic"))
    assert (model.radius, model.multiply_adds, model.parameters) == (2, 0, 0)


class Tied(nn.Module):
    """A first convolution whose weights are used twice."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.kernel = nn.Parameter(torch.rand(8, 3, 3, 3) / 27)
        self.last = nn.Parameter(torch.rand(12, 8, 1, 1) / 8)

    def forward(self, x):
        deep = F.conv2d(x, self.kernel, padding=1)
        deep = deep + F.conv2d(x * 0.5, self.kernel, padding=1)
        return F.pixel_shuffle(F.conv2d(deep, self.last), 2)


@pytest.mark.parametrize("net", [Tied, lambda: Residual("bilinear")])
def test_networks_of_functions_run_in_bfloat16(net):
    torch.manual_seed(0)
    net = net()
    colour = "rgb" if isinstance(net, Tied) else "luma"
    image = np.random.default_rng(0).random((20, 30, 3), np.float32)
    wanted = wrapped(net, colour=colour).upscale(image)
    reduced = wrapped(net, colour=colour, precision="bfloat16")
    assert reduced.precision == "bfloat16"
    np.testing.assert_allclose(reduced.upscale(image), wanted, atol=0.02)


# --- what stays as it is --------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda x: F.interpolate(x, scale_factor=2, mode="bicubic", antialias=True),
        lambda x: F.interpolate(x, size=(36, 18)),
        lambda x: F.conv2d(x, x[:1, :, :3, :3]),
        lambda x: F.batch_norm(x, None, None, training=True),
        lambda x: F.dropout(x, 0.5, training=True),
        lambda x: F.max_pool2d(x, 2, return_indices=True)[0],
        lambda x: F.pad(x, (0, 0, 0, 0, 1, 1)),
        lambda x: F.pad(x, (1, 1, 1, 1), mode="circular"),
        lambda x: F.adaptive_avg_pool2d(x, 1),
        lambda x: F.instance_norm(x),
        lambda x: x.mean((2, 3), keepdim=True),
    ],
)
def test_what_sees_more_or_is_not_known_is_refused_by_name(call):
    traced = trace(Called(call).eval())
    with pytest.raises(WeightsError, match=r"receptive field of .* is not known"):
        receptive_radius(traced)


def test_who_asks_how_large_the_input_is_is_told_so():
    traced = trace(Called(lambda x: F.interpolate(x, size=x.shape[2:])).eval())
    with pytest.raises(WeightsError, match=r"how large its input is \(\.shape\).*multiple="):
        receptive_radius(traced)


def test_a_function_in_place_is_refused_to_streams_where_others_see_its_input():
    called = Called(lambda x: x + F.relu(x, inplace=True)).eval()
    with pytest.raises(CannotStream, match="ReLU in place, of what is used elsewhere"):
        plan(trace(called))


def test_weights_of_functions_are_shared_and_not_copied():
    called, _ = pair("conv2d")
    twin = list(trace(called).children())[-1]
    assert twin.weight is called.beside.weight
