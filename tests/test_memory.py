"""Free memory as Linux reports it, in made-up system folders; and results that are kept."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import srkit
from srkit.imaging import observation, resize
from srkit.memory import Kept, free_memory, whole_memory


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


MEMINFO = {"proc/meminfo": "MemTotal: 16000000 kB\nMemAvailable:   8000000 kB\n"}
V2, V1 = "sys/fs/cgroup/memory.", "sys/fs/cgroup/memory/memory."


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ({}, 8_000_000 * 1024),
        ({f"{V2}max": "max\n", f"{V2}current": "1000\n"}, 8_000_000 * 1024),
        ({f"{V2}max": "2000000000\n", f"{V2}current": "500000000\n"}, 1_500_000_000),
        ({f"{V1}limit_in_bytes": "3000000000", f"{V1}usage_in_bytes": "1"}, 2_999_999_999),
        ({f"{V2}max": "100\n", f"{V2}current": "200\n"}, 0),
    ],
    ids=["no group", "no limit", "version 2", "version 1", "used up"],
)
def test_the_tighter_limit_counts(tmp_path: Path, group: dict[str, str], expected: int) -> None:
    assert free_memory(write(tmp_path, MEMINFO | group)) == expected


def test_what_a_process_can_ever_have(tmp_path: Path) -> None:
    assert whole_memory(tmp_path) is None
    swap = {"proc/meminfo": MEMINFO["proc/meminfo"] + "SwapTotal: 1000000 kB\n"}
    assert whole_memory(write(tmp_path, swap)) == 17_000_000 * 1024
    group = {f"{V2}max": "2000000000\n", f"{V2}current": "1999999999\n"}
    assert whole_memory(write(tmp_path, group)) == 2_000_000_000


def test_without_linux_files_there_is_an_answer_all_the_same(tmp_path: Path) -> None:
    assert free_memory(tmp_path) > 0


def test_results_are_kept_up_to_so_many_bytes_the_oldest_going_first():
    asked = []

    def zeros(count: int, *, more: int = 0) -> bytes:
        asked.append(count)
        return bytes(count + more)

    known = Kept(zeros, len, 1000, 9)
    for count in (400, 500, 400, 400):
        assert len(known(count)) == count
    assert asked == [400, 500]
    known(300)  # 500, unused for longest, goes
    assert known.bytes == 700
    known(400)
    known(300)
    assert asked == [400, 500, 300]
    known(1001)  # alone too large, and takes nobody's place
    assert (len(known), known.bytes) == (2, 700)
    assert len(known(400, more=1)) == 401
    assert asked[-1] == 400


def test_results_are_counted_as_well():
    asked = []
    known = Kept(lambda number: asked.append(number) or b"", len, 1000, 2)
    for number in (1, 2, 3, 2, 1):
        known(number)
    assert asked == [1, 2, 3, 1]


def test_a_failure_is_not_kept():
    known = Kept(lambda count: bytes(count), len, 1000, 9)
    for _ in range(2):
        with pytest.raises(ValueError, match="negative"):
            known(-1)
    assert len(known) == 0


def test_pictures_of_many_sizes_leave_bounded_results_behind():
    """Each axis of 20,000 samples takes 2 MB of weights alone, and its pseudo-inverse gigabytes."""
    for side in range(20_000, 20_040):
        srkit.imresize(np.zeros((side, 1), np.uint8), size=(2 * side, 1))
        observation.axis(2 * (side // 2), 2, 1.0)
    for side in range(600, 640, 2):
        observation.singular(side, 2, 0.0)
    for results in (resize.taps, observation.axis, observation.singular):
        assert 0 < len(results) <= 16
        assert results.bytes < 65 << 20
    assert resize.taps.bytes < 17 << 20


# A heap of holes: each block of 100 kB is freed but one in a hundred, up to the end.
HOLES = """
from pathlib import Path
from srkit import memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20

memory.give_back()
blocks = [bytearray(100_000) for _ in range(4000)]
blocks = blocks[::100]
kept = resident()
memory.give_back()
print(kept - resident())
blocks += [bytearray(100_000) for _ in range(4000)]
blocks = blocks[::100]
kept = resident()
memory.give_back()  # too soon
print(kept - resident())
memory.RETURN_SECONDS = 0
memory.give_back()
print(kept - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc's allocator")
def test_what_is_freed_between_what_stays_is_given_back_now_and_then():
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    # Blocks of the size come from the heap, as they do once larger ones were freed.
    environment["MALLOC_MMAP_THRESHOLD_"] = str(32 << 20)
    done = subprocess.run(
        [sys.executable, "-c", HOLES], env=environment, capture_output=True, text=True, check=True
    )
    first, soon, later = map(int, done.stdout.split())
    assert first > 300
    assert soon == 0
    assert later > 300


# Pages that are cleared for eight blocks of 48 MiB, one after the other.
BLOCKS = """
import resource
from srkit.memory import large_blocks

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def of_blocks():
    before = faults()
    for _ in range(8):
        bytes(b"x" * (48 << 20))
    return faults() - before

apart = of_blocks()
with large_blocks():
    kept = of_blocks()
print(apart, kept)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc's allocator")
@pytest.mark.parametrize("told", [{}, {"MALLOC_TRIM_THRESHOLD_": "65536"}], ids=["", "told"])
def test_large_blocks_are_kept_meanwhile_unless_the_environment_says_otherwise(told):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    environment.pop("GLIBC_TUNABLES", None)
    done = subprocess.run(
        [sys.executable, "-c", BLOCKS],
        env=environment | told,
        capture_output=True,
        text=True,
        check=True,
    )
    apart, kept = map(int, done.stdout.split())
    # Each block anew, or the first alone.
    assert apart == pytest.approx(8 * 12288, rel=0.1)
    assert kept == pytest.approx((8 if told else 1) * 12288, rel=0.1)
