"""MD-AVSR: the paper's sizes, and that what it makes shrinks to what it was given."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")

from safetensors.torch import save_file

import srkit
from srkit import WeightsError
from srkit.adapters.pytorch.architectures.avsr import INVERSE_REACH, AVSRUpscaler, build_avsr
from srkit.adapters.pytorch.architectures.loading import load_network
from srkit.adapters.pytorch.nets.avsr import AVSR, Size
from srkit.imaging.observation import Observation

TINY = Size(width=8, encoder=4, low=2, high=1)


@pytest.mark.parametrize(
    ("scale", "channels", "parameters"),
    [(2, 1, 1_517_889), (3, 1, 1_702_529), (4, 1, 1_961_025), (4, 3, 1_968_515)],
)
def test_the_network_has_as_many_parameters_as_its_paper_implies(scale, channels, parameters):
    with torch.device("meta"):
        net = AVSR(scale, channels=channels)
    assert sum(p.numel() for p in net.parameters()) == parameters


def test_the_small_form_costs_less_than_a_tenth():
    from srkit.adapters.pytorch.architectures.avsr import Packed
    from srkit.adapters.pytorch.runtime.complexity import multiply_adds
    from srkit.adapters.pytorch.runtime.tracing import trace
    from srkit.training.families import FAMILIES

    large, small = (
        multiply_adds(trace(Packed(FAMILIES[name].build(4))), 21) for name in ("vsr", "vsr-small")
    )
    assert large == pytest.approx(7.5e6, rel=0.05)  # of a LR pixel, by hand
    assert small < large / 10


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "mine.safetensors"
    save_file(AVSR(4, window=3, size=TINY).state_dict(), path)
    return path


def test_a_file_tells_what_network_it_is_of(weights):
    model = srkit.load(weights)
    assert (model.scale, model.window, model.card.colour) == (4, 3, "luma")
    assert model.parameters == sum(p.numel() for p in AVSR(4, 3, size=TINY).parameters())


def luma(image):
    return image @ np.array([0.299, 0.587, 0.114])


@pytest.mark.parametrize("kind", ["colour", "grey"])
def test_results_shrink_to_the_frame_that_was_given(weights, kind):
    model = srkit.load(weights)
    shape = (14, 17, 3) if kind == "colour" else (14, 17)
    frames = [0.4 + 0.2 * np.random.default_rng(n).random(shape) for n in range(3)]
    made = list(model.upscale_frames(frames))
    observation = Observation(56, 68, scale=4)
    for frame, picture in zip(frames, made, strict=True):
        assert 0 < picture.min() < picture.max() < 1  # nothing was clipped
        given, result = (luma(x) if x.ndim == 3 else x for x in (frame, picture))
        np.testing.assert_allclose(observation.apply(result[..., None])[..., 0], given, atol=2e-6)


@pytest.mark.parametrize("heights", [(1, 2), (19, 20, 21), (64, 6)], ids=str)
def test_strips_give_what_the_whole_frame_gives(weights, heights):
    model = srkit.load(weights)
    assert model.streams
    frames = np.random.default_rng(0).random((1, 3, 70, 9, 1), np.float32)
    tops = np.cumsum([0, *itertools.islice(itertools.cycle(heights), 70)])
    parts = [frames[:, :, a:b] for a, b in itertools.pairwise(tops) if a < 70]
    rows = np.concatenate(list(model.run_rows(parts)), axis=1)
    np.testing.assert_allclose(rows, model.run(frames), atol=1e-5)


def test_a_tall_video_runs_in_strips_cut_into_columns_where_memory_is_little(weights):
    model = srkit.load(weights)
    frames = [0.3 + 0.4 * np.random.default_rng(n).random((90, 120)) for n in range(3)]
    whole = list(model.upscale_frames(frames))
    strips, run_rows = [], model.run_rows

    def watched(given):
        for strip in given:
            strips.append(strip.shape)
            yield strip

    model.run_rows = lambda given: run_rows(watched(given))
    memory = int(0.8 * model.strip_bytes(1, 120))
    made = list(model.upscale_frames(frames, memory=memory))
    np.testing.assert_allclose(made, whole, atol=1e-5)
    assert {shape[:2] for shape in strips} == {(1, 3)}
    assert max(model.strip_bytes(*shape[2:4]) for shape in strips) <= memory


def test_tiles_give_what_the_whole_frame_gives(weights, monkeypatch):
    monkeypatch.setattr(AVSRUpscaler, "streams", False)
    model = srkit.load(weights)
    image = 0.3 + 0.4 * np.random.default_rng(0).random((90, 120))
    whole = model.upscale(image)
    side = 2 * model.radius + 12
    tiled = model.upscale(image, memory=int(side**2 * model.bytes_per_pixel))
    np.testing.assert_allclose(tiled, whole, atol=1e-5)


def test_the_pseudo_inverse_reaches_no_farther_than_is_said():
    lr = np.zeros((101, 1, 1))
    lr[50] = 1
    made = np.abs(Observation(404, 4, scale=4).invert(lr))[:, 0, 0].reshape(101, 4).max(axis=1)
    beyond = np.abs(np.arange(101) - 50) > INVERSE_REACH
    assert made[beyond].max() < 1e-5 * made.max()


def test_weights_for_another_scale_or_network_are_refused(weights):
    card = dataclasses.replace(srkit.card("espcn"), name="vsr")
    with pytest.raises(WeightsError, match="for x4, not x2"):
        load_network(card, 2, weights)
    with pytest.raises(WeightsError, match="no weights of AVSR"):
        build_avsr({"frames.weight": torch.zeros(1)})


def test_colours_are_kept_though_what_the_network_makes_has_no_brightness_of_its_own():
    """Before the projection it may lie anywhere; clipped there, yellow had turned grey."""
    picture = np.full((24, 24, 3), (200, 200, 20), np.uint8)
    picture[8:16] = (120, 180, 20)
    net = AVSR(4, window=3, size=TINY)
    with torch.no_grad():
        for value in net.parameters():
            value.zero_()
        net.out.bias.fill_(-0.9)
    card = srkit.load("vsr-small").card
    made = load_network(card, 4, net.state_dict()).upscale(picture).astype(int)
    for y, x in ((12, 12), (48, 48), (84, 84)):
        assert np.abs(made[y, x] - picture[y // 4, x // 4]).max() <= 3
