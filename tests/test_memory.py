"""Free memory as Linux reports it, in made-up system folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from srkit.memory import free_memory


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
