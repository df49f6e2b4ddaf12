"""Every block of code on the pages runs as it stands, or a mark above it says why not here."""

import logging
import os
import re
import shlex
import subprocess
import sys
import urllib.request
import webbrowser
from pathlib import Path

import pytest
from page_blocks import PAGES, blocks
from PIL import ImageShow
from ports import free_port
from sample_files import lay_out

import srkit.web
from srkit.cli import main

WITH_BLOCKS = [page for page in PAGES if any(blocks(page))]
SETTING = re.compile(r"(\w+)=(\S*)")


# What the code of some pages makes, of the first level, and says.
MADE = {
    "index.md": {"portrait_x4.jpg", "portrait_photo_x4.jpg"},
    "tutorial-first.md": {"small.png", "large.png", "same.png", "page.html"},
    "in-python.md": {"page.html"},
    "pipelines.md": {"large.jpg"},
    "huge-images.md": {"large.tif", "large.zarr"},
    "ncnn.md": {"large.png", "out"},
}
SAID = {
    "pipelines.md": ["100%\ngiven up\n"],
    "in-python.md": [
        "realesrgan-anime",
        "bicubic runs on cpu alone: device is 'auto' or 'cpu', not 'cuda'\n",
    ],
    "ncnn.md": ["4 times, sees 4 pixels far\n"],
    "tutorial-first.md": ["<srkit.Image 512x512 RGB uint8>", "srgan exists for x4, not x3"],
}
SHOWN = {"in-python.md": [(240, 240)]}


def run_python(block, namespace):
    # So that tracebacks name the page and its line.
    shift = "\n" * int(block.place.rpartition(":")[2])
    exec(compile(shift + block.text, block.place, "exec"), namespace)


def run_shell(block):
    """Run the lines of a block, one by one; those that are no more than srkit's in this process."""
    for line in block.text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["srkit"] and not re.search(r"[|<>&*$;`]", line.partition("#")[0]):
            code = main(words[1:])
            if words[1:] == ["doctor"]:  # it may find a fault of this machine, and says so
                code = 0 if code == 1 else code
        elif words:
            code = in_bash(line)
        else:
            continue
        assert code == 0, f"{block.place}: {line}"


def in_bash(line):
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", line],
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        check=False,
    ).returncode


def ended(address):
    """A browser, for who presses Ctrl-C when the page is there."""
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address) as page:
        assert page.status == 200
    raise KeyboardInterrupt


@pytest.fixture
def _quiet_again():
    """Levels and filters of logs, as they were: pages show how these are set."""
    loggers = [logging.getLogger(name) for name in (None, *logging.root.manager.loggerDict)]
    before = [(one, one.level, list(one.filters), list(one.handlers)) for one in loggers]
    yield
    for one, level, filters, handlers in before:
        one.setLevel(level)
        one.filters[:], one.handlers[:] = filters, handlers


@pytest.mark.usefixtures("_quiet_again")
@pytest.mark.parametrize("page", WITH_BLOCKS, ids=[page.name for page in WITH_BLOCKS])
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shown = []
    monkeypatch.setattr(ImageShow, "show", lambda picture, title: shown.append(picture) or True)
    # Who has seen the page that opened, ends it.
    monkeypatch.setattr(webbrowser, "open", ended)
    monkeypatch.setitem(srkit.web.serve.__kwdefaults__, "port", free_port())
    found = [block for block in blocks(page) if not block.file]
    monkeypatch.setenv("HOME", str(tmp_path))
    lay_out(page, "\n".join(block.text for block in found), tmp_path)
    given = {path.name for path in tmp_path.iterdir()}
    namespace = {"__name__": "__main__"}
    for block in found:
        if block.language == "python":
            run_python(block, namespace)
        else:
            run_shell(block)
    made = {path.name for path in tmp_path.iterdir()} - given
    assert made == MADE.get(page.name, made)
    told = capsys.readouterr().out
    assert all(text in told for text in SAID.get(page.name, ()))
    assert [picture.size for picture in shown] == SHOWN.get(page.name, [])


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=[page.name for page in WITH_BLOCKS])
def test_what_is_not_run_says_why(page):
    assert not [(block.place, fault) for block in blocks(page) for fault in block.faults]
