"""OpenVINO as a runtime of torch's networks: when it is taken, and that pixels stay the same."""

import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

pytest.importorskip("openvino", reason="needs pip install 'srkit[openvino]'")
pytest.importorskip("onnx", reason="needs pip install 'srkit[openvino]'")
pytest.importorskip("torch", reason="needs pip install 'srkit[openvino]'")

import srkit
from srkit import OptionError, testing
from srkit.adapters.openvino import network as openvino_network
from srkit.adapters.openvino.network import OpenVINONetwork
from srkit.adapters.pytorch.architectures import base
from srkit.errors import WeightsError
from srkit.upscaling.model import RIM

PHOTO = np.random.default_rng(0).random((150, 61), np.float32)


def on_openvino(model):
    return isinstance(model._fast, OpenVINONetwork) and model._fast._compiled is not None


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_auto_takes_it_where_the_card_names_it_and_values_are_torchs(scale, monkeypatch):
    monkeypatch.setattr(openvino_network, "TORCH_FIRST", 0)
    fast = srkit.load("espcn", scale=scale, device="cpu")
    plain = srkit.load("espcn", scale=scale, device="cpu", runtime="torch")
    assert on_openvino(fast)
    assert not on_openvino(plain)
    apart = np.abs(fast.upscale(PHOTO) - plain.upscale(PHOTO))
    assert apart.max() <= 1e-5


def test_auto_builds_it_when_that_pays_and_values_stay_torchs(monkeypatch):
    monkeypatch.setattr(openvino_network, "TORCH_FIRST", 2 * PHOTO.size)
    model = srkit.load("espcn", device="cpu")
    plain = srkit.load("espcn", device="cpu", runtime="torch").upscale(PHOTO)
    built = []
    for _ in range(4):
        # With its rim a picture counts for a third more.
        np.testing.assert_allclose(model.upscale(PHOTO, memory=10**7), plain, atol=1e-5)
        built.append("_compiled" in vars(model._fast))
    assert built == [False, False, True, True]


def test_what_is_asked_for_is_built_for_the_first_picture():
    model = srkit.load("espcn", device="cpu", runtime="openvino")
    model.upscale(PHOTO)
    assert model._fast._compiled is not None


def test_8_bit_pixels_are_within_a_level():
    photo = np.rint(255 * np.dstack([PHOTO] * 3)).astype(np.uint8)
    fast = srkit.load("espcn", device="cpu", runtime="openvino").upscale(photo)
    plain = srkit.load("espcn", device="cpu", runtime="torch").upscale(photo)
    apart = np.abs(fast.astype(int) - plain)
    assert apart.max() <= 1
    assert np.mean(apart > 0) <= 1e-4


@pytest.mark.parametrize("heights", [[150], [64, 64, 22], [3] * 50, [1, 148, 1]])
def test_strips_make_the_whole_image(heights):
    model = srkit.load("espcn", device="cpu", runtime="openvino")
    tile = PHOTO[None, ..., None]
    strips = np.split(tile, np.cumsum(heights)[:-1], axis=1)
    made = np.concatenate(list(model.run_rows(strips)), axis=1)
    np.testing.assert_allclose(made, model.run(tile), atol=1e-5)


def test_what_strips_take_grows_with_their_halo_and_is_planned_for(monkeypatch):
    model = srkit.load("espcn", device="cpu", runtime="openvino")
    seen = []
    run = model._fast._made
    monkeypatch.setattr(model._fast, "_made", lambda tiles: seen.append(tiles.shape) or run(tiles))
    memory = model.strip_bytes(16, PHOTO.shape[1] + 2 * RIM)
    model.upscale(PHOTO, memory=int(memory))
    assert len(seen) > 1
    for _, height, width, _ in seen:
        assert height * width * model.bytes_per_pixel <= memory


def test_other_precisions_run_on_torch():
    assert not on_openvino(srkit.load("espcn", device="cpu", precision="float16"))
    with pytest.raises(OptionError, match="float32 on a CPU, not float16"):
        srkit.load("espcn", device="cpu", precision="float16", runtime="openvino")


def test_models_that_it_does_not_make_faster_run_on_torch():
    assert not on_openvino(srkit.load("fsrcnn", device="cpu"))
    with pytest.raises(OptionError, match="runtime is one of"):
        srkit.load("fsrcnn", runtime="openvino")


def test_torch_runs_what_it_cannot_take(monkeypatch, caplog):
    def refuse(*args):
        raise WeightsError("the layer cannot be written")

    monkeypatch.setattr("srkit.adapters.onnx.writing.network", refuse)
    model = srkit.load("espcn", device="cpu", runtime="openvino")
    with caplog.at_level(logging.WARNING):
        made = model.upscale(PHOTO)
    assert "runs on torch: the layer cannot be written" in caplog.text
    plain = srkit.load("espcn", device="cpu", runtime="torch")
    np.testing.assert_array_equal(made, plain.upscale(PHOTO))


def test_without_it_auto_is_torch_and_the_install_line_is_told(monkeypatch):
    missing = ["openvino"]
    monkeypatch.setattr(base, "missing_packages", lambda framework: missing)
    assert not on_openvino(srkit.load("espcn", device="cpu"))
    monkeypatch.setattr("srkit.extras.find_spec", lambda name: name not in missing or None)
    with pytest.raises(srkit.MissingDependencyError, match=r"srkit\[openvino\]"):
        srkit.load("espcn", runtime="openvino")


def test_memory_is_let_go_of_by_the_last_of_several_threads():
    model = srkit.load("espcn", device="cpu", runtime="openvino")
    # Large ones compute while small ones are ready; OpenVINO then refuses to let go.
    tiles = [np.full((1, side, side, 1), side / 1000, np.float32) for side in [600, 20] * 12]
    alone = [model.run(tile) for tile in tiles]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(model.run, tiles))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_it_conforms():
    testing.check_upscaler(lambda: srkit.load("espcn", device="cpu", runtime="openvino"))
