"""`TorchUpscaler`: folding, reach, footprint, devices, and tiles that are exact."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from wrapping import doubling, wrapped

import srkit
from srkit.adapters.pytorch.runtime.device import (
    memory_errors,
    pick_device,
)
from srkit.adapters.pytorch.runtime.receptive import fold_batch_norm, receptive_radius
from srkit.adapters.pytorch.runtime.tracing import trace
from srkit.adapters.pytorch.runtime.upscaler import TorchUpscaler
from srkit.errors import OptionError, WeightsError

CPU = {"device": "cpu", "precision": "float32"}


# --- tiles --------------------------------------------------------------------------------


def integers(net, seed=0):
    """Small whole weights, so that sums of whole inputs are exact in any order."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in net.parameters():
        whole = torch.randint(-2, 3, parameter.shape, generator=generator)
        parameter.data = whole.float()
    # A power of two brings the result into [0, 1], still exactly.
    net[-2].weight.data *= 2.0**-14
    net[-2].bias.data.fill_(0.5)
    return net


@pytest.mark.parametrize("border", ["reflect", "zero"])
@pytest.mark.parametrize("memory", [35_000, 40_000, 100_000])
@pytest.mark.parametrize("streams", [True, False])
def test_whole_weights_and_inputs_give_equal_bits_in_parts(border, memory, streams, monkeypatch):
    if not streams:
        monkeypatch.setattr(TorchUpscaler, "streams", False)
    net = doubling(nn.Conv2d(3, 8, 5, padding=2), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1))
    model = wrapped(integers(net), border=border)
    image = np.random.default_rng(0).integers(0, 2, (37, 53, 3)).astype(np.float32)
    whole = model.upscale(image)
    assert 0 < whole.min() < whole.max() < 1
    assert len(np.unique(whole)) > 100
    parts, run, run_rows = [], model.run, model.run_rows
    model.run = lambda tiles: parts.append(tiles.shape) or run(tiles)
    model.run_rows = lambda strips: run_rows(parts.append(s.shape) or s for s in strips)
    np.testing.assert_array_equal(model.upscale(image, memory=memory), whole)
    assert len(parts) > 1
    assert max(height * width for _, height, width, _ in parts) < 37 * 53


# --- batch norm ---------------------------------------------------------------------------


def test_folding_batch_norm_changes_nothing_but_rounding():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.PReLU(),
        nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8),
    )  # fmt: skip
    for layer in (net[1], net[4]):
        nn.init.normal_(layer.running_mean)
        nn.init.uniform_(layer.running_var, 0.5, 2)
        nn.init.normal_(layer.weight)
        nn.init.normal_(layer.bias)
    net.eval()
    image = torch.rand(1, 3, 9, 11)
    with torch.no_grad():
        before = net(image)
        after = fold_batch_norm(net)(image)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in net.modules())
    torch.testing.assert_close(after, before, atol=1e-5, rtol=0)


# --- receptive field ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("net", "radius"),
    [
        (nn.Conv2d(3, 3, 1), 0),
        (nn.Conv2d(3, 3, 9, padding=4), 4),
        (nn.Sequential(nn.Conv2d(3, 3, 3), nn.ReLU(), nn.Conv2d(3, 3, 5)), 3),
        (nn.Conv2d(3, 3, 3, padding=4, dilation=4), 4),
        (nn.Conv2d(3, 3, (1, 7)), 3),
        # A pixel after the shuffle is half an LR pixel: 1 + 1/2, 1 + 4/2.
        (nn.Sequential(nn.Conv2d(3, 12, 3), nn.PixelShuffle(2), nn.Conv2d(3, 3, 3)), 2),
        (nn.Sequential(nn.Conv2d(3, 12, 3), nn.PixelShuffle(2), nn.Conv2d(3, 3, 9)), 3),
        # So it is after each pixel was repeated.
        (nn.Sequential(nn.Conv2d(3, 3, 3), nn.Upsample(scale_factor=2), nn.Conv2d(3, 3, 9)), 3),
        # The first of two pixels sees those of the next square: three beyond itself.
        (nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(12, 12, 3), nn.PixelShuffle(2)), 3),
        (nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(12, 3, 3), nn.Upsample(scale_factor=2)), 3),
    ],
)
def test_the_radius_follows_from_the_layers(net, radius):
    assert receptive_radius(trace(nn.Sequential(net))) == radius


