"""The fuzzing of parsers: what was found once stays mended, and a seed brings the same inputs."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("soak") / "fuzz_parsers.py"
CORPUS = SCRIPT.with_name("corpus")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks, and reads /proc")
for package in ("torch", "onnx", "onnxruntime", "av", "zarr"):
    pytest.importorskip(package, reason="needs every parser")


def fuzzed(found, *arguments):
    command = [sys.executable, str(SCRIPT), "--found", str(found), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def test_what_was_found_once_is_no_find_any_more(tmp_path):
    names = sorted(folder.name for folder in CORPUS.iterdir())
    assert {"graphdef", "onnx", "tiff", "checkpoint-zip"} <= set(names)
    ran = fuzzed(tmp_path, *names, "--count", "1")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "found again" not in ran.stdout
    assert ran.stdout.count("finds: none") == len(names)


def test_a_seed_is_printed_that_brings_the_same_inputs_again(tmp_path):
    drawn = fuzzed(tmp_path, "strangers", "iptc", "--seconds", "2")
    seed = drawn.stdout.splitlines()[0].removeprefix("seed: --first ")
    assert seed.isdecimal()
    again = [fuzzed(tmp_path, "safetensors", "--count", "30", "--first", seed).stdout for _ in "ab"]
    counts = [text.splitlines()[1].split(", slowest")[0] for text in again]
    assert counts[0] == counts[1]
    assert counts[0].startswith("safetensors: 30 tried")


def test_a_find_is_kept_and_told_by_the_exit_code(tmp_path):
    script = (
        "import sys; sys.argv = ['fuzz', 'strangers', '--count', '20', '--found', sys.argv[1]]; "
        f"sys.path.insert(0, {str(SCRIPT.parent)!r}); import srkit.models.strangers as s; "
        "s.what_it_is = lambda path, head: [][0]; import fuzz_parsers; fuzz_parsers.check_seeds = "
        "print; fuzz_parsers.main()"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 1
    assert "the same inputs: --first 0" in ran.stderr
    assert list(tmp_path.glob("strangers-IndexError_*.bin"))
