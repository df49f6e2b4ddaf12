"""Spandrel is imported where torchvision is missing or does not fit torch."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

# By srkit, which imports it without torchvision too.
pytest.importorskip(
    "srkit.adapters.spandrel.reading",
    reason="needs pip install 'srkit[spandrel]'",
    exc_type=ImportError,
)

from srkit import MissingDependencyError
from srkit.adapters.spandrel.without_torchvision import StandIn, torchvision_or_stand_ins

MISSING = """
import sys
class Missing:
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] == "torchvision":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
"""
# As torchvision fails beside a torch of another build, a part of it being imported by then.
BROKEN = "import torchvision.part; raise RuntimeError('operator torchvision::nms does not exist')"
# The state dict of a network, by spandrel's own class.
USE = """
from srkit.adapters.spandrel import reading
import spandrel.architectures.LaMa.__arch.LaMa as lama
from spandrel.architectures.Compact import Compact
state = Compact(num_feat=4, num_conv=1, upscale=2).state_dict()
print(reading.read_model("mine.pth", state).architecture.name)
print(sorted(name for name in sys.modules if name.split(".")[0] == "torchvision"))
print([finder for finder in sys.meta_path if type(finder).__name__ == "_Finder"])
try:
    lama.rotate(0)
except ImportError as error:
    print(error)
"""


def ran(code, folder):
    """Lines that a process of its own writes, with `folder` before all others."""
    places = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": places},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_spandrel_works_where_torchvision_is_missing(tmp_path):
    name, modules, finders, said = ran(MISSING + USE, tmp_path)
    assert (name, modules, finders) == ("RealESRGAN Compact", "[]", "[]")
    assert said.startswith("torchvision.transforms.functional.rotate is not there")
    assert "No module named 'torchvision" in said


def test_spandrel_works_where_torchvision_does_not_fit_torch(tmp_path):
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text(BROKEN)
    (package / "part.py").write_text("")
    name, modules, finders, said = ran("import sys\n" + USE, tmp_path)
    # What is left is what Python leaves of a package that fails.
    assert (name, modules, finders) == ("RealESRGAN Compact", "['torchvision.part']", "[]")
    assert "(RuntimeError: operator torchvision::nms does not exist)" in said


def test_a_torchvision_that_works_is_taken(tmp_path):
    package = tmp_path / "torchvision"
    (package / "transforms").mkdir(parents=True)
    for folder in (package, package / "transforms"):
        (folder / "__init__.py").write_text("")
    functional = "InterpolationMode = normalize = None\ndef rotate(image): print('its own')"
    (package / "transforms" / "functional.py").write_text(functional)
    name, modules, _, said = ran("import sys\n" + USE, tmp_path)
    assert name == "RealESRGAN Compact"
    assert "torchvision.transforms.functional" in modules
    assert said == "its own"


@pytest.fixture
def without_either(monkeypatch):
    """As before spandrel is imported, torchvision being missing."""
    for name in list(sys.modules):
        if name.split(".")[0] in ("spandrel", "torchvision"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(
        "srkit.adapters.spandrel.without_torchvision._why_not", lambda: "it is missing"
    )


def test_stand_ins_are_found_while_spandrel_is_imported_and_by_that_thread_alone(without_either):
    found = []

    def another():
        try:
            import torchvision.ops  # noqa: F401
        except ImportError as error:
            found.append(error)

    with torchvision_or_stand_ins():
        thread = threading.Thread(target=another)
        thread.start()
        thread.join()
        from torchvision.transforms.functional import InterpolationMode
    assert found
    assert isinstance(InterpolationMode, StandIn)
    assert not any(name.split(".")[0] == "torchvision" for name in sys.modules)


def test_an_import_that_fails_leaves_no_stand_ins(without_either):
    def fail():
        with torchvision_or_stand_ins():
            import torchvision  # noqa: F401

            raise ImportError("no einops")

    with pytest.raises(ImportError, match="no einops"):
        fail()
    assert "torchvision" not in sys.modules


def test_a_stand_in_says_what_is_missing_as_soon_as_it_is_used():
    rotate = StandIn("torchvision.rotate", "it is missing")
    message = r"torchvision\.rotate is not there.*\(it is missing\)"
    with pytest.raises(MissingDependencyError, match=message):
        rotate(1, angle=2)
    with pytest.raises(MissingDependencyError, match=message):
        _ = rotate.BILINEAR
    assert not hasattr(rotate, "__wrapped__")
