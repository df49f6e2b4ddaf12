"""Networks over strips of rows: what torch makes of the whole image is what has to come out."""

from __future__ import annotations

import operator

import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")

from hypothesis import HealthCheck, assume, example, given, reject, settings
from hypothesis import strategies as st
from streams import CHANNELS, WIDTH, check_equal, picture, streamed, whole_numbers
from torch import nn
from torch.nn import functional

from srkit.adapters.pytorch.graphs.graphdef import Reorder
from srkit.adapters.pytorch.runtime.streaming import CannotStream, plan
from srkit.adapters.pytorch.runtime.tracing import trace

# --- every layer by itself ----------------------------------------------------------------

C = CHANNELS
LAYERS = {
    "3x3": nn.Conv2d(C, 3, 3, padding=1),
    "1x1": nn.Conv2d(C, 3, 1),
    "9x9": nn.Conv2d(C, 3, 9, padding=4),
    "5x1, no padding": nn.Conv2d(C, 3, (5, 1)),
    "1x5": nn.Conv2d(C, 3, (1, 5), padding=(0, 2)),
    "even kernel": nn.Conv2d(C, 3, 4, padding=2),
    "stride": nn.Conv2d(C, 3, 3, stride=2, padding=1),
    "stride beyond the kernel": nn.Conv2d(C, 3, 2, stride=5),
    "stride beyond kernel and padding": nn.Conv2d(C, 3, 1, stride=3, padding=2),
    "dilation": nn.Conv2d(C, 3, 3, dilation=3, padding=3),
    "stride and dilation": nn.Conv2d(C, 3, (3, 2), (2, 3), dilation=(2, 1), padding=(2, 0)),
    "groups": nn.Conv2d(C, 8, 3, groups=4, padding=1, bias=False),
    "much padding": nn.Conv2d(C, 3, 2, padding=6),
    "same": nn.Conv2d(C, 3, (4, 6), padding="same", dilation=(3, 1)),
    "valid": nn.Conv2d(C, 3, 3, padding="valid"),
    "reflected": nn.Conv2d(C, 3, 5, padding=2, padding_mode="reflect"),
    "replicated": nn.Conv2d(C, 3, 5, padding=3, padding_mode="replicate"),
    "circular columns": nn.Conv2d(C, 3, (1, 3), padding=(0, 1), padding_mode="circular"),
    "transposed": nn.ConvTranspose2d(C, 3, 9, 3, padding=4, output_padding=2),
    "transposed, stride of the kernel": nn.ConvTranspose2d(C, 3, 2, 2),
    "transposed, stride beyond the kernel": nn.ConvTranspose2d(C, 3, 2, 4, output_padding=1),
    "transposed, cropped beyond": nn.ConvTranspose2d(C, 3, 2, 3, padding=2),
    "transposed, groups": nn.ConvTranspose2d(C, 8, 3, 2, padding=1, groups=2, bias=False),
    "transposed, dilated": nn.ConvTranspose2d(C, 3, 3, 2, padding=3, dilation=4),
    "transposed, no stride": nn.ConvTranspose2d(C, 3, 5, padding=1),
    "shuffle": nn.PixelShuffle(2),
    "unshuffle": nn.Sequential(nn.Conv2d(C, 3, 4, padding="same"), nn.PixelUnshuffle(3)),
    "max": nn.MaxPool2d(3, 2, padding=1),
    "max, dilated": nn.MaxPool2d((2, 3), 1, dilation=(3, 1)),
    "mean": nn.AvgPool2d(2, 2, padding=1),
    "mean, no stride": nn.AvgPool2d(4, stride=1),
    "zeros": nn.ZeroPad2d((1, 2, 3, 4)),
    "constant": nn.ConstantPad2d((0, 1, 2, 5), 7.0),
    "border": nn.ReplicationPad2d((1, 0, 3, 2)),
    "mirror": nn.ReflectionPad2d((0, 2, 1, 3)),
    "crop": nn.ZeroPad2d((-1, 0, -2, -3)),
    "crop and pad": nn.ZeroPad2d((0, 0, -2, 3)),
    "batch norm": nn.BatchNorm2d(C, eps=0),
    "prelu": nn.PReLU(C),
    "relu": nn.ReLU(),
    "relu in place": nn.Sequential(nn.Conv2d(C, 3, 3, padding=1), nn.ReLU(inplace=True)),
    "dropout": nn.Dropout(),
    "order": Reorder(torch.tensor([2, 0, 3, 1])),
    "nearest": nn.Upsample(scale_factor=3),
    "nearest, by side": nn.Upsample(scale_factor=(2, 1)),
    "bilinear": nn.Upsample(scale_factor=2, mode="bilinear"),
    "bicubic": nn.Upsample(scale_factor=(4, 2), mode="bicubic"),
}  # fmt: skip
STRIPS = [(1,), (2,), (7,), (3, 1, 4), (40,)]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("heights", STRIPS, ids=str)
@pytest.mark.parametrize("layer", LAYERS)
def test_each_layer_gives_what_the_whole_image_gives(layer, heights):
    net = whole_numbers(nn.Sequential(LAYERS[layer]))
    # Sides of three, for the unshuffle; of an odd and an even number of rows.
    for height in (18, 27):
        check_equal(net, picture(height), heights)


