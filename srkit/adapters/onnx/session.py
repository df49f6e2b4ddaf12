"""ONNX Runtime's sessions: made of judged networks, quiet, and with srkit's errors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as states

from srkit.errors import CorruptFileError, OptionError, WeightsError

Floats = NDArray[np.float32]

# By name of device: what ONNX Runtime runs on, and how.
PROVIDERS: dict[str, tuple[str, dict[str, str]]] = {
    "cpu": ("CPUExecutionProvider", {}),
    # TF32 would cut the mantissa of float32 to 10 bits.
    "cuda": ("CUDAExecutionProvider", {"use_tf32": "0"}),
}
# What ONNX Runtime says, by its allocators and those of C++ and CUDA, when memory ran out.
OUT_OF_MEMORY = (
    "failed to allocate",
    "bad_alloc",
    "out of memory",
    "alloc_failed",
    "available memory",
)
ONLY_FATAL = 4


def make_session(model: Any, device: str, *, plain: bool = False) -> Any:
    """A session for a judged network.

    Parameters
    ----------
    model
        An ``onnx.ModelProto``; see `srkit.adapters.onnx.judging`.
    device
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    plain
        Leave the graph as it is, node by node.

    Raises
    ------
    OptionError
        If the device is unknown, or this ONNX Runtime does not have it.
    CorruptFileError
        If the graph is no valid one.
    WeightsError
        If ONNX Runtime cannot run it.
    """
    provider = _provider(device)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ONLY_FATAL  # errors are raised as well
    options.intra_op_num_threads = _threads()
    # Either would keep the memory of the largest tile, or of each shape of tile.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    # Else bytes of ONNX Runtime's own format, which nobody judged, would pass.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    if plain:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        with memory_errors():
            # Beyond the CPU there is nothing to fall back on; what was wrong would be printed.
            return onnxruntime.InferenceSession(
                model.SerializeToString(),
                options,
                providers=[provider],
                enable_fallback=int(provider is not PROVIDERS["cpu"]),
            )
    except (states.InvalidGraph, states.InvalidProtobuf) as error:
        raise CorruptFileError(f"it is no valid network: {told(error)}") from error
    except (MemoryError, OptionError):
        raise
    except Exception as error:  # its exceptions have no parent of their own
        raise WeightsError(f"ONNX Runtime cannot run it: {told(error)}") from error


def device_of(session: Any) -> str:
    """The name of the device that a session runs on."""
    first = session.get_providers()[0]
    return next(name for name, (provider, _) in PROVIDERS.items() if provider == first)


def run_session(session: Any, tiles: Floats) -> Floats:
    """Run ``(N, H, W, C)`` through a network of ``(N, C, H, W)``.

    Raises
    ------
    MemoryError
        If memory ran out.
    """
    given = np.ascontiguousarray(tiles.transpose(0, 3, 1, 2), np.float32)
    with memory_errors():
        (made,) = session.run(
            [session.get_outputs()[0].name], {session.get_inputs()[0].name: given}
        )
    turned: Floats = made.transpose(0, 2, 3, 1) if made.ndim == 4 else made
    return turned


@contextmanager
def memory_errors() -> Iterator[None]:
    """Turn ONNX Runtime's ways of saying that memory ran out into `MemoryError`."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        if not any(sign in str(error).lower() for sign in OUT_OF_MEMORY):
            raise
        message = told(error)
    else:
        return
    # Raised outside the handler, whose traceback would keep arrays alive.
    raise MemoryError(message)


def told(error: Exception) -> str:
    """The first line of what ONNX Runtime says."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]


def _provider(device: str) -> tuple[str, dict[str, str]]:
    if device not in ("auto", *PROVIDERS):
        raise OptionError(f"device is 'auto', {', '.join(map(repr, PROVIDERS))}, not {device!r}")
    there = onnxruntime.get_available_providers()
    if device == "auto":
        device = "cuda" if PROVIDERS["cuda"][0] in there else "cpu"
    if PROVIDERS[device][0] not in there:
        raise OptionError(
            f"this ONNX Runtime has no device {device!r} (it has {', '.join(there)}); "
            "the package onnxruntime-gpu brings CUDA"
        )
    return PROVIDERS[device]


def _threads() -> int:
    """As many as other frameworks take: OMP_NUM_THREADS, or the cores this process may use."""
    stated = os.environ.get("OMP_NUM_THREADS", "")
    if stated.isdecimal() and int(stated) > 0:
        return int(stated)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
