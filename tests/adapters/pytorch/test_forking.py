"""Processes that are forked after torch has worked, whose threads are not forked."""

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("torch")

# In a process of its own: it has threads whatever this one has, and it may hang.
POOL = """
import json, multiprocessing
from concurrent.futures import ProcessPoolExecutor
import numpy as np, torch
import srkit

def threads(asked=None):
    if asked:
        torch.set_num_threads(asked)
    return torch.get_num_threads()

torch.set_num_threads(2)
picture = np.random.default_rng(28).integers(0, 256, (200, 200, 3), np.uint8)
model = srkit.load("espcn", scale=2, runtime="torch", device="cpu", precision="float32")
here = model.upscale(picture)
fork = multiprocessing.get_context("fork")
with ProcessPoolExecutor(1, mp_context=fork) as pool:
    made = [there for there in pool.map(model.upscale, [picture] * 2)]
    told = [pool.submit(threads).result(), pool.submit(threads, 2).result()]
ended = []
for way in (lambda: model.upscale(picture), lambda: srkit.upscale(picture, "espcn", scale=3)):
    child = fork.Process(target=way)
    child.start()
    child.join(60)
    ended.append(child.exitcode)
away = max(int(np.abs(here.astype(int) - there).max()) for there in made)
print(json.dumps({"away": away, "told": told, "ended": ended, "here": torch.get_num_threads()}))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing is forked here")
def test_a_forked_pool_works_on_one_thread_after_its_parent_has_worked():
    run = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", POOL]
    found = json.loads(subprocess.run(run, check=True, capture_output=True, timeout=120).stdout)
    # Kernels are picked by threads, so that sums may round otherwise.
    assert found["away"] <= 1
    assert found["told"] == [1, 2]  # who wants threads gets them
    assert found["ended"] == [0, 0]
    assert found["here"] == 2
