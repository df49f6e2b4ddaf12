"""Networks that multiply in 8 bits: what they compute, what it costs, and what is refused."""

import copy
import itertools
import pickle

import numpy as np
import pytest
import torch
from skimage import data
from streams import streamed
from torch import nn
from wrapping import doubling, wrapped

import srkit
from srkit.adapters.pytorch.runtime import device as devices
from srkit.adapters.pytorch.runtime import quantising
from srkit.adapters.pytorch.runtime.closed import ClosedUpscaler
from srkit.adapters.pytorch.runtime.device import has_int8_units, pick_precision
from srkit.adapters.pytorch.runtime.int8 import Int8Conv2d
from srkit.adapters.pytorch.runtime.quantising import best_range, nearness
from srkit.adapters.pytorch.runtime.upscaler import TorchUpscaler
from srkit.errors import OptionError, WeightsError

CPU = torch.device("cpu")
needs_units = pytest.mark.skipif(
    not has_int8_units(), reason="torch reports no VNNI on this CPU, and int8 is refused there"
)


def network(seed=0):
    """Two convolutions that can be in 8 bits, and others around them."""
    torch.manual_seed(seed)
    wide = [nn.Conv2d(3, 32, 3, padding=1), nn.PReLU()]
    for _ in range(2):
        wide += [nn.Conv2d(32, 32, 3, padding=1), nn.PReLU()]
    return doubling(*wide, nn.Conv2d(32, 8, 3, padding=1))


def quantised(model):
    return [layer for layer in model.net.modules() if isinstance(layer, Int8Conv2d)]


def psnr(made, wanted):
    return 10 * np.log10(255**2 / ((made.astype(float) - wanted) ** 2).mean())


# --- one layer, against numbers of numpy's ------------------------------------------------


def by_hand(given, layer, low, high, exact):
    """The same in numpy: levels, steps of weights by channel, whole sums, and the middle tap."""
    step = (high - low) / 255
    zero = round(-low / step)
    levels = np.clip(np.floor(given / np.float32(step) + zero + 0.5), 0, 255) - zero
    weight = layer.weight.numpy().copy()
    middle = np.zeros_like(weight)
    rows, columns = weight.shape[2] // 2, weight.shape[3] // 2
    taken = {"": 0, "middle": 1, "diagonal": np.eye(*weight.shape[:2])}[exact]
    middle[:, :, rows, columns] = taken * weight[:, :, rows, columns]
    weight -= middle
    steps = np.abs(weight).max((1, 2, 3), keepdims=True) / 127
    whole = np.rint(weight / steps)
    options = (layer.stride, layer.padding, layer.dilation)
    sums = convolved(levels, whole, *options) * (step * steps[:, 0, 0, 0])[:, None, None]
    return sums + convolved(given, middle, *options) + layer.bias.numpy()[:, None, None]


def convolved(given, weight, stride, padding, dilation):
    """A convolution of ``(1, C, H, W)`` in double precision, by sums over taps."""
    given = np.pad(given.astype(float), [(0, 0), (0, 0), *((n, n) for n in padding)])
    spans = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
    places = [
        (side - span - 1) // s + 1
        for side, span, s in zip(given.shape[2:], spans, stride, strict=True)
    ]
    made = np.zeros((1, weight.shape[0], *places))
    for row in range(weight.shape[2]):
        for column in range(weight.shape[3]):
            top, left = row * dilation[0], column * dilation[1]
            seen = given[:, :, top :: stride[0], left :: stride[1]][:, :, : places[0], : places[1]]
            made += np.einsum("oc,nchw->nohw", weight[:, :, row, column], seen)
    return made


def drawn(*, given=8, made=8, size=3, **options):
    generator = torch.Generator().manual_seed(0)
    layer = nn.Conv2d(given, made, size, **options).requires_grad_(False)
    layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator))
    layer.bias.copy_(torch.randn(layer.bias.shape, generator=generator))
    image = torch.randn(1, given, 9, 11, generator=generator)
    return layer, image.contiguous(memory_format=torch.channels_last)


@needs_units
@pytest.mark.parametrize(
    ("options", "exact"),
    [
        ({"padding": 1}, ""),
        ({"padding": 1}, "diagonal"),
        ({"padding": 1}, "middle"),
        ({"padding": 1, "made": 12}, "middle"),
        ({"padding": (2, 4), "dilation": (2, 4)}, "middle"),
        ({"size": 5, "padding": 2}, "diagonal"),
        ({"stride": 2, "padding": 1}, ""),
        ({"size": 2}, ""),
    ],
)
def test_a_layer_computes_what_numpy_computes(options, exact):
    layer, image = drawn(**options)
    low, high = -2.0, 2.5  # beyond which some values are cut off
    with torch.inference_mode():
        made = Int8Conv2d(layer, low, high, exact)(image)
    np.testing.assert_allclose(made, by_hand(image.numpy(), layer, low, high, exact), atol=3e-5)


