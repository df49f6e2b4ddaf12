"""How much main memory there is to work in."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

# Taken for free where nobody says how much is.
UNKNOWN = 4 << 30
# Of malloc.h, and the largest block that glibc is sure to take from what it keeps: mallopt(3).
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _LARGEST_KEPT = -1, -3, 32 << 20


def free_memory(root: Path = Path("/")) -> int:
    """Bytes of main memory that can be taken without harm.

    On Linux what the kernel calls available, or what the process's control group
    leaves, as in a container, whichever is less. Elsewhere half of what there is.

    Parameters
    ----------
    root
        Folder that holds ``proc`` and ``sys``.
    """
    left = [n for n in (_machine(root), _group(root)) if n is not None]
    if left:
        return max(0, min(left))
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (OSError, ValueError, AttributeError):
        return UNKNOWN


def keep_freed(limit: int) -> bool:
    """Have glibc's allocator keep up to `limit` freed bytes, whatever the environment says.

    Dask starts its workers with ``MALLOC_TRIM_THRESHOLD_=65536``. Every tensor then comes from
    the system anew, which clears each page: SRResNet took 1.7 times as long.

    Returns
    -------
    bool
        Whether it does; other allocators know nothing of this.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    return bool(mallopt(_M_TRIM_THRESHOLD, limit) and mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT))


def _machine(root: Path) -> int | None:
    try:
        lines = (root / "proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _group(root: Path) -> int | None:
    """What the limit of a control group leaves; version 2 first, then version 1."""
    for folder, limit, used in (
        ("sys/fs/cgroup", "memory.max", "memory.current"),
        ("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        try:
            bound = (root / folder / limit).read_text(encoding="ascii").strip()
            if bound != "max":
                return int(bound) - int((root / folder / used).read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
    return None
