"""What networks on a CPU leave with the process: freed memory, and kernels, both bounded."""

import linecache
import os
import platform
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")

import srkit

# Page faults of four calls, in a process whose heap nobody else has used.
FAULTS = """
import resource
import numpy as np
import srkit

model = srkit.load("espcn", scale=2, device="cpu", runtime="torch", precision="float32")
image = np.zeros((540, 960), np.uint8)
for _ in range(4):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    model.upscale(image)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc's allocator")
def test_pages_are_not_asked_for_anew_for_every_layer():
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_TUNABLES"))}
    done = subprocess.run(
        [sys.executable, "-c", FAULTS],
        env=ours | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    later = sorted(int(line) for line in done.stdout.split()[1:])
    # The result of the first layer alone is 540 x 960 x 64 float32, or 32,400 pages of 4 KiB. The
    # best call counts: in some, a block falls so that more is given back.
    assert later[0] < 16_000


# Pictures of many sizes, then the first of them and the last once more. ESPCN has three layers.
KERNELS = """
import numpy as np
import srkit

model = srkit.load("espcn", scale=2, device="cpu", runtime="torch", precision="float32")
sizes = [*range(20, 220), 20, 20]
for side in sizes:
    print("size", side, flush=True)
    model.upscale(np.zeros((24, side), np.uint8))
"""


def kernels(**more):
    """For each picture how many kernels were compiled, and how many found, as oneDNN tells."""
    ours = {k: v for k, v in os.environ.items() if "CACHE_CAPACITY" not in k}
    done = subprocess.run(
        [sys.executable, "-c", KERNELS],
        env=ours | {"OMP_NUM_THREADS": "1", "ONEDNN_VERBOSE": "2"} | more,
        capture_output=True,
        text=True,
        check=True,
    )
    told = done.stdout.split("size ")[1:]
    return [(part.count("cache_miss"), part.count("cache_hit")) for part in told]


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="others lack oneDNN")
def test_kernels_of_sizes_long_past_are_given_back():
    found = kernels()
    if not any(made for made, _ in found):
        pytest.skip("this torch does without oneDNN")
    assert found[-2][0] > 0  # the first size had been forgotten,
    assert found[-1][0] == 0  # and is known again
    unbounded = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "9999", "LRU_CACHE_CAPACITY": "9999"}
    assert kernels(**unbounded)[-2][0] == 0  # what a user says goes


LOADED = {
    "espcn": lambda: srkit.load("espcn", scale=2, device="cpu", runtime="torch"),
    "reduced": lambda: srkit.load("srresnet", scale=2, device="cpu", precision="bfloat16"),
}


@pytest.mark.parametrize("name", LOADED)
def test_models_that_went_leave_no_source_behind(name):
    """torch.fx enters what it generates into tables of the process."""
    image = np.zeros((9, 9), np.uint8)
    for _ in range(2):
        LOADED[name]().upscale(image)
    loader = torch.fx.graph_module._loader
    before = len(linecache.cache), len(loader.eval_cache)
    LOADED[name]().upscale(image)
    assert (len(linecache.cache), len(loader.eval_cache)) == before