@needs_units
@pytest.mark.parametrize(("low", "high"), [(-0.7, 1.9), (0.0, 1.0), (-3.0, 0.0), (0.2, 1.0)])
def test_zero_is_exact_in_pictures_and_around_them(low, high):
    layer, image = drawn(padding=1)
    with torch.inference_mode():
        made = Int8Conv2d(layer, low, high)(torch.zeros_like(image))
    assert torch.equal(made, layer.bias.view(1, -1, 1, 1).expand_as(made))


@needs_units
def test_a_channel_without_weights_gives_its_bias():
    layer, image = drawn(padding=1)
    layer.weight[3] = 0
    with torch.inference_mode():
        made = Int8Conv2d(layer, -2.0, 2.0)(image)
    assert torch.equal(made[:, 3], layer.bias[3].expand(1, 9, 11))


@needs_units
@pytest.mark.parametrize("exact", ["", "diagonal", "middle"])
@pytest.mark.parametrize("heights", [(1,), (4,), (2, 5)])
def test_strips_equal_the_whole_picture(exact, heights):
    layers = []
    for _ in range(3):
        layer, image = drawn(padding=1)
        layers.append(Int8Conv2d(layer.requires_grad_(False), -8.0, 8.0, exact))
        layer.weight.mul_(2).round_()  # whole numbers, whose sums are exact in any order
        layers[-1]._pack()
    net = nn.Sequential(*layers)
    image = image.mul(4).round()
    with torch.inference_mode():
        whole = net(image)
    torch.testing.assert_close(streamed(net, image, heights), whole, rtol=0, atol=1e-4)


@needs_units
@pytest.mark.parametrize("change", [copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))])
def test_a_copy_of_a_layer_computes_the_same(change):
    layer, image = drawn(padding=1)
    made = Int8Conv2d(layer, -2.0, 2.0, "middle")
    with torch.inference_mode():
        assert torch.equal(change(made)(image), made(image))


def test_the_range_leaves_out_what_is_seldom_and_far_away():
    # Beside two millions from -1 to 1 one of 60: cut off at h it loses (60 - h)², and the others
    # ((h + 1) / 255)² / 12 each, in all least at 15.5; tried are nineteenths of 60.
    many = torch.linspace(-1, 1, 2_000_000)
    low, high = best_range(torch.cat([many, torch.tensor([60.0])]))
    assert (low, high) == (-1, pytest.approx(60 * 5 / 19))
    # Of three values 8 bits lose least if none is cut off.
    assert best_range(torch.tensor([-2.0, 0.0, 60.0])) == (-2, 60)
    assert best_range(torch.zeros(5)) == (0, 0)


# --- networks -----------------------------------------------------------------------------


@needs_units
@pytest.mark.parametrize("streams", [True, False])
def test_wide_convolutions_are_in_8_bits_and_results_near_float32(streams, monkeypatch):
    monkeypatch.setattr(TorchUpscaler, "streams", streams)
    image = srkit.imresize(data.camera()[:320, :320], size=(80, 80))
    model = wrapped(network(), precision="int8")
    assert model.precision == "int8"
    assert [(layer.in_channels, layer.out_channels) for layer in quantised(model)] == [(32, 32)] * 2
    wanted = wrapped(network()).upscale(image)
    made = model.upscale(image)
    assert 45 < psnr(made, wanted) < 80
    np.testing.assert_array_equal(model.in_float32().upscale(image), wanted)


@needs_units
@pytest.mark.parametrize("change", [copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))])
def test_models_are_copied_and_pickled(change):
    image = data.camera()[100:140, 100:150]
    by_hand = wrapped(network(), precision="int8")
    loaded = srkit.load("span", scale=4, device="cpu", precision="int8")
    for model in (by_hand, loaded):
        other = change(model)
        assert other.precision == "int8"
        np.testing.assert_array_equal(other.upscale(image), model.upscale(image))


@needs_units
def test_two_models_have_the_same_pixels():
    image = data.camera()[100:140, 100:150]
    made = [wrapped(network(), precision="int8").upscale(image) for _ in range(2)]
    np.testing.assert_array_equal(*made)


@needs_units
def test_layers_that_lose_too_much_stay_in_float32(monkeypatch):
    images, full = quantising.pictures_of(3, 48), wrapped(network())

    def near(model):
        return nearness(*(torch.from_numpy(m.run(images)) for m in (model, full)))

    both = near(wrapped(network(), precision="int8"))
    monkeypatch.setattr(quantising, "LEAST", both + 0.5)
    model = wrapped(network(), precision="int8")
    assert len(quantised(model)) == 1
    assert near(model) > both + 0.4


@needs_units
def test_what_cannot_be_near_float32_is_refused(monkeypatch):
    monkeypatch.setattr(quantising, "LEAST", 140.0)
    with pytest.raises(
        OptionError, match=r"net x2 does not run in int8: only 0 % of its multiplications can"
    ):
        wrapped(network(), precision="int8")


