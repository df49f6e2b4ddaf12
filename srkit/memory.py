"""How much main memory there is to work in, and results that are kept in a part of it."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import math
import numbers
import os
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar, overload

from srkit.errors import OptionError

P = ParamSpec("P")
R = TypeVar("R")

# Of sizes as people write them: 500MB, 1.5GiB.
_UNITS = {unit: 10 ** (3 * n) for n, unit in enumerate(("", "k", "m", "g", "t"))}
_UNITS |= {f"{unit}i": 2 ** (10 * n) for n, unit in enumerate(_UNITS) if unit}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]i?|)b?", re.ASCII | re.IGNORECASE)
# Taken for free where nobody says how much is.
UNKNOWN = 4 << 30
# Bytes that a process may grow by, and seconds that pass, until what was freed is given back. The
# pages cost time when they are asked for again: 128 MiB some 0.05 s.
RETURNED, RETURN_SECONDS = 128 << 20, 10.0
# Of malloc.h, and the largest block that glibc is sure to take from what it keeps: mallopt(3).
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _LARGEST_KEPT = -1, -3, 32 << 20
# Blocks that are kept between the layers of a network that runs whole, and all of them.
_LARGER_KEPT, _RUN_KEPT = 64 << 20, 256 << 20
_ALLOCATORS = "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"


@overload
def byte_count(memory: None) -> None: ...
@overload
def byte_count(memory: float | str) -> int: ...
def byte_count(memory: float | str | None) -> int | None:
    """What a caller gives as `memory`, in bytes.

    Parameters
    ----------
    memory
        A number of bytes, or a text such as ``"500MB"`` or ``"1.5 GiB"``: K, M, G and T count in
        thousands, Ki, Mi, Gi and Ti in 1024s. None stays None.

    Raises
    ------
    OptionError
        If it is neither, or not above zero.

    Examples
    --------
    >>> byte_count("500MB"), byte_count("1.5 GiB"), byte_count(4096)
    (500000000, 1610612736, 4096)
    """
    if memory is None:
        return None
    count: Any = math.nan
    if isinstance(memory, str):
        if match := _SIZE.fullmatch(memory.strip()):
            count = float(match[1]) * _UNITS[match[2].lower()]
    elif isinstance(memory, numbers.Real) and not isinstance(memory, bool):
        count = memory
    if not 1 <= count < math.inf:
        raise OptionError(
            "memory is a positive number of bytes, or a text such as '500MB' or '2GiB', "
            f"not {memory!r}"
        )
    return int(count)


def free_memory(root: Path = Path("/")) -> int:
    """Bytes of main memory that can be taken without harm.

    On Linux what the kernel calls available, or what the process's control group
    leaves, as in a container, whichever is less. Elsewhere half of what there is.

    Parameters
    ----------
    root
        Folder that holds ``proc`` and ``sys``.
    """
    available, group = _machine(root, "MemAvailable"), _group(root)
    left = [] if available is None else [available]
    if group:
        left.append(group[0] - group[1])
    if left:
        return max(0, min(left))
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (OSError, ValueError, AttributeError):
        return UNKNOWN


def whole_memory(root: Path = Path("/")) -> int | None:
    """Bytes of main memory that a process can ever have; None where that is not known.

    On Linux what there is, with swap, or the limit of the process's control group, whichever is
    less. What takes more than this cannot be made, however much is freed.

    Parameters
    ----------
    root
        As of `free_memory`.
    """
    there = _machine(root, "MemTotal")
    found = [] if there is None else [there + (_machine(root, "SwapTotal") or 0)]
    if group := _group(root):
        found.append(group[0])
    return min(found, default=None)


def keep_freed(limit: int) -> bool:
    """Have glibc's allocator keep up to `limit` freed bytes, whatever the environment says.

    Dask starts its workers with ``MALLOC_TRIM_THRESHOLD_=65536``. Every tensor then comes from
    the system anew, which clears each page: SRResNet took 1.7 times as long.

    Returns
    -------
    bool
        Whether it does; other allocators know nothing of this.
    """
    return _mallopt(_M_TRIM_THRESHOLD, limit) and _mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)


@contextlib.contextmanager
def large_blocks() -> Iterator[None]:
    """Have glibc's allocator keep freed blocks of up to 64 MiB, while a network runs whole.

    By itself it has every block of more than 32 MiB from the system anew, which clears each page:
    `photo` in float32 took twice as long for 384x384. Not for strips, where what stays between the
    blocks would make it keep half as much again. Where the environment tells glibc what to keep,
    and with a glibc or another allocator that does not take it, this does nothing.

    Examples
    --------
    >>> with large_blocks():
    ...     made = bytes(100_000_000)
    """
    told = not any(name in os.environ for name in _ALLOCATORS)
    told = told and _mallopt(_M_MMAP_THRESHOLD, _LARGER_KEPT)
    if told:
        _mallopt(_M_TRIM_THRESHOLD, _RUN_KEPT)
    try:
        yield
    finally:
        if told:
            _mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)
            _mallopt(_M_TRIM_THRESHOLD, 2 * _LARGEST_KEPT)


def _mallopt(option: int, value: int) -> bool:
    """Tell glibc's allocator; False for another one, and for values that it does not take."""
    try:
        return bool(ctypes.CDLL(None).mallopt(option, value))
    except (OSError, AttributeError, TypeError):
        return False


