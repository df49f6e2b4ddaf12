"""What models decide for themselves is told where they are compared."""

import json

import numpy as np
import pytest
from dummies import Nearest, card
from PIL import Image as PILImage
from skimage import data

import srkit
from srkit.cli import main


class Deciding(Nearest):
    """Decides by JPEG's quality alone: what 60 leaves out of 100 is 0.4."""

    card = card("deciding")

    def for_picture(self, found):
        made = Deciding()
        made.decided = (("denoise", 1 - (found.jpeg_quality or 100) / 100),)
        return made


@pytest.fixture
def photo(tmp_path):
    """A JPEG of quality 60."""
    path = tmp_path / "photo.jpg"
    PILImage.fromarray(data.astronaut()[:120, 160:320]).save(path, quality=60)
    return path


def test_it_is_kept_by_their_names(photo):
    made = srkit.compare(photo, {"a": Deciding(), "b": "nearest", "c": Deciding()})
    assert made.decided == {"a": {"denoise": 0.4}, "b": {}, "c": {"denoise": 0.4}}
    # Of an array, too, which keeps nothing beside its pixels.
    made = srkit.compare(np.asarray(PILImage.open(photo)), [Deciding()])
    assert made.decided["deciding"]["denoise"] == pytest.approx(0.4, abs=0.05)


def test_it_stands_on_sheets_and_pages(photo, monkeypatch):
    made = srkit.compare(photo, [Deciding(), "nearest"])
    panels = []
    monkeypatch.setattr(
        "srkit.evaluation.comparison.draw", lambda given, *rest: panels.extend(given)
    )
    made.sheet()
    lines = [[line for line, _ in panel.lines] for panel in panels]
    size = "320 x 240 pixels"
    assert lines[1:] == [[size, "denoise=0.4 (auto)"], [size]]
    assert made._repr_html_().count("<span>denoise=0.4 (auto)</span>") == 1


def test_people_and_programs_are_told(photo, capsys, monkeypatch):
    load = srkit.load
    monkeypatch.setattr(
        "srkit.evaluation.scores.load",
        lambda name, **options: Deciding() if name == "it" else load(name, **options),
    )
    assert main(["compare", str(photo), "-m", "it", "-m", "nearest", "--json"]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert told["models"] == {"deciding": None, "nearest": None}
    assert told["decided"] == {"deciding": {"denoise": 0.4}, "nearest": {}}
    (line,) = err.splitlines()
    assert line.startswith("srkit: note: deciding: denoise=0.4 (JPEG of quality 60, noise of ")
    assert line.endswith(" levels)")
