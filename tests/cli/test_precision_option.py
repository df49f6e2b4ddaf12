"""``--precision``: what the command hands on to the model."""

import json

import numpy as np
import pytest

import srkit
from srkit.cli import main

PICTURE = np.random.default_rng(3).integers(0, 256, (12, 14, 3), np.uint8)


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "a.png"
    srkit.Image(PICTURE).save(path)
    return path


def test_the_model_runs_in_the_precision_that_is_asked_for(picture, tmp_path):
    pytest.importorskip("torch")
    made = tmp_path / "made.png"
    given = ["-m", "span", "--scale=4", "--device=cpu", "--precision=bfloat16", "-o", str(made)]
    assert main(["upscale", str(picture), *given]) == 0
    model = srkit.load("span", scale=4, device="cpu", precision="bfloat16")
    np.testing.assert_array_equal(srkit.read_image(made).pixels, model.upscale(PICTURE))


def test_what_a_model_has_not_is_refused_and_nothing_is_written(picture, tmp_path, capsys):
    made = tmp_path / "made.png"
    given = ["-m", "bicubic", "--precision=int8", "--json", "-o", str(made)]
    assert main(["upscale", str(picture), *given]) == 2
    assert "bicubic runs in float32 alone" in json.dumps(capsys.readouterr().err)
    assert not made.exists()
