"""What files hold does not reach the terminal as commands, and SIGTERM ends as Ctrl-C does."""

import json
import logging
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PILImage

import srkit
from srkit import ModelCard, Registry, Upscaler
from srkit.cli import main
from srkit.cli.escaping import plain
from srkit.errors import CorruptFileError
from srkit.models import loading

posix = pytest.mark.skipif(os.name != "posix", reason="names and signals as POSIX has them")
# Red; a new title of the window; the line erased; text turned around; an escape of one byte.
EVIL = "\x1b[31m \x1b]0;t\x07 \x1b[2K\r \u202egnp \x9b1m"
CODES = ("\x1b", "\x07", "\r", "\u202e", "\x9b")


class Telling(Upscaler):
    """Says in every way what a file may have told it."""

    def __init__(self, card, scale, weights=None):
        self.card, self.scale = card, scale

    def run(self, tiles):
        logging.getLogger("srkit.any").warning("logged %s", EVIL)
        warnings.warn(f"warned {EVIL}", stacklevel=1)
        raise CorruptFileError(f"raised {EVIL}")


@posix
@pytest.mark.filterwarnings("default")
def test_nothing_of_a_file_reaches_the_terminal_unescaped(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(loading, "REGISTRY", Registry())
    srkit.register(ModelCard("telling", "", f"{__name__}:Telling", "numpy", (2,), 2, radius=0))
    path = tmp_path / f"a{EVIL}\nsrkit: forged.png"
    PILImage.new("RGB", (4, 4)).save(path)
    assert main(["upscale", str(path), "-m", "telling"]) == 1
    assert main(["upscale", str(path), "-m", "nearest", "--scale=2"]) == 0
    assert main(["info", str(path)]) == 1
    out, err = capfd.readouterr()
    for code in CODES:
        assert code not in out + err
    assert "\\x1b[31m" in out
    assert "raised \\x1b[31m" in err
    assert not any(line.startswith("srkit: forged") for line in (out + err).splitlines())


def test_what_is_text_stays():
    text = "naïve 日本 👩\u200d🚀 a\u00a0b\tc\nd"
    assert plain(text) == text
    assert plain("\udcff") == "\\udcff"


def test_the_log_and_warnings_are_as_before_afterwards():
    before = logging.lastResort.formatter, warnings.formatwarning
    assert main(["models", "nearest"]) == 0
    assert (logging.lastResort.formatter, warnings.formatwarning) == before


ENDED = """
import signal, sys, time
import srkit
from srkit import ModelCard, Upscaler
from srkit.cli import main
# As from a terminal: a shell's background jobs do not hear it.
signal.signal(signal.SIGINT, signal.default_int_handler)

class Waiting(Upscaler):
    def __init__(self, card, scale, weights=None):
        self.card, self.scale = card, scale
    def run(self, tiles):
        print("waits", flush=True)
        time.sleep(60)

srkit.register(ModelCard("waiting", "", "__main__:Waiting", "numpy", (2,), 2, radius=0))
sys.exit(main(["upscale", sys.argv[1], "-m", "waiting", "-o", sys.argv[2]]))
"""


@posix
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_sigterm_ends_as_ctrl_c_does(tmp_path, sent, suffix):
    rng = np.random.default_rng(0)
    PILImage.fromarray(rng.integers(0, 256, (64, 64), np.uint8)).save(tmp_path / f"a{suffix}")
    out = tmp_path / "out"
    out.mkdir()
    command = [sys.executable, "-c", ENDED, str(tmp_path / f"a{suffix}"), str(out)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "waits\n"
        process.send_signal(sent)
        _, err = process.communicate()
    assert process.returncode == 130
    assert err == "srkit: interrupted\n"
    assert not list(out.iterdir())


JSON = ENDED.replace("    def run", "    runs = 0\n    def run").replace(
    'print("waits"',
    """self.runs += 1
        if self.runs == 1:
            return tiles.repeat(2, 1).repeat(2, 2)
        print("waits\"""",
)


@posix
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_program_is_told_what_was_written_before_the_end(tmp_path, sent):
    source = tmp_path / "in"
    source.mkdir()
    for name in "abc":
        PILImage.fromarray(np.zeros((8, 8), np.uint8)).save(source / f"{name}.png")
    code = JSON.replace("sys.argv[2]]", 'sys.argv[2], "--json"]')
    command = [sys.executable, "-c", code, str(source), str(tmp_path / "out")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "waits\n"
        process.send_signal(sent)
        out, err = process.communicate()
    assert (process.returncode, err) == (130, "srkit: interrupted\n")
    told = json.loads(out)
    (written,) = told["written"]
    assert written["source"] == str(source / "a.png")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [Path(written["target"]).name]
    assert [(one["source"], one["kind"]) for one in told["failed"]] == [
        (str(source / name), "KeyboardInterrupt") for name in ("b.png", "c.png")
    ]


@posix
def test_of_one_picture_a_program_is_told_the_same(tmp_path):
    PILImage.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a.png")
    code = ENDED.replace("sys.argv[2]]", 'sys.argv[2], "--json"]').replace(
        'sys.argv[1], "-m"', '"-", "-m"'
    )
    command = [sys.executable, "-c", code, "", str(tmp_path / "out.png")]
    with (
        (tmp_path / "a.png").open("rb") as picture,
        subprocess.Popen(
            command, stdin=picture, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stderr.readline() == "waits\n"  # where pictures may go, nothing is printed
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate()
    assert (process.returncode, err) == (130, "srkit: interrupted\n")
    (failed,) = json.loads(out)["failed"]
    assert (failed["source"], failed["kind"]) == ("-", "KeyboardInterrupt")


@posix
def test_processes_that_a_command_starts_end_by_sigterm_as_ever():
    code = """
import os, signal, time
from srkit.cli.ending import ended_as_by_ctrl_c
with ended_as_by_ctrl_c():
    if not (child := os.fork()):
        time.sleep(60)
    time.sleep(0.2)
    os.kill(child, signal.SIGTERM)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGTERM
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_python_runs_the_command_where_it_is_not_on_the_path():
    command = [sys.executable, "-m", "srkit"]
    done = subprocess.run([*command, "models", "nearest", "--names"], stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout.split()) == (0, [b"nearest"])
    wrong = [*command, "upscale", "gone.png", "-m", "bicubic"]
    failed = subprocess.run(wrong, stderr=subprocess.PIPE)
    assert failed.returncode == 1
    assert failed.stderr.startswith(b"srkit: 0 written, 1 failed:")
