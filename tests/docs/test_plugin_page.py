"""The page on models of one's own: its snippets run, and its files are a plugin that passes."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from checkout import ROOT

import srkit

PAGE = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
# Each part of the examples is preceded by the name of the file that it is, whole.
FILES = dict(re.findall(r"^<!-- (\S+) -->\n```\w+\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
# What is not is run, one after the other.
SNIPPETS = re.findall(r"(?<!-->\n)^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
EXAMPLES = ROOT / "examples"


def test_the_page_shows_every_file_that_an_author_writes():
    numpy, torch = "examples/plugin/srkit_back_projection", "examples/plugin_torch/srkit_pocket"
    assert set(FILES) == {
        "examples/plugin/pyproject.toml",
        f"{numpy}/__init__.py",
        f"{numpy}/adapter.py",
        "examples/plugin/tests/test_back_projection.py",
        f"{torch}/__init__.py",
        f"{torch}/network.py",
        f"{torch}/adapter.py",
        "examples/plugin_torch/tests/test_pocket.py",
    }


@pytest.mark.parametrize("file", FILES)
def test_what_is_shown_is_the_whole_file(file):
    assert FILES[file] == (ROOT / file).read_text(encoding="utf-8")


def test_snippets_run_one_after_the_other(tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")
    photo = srkit.Image(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))
    (tmp_path / "originals").mkdir()
    for name in ("photo.jpg", "originals/one.png"):
        photo.save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert len(SNIPPETS) == 7
    namespace = {"__name__": "plugins.md"}
    for snippet in SNIPPETS:
        exec(compile(snippet, "plugins.md", "exec"), namespace)
    scores, *told = capsys.readouterr().out.partition("3 True\n")
    assert scores.startswith("fours x2 on originals, protocol standard\n")
    assert told == ["3 True\n", "{'check_constant': 'it brightens on purpose'}\n"]
    assert {path.name for path in tmp_path.iterdir()} == {
        "photo.jpg", "originals", "large.png", "sheet.png",
    }  # fmt: skip
    assert srkit.read_image("large.png").pixels.shape == (80, 120, 3)


def test_what_is_said_of_an_unknown_layer_is_said(caplog):
    torch = pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")
    (shown,) = re.findall(r"^```text\n(.*)\n```$", PAGE, re.MULTILINE)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 1), torch.nn.InstanceNorm2d(16))
    net = torch.nn.Sequential(net, torch.nn.Conv2d(16, 3, 1))
    srkit.wrap(net, scale=1, name="Mine")
    told = re.sub(r"\(16, .*?\)", "(16, ...)", caplog.records[0].getMessage())
    assert told == shown


# --- from an empty folder ---------------------------------------------------------------------


def laid_out(example, folder):
    """The page's files of an example in a folder; the names of those at its top."""
    for name, text in FILES.items():
        if name.startswith(f"examples/{example}/"):
            file = folder / Path(name).relative_to(f"examples/{example}")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    return folder


def installed(folder, project, models):
    """Declare a folder to be a distribution, as pip would by its pyproject.toml."""
    about = folder / f"{project.replace('-', '_')}-1.0.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project}\nVersion: 1.0.0\n")
    (about / "entry_points.txt").write_text(f"[srkit.models]\n{models}\n")
    files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    (about / "RECORD").write_text("".join(f"{file.as_posix()},,\n" for file in files))


def run(folder, *command):
    """A command of Python's in the folder, in which and with srkit it runs; what it wrote."""
    paths = os.pathsep.join((str(folder), str(ROOT)))
    done = subprocess.run(
        [sys.executable, "-P", *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def declared(toml):
    """The line below the entry-point group."""
    return re.search(r'^\[project\.entry-points\."srkit\.models"\]\n(.*)$', toml, re.M)[1]


def srkit_command(folder, *words):
    return run(folder, "-c", "import sys; from srkit.cli import main; sys.exit(main())", *words)


def passes(folder):
    """Run the tests that the page shows; all pass, and none is skipped."""
    told = run(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
    assert re.search(r"^\d+ passed in", told, re.M), told
    return int(re.search(r"^(\d+) passed", told, re.M)[1])


def test_the_pages_files_in_an_empty_folder_are_a_plugin_that_passes(tmp_path):
    folder = laid_out("plugin", tmp_path)
    toml = FILES["examples/plugin/pyproject.toml"]
    installed(folder, "srkit-back-projection", declared(toml).replace('"', ""))
    # Two scales of the kit, and three of the method.
    assert passes(folder) == 2 * len(srkit.testing.CHECKS) + 3
    assert "back-projection" in srkit_command(folder, "models")
    srkit.Image(np.zeros((30, 40, 3), np.uint8)).save(folder / "photo.jpg")
    srkit_command(folder, "upscale", "photo.jpg", "-m", "back-projection", "-o", "large.png")
    assert srkit.read_image(folder / "large.png").pixels.shape == (60, 80, 3)


def test_the_torch_example_is_a_plugin_that_passes(tmp_path):
    pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")
    folder = laid_out("plugin_torch", tmp_path)
    example = EXAMPLES / "plugin_torch"
    shutil.copy(example / "srkit_pocket" / "pocket_x2.safetensors", folder / "srkit_pocket")
    toml = (example / "pyproject.toml").read_text(encoding="utf-8")
    installed(folder, "srkit-pocket", declared(toml).replace('"', ""))
    assert passes(folder) == len(srkit.testing.CHECKS) + 2
    srkit.Image(np.zeros((30, 40, 3), np.uint8)).save(folder / "photo.jpg")
    srkit_command(folder, "upscale", "photo.jpg", "-m", "pocket", "-o", "large.png")
    assert srkit.read_image(folder / "large.png").pixels.shape == (60, 80, 3)
