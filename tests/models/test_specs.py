"""Models with options in a line."""

import pickle

import numpy as np
import pytest

import srkit
from srkit.cli import main
from srkit.errors import OptionError
from srkit.models.specs import split
from srkit.models.weights import PACKAGED


@pytest.mark.parametrize(
    ("text", "model", "options"),
    [
        ("srgan", "srgan", {}),
        ("srgan:perception=0.5", "srgan", {"perception": 0.5}),
        (
            "photo:denoise=auto,tile=128,x=true",
            "photo",
            {"denoise": "auto", "tile": 128, "x": True},
        ),
        ("C:\\nets\\a=b.pth", "C:\\nets\\a=b.pth", {}),
        ("C:\\nets\\a.pth:device=cpu", "C:\\nets\\a.pth", {"device": "cpu"}),
        ("runs/mine.pth:color=float", "runs/mine.pth", {"color": "float"}),
        ("photo:weights=2025,tile=128", "photo", {"weights": "2025", "tile": 128}),
        ("mine:weights=1.0", "mine", {"weights": "1.0"}),
        ("model:wrong", "model:wrong", {}),
        ("a" * 300, "a" * 300, {}),  # no name of a file
        ("a\0b", "a\0b", {}),
    ],
)
def test_a_line_is_a_model_and_its_options(text, model, options):
    assert split(text) == (model, options)


def test_a_file_of_that_name_is_that_file(tmp_path):
    path = tmp_path / "net:a=1"
    path.write_bytes(b"")
    assert split(str(path)) == (str(path), {})


@pytest.mark.parametrize("text", ["a:b=1,c", "a:b=", "a:b=1,=2", "a:b=1,", "a:b=1,c d=2"])
def test_what_is_no_option_is_refused(text):
    with pytest.raises(OptionError, match="options are name=value"):
        split(text)


def test_an_option_twice_is_refused():
    with pytest.raises(OptionError, match="b is given twice"):
        split("a:b=1,b=2")


# --- where models are asked for -------------------------------------------------------------------

PICTURE = np.random.default_rng(3).integers(0, 256, (6, 8, 3), np.uint8)


def test_a_line_is_loaded_as_its_options_are():
    made = srkit.load("bicubic:scale=3", device="cpu")
    assert repr(made) == repr(srkit.load("bicubic", scale=3))
    assert repr(pickle.loads(pickle.dumps(made))) == repr(made)
    np.testing.assert_array_equal(srkit.upscale(PICTURE, "bicubic:scale=3"), made(PICTURE))


def test_a_line_may_name_a_dial():
    pytest.importorskip("torch")
    line, keyword = srkit.load("srgan:perception=0.5"), srkit.load("srgan", perception=0.5)
    assert repr(line) == repr(keyword)
    np.testing.assert_array_equal(line(PICTURE), keyword(PICTURE))
    with pytest.raises(OptionError, match="did you mean 'perception'"):
        srkit.load("srgan:percepton=0.5")


def test_an_option_in_the_line_and_beside_it():
    assert srkit.load("bicubic:scale=3", scale=3).scale == 3
    for call in (srkit.load, lambda model, scale: srkit.upscale(PICTURE, model, scale=scale)):
        with pytest.raises(OptionError, match=r"bicubic:scale=3: .* scale=2; give one of them"):
            call("bicubic:scale=3", scale=2)


def test_a_file_that_is_written_anew_is_read_anew(tmp_path):
    pytest.importorskip("torch")
    path = tmp_path / "mine.safetensors"
    for scale in (2, 3):
        path.write_bytes((PACKAGED / f"espcn_x{scale}.safetensors").read_bytes())
        made = srkit.upscale(PICTURE, f"{path}:device=cpu")
        assert made.shape == (6 * scale, 8 * scale, 3)


def test_the_command_takes_a_line(tmp_path):
    pytest.importorskip("torch")
    source, sheet = tmp_path / "small.png", tmp_path / "sheet.png"
    srkit.Image(PICTURE).save(source)
    assert main(["upscale", str(source), "-m", "srgan:perception=0.5"]) == 0
    made = srkit.read_image(tmp_path / "small_srgan_x4.png").pixels
    np.testing.assert_array_equal(made, srkit.upscale(PICTURE, "srgan", perception=0.5))
    models = ["-m", "srgan:perception=0.5", "-m", "srgan"]
    assert main(["compare", str(source), *models, "-o", str(sheet)]) == 0
    assert main(["upscale", str(source), "-m", "bicubic:scale=2", "--scale=3"]) == 2
