"""Two processes train one network, as one process with batches twice as large would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("lightning_fabric", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("pydantic", reason="training needs it: pip install 'srkit[train]'")

from safetensors.torch import load_file

import srkit

# Each process writes down the network that it ends with.
SCRIPT = """
import sys
import torch
import srkit
from srkit.training.loop import Run

photos, out, cache = sys.argv[1:]
train = Run.train

def kept(run):
    path = train(run)
    torch.save(run.net.state_dict(), f"{out}-{run.fabric.global_rank}.pth")
    return path

Run.train = kept
srkit.train(
    "espcn", photos, out, scale=2, cache=cache, steps=3, batch=2, crop=8, rim=0, warmup=0,
    held_out=1, device="cpu", devices=2,
)
"""
LAUNCHER = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch was built without it")
def test_two_processes_end_with_the_same_weights_as_one(photos, tmp_path, cache, tiny, rows):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    two, one = tmp_path / "two", tmp_path / "one"
    process = subprocess.run(
        [sys.executable, *LAUNCHER, str(script), str(photos), str(two), str(cache)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert "distributed_backend=gloo" in process.stderr
    first, second = (torch.load(Path(f"{two}-{n}.pth"), weights_only=True) for n in (0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)

    tiny |= {"steps": 3, "batch": 4, "warmup": 0, "check_every": 500}
    srkit.train("espcn", photos, one, scale=2, cache=cache, **tiny)
    alone = torch.load(one / "state.pth", weights_only=True)["parts"]["net"]
    for name, value in alone.items():
        # Three steps of Adam move a weight by up to 0.006; sums of gradients are rounded.
        torch.testing.assert_close(first[name], value, atol=1e-4, rtol=0)
    # One process of the two wrote the results.
    wanted = load_file(one / "weights.safetensors")
    for name, value in load_file(two / "weights.safetensors").items():
        torch.testing.assert_close(value, wanted[name], atol=1e-4, rtol=0)
    assert [row["step"] for row in rows(two)] == ["0", "3"]
    assert rows(two)[-1]["psnr"][:5] == rows(one)[-1]["psnr"][:5]
