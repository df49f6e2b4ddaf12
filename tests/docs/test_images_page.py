"""What docs/images.md says of light is what its code does."""

import re
import shlex

import numpy as np
import pytest
from checkout import ROOT
from imaging import dng
from skimage import data

import srkit
from srkit.cli import main
from srkit.imaging.light import light_of

SECTION = re.search(
    r"^## Light\n(.*?)^## ", (ROOT / "docs/images.md").read_text(), re.DOTALL | re.MULTILINE
)[1]


@pytest.fixture
def _files(tmp_path, monkeypatch):
    exr = pytest.importorskip("OpenEXR", reason="needs pip install 'srkit[exr]'")
    pytest.importorskip("rawpy", reason="needs pip install 'srkit[raw]'")
    monkeypatch.chdir(tmp_path)
    light = light_of(data.astronaut()[:64, 128:224])
    dng.write("IMG_0001.dng", light)
    exr.File({"type": exr.scanlineimage}, {"RGB": light * 4}).write("scene.exr")


@pytest.mark.usefixtures("_files")
def test_the_code_runs(tmp_path, caplog):
    (block,) = re.findall(r"^```python\n(.*?)^```$", SECTION, re.DOTALL | re.MULTILINE)
    exec(block, {"srkit": srkit})
    assert "light was exposed by -" in caplog.text
    large = srkit.read_image(tmp_path / "large.png")
    assert (large.size, large.dtype) == ((192, 128), np.uint16)


@pytest.mark.usefixtures("_files")
def test_the_commands_write_what_they_say(tmp_path):
    (block,) = re.findall(r"^```sh\n(.*?)^```$", SECTION, re.DOTALL | re.MULTILINE)
    for line in block.splitlines():
        words = shlex.split(line, comments=True)[1:]
        assert main([word.replace("srresnet", "nearest") for word in words]) == 0
    for name in ("IMG_0001_nearest_x4.png", "scene.png"):
        made = srkit.read_image(tmp_path / name)
        assert (made.size, made.dtype) == ((384, 256), np.uint16)
