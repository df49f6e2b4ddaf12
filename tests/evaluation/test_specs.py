"""Models with options in a line."""

import pytest

from srkit.errors import OptionError
from srkit.evaluation.specs import split


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
