"""Networks over strips of rows: what torch makes of the whole image is what has to come out."""

from __future__ import annotations

import itertools
import logging
import operator
import threading

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")

from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data
from torch import nn
from torch.nn import functional

import srkit
from srkit.adapters.pytorch.graph import Reorder
from srkit.adapters.pytorch.nets.resnet import Form
from srkit.adapters.pytorch.nets.unet import UNet
from srkit.adapters.pytorch.streaming import CannotStream, cost_of, plan
from srkit.adapters.pytorch.streaming.memory import held_bytes
from srkit.adapters.pytorch.tracing import trace
from srkit.adapters.pytorch.unet import Interpolated
from srkit.adapters.pytorch.upscaler import TorchUpscaler
from srkit.card import ModelCard

CHANNELS, WIDTH = 4, 9


def whole_numbers(net, seed=0):
    """Small whole weights in double precision: sums are exact in any order."""
    generator = torch.Generator().manual_seed(seed)
    for name, values in [*net.named_parameters(), *net.named_buffers()]:
        if values.is_floating_point():
            low = 1 if "running_var" in name else -2
            values.data = torch.randint(low, 3, values.shape, generator=generator).double()
    return net.eval()


def picture(height, seed=0, width=WIDTH, channels=CHANNELS):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-4, 5, (1, channels, height, width), generator=generator).double()


@torch.inference_mode()
def streamed(net, image, heights):
    """The result by strips of these heights, over and over."""
    stream, parts, at = plan(trace(net)).start(), [], 0
    for height in itertools.cycle(heights):
        strip = image[:, :, at : at + height].contiguous(memory_format=torch.channels_last)
        parts.append(stream.push(strip))
        at += height
        if at >= image.shape[2]:
            break
    parts += stream.finish()
    assert held_bytes(stream) == 0
    return torch.cat([part for part in parts if part is not None], 2)


def check_equal(net, image, heights):
    with torch.inference_mode():
        whole = net(image)
    assert torch.equal(streamed(net, image, heights), whole)


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


