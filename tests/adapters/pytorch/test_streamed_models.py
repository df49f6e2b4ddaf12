"""What strips cost, and models on torch that run by strips."""

from __future__ import annotations

import itertools
import logging
import threading
import weakref

import numpy as np
import pytest
from wrapping import wrapped

torch = pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")

from skimage import data
from streams import held_bytes, picture, streamed, whole_numbers
from torch import nn
from torch.nn import functional

import srkit
from srkit.adapters.pytorch.architectures.unet import Interpolated
from srkit.adapters.pytorch.nets.resnet import Form
from srkit.adapters.pytorch.nets.unet import UNet
from srkit.adapters.pytorch.runtime.streaming import cost_of, plan
from srkit.adapters.pytorch.runtime.tracing import trace
from srkit.upscaling.engine import Job
from srkit.upscaling.tiling import grid_of

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


def test_strips_that_were_read_ahead_are_let_go():
    model, alive = wrapped(residual()), []

    def strips():
        for _ in range(6):
            strip = np.zeros((1, 4, 5, 3), np.float32)
            alive.append(weakref.ref(strip))
            yield strip
            del strip

    counts = [sum(ref() is not None for ref in alive) for _ in model.run_rows(strips())]
    # The one that was computed last, and one ahead of it.
    assert max(counts) <= 2
    assert counts[-1] <= 1


# --- models -------------------------------------------------------------------------------


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
    ("span", 2),
    ("span", 4),
    ("srgan", 4),
    ("espcn", 2),
    ("espcn", 3),
    ("fsrcnn", 2),
    ("fsrcnn", 3),
    ("fsrcnn", 4),
    ("neural-enhance", 2),
    ("neural-enhance-repair", 1),
    ("photo", 4),
    ("unet", 2),
    ("unet", 4),
    ("unet-repair", 1),
]


@pytest.mark.parametrize(("name", "scale"), SHIPPED)
def test_shipped_models_streamed_give_what_they_give_of_the_whole(name, scale):
    model = srkit.load(name, scale=scale, device="cpu", runtime="torch", precision="float32")
    assert model.streams
    multiple = model.card.multiple
    strides = multiple >= 16
    cuts = [0, multiple, 3 * multiple, 4 * multiple] if strides else [0, 2 * multiple, 16, 40, 56]
    width = max(16, multiple)
    photo = data.astronaut()[100 : 100 + cuts[-1], 200 : 200 + width].astype(np.float32)[None] / 255
    image = photo[..., :1] if model.card.colour == "luma" else photo
    whole = model.run(image)
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
    quick, model._full.quick_strip_bytes = model.quick_strip_bytes, model.strip_bytes(64, 24)
    in_strips = model.upscale(image)
    assert [height for height, _ in strips] == [64, 64, 26]
    assert tiles == []
    model.upscale(image[:30])
    assert strips[3:] == [(34, 24)]
    assert tiles == [(34, 24)]
    model._full.quick_strip_bytes = quick
    whole = model.upscale(image)
    assert strips[4:] == tiles[1:] == [(154, 24)]
    np.testing.assert_allclose(in_strips, whole, atol=1e-5)


def heavy():
    """A network that computes much for each byte of memory."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 41, padding=20)]
    return nn.Sequential(*layers, nn.Conv2d(8, 12, 3, padding=1), nn.PixelShuffle(2))


@pytest.mark.parametrize(
    ("threads", "policy", "net", "mebibytes"),
    [
        (1, "", heavy, 32),
        (2, "passive", heavy, 128),
        (2, "", heavy, 256),
        (2, "", doubling, 32),
    ],
    ids=["one thread", "that sleep", "that spin", "where memory is most of the time"],
)
def test_strips_are_the_higher_the_dearer_it_is_that_threads_meet(
    threads, policy, net, mebibytes, monkeypatch
):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setenv("OMP_WAIT_POLICY", policy)
    model = wrapped(net())
    assert model.quick_strip_bytes == mebibytes << 20
    assert model.quick_whole_bytes == (512 if mebibytes > 32 else 32) << 20
    # Nothing is run: of a picture that large the engine is asked for the height of strips alone.
    job = Job(model, memory=2**31, ensemble=False, progress=False)
    width = 1000
    grid = grid_of(model, 10_000, width)
    rows, wide = job._strip_rows(grid, width), grid.columns.extended
    quick = model.quick_strip_bytes
    assert model.strip_bytes(rows, wide) <= quick < model.strip_bytes(rows + 1, wide)


def test_strips_of_wide_images_fit_in_what_the_allocator_keeps():
    model = wrapped(doubling())
    strips, _ = strips_of(model)
    model.upscale(np.zeros((80, 8000, 3), np.float32))
    rows, width = strips[0]
    kept = 32 << 20
    assert 16 < rows < 64
    assert model.strip_bytes(rows, width) <= kept < model.strip_bytes(rows + 1, width)


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
    model._full.quick_strip_bytes = model.strip_bytes(64, 25)
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
