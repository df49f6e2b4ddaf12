"""Free memory as Linux reports it, in made-up system folders; and results that are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import srkit
from srkit.imaging import observation, resize
from srkit.memory import Kept, free_memory


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


def test_without_linux_files_there_is_an_answer_all_the_same(tmp_path: Path) -> None:
    assert free_memory(tmp_path) > 0


def test_results_are_kept_up_to_so_many_bytes_the_oldest_going_first():
    asked = []

    def zeros(count: int, *, more: int = 0) -> bytes:
        asked.append(count)
        return bytes(count + more)

    known = Kept(zeros, len, 1000)
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


def test_a_failure_is_not_kept():
    known = Kept(lambda count: bytes(count), len, 1000)
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
        assert 0 < len(results) < 40
        assert results.bytes < 65 << 20
    assert resize.taps.bytes < 17 << 20
