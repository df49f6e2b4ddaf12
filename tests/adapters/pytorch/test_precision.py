"""Precision: what is chosen, what it costs in exactness, and what happens where it overflows."""

import copy
import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from skimage import data
from torch import nn
from wrapping import doubling, wrapped

import srkit
from srkit.adapters.pytorch.runtime import device as devices
from srkit.adapters.pytorch.runtime.device import exact_kernels, faster_than_float32, pick_precision
from srkit.adapters.pytorch.runtime.network import Network
from srkit.adapters.pytorch.runtime.upscaler import TorchUpscaler
from srkit.errors import OptionError, WeightsError

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


# --- what is chosen -----------------------------------------------------------------------


def bearing(monkeypatch, *names):
    """Let torch report that the CPU has units for bfloat16, or none."""
    for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda name=name: name in names, raising=False)


@pytest.mark.parametrize("unit", ["_is_amx_tile_supported", "_is_avx512_bf16_supported"])
def test_auto_takes_bfloat16_on_cpus_with_units_for_it_where_the_card_knows_it(unit, monkeypatch):
    bearing(monkeypatch)
    assert pick_precision("auto", CPU, ("float16", "bfloat16")) == torch.float32
    bearing(monkeypatch, unit)
    assert pick_precision("auto", CPU, ("float16", "bfloat16")) == torch.bfloat16
    assert pick_precision("auto", CPU, ("float16",)) == torch.float32
    assert pick_precision("auto", CPU, ()) == torch.float32


@pytest.mark.parametrize(
    ("capability", "proven", "wanted"),
    [
        ((9, 0), ("bfloat16", "float16"), torch.float16),
        ((8, 0), ("bfloat16",), torch.bfloat16),
        ((8, 0), (), torch.float32),
        ((7, 5), ("bfloat16", "float16"), torch.float32),
    ],
)
def test_auto_on_gpus(capability, proven, wanted, monkeypatch):
    monkeypatch.setattr(torch.version, "hip", None)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert pick_precision("auto", CUDA, proven) == wanted


def test_other_devices_stay_in_float32():
    assert faster_than_float32(torch.device("mps")) == ()


def test_the_card_decides_scale_by_scale(monkeypatch):
    bearing(monkeypatch, "_is_avx512_bf16_supported")
    net = doubling(nn.Conv2d(3, 8, 3, padding=1))
    assert wrapped(net, precision="auto", precisions={2: ("bfloat16",)}).precision == "bfloat16"
    assert wrapped(net, precision="auto", precisions={4: ("bfloat16",)}).precision == "float32"


def test_between_srresnet_and_srgan_nothing_is_proven(monkeypatch):
    monkeypatch.setattr(devices, "faster_than_float32", lambda _: ("float16",))
    options = {"device": "cpu", "scale": 4}
    assert srkit.load("srgan", **options).precision == "float16"
    assert srkit.load("srgan", **options, perception=0.5).precision == "float32"
    assert srkit.load("srgan", **options, precision="float32").precision == "float32"


UNLISTED = [("espcn", 2, "bfloat16"), ("fsrcnn", 2, "bfloat16")]
LISTED = [
    (name, scale, precision)
    for name in ("espcn", "fsrcnn")
    for scale, found in srkit.card(name).precisions.items()
    for precision in found
]


@pytest.mark.parametrize(("name", "scale", "precision"), LISTED + UNLISTED)
def test_what_cards_state_holds_on_a_photo(name, scale, precision):
    photo = srkit.imresize(data.astronaut(), size=(128, 128))
    full, low = (
        srkit.load(name, scale=scale, runtime="torch", device="cpu", precision=p).upscale(photo)
        for p in ("float32", precision)
    )
    apart = np.abs(full.astype(int) - low)
    psnr = 10 * np.log10(255**2 / (apart**2).mean())
    good = psnr >= 50 and (apart <= 1).mean() >= 0.995
    assert good == ((name, scale, precision) in LISTED)


def test_unknown_precisions_are_refused():
    with pytest.raises(OptionError, match=r"precision is 'auto', 'float32', .* not 'int4'"):
        pick_precision("int4", torch.device("cpu"), ())


@pytest.mark.parametrize(("precision", "error"), [("float16", 2e-3), ("bfloat16", 2e-2)])
def test_lower_precision_is_near_the_full_one(precision, error):
    torch.manual_seed(0)
    net = doubling(nn.Conv2d(3, 8, 3, padding=1), nn.PReLU())
    image = np.random.default_rng(0).random((8, 9, 3), np.float32)
    full = wrapped(copy.deepcopy(net)).upscale(image)
    low = wrapped(net, precision=precision).upscale(image)
    assert low.dtype == np.float32
    assert 0 < np.abs(low - full).max() < error


