"""Runs of a few steps, killed ones, and how two of them are compared."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Values of a recipe with which a run takes a moment.
TINY: dict[str, Any] = {
    "steps": 6,
    "batch": 2,
    "crop": 8,
    "rim": 0,
    "warmup": 2,
    "held_out": 1,
    "check_every": 3,
    "save_every": 2,
    "picture_every": 6,
}
SRKIT = "import sys; from srkit.cli import main; sys.exit(main())"


def kill_when(command: list[str], due: Callable[[], bool]) -> None:
    """Run a command of srkit's until something is so, and then kill it."""
    program = [sys.executable, "-c", SRKIT, *command]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        until = time.monotonic() + 120
        while not due():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < until
            time.sleep(0.002)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL


def run_whole(command: list[str]) -> None:
    """Run a command of srkit's to its end, as `kill_when` begins it.

    A run that goes on is equal bit for bit on as many threads, and other tests may have changed
    how many this process has.
    """
    program = [sys.executable, "-c", SRKIT, *command]
    subprocess.run(program, check=True, capture_output=True, timeout=500)


def same_result(one: Path, other: Path) -> None:
    """Weights of two runs are equal bit for bit, headers and all; so are their states."""
    # Also imported where torch is not installed.
    import torch

    from srkit.adapters.pytorch.checkpoints import read_checkpoint

    for name in ("weights.safetensors", "best.safetensors"):
        # Not their bytes: the order of a header's entries is not fixed.
        files = [read_checkpoint(out / name) for out in (one, other)]
        assert files[0].metadata == files[1].metadata
        assert_equal(*(dict(file.tensors) for file in files))
    states = [torch.load(out / "state.pth", weights_only=True) for out in (one, other)]
    for state in states:
        # Loaders of data draw from it; nothing else does.
        state.pop("random")
    assert_equal(*states)


def assert_equal(one, other):
    import torch

    assert type(one) is type(other)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_equal(one[key], other[key])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_equal(a, b)
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    else:
        assert one == other


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """When files below a folder were written, and what they hold."""
    found = [p for p in folder.rglob("*") if p.is_file()]
    return {str(p.relative_to(folder)): (p.stat().st_mtime_ns, p.read_bytes()) for p in found}
