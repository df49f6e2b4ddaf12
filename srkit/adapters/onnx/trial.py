"""Native code that takes an ONNX file runs first in a process that can be ended.

protobuf, the shape inference of onnx and ONNX Runtime trust what they are given: a kilobyte can
take gigabytes, or never come back. What they do to a file is therefore tried in a process of its
own, within bounds of memory and time, before this process does the same. ``python -m
srkit.adapters.onnx.trial`` is that process: it imports the libraries once, forks for every trial
where the system can, and ends when nobody asks it for a while.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from srkit import errors
from srkit.errors import SrkitError, UnsafeFileError

log = logging.getLogger(__name__)

# Bounds of a trial: seconds of computing, of waiting for it, and bytes, beside some for each
# byte of the file, which is copied from one library to the next.
SECONDS, PATIENCE = 5, 120
MEMORY, COPIES = 1 << 30, 8
# Of the bound of seconds, and four times that of the bound of memory.
MOST_TIMES = 16
# Seconds after which an idle process ends.
IDLE = 30
REFUSED = f"it takes over {MEMORY >> 20} MB or {SECONDS} s to be judged, out of all proportion"

Work = Callable[[Mapping[str, Any], bytes], None]


class _Process:
    """The process beside this one, started when it is needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def attempt(self, request: Mapping[str, Any], data: bytes) -> dict[str, str]:
        """What a trial says: nothing, or an error; see `attempt`."""
        with self._lock:
            try:
                return self._ask(request, data)
            except OSError:
                # It had ended in the meantime.
                self.end()
                return self._ask(request, data)

    def _ask(self, request: Mapping[str, Any], data: bytes) -> dict[str, str]:
        child = self._started()
        if child.stdin is None or child.stdout is None:
            raise OSError("no pipes")
        head = json.dumps({**request, "size": len(data)}).encode() + b"\n"
        child.stdin.write(head + data)
        child.stdin.flush()
        answer = _line(child.stdout, PATIENCE)
        if answer is None:
            self.end()
            return {"error": "UnsafeFileError", "message": REFUSED}
        if not answer:
            raise OSError("it ended")
        told: dict[str, str] = json.loads(answer)
        return told

    def _started(self) -> subprocess.Popen[bytes]:
        if not sys.executable or getattr(sys, "frozen", False):
            raise OSError("this program is no Python that could be started again")
        if self._child is not None and self._child.poll() is not None:
            self.end()
        if self._child is None or self._owner != os.getpid():
            single = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            paths = os.pathsep.join(path for path in sys.path if path)
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-m", "srkit.adapters.onnx.trial"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **single, "PYTHONPATH": paths},
                start_new_session=True,
            )
            self._owner = os.getpid()
        return self._child

    def end(self) -> None:
        """End the process, whatever it does."""
        child, self._child = self._child, None
        if child is None or self._owner != os.getpid():
            return
        with contextlib.suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(child.pid, signal.SIGKILL)
            else:
                child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _line(stream: Any, seconds: float) -> bytes | None:
    """A line, or None where none comes in time; pipes on Windows cannot be waited for so."""
    if os.name == "posix" and not select.select([stream], [], [], seconds)[0]:
        return None
    line: bytes = stream.readline()
    return line


_process = _Process()
atexit.register(_process.end)


def attempt(work: str, data: bytes, *, times: float = 1, **request: Any) -> None:
    """Try in a process beside this one what is going to be done to a file.

    Parameters
    ----------
    work
        ``"parse"`` or ``"run"``, see `srkit.adapters.onnx.judging`, or ``"shapes"``. The errors
        of srkit that it raises are raised here, others are not.
    data
        Bytes of a network.
    times
        How many times as much time and memory it may take, for networks of one large size.
    request
        Goes along, as JSON.

    Raises
    ------
    UnsafeFileError
        If it takes more memory or time than it may, or ends the process.
    SrkitError
        See `work`.
    """
    try:
        bounds = {
            "seconds": int(SECONDS * min(times, MOST_TIMES)),
            "memory": int(MEMORY * min(times, MOST_TIMES / 4)),
        }
        told = _process.attempt({**request, **bounds, "work": work}, data)
    except (OSError, ValueError) as error:
        log.warning("no process can be started to judge a network in (%s): done in this one", error)
        return
    if message := told.get("message"):
        kind = getattr(errors, told.get("error", ""), UnsafeFileError)
        raise kind(message)


# --- the process --------------------------------------------------------------------------------


def _serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests, one after another, until there are none."""
    from srkit.adapters.onnx import judging

    works: dict[str, Work] = {
        "parse": judging.parse_trial,
        "run": judging.run_trial,
        "shapes": judging.shapes_trial,
    }
    while os.name != "posix" or select.select([requests], [], [], IDLE)[0]:
        head = requests.readline()
        if not head:
            return
        request = json.loads(head)
        data = _exactly(requests, request["size"])
        work = works[request["work"]]
        if not hasattr(os, "fork"):
            answers.write(_tried(work, request, data))
            answers.flush()
            return
        _fork(answers, work, request, data)


def _exactly(stream: BinaryIO, size: int) -> bytes:
    parts = []
    while size:
        part = stream.read(size)
        if not part:
            raise SystemExit
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _fork(answers: BinaryIO, work: Work, request: Mapping[str, Any], data: bytes) -> None:
    """Try in a process of its own, which may end in any way, and pass its answer on."""
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        os.close(ours)
        _limit(request["seconds"], request["memory"], len(data))
        os.write(theirs, _tried(work, request, data))
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as stream:
        answer = stream.read()
    os.waitpid(child, 0)
    refused = json.dumps({"error": "UnsafeFileError", "message": REFUSED}).encode() + b"\n"
    answers.write(answer if answer.endswith(b"\n") else refused)
    answers.flush()


def _limit(seconds: int, memory: int, size: int) -> None:
    """Bound this process, as far as the system can."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    last = int(used.ru_utime + used.ru_stime) + seconds
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (last, last + 1))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError, OSError):
        pages = int(Path("/proc/self/statm").read_bytes().split()[0])
        there = pages * os.sysconf("SC_PAGESIZE")
        most = there + memory + COPIES * size
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _tried(work: Work, request: Mapping[str, Any], data: bytes) -> bytes:
    """What a trial says, as a line of JSON."""
    told: dict[str, str] = {}
    try:
        work(request, data)
    except MemoryError:
        told = {"error": "UnsafeFileError", "message": REFUSED}
    except SrkitError as error:
        told = {"error": type(error).__name__, "message": str(error)}
    except Exception:  # noqa: BLE001 where the same is done, it is told
        told = {}
    return json.dumps(told).encode() + b"\n"


if __name__ == "__main__":
    # The libraries print to standard output, too.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _serve(sys.stdin.buffer, out)