@pytest.mark.parametrize("streams", [True, False])
def test_bfloat16_does_not_round_what_is_given(streams):
    class Difference(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Conv2d(2, 1, 1, bias=False), nn.Conv2d(3, 3, 1, bias=False)
            self.first.weight.data = torch.tensor([1.0, -1.0]).view(1, 2, 1, 1)
            nn.init.ones_(self.last.weight)

        def forward(self, x):
            return self.last(torch.cat([self.first(x - 0.5), x], 1))

    network = Network(Difference(), CPU, torch.bfloat16, channels=2, multiple=1)
    levels = np.full((1, 9, 5, 2), (201, 200), np.float32) / 256
    levels[..., 1] += 1 / 1024
    made = list(network.rows([levels])) if streams else [network.run(levels)]
    # The difference is exact; then bfloat16 has 201/256 and 200/256, and sums of eighths.
    wanted = np.float32(3 / 1024 + 401 / 256)
    wanted = torch.tensor(wanted).bfloat16().item()
    assert np.array_equal(np.concatenate(made, axis=1), np.full((1, 9, 5, 3), wanted))


@pytest.mark.parametrize("width", range(3, 8))
@pytest.mark.parametrize("streams", [True, False])
def test_strided_convolutions_are_right_on_narrow_images(width, streams):
    """With AMX, oneDNN computes some in bfloat16 from unset memory."""
    net = nn.Sequential(
        nn.Conv2d(3, 16, 1), nn.Conv2d(16, 16, 3, stride=2), nn.Conv2d(16, 16, 1, groups=16)
    )
    for layer in net:
        nn.init.ones_(layer.weight)
        nn.init.zeros_(layer.bias)
    network = Network(net, CPU, torch.bfloat16, channels=3, multiple=1)
    image = np.full((1, 33, width, 3), 0.125, np.float32)
    made = list(network.rows([image])) if streams else [network.run(image)]
    # Three channels of an eighth; then 9 pixels of 16 channels of that.
    assert np.array_equal(
        np.concatenate(made, axis=1), np.full((1, 16, (width - 1) // 2, 16), 3 / 8 * 16 * 9)
    )


# --- overflow -----------------------------------------------------------------------------


class Overflowing(nn.Module):
    """Goes through 120000 times each value; a float16 ends at 65504."""

    def __init__(self, masked=False):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
        self.masked, self.net = masked, doubling(nn.Conv2d(3, 8, 5, padding=2), nn.PReLU())
        for conv, gain in ((self.first, 300.0), (self.second, -400.0)):
            conv.weight.data = gain * torch.eye(3)[..., None, None]
            conv.bias.data.zero_()

    def forward(self, x):
        much = self.second(self.first(x)) / 120000.0
        # Of what is below -1 clamp makes a number again.
        return self.net(much.clamp(-1, 0) if self.masked else much)


@pytest.mark.parametrize("height", [30, 150])
@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("masked", [True, False])
def test_what_overflows_is_run_again_in_float32(height, streams, masked, monkeypatch, caplog):
    monkeypatch.setattr(TorchUpscaler, "streams", streams)
    image = np.random.default_rng(0).random((height, 12, 3), np.float32)
    # Dark above: the overflow comes late.
    image[: height // 2] *= 0.4
    wanted = wrapped(Overflowing(masked)).upscale(image)
    model = wrapped(Overflowing(masked), precision="float16")
    with caplog.at_level(logging.WARNING, "srkit"):
        made = [model.upscale(image) for _ in range(2)]
    np.testing.assert_array_equal(made[0], made[1])
    assert np.abs(made[0] - wanted).max() < 2e-3
    assert np.abs(made[0] - wanted)[height + 20 :].max() < 1e-6
    said = [r.getMessage() for r in caplog.records]
    assert said == ["net: values overflow in float16; what they spoil is run again in float32"]


@pytest.mark.parametrize("step", [4, 10, 50])
@pytest.mark.parametrize("first", [0, 13, 37, 79])
def test_strips_go_on_in_float32_wherever_the_overflow_comes(step, first):
    image = np.random.default_rng(0).random((1, 80, 6, 3), np.float32)
    image[:, :first] *= 0.4
    # Strong enough for a single row to overflow.
    image[:, first] = 1
    model, full = (wrapped(Overflowing(), precision=p) for p in ("float16", "float32"))
    parts = list(model.run_rows(image[:, y : y + step] for y in range(0, 80, step)))
    rows = np.concatenate(parts, axis=1)
    wanted = full.run(image)
    assert rows.shape == wanted.shape
    assert np.abs(rows - wanted).max() < 2e-3
    assert np.abs(rows - wanted)[:, 2 * (first + 4) :].max(initial=0) < 1e-6


def test_infinite_padding_before_a_maximum_is_no_overflow(caplog):
    net = nn.Sequential(nn.MaxPool2d(3, 1, 1), *doubling(nn.Conv2d(3, 8, 3, padding=1)))
    image = np.random.default_rng(0).random((150, 9, 3), np.float32)
    made = wrapped(net, precision="float16").upscale(image)
    assert np.isfinite(made).all()
    assert caplog.records == []


def test_weights_that_are_no_numbers_are_damaged_in_every_precision():
    for precision in ("float32", "bfloat16", "float16"):
        net = doubling(nn.Conv2d(3, 8, 3, padding=1))
        net[1].weight.data[0] = np.nan
        with pytest.raises(WeightsError, match="not numbers: its weights are damaged"):
            wrapped(net, precision=precision).upscale(np.zeros((5, 5, 3), np.float32))


def test_reduced_precision_has_a_twin_in_float32():
    net = doubling(nn.Conv2d(3, 8, 3, padding=1))
    image = np.random.default_rng(0).random((9, 9, 3), np.float32)
    wanted = wrapped(copy.deepcopy(net)).upscale(image)
    model = wrapped(net, precision="bfloat16")
    np.testing.assert_allclose(model.in_float32().upscale(image), wanted, atol=1e-6)
    assert (model.precision, model.in_float32().precision) == ("bfloat16", "float32")


# --- TF32 ---------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("last", [0, 1])
def test_full_precision_holds_until_the_last_thread_has_left(before, last, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", before)
    cuda, seen = torch.device("cuda"), []
    contexts = [exact_kernels(cuda), exact_kernels(cuda)]

    def note(step):
        step()
        seen.append(torch.backends.cudnn.allow_tf32)

    def leave(context):
        return lambda: context.__exit__(None, None, None)

    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        threads = [one, other]
        for thread, context in zip(threads, contexts, strict=True):
            thread.submit(note, context.__enter__).result()
        for number in (1 - last, last):
            threads[number].submit(note, leave(contexts[number])).result()
    assert seen == [False, False, False, before]