def function(compute, constant=None):
    """A network of a function of the image and of a slower branch, and perhaps a constant."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.slow = nn.Sequential(*(nn.Conv2d(C, C, 5, padding=2) for _ in range(3)))
            if constant is not None:
                self.register_buffer("constant", constant)

        def forward(self, x):
            return compute(x, self.slow(x), *(() if constant is None else (self.constant,)))

    return whole_numbers(Net())


def added(x, y):
    y += x
    return y


def taken_in_place(x, y):
    y -= x
    y /= 2
    return y


FUNCTIONS = {
    "sum": lambda x, y: x + y,
    "slower first": lambda x, y: y - x,
    "sum in place": added,
    "difference in place": taken_in_place,
    "channels": lambda x, y: torch.cat([y[:, 3:], x[:, :-1]], 1) * x[:, 1:2] - y[:, ::4],
    "product with itself": lambda x, y: y * y * x,
    "concatenation": lambda x, y: torch.cat([y, x, y.abs()], 1),
    "keyword": lambda x, y: torch.cat((x, y), dim=-3),
    "three": lambda x, y: torch.maximum(x, y) + torch.cat([y[:, 1:], x[:, :1]], 1),
    "numbers": lambda x, y: 2 - (x * 3 + 1).clamp(min=0) + y / 2,
    "leaky": lambda x, y: functional.leaky_relu(y, 0.5) + functional.relu(x),
    "padded": lambda x, y: functional.pad(x, (1, 1, 2, 0)) + functional.pad(y, (1, 1, 0, 2)),
    "resized": lambda x, y: functional.interpolate(x, scale_factor=2) * functional.interpolate(
        y, scale_factor=2.0, mode="bilinear", align_corners=False),
    "there and back": lambda x, y: x + functional.pixel_unshuffle(
        functional.pixel_shuffle(y, 2), 2),
    "twice": lambda x, y: x + x,
}  # fmt: skip


@pytest.mark.parametrize("heights", STRIPS, ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_branches_wait_for_each_other(name, heights):
    check_equal(function(FUNCTIONS[name]), picture(31), heights)


@pytest.mark.parametrize("shape", [(1, C, 1, 1), (C, 1, 1), (1,), (1, 1, 1, WIDTH), ()], ids=str)
def test_constants_are_the_same_for_every_row(shape):
    net = function(lambda x, y, k: (x - k) * k + torch.add(y, k), torch.ones(shape))
    check_equal(net, picture(20), (3,))


NOTHING_LEFT = {
    "output padding alone": nn.ConvTranspose2d(
        C, 3, 1, (3, 1), padding=(1, 0), output_padding=(2, 0)),
    "the same without a bias": nn.ConvTranspose2d(
        C, 3, 1, (4, 1), padding=(1, 0), output_padding=(3, 0), bias=False),
    "cropped and padded": nn.ZeroPad2d((0, 0, -2, 3)),
    "padded and cropped": nn.ConstantPad2d((0, 0, 3, -2), 5.0),
    "cropped, then padded": nn.Sequential(nn.ZeroPad2d((0, 0, -1, -1)), nn.ZeroPad2d((1, 1, 1, 2))),
    "cropped, then seen": nn.Sequential(
        nn.ZeroPad2d((0, 0, -2, 0)), nn.ReLU(), nn.ZeroPad2d((0, 0, 2, 2)), nn.Conv2d(C, 3, 3)),
}  # fmt: skip


@pytest.mark.parametrize("height", [1, 2])
@pytest.mark.parametrize("name", NOTHING_LEFT)
def test_rows_that_padding_alone_makes_are_not_lost(name, height):
    net, image = whole_numbers(nn.Sequential(NOTHING_LEFT[name])), picture(height)
    try:
        with torch.inference_mode():
            whole = net(image)
    except RuntimeError:
        pytest.skip("torch itself finds the image too small")
    for heights in ((1,), (2,)):
        assert torch.equal(streamed(net, image, heights), whole)


# --- random networks ----------------------------------------------------------------------

small = st.integers(1, 3)


@st.composite
def layers(draw, channels):
    """A layer that keeps the number of channels, so that any layer can follow."""
    kind = draw(st.sampled_from(["conv", "transposed", "shuffle", "unshuffle", "pool", "point"]))
    kernel, dilation, stride = draw(st.integers(1, 5)), draw(small), draw(small)
    if kind == "conv":
        mode = draw(st.sampled_from(["zeros", "replicate", "reflect"]))
        pads = draw(st.integers(0, 2)), draw(st.integers(0, 2))
        size = (kernel, draw(st.integers(1, 3)))
        groups = draw(st.sampled_from([1, channels]))
        return nn.Conv2d(
            channels, channels, size, (stride, 1), pads, (dilation, 1), groups, padding_mode=mode
        )
    if kind == "transposed":
        more = draw(st.integers(0, max(stride, dilation) - 1))
        pad = draw(st.integers(0, 2))
        return nn.ConvTranspose2d(
            channels, channels, (kernel, 1), (stride, 1), (pad, 0), (more, 0),
            dilation=(dilation, 1),
        )  # fmt: skip
    if kind == "shuffle":
        return nn.Sequential(nn.Conv2d(channels, 4 * channels, 1), nn.PixelShuffle(2))
    if kind == "unshuffle":
        # Rows in excess would be refused by torch itself, as would columns.
        return nn.Sequential(nn.Upsample(scale_factor=2), nn.PixelUnshuffle(2),
                             nn.Conv2d(4 * channels, channels, 1))  # fmt: skip
    if kind == "pool":
        pool = draw(st.sampled_from([nn.MaxPool2d, nn.AvgPool2d]))
        return pool((2, 1), (draw(st.integers(1, 2)), 1), padding=(draw(st.integers(0, 1)), 0))
    return draw(st.sampled_from([nn.ReLU(), nn.PReLU(channels), nn.ZeroPad2d((0, 0, 1, 2))]))


class Branches(nn.Module):
    """Two ways of different delay, perhaps of different strides, that meet."""

    def __init__(self, left, right, how):
        super().__init__()
        self.left, self.right, self.how = left, right, how
        self.merge = nn.Conv2d(2 * CHANNELS, CHANNELS, 1)

    def forward(self, x):
        left, right = self.left(x), self.right(x)
        if self.how == "cat":
            return self.merge(torch.cat([left, right], 1))
        return getattr(operator, self.how)(left, right)


@st.composite
def keeping(draw):
    """A chain of layers that keeps the size of its input, perhaps down some strides and up."""
    stride = draw(small)
    chain = [nn.Conv2d(CHANNELS, CHANNELS, (stride, 1), (stride, 1))] if stride > 1 else []
    for _ in range(draw(st.integers(0, 3))):
        reach = draw(st.integers(0, 3))
        dilation = draw(small)
        chain.append(
            nn.Conv2d(
                CHANNELS,
                CHANNELS,
                (2 * reach + 1, 3),
                padding=(reach * dilation, 1),
                dilation=(dilation, 1),
            )
        )
    if stride > 1:
        chain.append(nn.ConvTranspose2d(CHANNELS, CHANNELS, (stride, 1), (stride, 1)))
    return nn.Sequential(*chain)


@st.composite
def networks(draw):
    parts = []
    for _ in range(draw(st.integers(1, 4))):
        if draw(st.booleans()):
            how = draw(st.sampled_from(["add", "sub", "cat"]))
            parts.append(Branches(draw(keeping()), draw(keeping()), how))
        else:
            parts.append(draw(layers(CHANNELS)))
    return whole_numbers(nn.Sequential(*parts), draw(st.integers(0, 9)))


def one(layer):
    return whole_numbers(nn.Sequential(layer))


OUTPUT_PADDING = nn.ConvTranspose2d(
    C, C, (1, 1), stride=(3, 1), padding=(1, 0), output_padding=(2, 0)
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.filter_too_much])
@example(one(OUTPUT_PADDING), 1, [1])
@given(networks(), st.integers(1, 48), st.lists(st.integers(1, 12), min_size=1, max_size=4))
def test_random_networks_give_the_bits_of_the_whole_image(net, height, heights):
    image = picture(height)
    try:
        with torch.inference_mode():
            whole = net(image)
    except RuntimeError:
        # torch itself finds the image too small, or its branches of different heights.
        reject()
    assume(whole.abs().max() < 2**50)
    assert torch.equal(streamed(net, image, heights), whole)


# --- what cannot be streamed --------------------------------------------------------------


class Attention(nn.Module):
    def forward(self, x):
        return x * torch.softmax(x.flatten(2), -1).view(1, C, -1, WIDTH)


class Shared(nn.Module):
    """Writes to what it adds afterwards, or to channels of it."""

    def __init__(self, channels=C):
        super().__init__()
        self.conv, self.relu = nn.Conv2d(C, C, 3), nn.ReLU(inplace=True)
        self.channels = channels

    def forward(self, x):
        y = self.conv(x)
        part = y if self.channels == C else y[:, : self.channels]
        return y + self.relu(part)


REFUSED = {
    "AdaptiveAvgPool2d": nn.AdaptiveAvgPool2d(1),
    "mean": function(lambda x, y: x - y.mean((2, 3), keepdim=True)),
    "flatten": Attention(),
    "view": function(lambda x, y: x.view(1, C, -1)),
    "InstanceNorm2d": nn.InstanceNorm2d(C),
    "circular padding of rows": nn.Conv2d(C, C, 3, padding=1, padding_mode="circular"),
    "MaxPool2d with ceil_mode": nn.MaxPool2d(2, ceil_mode=True),
    "AvgPool2d that does not count": nn.AvgPool2d(2, padding=1, count_include_pad=False),
    "interpolation to a fixed size": nn.Upsample((20, 20)),
    "add of branches of different height":
        function(lambda x, y: x + functional.pixel_shuffle(y, 2)),
    "cat, unless": function(lambda x, y: torch.cat([x, y], 2)),
    "getitem, unless": function(lambda x, y: x[:, :, 1:]),
    "constant that differs from row to row":
        function(lambda x, y, k: x + k, torch.ones(1, 1, 20, 1)),
    "ReLU in place, of what is used elsewhere": Shared(),
    "ReLU in place, of what": Shared(channels=1),
    "add_": function(lambda x, y: x + y.add_(x) + y),
    "relu_": function(lambda x, y: torch.relu_(y) + y),
    "interpolation to a fixed size, by corners, antialiased": function(
        lambda x, y: functional.interpolate(
            x, scale_factor=2, mode="bicubic", antialias=True)),
    "padding of channels": function(lambda x, y: functional.pad(x, (0, 0, 0, 0, 1, 1))),
    "a result that is not one image": function(lambda x, y: (x, y)),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_needs_more_than_some_rows_is_refused_by_name(name):
    with pytest.raises(CannotStream, match=name):
        plan(trace(nn.Sequential(REFUSED[name]).eval()))


@pytest.mark.parametrize("layer", [nn.BatchNorm2d(C), nn.Dropout()])
def test_layers_in_training_are_refused(layer):
    with pytest.raises(CannotStream, match="in training"):
        plan(trace(nn.Sequential(layer).train()))
