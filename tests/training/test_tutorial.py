"""The tutorial, run as written but for the number of steps."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from checkout import ROOT
from PIL import Image as PILImage
from skimage import data

pytest.importorskip("torch", reason="needs pip install 'srkit[train]'")
pytest.importorskip("lightning_fabric", reason="needs pip install 'srkit[train]'")
pytest.importorskip("pydantic", reason="needs pip install 'srkit[train]'")

import srkit
from srkit.cli import main

PAGE = ROOT / "docs" / "tutorial-training.md"
STEPS = 60


def commands():
    """The commands of the page, in their order, with few steps."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [re.sub(r"--steps \d+", f"--steps {STEPS}", line) for line in lines]


def test_every_command_does_what_the_page_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    for name in ("astronaut", "coffee", "chelsea", "rocket"):
        PILImage.fromarray(getattr(data, name)()[:300, :300]).save(f"photos/{name}.png")
    PILImage.fromarray(data.astronaut()[:64, 180:260]).save("holiday.jpg")
    PILImage.fromarray(data.astronaut()[:100, 160:280]).save("photos/one.jpg")
    done = []
    for line in commands():
        program, *arguments = shlex.split(line)
        if program == "pip":
            assert arguments == ["install", "srkit[train]"]
            continue
        assert program == "srkit"
        assert main(arguments) == 0, line
        done.append(arguments[0])
    assert done == ["train", "bench", "compare", "upscale"]
    table = capsys.readouterr().out
    assert re.search(r"photos +best +x2", table)
    with PILImage.open("holiday_best_x2.jpg") as made:
        assert made.size == (160, 128)
    with PILImage.open("sheet.png") as sheet:
        assert sheet.width > 500


def test_the_python_lines_load_what_was_trained(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    for name in ("astronaut", "coffee"):
        PILImage.fromarray(getattr(data, name)()[:260, :260]).save(f"photos/{name}.png")
    PILImage.fromarray(np.full((20, 30, 3), 90, np.uint8)).save("holiday.jpg")
    srkit.train("espcn", "photos/", "runs/first", scale=2, steps=2, batch=1, crop=10)
    [block] = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(block, str(PAGE), "exec"), {})
    with PILImage.open("large.png") as made:
        assert made.size == (60, 40)
