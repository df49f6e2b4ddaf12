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

recipe, photos, out, cache, *teacher = sys.argv[1:]
poor = [{"kind": "downsample"}, {"kind": "jpeg"}] if teacher and recipe == "espcn" else []
train = Run.train

def kept(run):
    path = train(run)
    torch.save(run.net.state_dict(), f"{out}-{run.fabric.global_rank}.pth")
    return path

Run.train = kept
srkit.train(
    recipe, photos, out, scale=2, cache=cache, steps=3, batch=2, crop=8, rim=0, warmup=0,
    held_out=1, device="cpu", devices=2, teacher=teacher,
    answers=40 if teacher else 0, versions=20 if teacher else 1,
    degradations=poor,
)
"""
# A duel; the second process has a folder of its own where the first has a state.
DUEL = """
import os
import sys
import torch
import srkit
from srkit.training.loop import Run

photos, out, cache, apart = sys.argv[1:]
train = Run.train

def kept(run):
    path = train(run)
    parts = run.method.parts()
    states = {n: parts[n].state_dict() for n in ("net", "judge")}
    flat = {f"{n}.{k}": v for n, state in states.items() for k, v in state.items()}
    torch.save(flat, f"{out}-{run.fabric.global_rank}.pth")
    return path

Run.train = kept
if apart == "apart" and os.environ["RANK"] == "1":
    out += "-elsewhere"
srkit.train(
    "srgan", photos, out, scale=4, init=None, start="", cache=cache, batch=1, crop=8, warmup=0,
    held_out=1, device="cpu", devices=2, steps=4 if apart == "apart" else 2,
    losses=[{"kind": "l1"}], adversary={"channels": 4},
)
"""
LAUNCHER = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch was built without it")
@pytest.mark.parametrize(
    ("recipe", "teacher"),
    [("espcn", []), ("espcn", ["bicubic"]), ("vsr-small", ["bicubic"])],
    ids=["photos", "teacher", "taught windows"],
)
def test_two_processes_end_with_the_same_weights_as_one(
    photos, tmp_path, cache, tiny, rows, recipe, teacher
):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    two, one = tmp_path / "two", tmp_path / "one"
    process = subprocess.run(
        [
            sys.executable, *LAUNCHER, str(script),
            recipe, str(photos), str(two), str(cache), *teacher,
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert "distributed_backend=gloo" in process.stderr
    first, second = (torch.load(Path(f"{two}-{n}.pth"), weights_only=True) for n in (0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)

    tiny |= {"steps": 3, "batch": 4, "warmup": 0, "check_every": 500}
    if teacher:
        tiny |= {"teacher": teacher, "answers": 40, "versions": 20}
    if teacher and recipe == "espcn":
        tiny["degradations"] = [{"kind": "downsample"}, {"kind": "jpeg"}]
    # Where there are answers, with a store of its own.
    apart = one / "cache" if teacher else cache
    srkit.train(recipe, photos, one, scale=2, cache=apart, **tiny)
    for path in (apart / "answers").rglob("*.npy"):
        shared = cache / "answers" / path.relative_to(apart / "answers")
        assert shared.read_bytes() == path.read_bytes()
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


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch was built without it")
def test_a_duel_on_two_processes_keeps_them_together(photos, tmp_path, cache):
    script, out = tmp_path / "duel.py", tmp_path / "duel"
    script.write_text(DUEL)

    def run(apart):
        return subprocess.run(
            [sys.executable, *LAUNCHER, str(script), str(photos), str(out), str(cache), apart],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    process = run("together")
    assert process.returncode == 0, process.stderr
    first, second = (torch.load(Path(f"{out}-{n}.pth"), weights_only=True) for n in (0, 1))
    started = torch.load(out / "state.pth", weights_only=True)["step"]
    assert started == 2
    for name, value in first.items():
        # Running means are each process's own; what is learned is one.
        if "running" not in name and "num_batches" not in name:
            assert torch.equal(value, second[name]), name
    # A process that does not see the state would train another network.
    process = run("apart")
    assert process.returncode != 0
    assert "states of the steps [2, 0]" in process.stderr