def test_the_radius_of_branches_is_that_of_the_widest():
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.wide, self.narrow = nn.Conv2d(3, 3, 7, padding=3), nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, x):
            return torch.cat([self.wide(x), self.narrow(self.narrow(x)) + x], 1)

    assert receptive_radius(trace(Branches())) == 3


@pytest.mark.parametrize(
    ("pool", "radius"),
    [
        # Of windows of three that begin one before: one to the left, none to the right of two.
        (nn.MaxPool2d(3, stride=2, padding=1), 1),
        (nn.MaxPool2d((1, 3), stride=2, padding=(0, 1), dilation=1), 1),
        (nn.AvgPool2d(2, stride=1), 1),
        (nn.MaxPool2d(3, stride=1, padding=2, dilation=2), 2),
    ],
)
def test_pooling_reaches_as_far_as_its_window(pool, radius):
    assert receptive_radius(trace(nn.Sequential(pool))) == radius


def test_interpolation_by_repeating_pixels_is_known_as_a_function_too():
    class Doubles(nn.Module):
        def forward(self, x):
            return functional.interpolate(x, scale_factor=2, mode="nearest")

    # One pixel, which is half of one of LR, on each side.
    assert receptive_radius(trace(nn.Sequential(Doubles(), nn.Conv2d(3, 3, 3)))) == 1


@pytest.mark.parametrize(
    "layer",
    [
        nn.AdaptiveAvgPool2d(1),
        nn.LPPool2d(2, 2),
        nn.InstanceNorm2d(3),
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
        nn.Upsample(scale_factor=1.5),
        nn.CircularPad2d(1),
        nn.Conv2d(3, 3, 3, padding=1, padding_mode="circular"),
        nn.ZeroPad2d(-1),
        nn.Upsample(size=9),
    ],
)
def test_layers_of_unknown_reach_are_refused(layer):
    with pytest.raises(WeightsError, match=r"receptive field of .* is not known"):
        receptive_radius(trace(nn.Sequential(nn.Conv2d(3, 3, 3), layer)))


# --- memory -------------------------------------------------------------------------------

FORMS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported later"),
    RuntimeError("MPS backend out of memory (MPS allocated: 8.00 GB)"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: "
                 "can't allocate memory: you tried to allocate 64 bytes."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:75] data. DefaultCPUAllocator: "
                 "not enough memory: you tried to allocate 64 bytes."),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
]  # fmt: skip


@pytest.mark.parametrize("error", FORMS, ids=lambda error: str(error)[:24])
def test_every_way_torch_says_it_becomes_a_memory_error(error):
    with pytest.raises(MemoryError), memory_errors():
        raise error


def test_what_torch_really_says_becomes_a_memory_error():
    with pytest.raises(MemoryError, match="allocate"), memory_errors():
        torch.empty(1 << 60, dtype=torch.uint8)


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="size mismatch"), memory_errors():
        raise RuntimeError("size mismatch")


def test_a_network_that_runs_out_of_memory_goes_on_with_smaller_tiles():
    class Large(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 12, 3, padding=1)
            self.shuffle = nn.PixelShuffle(2)

        def forward(self, x):
            return self.shuffle(self.conv(x))

    torch.manual_seed(0)
    model = wrapped(Large())
    image = np.random.default_rng(0).random((40, 50, 3), np.float32)
    wanted = model.upscale(image)

    def forget(module, tiles):
        if tiles[0].shape[-1] * tiles[0].shape[-2] > 700:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    model.net.register_forward_pre_hook(forget)
    np.testing.assert_allclose(model.upscale(image), wanted, atol=1e-5)


