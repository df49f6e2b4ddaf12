"""ST-LPIPS, which takes a network, is asked for where a test is about it; and a small dataset."""

from importlib.util import find_spec

import pytest
from PIL import Image as PILImage
from skimage import data

from srkit import MissingDependencyError
from srkit.evaluation import measures


@pytest.fixture
def without_st_lpips(monkeypatch):
    """Spare a test the network; the reason that results then give."""
    reason = "ST-LPIPS is not there"

    def missing(*_, **__):
        raise MissingDependencyError(reason)

    monkeypatch.setattr(measures, "st_lpips", missing)
    return reason


@pytest.fixture
def st_lpips(without_st_lpips, monkeypatch):
    """The network itself, or the test is skipped."""
    pytest.importorskip("torch")
    if find_spec("stlpips_pytorch") is None:
        pytest.skip("the weights of ST-LPIPS are not installed")
    monkeypatch.undo()


@pytest.fixture
def folder(tmp_path):
    """Two photos, in colour and grey."""
    path = tmp_path / "Two"
    path.mkdir()
    PILImage.fromarray(data.astronaut()[:196, 100:296]).save(path / "a.png")
    PILImage.fromarray(data.camera()[:200, 100:300]).save(path / "b.png")
    return path