class _Returning:
    """When glibc was asked last to give back what it keeps, and what the process had then."""

    def __init__(self) -> None:
        self.asked, self.resident = 0.0, 0

    def __call__(self) -> None:
        """Ask again, if it is time."""
        resident = _resident()
        self.resident = min(self.resident or resident, resident)
        now = time.monotonic()
        if resident - self.resident < RETURNED or now - self.asked < RETURN_SECONDS:
            return
        with contextlib.suppress(OSError, AttributeError, TypeError):
            ctypes.CDLL(None).malloc_trim(RETURNED)
        self.asked, self.resident = now, _resident()


# glibc gives back the end of its heap alone. What many calls of different sizes free between
# what stays, it keeps: in an hour, more than all models that are loaded.
give_back = _Returning()


def _resident() -> int:
    """Bytes of memory that this process has; 0 where that is not known."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return 0


class Kept(Generic[P, R]):
    """A function whose last results are kept, like `functools.lru_cache`, but counted in bytes.

    What grows with the size of a picture has no bound where results are counted.

    Parameters
    ----------
    function
        Of arguments that can be hashed.
    size
        Bytes of a result.
    most
        Bytes of all that are kept; a larger result never is.
    count
        How many are kept at most.

    Examples
    --------
    >>> zeros = Kept(lambda count: bytes(count), len, 1000, 8)
    >>> [len(zeros(n)) for n in (600, 300, 400, 2000)], zeros.bytes
    ([600, 300, 400, 2000], 700)
    """

    def __init__(
        self, function: Callable[P, R], size: Callable[[R], int], most: int, count: int
    ) -> None:
        functools.update_wrapper(self, function)
        self._function, self._size, self._most, self._count = function, size, most, count
        self._results: OrderedDict[Hashable, R] = OrderedDict()
        self._lock = threading.Lock()
        self.bytes = 0

    def __call__(self, *args: P.args, **options: P.kwargs) -> R:
        """The result for some arguments, kept or made."""
        key = args, tuple(sorted(options.items()))
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
                return self._results[key]
        result = self._function(*args, **options)
        if (size := self._size(result)) <= self._most:
            with self._lock:
                if key not in self._results:
                    self._results[key] = result
                    self.bytes += size
                while self.bytes > self._most or len(self._results) > self._count:
                    self.bytes -= self._size(self._results.popitem(last=False)[1])
        return result

    def __len__(self) -> int:
        return len(self._results)


def kept(
    most: int, count: int, size: Callable[[Any], int]
) -> Callable[[Callable[P, R]], Kept[P, R]]:
    """Keep the last results of a function, so many and up to so many bytes of them; see `Kept`."""
    return lambda function: Kept(function, size, most, count)


def _machine(root: Path, what: str) -> int | None:
    try:
        lines = (root / "proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) * 1024
    return None


def _group(root: Path) -> tuple[int, int] | None:
    """The limit of a control group and what is used of it; version 2 first, then version 1."""
    for folder, limit, used in (
        ("sys/fs/cgroup", "memory.max", "memory.current"),
        ("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        try:
            bound = (root / folder / limit).read_text(encoding="ascii").strip()
            if bound != "max":
                return int(bound), int((root / folder / used).read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
    return None
