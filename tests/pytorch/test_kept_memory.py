"""What networks on a CPU free stays with the process, for what they allocate next."""

import os
import platform
import subprocess
import sys

import pytest

pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")

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
