"""Where and in what precision a network runs."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch

from srkit.adapters.pytorch.runtime.forking import one_thread_in_forks
from srkit.errors import OptionError

# What torch's CPU allocators and CUDA's libraries say instead of raising OutOfMemoryError.
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")

PRECISIONS = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "int8": torch.int8,
}

# Short names of precisions, as other programs have them.
_SHORT = {
    **{"fp16": "float16", "half": "float16", "bf16": "bfloat16", "fp32": "float32"},
    **{"8bit": "int8", "i8": "int8", "uint8": "int8", "qint8": "int8"},
}

# Somewhat less than the 32 MiB at which glibc stops learning.
_LARGEST_BLOCK = 31 << 20
# Half of what it keeps then: some falls between the blocks.
KEPT_BYTES = 32 << 20
# What strips may take of networks that compute much for each byte, where several threads meet after
# each layer of each strip: threads that sleep meanwhile, and threads that spin, which beside other
# programs keep each other waiting. By the load of the machine pixels would differ by roundings.
SLEEPING_BYTES, SPINNING_BYTES = 128 << 20, 256 << 20
# What such a network may take to run whole.
WHOLE_BYTES = 512 << 20
# Kernels that oneDNN, and torch's own cache before it, keep; no picture needs over 100.
_KEPT_KERNELS = 256
_KERNEL_CACHES = "ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"


def pick_device(device: str) -> torch.device:
    """The device of a name; ``"auto"`` is CUDA, else Apple's MPS, else the CPU.

    Raises
    ------
    OptionError
        If the name is unknown or the device is not there.
    """
    # Whoever runs a network asks for its device first.
    one_thread_in_forks()
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        if torch.backends.mps.is_available():
            return torch.device("mps")
        return torch.device("cpu")
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError, ValueError, TypeError) as error:
        here = ", ".join(map(repr, ("auto", *_devices())))
        raise OptionError(
            f"device {device!r} cannot be used ({_why_not(device, error)}); choose {here}"
        ) from error
    return chosen


def _devices() -> list[str]:
    """Names of the devices that there are, the CPU first."""
    found = ["cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    return [*found, "mps"] if torch.backends.mps.is_available() else found


def _why_not(device: object, error: Exception) -> str:
    """Torch's reason, but for its list of all that it has ever run on."""
    reason = (str(error).strip() or "it is not there").splitlines()[0]
    if "Expected one of" in reason:
        gpus = ": 'cuda' is NVIDIA's and AMD's GPU, 'mps' Apple's" if device == "gpu" else ""
        return f"no device is named so{gpus}"
    return reason


def pick_precision(precision: str, device: torch.device, proven: Collection[str]) -> torch.dtype:
    """The dtype of a name.

    Parameters
    ----------
    precision
        A name; ``"auto"`` is the fastest on the device of those that are proven, else float32.
    device
        Where it is going to be used.
    proven
        Reduced precisions known to change no picture.

    Raises
    ------
    OptionError
        If the name is unknown, or the device cannot do with it.
    """
    if precision == "auto":
        faster = (name for name in faster_than_float32(device) if name in proven)
        precision = next(faster, "float32")
    if precision not in PRECISIONS:
        meant = f"; did you mean {_SHORT[precision]!r}?" if precision in _SHORT else ""
        raise OptionError(
            f"precision is 'auto', {', '.join(map(repr, PRECISIONS))}, not {precision!r}{meant}"
        )
    if precision == "int8":
        _check_int8(device)
    return PRECISIONS[precision]


def _check_int8(device: torch.device) -> None:
    if device.type != "cpu":
        raise OptionError(
            f"precision 'int8' is for CPUs, not for {device}; choose 'float16', or device='cpu'"
        )
    if not has_int8_units():
        raise OptionError(
            "precision 'int8' needs a CPU with VNNI (AVX-512 VNNI or AVX-VNNI), whose sums of "
            "8-bit products do not overflow, and torch reports none here; choose 'auto'"
        )


def has_int8_units() -> bool:
    """Whether the CPU multiplies 8-bit numbers without overflow, and torch makes use of it.

    Private, and the same in torch 2.6 to 2.13; those that tell of AVX-VNNI are newer.
    """
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    flags: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(getattr(torch.cpu, "_is_vnni_supported", bool)() or flags.get("avx_vnni"))


