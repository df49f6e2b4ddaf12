"""The default model, `photo`: what it is, and what is told of it where nobody named a model."""

import json
import logging
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image as PILImage
from skimage import data

import srkit
from srkit.cli import main

pytestmark = pytest.mark.skipif(
    find_spec("torch") is None, reason="needs pip install 'srkit[torch]'"
)

CAT = data.chelsea()[100:124, 150:186]


@pytest.fixture
def portrait(tmp_path):
    """A JPEG of quality 90, whose share of the dial is a half: docs/real-esrgan.md."""
    path = tmp_path / "portrait.jpg"
    PILImage.fromarray(CAT).save(path, quality=90)
    return path


def test_the_default_decides_by_the_file_and_says_so(portrait):
    made = srkit.upscale(portrait)
    assert made.metadata.decided == (("denoise", 0.5),)
    wanted = srkit.load("photo", denoise=0.5).upscale(portrait)
    np.testing.assert_array_equal(made.pixels, wanted.pixels)


@pytest.mark.parametrize("scale", [2, 4])
def test_the_ends_of_the_dial_are_two_networks_of_one_form(scale):
    takes, keeps = (srkit.load("photo", scale=scale, denoise=share) for share in (1, 0))
    # 3x3 convolutions of 64 features, 28 within, biases, and a slope for each feature.
    last = 3 * scale**2 * (64 * 9 + 1)
    inside = 28 * (64 * (64 * 9 + 1) + 64)
    assert takes.parameters == keeps.parameters == 64 * (27 + 1) + 64 + inside + last
    assert np.abs(takes.upscale(CAT).astype(int) - keeps.upscale(CAT)).max() > 0


def test_the_command_says_once_what_it_took_and_what_else_fits(portrait, tmp_path, capsys):
    PILImage.fromarray(CAT).save(tmp_path / "b.jpg", quality=95)
    given = ["upscale", str(portrait), str(tmp_path / "b.jpg"), "--scale=2"]
    assert main([*given, "-o", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().err
    assert "srkit: note: photo: denoise=0.5 (JPEG of quality 90, noise of" in told
    assert told.count("; a drawing? -m realesrgan-anime; other kinds:") == 1
    assert main([*given, "-o", str(tmp_path / "fixed"), "--denoise=1"]) == 0
    assert "srkit: note: photo x2; a drawing?" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options", [["-m", "photo"], ["--weights", "2025"], ["--json"]], ids=lambda given: given[0]
)
def test_who_knows_what_to_take_is_told_nothing_else(portrait, tmp_path, capsys, options):
    out = tmp_path / "out.jpg"
    assert main(["upscale", str(portrait), "--scale=2", "-o", str(out), *options]) == 0
    told = capsys.readouterr()
    assert "drawing" not in told.err
    if options == ["--json"]:
        assert json.loads(told.out)["written"][0]["decided"] == {"denoise": 0.5}


def test_the_list_of_models_ends_with_which_one_to_take(capsys):
    assert main(["models"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("Which one for which picture: docs/which-model.md")
    names = set(srkit.list_models())
    assert {part.split(": ")[1] for part in last.rpartition("(")[2].rstrip(")").split("; ")} < names


# --- one file, one network -----------------------------------------------------------------------


def exported(path, **options):
    for package in ("onnx", "onnxruntime"):
        pytest.importorskip(package, reason="needs pip install 'srkit[onnx]'")
    srkit.export("photo", path, scale=2, **options)
    return srkit.load(path).upscale(CAT).astype(int)


def of_torch(denoise):
    fixed = srkit.load("photo", scale=2, denoise=denoise, device="cpu", precision="float32")
    return fixed.upscale(CAT)


def test_an_exported_model_that_decides_is_the_middle_and_the_log_warns(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        made = exported(tmp_path / "middle.onnx")
    assert "written is the network of the middle, 0.5; choose another by denoise=" in caplog.text
    assert np.abs(made - of_torch(0.5)).max() <= 1


def test_an_export_takes_a_number_for_the_dial(tmp_path, caplog):
    made = exported(tmp_path / "one.onnx", denoise=1)
    assert not caplog.text
    assert np.abs(made - of_torch(1)).max() <= 1
    with pytest.raises(srkit.OptionError, match="denoise is a number from 0 to 1, not 'auto'"):
        exported(tmp_path / "auto.onnx", denoise="auto")
    with pytest.raises(srkit.OptionError, match="no option 'denoise'"):
        srkit.export("srresnet", tmp_path / "x.onnx", denoise=1)


def test_a_lazy_batch_is_told_to_give_a_number():
    da = pytest.importorskip("dask.array", reason="dask is not installed")
    lazy = pytest.importorskip("srkit.dask")
    batch = da.from_array(np.stack([CAT, CAT]))
    with pytest.raises(srkit.OptionError, match=r"give it a number, such as denoise=0\.5"):
        lazy.upscale(batch)
