"""Real-ESRGAN's small network for photos, and its dial for noise."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

import srkit
from srkit import OptionError, WeightsError, WeightsFile
from srkit.adapters.pytorch.architectures.realesrgan import GeneralUpscaler
from srkit.weights import sha256

TEACHERS = {"takes": "RealESRGAN_General_x4_v3.bin", "keeps": "RealESRGAN_General_WDN_x4_v3.bin"}
FEATURES, LAYERS = 64, 32
PHOTO = np.random.default_rng(0).random((9, 11, 3)).astype(np.float32)


def state_of_ncnn(path):
    """A state dict as upstream's checkpoints have it, of the ncnn file of the same network.

    A convolution is a tag, half floats and a bias in floats; a PReLU is floats.
    """
    data, at, state = path.read_bytes(), 0, {}

    def take(count, dtype):
        nonlocal at
        numbers = np.frombuffer(data, dtype, count, at)
        at += -(-numbers.nbytes // 4) * 4
        return torch.from_numpy(numbers.astype(np.float32))

    sides = [3, *[FEATURES] * (LAYERS + 1), 48]
    for number, (inside, outside) in enumerate(itertools.pairwise(sides)):
        (tag,) = np.frombuffer(data, "<u4", 1, at)
        assert tag == 0x01306B47
        at += 4
        kernel = take(outside * inside * 9, "<f2").reshape(outside, inside, 3, 3)
        state[f"body.{2 * number}.weight"] = kernel
        state[f"body.{2 * number}.bias"] = take(outside, "<f4")
        if number <= LAYERS:
            state[f"body.{2 * number + 1}.weight"] = take(FEATURES, "<f4")
    assert at == len(data)
    return state


def computed(state, image):
    """What the paper's layers make of an image, one after another."""
    rgb = torch.from_numpy(image).permute(2, 0, 1)[None]
    made, number = rgb, 0
    while f"body.{number}.weight" in state:
        weight = state[f"body.{number}.weight"]
        if weight.ndim == 1:
            made = functional.prelu(made, weight)
        else:
            made = functional.conv2d(made, weight, state[f"body.{number}.bias"], padding=1)
        number += 1
    made = functional.pixel_shuffle(made, 4) + functional.interpolate(rgb, scale_factor=4)
    return made[0].permute(1, 2, 0).clamp(0, 1).numpy()


@pytest.fixture
def states(data_folder):
    return {kind: state_of_ncnn(data_folder(f"teachers/{n}")) for kind, n in TEACHERS.items()}


@pytest.fixture
def files(states, tmp_path):
    """Checkpoints of upstream's layout."""
    for kind, state in states.items():
        torch.save({"params": state}, tmp_path / f"{kind}.pth")
    return {kind: tmp_path / f"{kind}.pth" for kind in states}


def load(files, **options):
    takes, keeps = (
        WeightsFile(path.name, sha256(path), str(path)) for path in (files["takes"], files["keeps"])
    )
    weights = {4: dataclasses.replace(takes, companions=(keeps,))}
    card = dataclasses.replace(srkit.card("realesrgan-general"), weights=weights)
    return GeneralUpscaler(card, 4, files["takes"], precision="float32", **options)


@pytest.mark.parametrize("denoise", [0, 0.25, 1])
def test_weights_are_mixed_as_real_esrgans_program_does(states, files, denoise):
    mixed = {
        name: denoise * value + (1 - denoise) * states["keeps"][name]
        for name, value in states["takes"].items()
    }
    made = load(files, denoise=denoise).upscale(PHOTO)
    np.testing.assert_allclose(made, computed(mixed, PHOTO), atol=1e-5)


def test_the_default_is_that_of_real_esrgans_program(files):
    default = load(files).upscale(PHOTO)
    np.testing.assert_array_equal(default, load(files, denoise=0.5).upscale(PHOTO))


def test_one_takes_noise_away_and_zero_keeps_it(files):
    flat = np.full((32, 32, 3), 0.5, np.float32)
    noisy = np.clip(flat + np.random.default_rng(1).normal(0, 0.03, flat.shape), 0, 1)
    left = [load(files, denoise=d).upscale(noisy)[16:-16, 16:-16].std() for d in (0, 0.5, 1)]
    assert left == sorted(left, reverse=True)
    assert left[0] > 2 * left[2]


def test_the_card_is_true_of_the_network(files):
    model = load(files)
    card = srkit.card("realesrgan-general")
    assert model.radius == card.radius_at(4) == LAYERS + 2
    assert model.parameters == 1_213_296


@pytest.mark.parametrize("denoise", [-0.1, 1.5, "0.5", None])
def test_a_dial_beyond_its_ends_is_refused(denoise):
    with pytest.raises(OptionError, match=r"denoise is from 0 .* to 1 .*, not"):
        GeneralUpscaler(srkit.card("realesrgan-general"), 4, Path("x.pth"), denoise=denoise)


@pytest.mark.parametrize("denoise", [2, "x"])
def test_the_dial_is_judged_before_anything_is_downloaded(denoise, tmp_path, monkeypatch):
    monkeypatch.setenv("SRKIT_CACHE", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: pytest.fail("it was downloaded"))
    with pytest.raises(OptionError, match=f"denoise is from 0 .*, not {denoise!r}"):
        srkit.load("realesrgan-general", denoise=denoise)


def test_the_dial_of_another_model_is_named():
    with pytest.raises(OptionError, match="'denoise'; realesrgan-general has"):
        srkit.load("photo", denoise=0.5)


def test_a_file_that_is_not_upstreams_is_refused(files):
    model = load(files)
    files["keeps"].write_bytes(files["keeps"].read_bytes()[:-1] + b"!")
    with pytest.raises(WeightsError, match="SHA-256"):
        GeneralUpscaler(model.card, 4, files["takes"])


def test_both_files_are_of_the_release_and_of_its_size():
    (takes,) = srkit.card("realesrgan-general").weights.values()
    for file in (takes, *takes.companions):
        assert file.source.startswith("https://github.com/xinntao/Real-ESRGAN/releases/download/")
        assert file.source.endswith(f"/{file.file}")
        # The weights in floats, some 100 bytes for the name of each tensor, and a pickle.
        assert 4 * 1_213_296 < file.size < 4 * 1_213_296 + 50_000