def faster_than_float32(device: torch.device) -> tuple[str, ...]:
    """Reduced precisions that a device has units for, the fastest and most exact first.

    Where they are missing a reduced precision works but is several times as slow as float32: on
    CPUs bfloat16 takes AMX or AVX-512 BF16. Of GPUs those of NVIDIA from Ampere on are trusted.
    """
    if device.type == "cuda" and torch.version.hip is None:
        ampere = torch.cuda.get_device_capability(device) >= (8, 0)
        return ("float16", "bfloat16") if ampere else ()
    if device.type == "cpu":
        # Private, and the same in torch 2.6 to 2.13; without them, bfloat16 is not faster.
        asked = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
        if any(getattr(torch.cpu, name, bool)() for name in asked):
            return ("bfloat16",)
    return ()


def describe_devices() -> tuple[str, ...]:
    """The devices there are, the one that ``device="auto"`` takes first, each in one line."""
    found = []
    for number in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(number)
        found.append(f"cuda:{number}: {facts.name}, {facts.total_memory / 1e9:.1f} GB")
    if torch.backends.mps.is_available():
        found.append("mps: Apple's GPU")
    faster = [*faster_than_float32(torch.device("cpu")), *(["int8"] if has_int8_units() else [])]
    units = f", units for {' and '.join(faster)}" if faster else ""
    found.append(f"cpu: {torch.get_num_threads()} threads{units}")
    return tuple(found)


def free_on(device: torch.device) -> int | None:
    """Bytes to work in on a device with memory of its own: most of what is free; else None."""
    if device.type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    return int(0.8 * free)


def meeting_bytes() -> int:
    """Working memory in which strips are so high that it does not count how often threads meet."""
    asleep = os.environ.get("OMP_WAIT_POLICY", "").lower() == "passive"
    return SLEEPING_BYTES if asleep else SPINNING_BYTES


class _Exact:
    """cuDNN's switch for TF32, off while anyone computes.

    It is one for all threads: the first who enters turns it off, and the last who leaves puts
    it back as it was.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before = True

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._before = torch.backends.cudnn.allow_tf32
                torch.backends.cudnn.allow_tf32 = False
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                torch.backends.cudnn.allow_tf32 = self._before


_EXACT = _Exact()


def exact_kernels(device: torch.device) -> AbstractContextManager[None]:
    """Keep float32 at full precision: CUDA's TF32 would cut its mantissa to 10 bits."""
    return _EXACT if device.type == "cuda" else nullcontext()


@functools.cache
def keep_freed_memory() -> None:
    """Have glibc's allocator keep up to `KEPT_BYTES` of freed memory for what is allocated next.

    Tensors of some megabytes would else come from the system anew for every layer, which clears
    each page: a third of ESPCN's time. By itself glibc keeps twice the largest block that it once
    had from the system and got back; blocks count up to 32 MiB (``M_MMAP_THRESHOLD`` in
    ``mallopt(3)``). It does not where limits were set, by the environment for one, and other
    allocators take no notice.
    """
    torch.empty(_LARGEST_BLOCK, dtype=torch.uint8)


@functools.cache
def bound_kernels() -> None:
    """Have oneDNN keep no more than `_KEPT_KERNELS` compiled kernels, unless the user says.

    It compiles one for each layer and each size of its input, and keeps 1024 of a kind: what is
    asked for pictures of many sizes grows by hundreds of megabytes. It can be told by the
    environment alone, and before the first layer runs.
    """
    for name in _KERNEL_CACHES:
        os.environ.setdefault(name, str(_KEPT_KERNELS))


@contextmanager
def memory_errors() -> Iterator[None]:
    """Turn torch's ways of saying that memory ran out into `MemoryError`."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        message = str(error)
    except RuntimeError as error:
        if not any(s in str(error).lower() for s in OUT_OF_MEMORY):
            raise
        message = str(error)
    else:
        return
    # Raised outside the handlers: their traceback would keep the tensors alive.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    raise MemoryError(message.splitlines()[0])