# By the system's own peak, since a thread that samples may starve on a busy machine.
FOOTPRINT = """
import numpy
import srkit
from srkit.adapters.pytorch.nets.srresnet import SRResNet
from srkit.adapters.pytorch.architectures.loading import load_network

def held(name):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))

weights = SRResNet(4, blocks=1).state_dict()
model = load_network(srkit.card("srresnet"), 4, weights, device="cpu")
stated = model.bytes_per_pixel
model.run(numpy.zeros((1, 64, 64, 3), numpy.float32))
with open("/proc/self/clear_refs", "w") as mark:
    mark.write("5")  # the peak begins anew
before = held("VmRSS")
model.run(numpy.zeros((1, 192, 192, 3), numpy.float32))
print(stated, (held("VmHWM") - before) / 192**2)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read as Linux reports it")
def test_the_footprint_is_not_below_what_a_process_takes_nor_far_above():
    run = [sys.executable, "-c", FOOTPRINT]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    stated, taken = map(float, done.stdout.split())
    assert taken < stated < 3 * taken


# --- devices -----------------------------------------------------------------------------


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "cpu:x", ""])
def test_devices_that_are_not_there_are_refused(device):
    with pytest.raises(OptionError, match=r"device .* cannot be used \(.+\); choose 'auto'"):
        pick_device(device)


def test_auto_is_a_device_that_works():
    assert torch.empty(1, device=pick_device("auto")).device.type in ("cpu", "cuda", "mps")
    assert pick_device("cpu") == torch.device("cpu")


def test_options_reach_the_adapter_from_load(tmp_path):
    from srkit.adapters.pytorch.nets.srresnet import SRResNet

    path = tmp_path / "net.pth"
    torch.save(SRResNet(2, channels=4, blocks=1).state_dict(), path)
    model = srkit.load(path, device="cpu", precision="bfloat16")
    assert model.precision == "bfloat16"
    assert torch.bfloat16 in {parameter.dtype for parameter in model.net.parameters()}
    with pytest.raises(OptionError, match="device 'gpu'"):
        srkit.load(path, device="gpu")
    with pytest.raises(OptionError, match="no option 'devise'; did you mean 'device'"):
        srkit.load(path, devise="cpu")


# --- odds and ends ------------------------------------------------------------------------


def test_brightness_alone_runs_through_one_channel():
    class Repeat(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 4, 1, bias=False)
            nn.init.ones_(self.conv.weight)
            self.shuffle = nn.PixelShuffle(2)

        def forward(self, x):
            return self.shuffle(self.conv(x))

    grey = np.array([[0.0, 0.25], [0.5, 1.0]])
    result = wrapped(Repeat(), colour="luma").upscale(grey)
    np.testing.assert_array_equal(result, grey.repeat(2, 0).repeat(2, 1))


def test_lines_one_pixel_wide_bear_flips_and_turns():
    """numpy calls a flipped line contiguous; torch does not take its negative stride."""
    net = doubling(nn.Conv2d(3, 8, 1))
    model = wrapped(net, border="zero")
    for shape in ((1, 1, 3), (1, 5, 3), (5, 1, 3)):
        model.upscale(np.zeros(shape, np.float32), self_ensemble=True)


def test_the_network_is_frozen_and_in_evaluation():
    model = wrapped(doubling(nn.Conv2d(3, 8, 3, padding=1), nn.Dropout(0.5)))
    assert not model.net.training
    assert not any(parameter.requires_grad for parameter in model.net.parameters())


def test_models_run_while_others_are_loaded():
    model = wrapped(doubling(nn.Conv2d(3, 8, 3, padding=1)))
    picture = np.random.default_rng(0).random((9, 9, 3), np.float32)
    alone = model.upscale(picture)
    stop = threading.Event()

    def load():
        while not stop.is_set():
            wrapped(doubling(nn.Conv2d(3, 8, 3, padding=1))).upscale(picture)

    with ThreadPoolExecutor(2) as pool:
        loads = [pool.submit(load) for _ in range(2)]
        try:
            results = [model.upscale(picture) for _ in range(200)]
        finally:
            stop.set()
        for load_done in loads:
            load_done.result()
    assert all(np.array_equal(result, alone) for result in results)
