"""Pages on limits, on what stays, and with answers: they run as they stand, and say what is so."""

import logging
import re
import warnings

import numpy as np
import pytest
from checkout import ROOT
from PIL import Image as PILImage
from skimage import data

import srkit
from srkit.imaging.files.formats import JPEG, WEBP

DOCS = ROOT / "docs"


def text(name):
    return (DOCS / name).read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def levels():
    """Levels of logs, and filters, as they were."""
    notes = logging.getLogger("srkit.imaging.notes")
    filters = list(notes.filters)
    loggers = [logging.getLogger(name) for name in (None, "srkit", "srkit.imaging")]
    before = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)
    notes.filters[:] = filters


def run(name, folder, monkeypatch):
    """Run the blocks of a page in a folder with a portrait; what they define."""
    monkeypatch.chdir(folder)
    PILImage.fromarray(data.astronaut()[90:120, 200:230]).save("portrait.jpg")
    namespace = {"__name__": "__main__"}
    for block in re.findall(r"^```python\n(.*?)^```$", text(name), re.DOTALL | re.MULTILINE):
        exec(compile(block, name, "exec"), namespace)
    return namespace


def test_the_page_on_limits_runs(tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")
    page = run("limits.md", tmp_path, monkeypatch)
    assert "memory=1000 is too little for one tile of espcn x2" in capsys.readouterr().out
    assert logging.getLogger("srkit.upscaling.engine").getEffectiveLevel() == logging.ERROR
    # Time that is over ends a call after its first part, and the model goes on afterwards.
    model, image = page["model"], np.zeros((200, 90, 3), np.uint8)
    with pytest.raises(TimeoutError, match=r"^\d+% was done after 0 s$"):
        model.upscale(image, memory="2MB", progress=page["within"](0))
    assert model.upscale(image).shape == (400, 180, 3)


def test_the_page_on_limits_names_every_package_that_logs():
    named = set(re.findall(r"^\| `srkit\.(\w+)` \|", text("limits.md"), re.MULTILINE))
    files = (ROOT / "srkit").rglob("*.py")
    logging_files = [path for path in files if re.search(r"^log = ", path.read_text(), re.M)]
    found = {path.relative_to(ROOT / "srkit").parts[0] for path in logging_files}
    # The conformance kit is for who writes plugins.
    assert found - {"testing"} == named


def test_the_library_sets_no_handler_and_no_level():
    assert not logging.getLogger("srkit").handlers
    assert logging.getLogger("srkit").level == logging.NOTSET


def test_the_page_on_what_stays_runs(tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")
    with warnings.catch_warnings():
        run("deprecation.md", tmp_path, monkeypatch)
    version, pinned, error = capsys.readouterr().out.splitlines()
    assert version == srkit.__version__
    assert f"print(card.version, card.earlier)  # {pinned}" in text("deprecation.md")
    assert "no version '1999'" in error


def test_the_answers_run(tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")
    try:
        srkit.load("realesrgan")
    except srkit.MissingDependencyError as error:
        pytest.skip(str(error))
    page = run("faq.md", tmp_path, monkeypatch)
    assert page["made"].shape == (40, 60, 3)
    for name in ("crisp.png", "sharper.png"):
        assert srkit.read_image(tmp_path / name).size == (120, 120)
    told = capsys.readouterr().out
    assert "255" in told.splitlines()[1]
    assert "realesrgan BSD-3-Clause whether it covers the weights was asked" in told


# What people search for, as the issue that asked for the page has it.
SEARCHED = ("anime", "scratches", "Upscayl", "Real-ESRGAN", "GFPGAN", "memory", "soft", "CUDA")


@pytest.mark.parametrize("word", SEARCHED)
def test_there_is_a_question_for_what_people_search(word):
    assert re.search(rf"^## .*{word}", text("faq.md"), re.MULTILINE)


def test_the_longest_sides_are_those_of_the_formats():
    told = f"JPEG ends at {JPEG.max_side:,} pixels a side, WebP at {WEBP.max_side:,}."
    assert told in text("faq.md")
