"""Pixels that stay: versions of a model's weights."""

import dataclasses
from importlib.util import find_spec

import numpy as np
import pytest
from skimage import data

import srkit
from srkit import OptionError, Registry
from srkit.cli import main

NEEDS_TORCH = pytest.mark.skipif(
    find_spec("torch") is None, reason="needs pip install 'srkit[torch]'"
)


@pytest.fixture
def registry():
    """Linear interpolation that was nearest-neighbour's once."""
    found = Registry(lambda group: [])
    found.register(dataclasses.replace(srkit.card("nearest"), version="1"))
    changes = {"version": "2", "earlier": {"1": "nearest"}}
    found.register(dataclasses.replace(srkit.card("bilinear"), **changes))
    return found


@pytest.mark.parametrize(
    ("weights", "name"), [(None, "bilinear"), ("2", "bilinear"), ("1", "nearest")]
)
def test_a_version_chooses_the_model_that_has_it(registry, weights, name):
    assert registry.load("bilinear", weights=weights).card.name == name


@pytest.mark.parametrize(("version", "name"), [(1, "nearest"), (np.int64(2), "bilinear")])
def test_a_whole_number_is_the_text_of_a_version(registry, monkeypatch, version, name):
    assert registry.load("bilinear", weights=version).card.name == name
    monkeypatch.setattr("srkit.models.loading.REGISTRY", registry)
    assert srkit.load("bilinear", weights=version).card.name == name
    assert srkit.load(f"bilinear:weights={version}").card.name == name
    assert srkit.load(f"bilinear:weights={version}", weights=version).card.name == name
    with pytest.raises(OptionError, match="beside it stands weights='3'"):
        srkit.load(f"bilinear:weights={version}", weights=3)


@pytest.mark.parametrize("version", [2.0, True, b"2", ["2"]])
def test_what_is_no_version_is_refused(registry, version):
    for load in (registry.load, srkit.load):
        with pytest.raises(OptionError, match="weights is the text of a version, such as '2025'"):
            load("bilinear", weights=version)


@pytest.mark.parametrize("version", ["3", "", "nearest"])
def test_a_version_that_is_none_is_refused_with_those_there_are(registry, version):
    with pytest.raises(OptionError, match=f"bilinear has no version '{version}' .*'1', '2'"):
        registry.load("bilinear", weights=version)


def test_models_without_versions_and_files_say_so(tmp_path):
    with pytest.raises(OptionError, match="bicubic has no version '1' of its weights; it has none"):
        srkit.load("bicubic", weights="1")
    with pytest.raises(OptionError, match="of models with names, not of"):
        srkit.load(tmp_path / "mine.safetensors", weights="1")


@NEEDS_TORCH
def test_the_weights_of_2025_are_kept():
    """Digests of the files that version 0.1.0 was published with."""
    files = srkit.load("photo", weights="2025").card.weights
    assert {scale: file.sha256[:16] for scale, file in files.items()} == {
        2: "6186a61130a3ec9e",
        4: "1ee03eb8ee41709c",
    }


@NEEDS_TORCH
def test_the_pixels_of_2025_are_kept():
    """Means and a pixel that version 0.1.0 gave, before even colours were put right."""
    picture = srkit.imresize(data.chelsea(), 0.25)
    exact = srkit.load("photo", weights="2025", scale=4, precision="float32")
    made = exact.upscale(picture).astype(int)
    np.testing.assert_allclose(made.mean(axis=(0, 1)), [148.262, 111.502, 86.463], atol=0.01)
    assert np.abs(made[150, 200] - [120, 59, 27]).max() <= 1
    green = np.full((24, 24, 3), (0, 255, 0), np.uint8)
    shifted = srkit.load("photo-2025", scale=4).upscale(green).astype(int)
    assert np.abs(shifted - green[0, 0]).max() > 8


@NEEDS_TORCH
def test_the_command_line_pins_the_weights(tmp_path, capsys):
    source = tmp_path / "in.png"
    rng = np.random.default_rng(0)
    srkit.Image(rng.integers(0, 256, (12, 16, 3)).astype(np.uint8)).save(source)
    out = tmp_path / "out.png"
    command = ["upscale", str(source), "-o", str(out), "--scale=2"]
    assert main([*command, "--weights=2024"]) == 2
    assert "no version '2024' of its weights" in capsys.readouterr().err
    assert not out.exists()
    assert main([*command, "--weights=2025"]) == 0
    wanted = srkit.load("photo-2025", scale=2).upscale(srkit.read_image(source)).pixels
    np.testing.assert_array_equal(srkit.read_image(out).pixels, wanted)