FUNCTIONS = {
    "sum": lambda x, y: x + y,
    "slower first": lambda x, y: y - x,
    "sum in place": added,
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
    """Two ways of different delay that meet."""

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
    """A chain of layers that keeps the size of its input."""
    chain = [nn.Identity()]
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


@settings(max_examples=120)
@given(networks(), st.integers(1, 40), st.lists(st.integers(1, 12), min_size=1, max_size=4))
def test_random_networks_give_the_bits_of_the_whole_image(net, height, heights):
    image = picture(height)
    try:
        with torch.inference_mode():
            whole = net(image)
    except RuntimeError:
        # torch itself finds the image too small for a kernel or a reflection.
        return
    if whole.abs().max() < 2**50:
        assert torch.equal(streamed(net, image, heights), whole)


# --- what cannot be streamed --------------------------------------------------------------


class Attention(nn.Module):
    def forward(self, x):
        return x * torch.softmax(x.flatten(2), -1).view(1, C, -1, WIDTH)


class Shared(nn.Module):
    """Writes to what it adds afterwards."""

    def __init__(self):
        super().__init__()
        self.conv, self.relu = nn.Conv2d(C, C, 3), nn.ReLU(inplace=True)

    def forward(self, x):
        y = self.conv(x)
        return y + self.relu(y)


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


# --- memory -------------------------------------------------------------------------------


def residual():
    torch.manual_seed(0)
    body = nn.Sequential(*(nn.Conv2d(8, 8, 3, padding=1) for _ in range(6)))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.head, self.body = nn.Conv2d(3, 8, 5, padding=2), body
            self.up = nn.Sequential(nn.Conv2d(8, 12, 3, padding=1), nn.PixelShuffle(2))

        def forward(self, x):
            x = self.head(x)
            return self.up(self.body(x) + x)

    return Net().eval()


@torch.inference_mode()
def test_what_is_held_does_not_grow_with_height():
    stream = plan(trace(residual())).start()
    held = []
    for _ in range(60):
        stream.push(torch.zeros(1, 3, 5, 11))
        held.append(held_bytes(stream))
    # By hand: 4 rows of 3 channels before the 5x5; 2 rows of 8 before each of the 7 3x3; 6 rows
    # of 8 that wait to be added. Of 11 columns and 4 bytes.
    assert set(held[10:]) == {(4 * 3 + 7 * 2 * 8 + 6 * 8) * 11 * 4}


def test_the_cost_is_linear_and_not_below_what_is_held():
    cost = cost_of(trace(residual()), 3)
    assert cost.column > (4 * 3 + 7 * 2 * 8 + 6 * 8) * 4
    # At least the input and the output of the shuffle, for each pixel.
    assert cost.pixel > 2 * 12 * 4
    assert cost.bytes(20, 30) == pytest.approx(2 * cost.bytes(20, 15))


@torch.inference_mode()
def test_the_end_takes_no_more_rows_at_a_time_than_a_strip():
    chain = nn.Sequential(*(nn.Conv2d(1, 1, 3, padding=1) for _ in range(40)))
    stream = plan(trace(chain)).start()
    for _ in range(12):
        stream.push(torch.zeros(1, 1, 8, 4))
    ends = [rows.shape[2] for rows in stream.finish()]
    assert sum(ends) == 40
    assert max(ends) <= 8


def test_threads_share_a_plan_and_no_state():
    net = whole_numbers(residual())
    planned, results = plan(trace(net)), {}

    def work(number):
        image, stream = picture(23, number, channels=3), planned.start()
        with torch.inference_mode():
            parts = [stream.push(image[:, :, y : y + 4]) for y in range(0, 23, 4)]
            parts += stream.finish()
            made = torch.cat([part for part in parts if part is not None], 2)
            results[number] = torch.equal(made, net(image))

    threads = [threading.Thread(target=work, args=[n]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == dict.fromkeys(range(4), True)


# --- models -------------------------------------------------------------------------------


def card(**facts):
    return ModelCard(
        name="net",
        summary="A network for tests.",
        adapter="srkit.adapters.pytorch.upscaler:TorchUpscaler",
        framework="torch",
        scales=(2,),
        default_scale=2,
        **facts,
    )


def wrapped(net, **facts):
    return TorchUpscaler(card(**facts), 2, net, device="cpu", precision="float32")


def strips_of(model):
    """Shapes of strips that a model is given from here on, and of tiles."""
    strips, tiles, run, run_rows = [], [], model.run, model.run_rows

    def watched(given):
        for strip in given:
            strips.append(strip.shape[1:3])
            yield strip

    def tiled(given):
        tiles.append(given.shape[1:3])
        return run(given)

    model.run_rows, model.run = (lambda given: run_rows(watched(given))), tiled
    return strips, tiles


SHIPPED = [
    ("srresnet", 2),
    ("srgan", 4),
    ("espcn", 2),
    ("espcn", 3),
    ("fsrcnn", 2),
    ("fsrcnn", 3),
    ("fsrcnn", 4),
    ("neural-enhance", 2),
    ("neural-enhance-repair", 1),
    ("photo", 4),
]


@pytest.mark.parametrize(("name", "scale"), SHIPPED)
def test_shipped_models_streamed_give_what_they_give_of_the_whole(name, scale):
    model = srkit.load(name, scale=scale, device="cpu", runtime="torch")
    assert model.streams
    multiple = model.card.multiple
    photo = data.astronaut()[100:156, 200:216].astype(np.float32)[None] / 255
    image = photo[..., :1] if model.card.colour == "luma" else photo
    whole = model.run(image)
    cuts = [0, 2 * multiple, 16, 40, 56]
    parts = model.run_rows(image[:, a:b] for a, b in itertools.pairwise(cuts))
    rows = np.concatenate(list(parts), axis=1)
    assert rows.shape == whole.shape
    assert np.abs(rows - whole).max() <= 1e-5
    apart = np.abs(np.rint(255 * rows.clip(0, 1)) - np.rint(255 * whole.clip(0, 1)))
    assert apart.max() <= 1
    # One in 1e5, of which a small picture has few.
    assert np.count_nonzero(apart) <= max(1, 1e-5 * apart.size)


@pytest.mark.parametrize("name", ["ESPCN_x2", "FSRCNN_x3", "FSRCNN-small_x2", "LapSRN_x2"])
def test_rebuilt_graphs_stream(name, data_folder):
    model = srkit.load(data_folder(f"tf_graphs/{name}.pb"), runtime="torch", device="cpu")
    assert model.streams
    image = data.camera()[200:240, 100:112].astype(np.float32)[None, ..., None] / 255
    parts = list(model.run_rows(image[:, y : y + 8] for y in range(0, 40, 8)))
    np.testing.assert_allclose(np.concatenate(parts, axis=1), model.run(image), atol=1e-5)


def test_a_u_net_streams_through_all_its_strides():
    torch.manual_seed(0)
    net = Interpolated(UNet(2, Form((4, 6), (1, 1)))).eval()
    image = torch.rand(1, 3, 200, 16)
    with torch.inference_mode():
        whole = net(image)
    torch.testing.assert_close(streamed(net, image, (28, 60)), whole, atol=1e-5, rtol=0)


def doubling(reach=1):
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 12, 2 * reach + 1, padding=reach), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(12, 12, 3, padding=1), nn.PixelShuffle(2))


def test_tall_images_arrive_in_strips_and_short_ones_in_one_run():
    model = wrapped(doubling())
    strips, tiles = strips_of(model)
    image = np.random.default_rng(0).random((150, 20, 3), np.float32)
    model.upscale(image)
    assert [height for height, _ in strips] == [64, 64, 26]
    assert tiles == []
    model.upscale(image[:30])
    assert strips[3:] == [(34, 24)]
    assert tiles == [(34, 24)]


def test_little_pictures_share_a_run():
    model = wrapped(doubling())
    strips, tiles = strips_of(model)
    model.upscale(np.zeros((5, 10, 10, 3), np.float32))
    assert strips == []
    assert len(tiles) == 1


@pytest.mark.parametrize("border", ["reflect", "zero"])
@pytest.mark.parametrize("share", [0.9, 0.3, 0.1])
def test_images_too_wide_are_cut_into_columns(border, share):
    model = wrapped(doubling(3), border=border)
    image = np.random.default_rng(0).random((40, 300, 3), np.float32)
    whole = model.upscale(image)
    strips, tiles = strips_of(model)
    memory = int(share * model.strip_bytes(1, 300))
    np.testing.assert_allclose(model.upscale(image, memory=memory), whole, atol=1e-5)
    assert tiles == []
    assert max(model.strip_bytes(*shape) for shape in strips) <= memory
    # As few as possible: their inner parts are more than half as wide as would fit.
    assert max(width for _, width in strips) > 150 * share


def test_the_least_memory_is_enough_and_less_is_refused():
    model = wrapped(doubling(3))
    image = np.random.default_rng(0).random((60, 50, 3), np.float32)
    whole = model.upscale(image)
    with pytest.raises(srkit.OptionError, match="at least") as refused:
        model.upscale(image, memory=1)
    least = int(str(refused.value).split()[-2])
    np.testing.assert_allclose(model.upscale(image, memory=least), whole, atol=1e-5)
    with pytest.raises(srkit.OptionError):
        model.upscale(image, memory=least - 1)


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_out_of_memory_in_a_strip_goes_on_with_tiles_from_there(failing):
    model = wrapped(doubling())
    image = np.random.default_rng(0).random((200, 21, 3), np.float32)
    whole = model.upscale(image)
    calls, conv2d = [], functional.conv2d

    def scarce(rows, *rest):
        calls.append(rows.shape[2])
        if len(calls) == 2 * failing:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return conv2d(rows, *rest)

    strips, tiles = strips_of(model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(functional, "conv2d", scarce)
        result = model.upscale(image)
    np.testing.assert_allclose(result, whole, atol=1e-5)
    # What was done is not done again.
    # Two are read before the first is run.
    assert len(strips) == max(2, failing)
    assert sum(height for height, _ in tiles) < 200 + 16 - 64 * (failing - 2)
    assert len(tiles) >= 1


def test_what_cannot_stream_runs_in_tiles_and_the_log_says_so_once(caplog):
    class Normed(nn.Module):
        def __init__(self):
            super().__init__()
            self.net, self.norm = doubling(), nn.BatchNorm2d(3, track_running_stats=False)

        def forward(self, x):
            return self.net(self.norm(x))

    model = wrapped(Normed())
    strips, tiles = strips_of(model)
    with caplog.at_level(logging.INFO, "srkit"):
        for _ in range(2):
            model.upscale(np.random.default_rng(0).random((90, 10, 3), np.float32))
    assert not model.streams
    assert strips == []
    assert len(tiles) == 2
    said = [r for r in caplog.records if "cannot be streamed" in r.getMessage()]
    assert [r.levelno for r in said] == [logging.INFO]
    assert "net runs in tiles: BatchNorm2d without running statistics" in said[0].getMessage()


def test_the_originals_tiling_does_not_stream():
    model = srkit.load("neural-enhance", device="cpu", runtime="torch", tiling="original")
    assert not model.streams
