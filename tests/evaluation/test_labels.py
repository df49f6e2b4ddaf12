"""What models are called on sheets and in tables."""

import numpy as np
import pytest

import srkit
from srkit import OptionError
from srkit.models.weights import PACKAGED

PICTURE = np.random.default_rng(3).integers(0, 256, (12, 16, 3), np.uint8)

pytestmark = pytest.mark.usefixtures("without_st_lpips")


@pytest.fixture
def folder(tmp_path):
    srkit.Image(PICTURE.repeat(4, 0).repeat(4, 1)).save(tmp_path / "a.png")
    return tmp_path


def test_settings_of_one_model_are_told_apart(folder):
    pytest.importorskip("torch")
    asked = [srkit.load("srgan", perception=share) for share in (0, 0.5)]
    expected = ["srgan:perception=0", "srgan:perception=0.5"]
    assert list(srkit.compare(PICTURE, asked).results) == expected
    found = srkit.bench([*asked, "srgan"], folder, metrics=["psnr"])
    assert [one.model for one in found.results] == [*expected, "srgan"]


def test_a_line_is_a_name(folder):
    asked = ["bicubic:device=cpu", "bicubic", "bicubic"]
    expected = ["bicubic:device=cpu", "bicubic", "bicubic (2)"]
    assert list(srkit.compare(PICTURE, asked, scale=2).results) == expected
    found = srkit.bench(asked, folder, scale=2, metrics=["psnr"])
    assert [one.model for one in found.results] == expected


def test_files_of_one_name_are_told_apart_by_their_paths(tmp_path):
    pytest.importorskip("torch")
    paths = [tmp_path / place / "best.safetensors" for place in ("a", "b")]
    for path in paths:
        path.parent.mkdir()
        path.write_bytes((PACKAGED / "espcn_x2.safetensors").read_bytes())
    expected = [str(path) for path in paths]
    assert list(srkit.compare(PICTURE, paths).results) == expected
    assert list(srkit.compare(PICTURE, [srkit.load(path) for path in paths]).results) == expected


def test_who_asks_may_call_models_as_he_likes(folder):
    asked = {"soft": srkit.load("bilinear", scale=2), "sharp": "bicubic"}
    compared = srkit.compare(PICTURE, asked)
    assert list(compared.results) == ["soft", "sharp"]
    np.testing.assert_array_equal(
        compared.results["sharp"], srkit.upscale(PICTURE, "bicubic:scale=2")
    )
    found = srkit.bench(asked, folder, metrics=["psnr"])
    assert [one.model for one in found.results] == ["soft", "sharp"]


@pytest.mark.parametrize("models", [{3: "bicubic"}, {" ": "bicubic"}, {}])
def test_names_that_are_none(models, folder):
    for call in (lambda: srkit.compare(PICTURE, models), lambda: srkit.bench(models, folder)):
        with pytest.raises(OptionError, match="model"):
            call()
