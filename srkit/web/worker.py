"""Comparisons are made in a process beside the page's, which is ended when one takes too long.

A thread cannot be ended, and the page has one place for all: a model that never comes back would
hold it for ever. ``python -m srkit.web.worker`` is that process: it takes jobs, one after another,
as lines of JSON, keeps its models loaded, and ends with the page.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from srkit.errors import SrkitError

log = logging.getLogger(__name__)


class Worker:
    """The process, started when it is needed.

    Examples
    --------
    >>> worker = Worker()
    >>> worker.end()  # nothing was asked, so there is none
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None

    def made(
        self,
        photo: Path,
        models: Sequence[str],
        scale: int,
        folder: Path,
        *,
        max_pixels: int,
        seconds: float,
    ) -> list[Path]:
        """Each model's result as a file, and last the comparison as a page.

        Parameters
        ----------
        photo
            A file of at most `max_pixels`.
        folder
            Where files are written.
        seconds
            The job is ended after, and the process with it.

        Raises
        ------
        SrkitError
            What is wrong with the photo; or that it took too long, or ended the process.
        """
        job = {
            "photo": str(photo),
            "models": list(models),
            "scale": scale,
            "folder": str(folder),
            "max_pixels": max_pixels,
        }
        with self._lock:
            told = self._ask(job, seconds)
        if "error" in told:
            raise SrkitError(told["error"])
        return [Path(file) for file in told["files"]]

    def _ask(self, job: dict[str, Any], seconds: float) -> dict[str, Any]:
        child = self._started()
        late = threading.Event()

        def stop() -> None:
            late.set()
            child.kill()

        timer = threading.Timer(seconds, stop)
        timer.start()
        answer = b""
        try:
            if child.stdin is not None and child.stdout is not None:
                child.stdin.write(json.dumps(job).encode() + b"\n")
                child.stdin.flush()
                answer = child.stdout.readline()
        except OSError as error:
            log.debug("the worker ended: %s", error)
        finally:
            timer.cancel()
        if answer.endswith(b"\n") and not late.is_set():
            told: dict[str, Any] = json.loads(answer)
            return told
        self.end()
        if late.is_set():
            raise SrkitError(
                f"this took longer than {seconds / 60:g} minutes and was ended; choose fewer or "
                "faster models, or a smaller photo"
            )
        raise SrkitError(
            "the process that works on photos was ended, perhaps for lack of memory; choose fewer "
            "or faster models, or a smaller photo"
        )

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
        """End the process, whatever it does."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()


# --- the process --------------------------------------------------------------------------------


def _serve(jobs: BinaryIO, answers: BinaryIO) -> None:
    """Do jobs until there are none."""
    for line in jobs:
        try:
            told: dict[str, Any] = {"files": [str(file) for file in _made(**json.loads(line))]}
        except SrkitError as error:
            told = {"error": str(error)}
        except Exception as error:
            log.exception("a job failed")
            told = {"error": f"the comparison failed: {type(error).__name__}: {error}"}
        answers.write(json.dumps(told).encode() + b"\n")
        answers.flush()


def _made(photo: str, models: list[str], scale: int, folder: str, max_pixels: int) -> list[Path]:
    from srkit.evaluation.comparison import compare
    from srkit.imaging.files.formats import DEEP
    from srkit.imaging.files.reading import read_image

    image = read_image(photo, max_pixels=max_pixels)
    comparison = compare(image, models, scale=scale)
    # PNG, but for CMYK.
    suffix = next(form.suffixes[0] for form in DEEP if image.metadata.mode in form.modes)
    stem = Path(photo).stem
    files = []
    for name, result in comparison.results.items():
        files.append(Path(folder, f"{stem}_{name}_x{scale}{suffix}"))
        result.save(files[-1])
    files.append(Path(folder, f"{stem}_comparison.html"))
    comparison.to_html(files[-1])
    return files


if __name__ == "__main__":
    # Libraries print to standard output, too.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _serve(sys.stdin.buffer, out)