@needs_units
def test_weights_that_are_no_numbers_are_damaged():
    net = network()
    net[2].weight.data[0] = np.nan
    with pytest.raises(WeightsError, match="not numbers: its weights are damaged"):
        wrapped(net, precision="int8")


# --- what it costs ------------------------------------------------------------------------


@needs_units
@pytest.mark.parametrize(("name", "scale"), [("span", 4), ("span", 2), ("srresnet", 2)])
def test_a_photo_loses_at_most_a_twentieth_of_a_decibel(name, scale):
    original = data.camera()[60:380, 90:410]
    photo = srkit.imresize(original, 1 / scale)
    full, low = (
        srkit.metrics.psnr(
            original,
            srkit.load(name, scale=scale, device="cpu", precision=p).upscale(photo),
            crop=scale,
        )
        for p in ("float32", "int8")
    )
    assert full - 0.05 < low < full + 0.05


@needs_units
def test_set5_loses_at_most_a_twentieth_of_a_decibel(data_folder):
    models = [srkit.load("span", scale=4, device="cpu", precision=p) for p in ("float32", "int8")]
    folder = data_folder("bench/Set5")
    full, low = (srkit.evaluate(m, folder, metrics=["psnr"]).mean.psnr for m in models)
    assert full - 0.05 < low < full + 0.05


def longest_run(rows):
    """Pixels of one level in a row, at most."""
    longest = run = 1
    for before, after in itertools.pairwise(rows):
        run = run + 1 if before == after else 1
        longest = max(longest, run)
    return longest


@needs_units
@pytest.mark.parametrize(
    ("dark", "bright"), [((0, 0, 0), (255, 255, 255)), ((70, 120, 190), (190, 215, 240))]
)
def test_gradients_have_no_bands(dark, bright):
    ramp = np.linspace(dark, bright, 192).round().astype(np.uint8)
    image = np.broadcast_to(ramp, (16, 192, 3))
    full, low = (
        srkit.load("span", scale=4, device="cpu", precision=p).upscale(image).astype(int)
        for p in ("float32", "int8")
    )
    assert np.abs(full - low).max() <= 2
    for channel in range(3):
        runs = [longest_run(made[32, :, channel].tolist()) for made in (full, low)]
        assert runs[1] <= 1.5 * runs[0]


# --- dials --------------------------------------------------------------------------------


@needs_units
def test_dials_turn_in_int8():
    image = srkit.imresize(data.camera()[:320, :320], size=(80, 80))
    for options in ({"denoise": 0.25}, {"denoise": "auto"}):
        full, low = (
            srkit.load("photo", scale=2, device="cpu", precision=p, **options)
            for p in ("float32", "int8")
        )
        assert low.precision == "int8"
        assert psnr(low.upscale(image), full.upscale(image)) > 43


# --- what is chosen, and what is refused --------------------------------------------------


@needs_units
def test_auto_never_takes_it(monkeypatch):
    stated = {2: ("int8",)}
    assert wrapped(network(), precision="auto", precisions=stated).precision == "float32"


@pytest.mark.parametrize(
    ("vnni", "flags", "there"),
    [
        (True, {}, True),
        (False, {"avx_vnni": True}, True),
        (False, {"avx_vnni": False, "avx2": True}, False),
        (False, {}, False),
    ],
)
def test_units_are_those_that_torch_reports(vnni, flags, there, monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: vnni, raising=False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags, raising=False)
    assert has_int8_units() == there
    if there:
        assert pick_precision("int8", CPU, ()) == torch.int8
    else:
        with pytest.raises(OptionError, match=r"needs a CPU with VNNI .* choose 'auto'"):
            srkit.load("span", device="cpu", precision="int8")


def test_other_devices_are_refused():
    with pytest.raises(OptionError, match="'int8' is for CPUs, not for cuda:1; choose 'float16'"):
        pick_precision("int8", torch.device("cuda:1"), ())


@pytest.mark.parametrize("short", ["i8", "8bit"])
def test_short_names_are_told(short):
    with pytest.raises(OptionError, match="did you mean 'int8'"):
        pick_precision(short, CPU, ())


@needs_units
@pytest.mark.parametrize("name", ["fsrcnn", "vsr-small"])
def test_networks_that_would_gain_nothing_are_refused(name):
    with pytest.raises(OptionError, match=f"{name} x4 does not run in int8: .* choose precision="):
        srkit.load(name, scale=4, runtime="torch", device="cpu", precision="int8")


def test_models_without_a_choice_refuse_it(monkeypatch):
    with pytest.raises(OptionError, match="bicubic runs in float32 alone"):
        srkit.load("bicubic", precision="int8")
    monkeypatch.setattr(devices, "has_int8_units", lambda: True)
    card = wrapped(nn.Identity(), scale=1).card
    with pytest.raises(OptionError, match="net runs in float32 alone"):
        ClosedUpscaler(card, 1, nn.Identity(), device="cpu", precision="int8")
