"""Photos are upscaled in a process beside the page's, which is ended when a job is to end.

A thread cannot be ended, and the page has one place for all: a model that never comes back would
hold it for ever, and who cancels would wait. ``python -m srkit.web.worker`` is that process: it
takes jobs, one after another, as lines of JSON, tells how far it is, and ends with the page.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, BinaryIO

from srkit.errors import SrkitError

log = logging.getLogger(__name__)

_LOST = (
    "the process that works on photos was ended, perhaps for lack of memory; choose fewer or "
    "faster models, or a smaller photo"
)

Told = dict[str, Any]


def too_long(seconds: float) -> str:
    """What is told of a job that was ended after so many seconds.

    Examples
    --------
    >>> too_long(1800)[:35]
    'this took longer than 30 minutes an'
    """
    return (
        f"this took longer than {seconds / 60:g} minutes and was ended; choose fewer or "
        "faster models, or a smaller photo"
    )


def failed(error: Exception) -> str:
    """What is told of an error that is none of srkit's.

    Examples
    --------
    >>> failed(ValueError("tiles of 3 channels are wanted"))
    'this failed: ValueError: tiles of 3 channels are wanted'
    """
    return f"this failed: {type(error).__name__}: {error}".removesuffix(": ")


class CancelledError(Exception):
    """Somebody gave the job up."""


class Worker:
    """The process, started when it is needed. One thread asks for jobs; any may give one up.

    Examples
    --------
    >>> worker = Worker()
    >>> worker.end()  # nothing was asked, so there is none
    """

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None

    def made(
        self,
        job: Told,
        *,
        seconds: float,
        cancelled: threading.Event,
        tell: Callable[[Told], None] = lambda told: None,
    ) -> Told:
        """What came of a job: see `srkit.web.making.made`, which the process calls.

        Parameters
        ----------
        job
            Keywords of that function.
        seconds
            The job is ended after, and the process with it.
        cancelled
            Set by whoever calls `give_up`, before.
        tell
            Called with how far it is, and with what is finished.

        Raises
        ------
        CancelledError
            If it was given up. The process is gone.
        SrkitError
            What is wrong with the photo; or that it took too long, or ended the process.
        """
        child = self._started()
        late = threading.Event()

        def stop() -> None:
            late.set()
            child.kill()

        timer = threading.Timer(seconds, stop)
        timer.start()
        try:
            if cancelled.is_set():
                child.kill()
            told = _answer(child, job, tell)
        finally:
            timer.cancel()
        if told is None or late.is_set() or cancelled.is_set():
            self.end()
        if cancelled.is_set():
            raise CancelledError
        if late.is_set():
            raise SrkitError(too_long(seconds))
        if told is None:
            raise SrkitError(_LOST)
        if "error" in told:
            raise SrkitError(told["error"])
        return told

    def give_up(self) -> None:
        """Kill the process, so that the job of another thread ends at once."""
        if (child := self._child) is not None:
            child.kill()
            # Else the next job could be given to a process that is about to be gone.
            child.wait()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is not None and self._child.poll() is not None:
            self.end()
        if self._child is None:
            paths = os.pathsep.join(path for path in sys.path if path)
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-m", "srkit.web.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": paths},
                # Ctrl-C is for the page, which ends it.
                start_new_session=True,
            )
        return self._child

    def end(self) -> None:
        """End the process, where no job is done."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()


def _answer(child: subprocess.Popen[bytes], job: Told, tell: Callable[[Told], None]) -> Told | None:
    """The last line of a job; None of a process that ended before."""
    if child.stdin is None or child.stdout is None:
        return None
    try:
        child.stdin.write(json.dumps(job).encode() + b"\n")
        child.stdin.flush()
        for line in child.stdout:
            if not line.endswith(b"\n"):
                break
            told: Told = json.loads(line)
            if told.keys() & {"results", "error"}:
                return told
            tell(told)
    except OSError as error:
        log.debug("the worker ended: %s", error)
    return None


# --- the process --------------------------------------------------------------------------------


def _serve(jobs: BinaryIO, answers: BinaryIO) -> None:
    """Do jobs until there are none."""
    from srkit.web.making import made

    def tell(told: Told) -> None:
        answers.write(json.dumps(told).encode() + b"\n")
        answers.flush()

    for line in jobs:
        try:
            tell(made(**json.loads(line), tell=tell))
        except SrkitError as error:
            tell({"error": str(error)})
        except Exception as error:
            log.exception("a job failed")
            tell({"error": failed(error)})


if __name__ == "__main__":
    # Libraries print to standard output, too.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _serve(sys.stdin.buffer, out)
