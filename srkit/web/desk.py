"""Jobs wait at the desk, and one at a time is worked on."""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from srkit.errors import SrkitError
from srkit.upscaling.upscaler import Upscaler
from srkit.web.here import Here
from srkit.web.worker import CancelledError, Told, Worker, failed

log = logging.getLogger(__name__)

State = Literal["waiting", "running", "done", "failed", "cancelled"]


class FullError(Exception):
    """So many jobs wait that no more are taken."""


@dataclass(eq=False)
class Job:
    """One job.

    Attributes
    ----------
    asked
        What the worker is given.
    folder
        Where its files are.
    photo
        The file that is worked on.
    state, progress, result, error
        How far it is, and what came of it: of a job that did not end well, what was finished.
    """

    asked: Told
    folder: Path
    photo: Path
    state: State = "waiting"
    progress: Told = field(default_factory=dict)
    result: Told = field(default_factory=dict)
    error: str = ""
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    cancelled: threading.Event = field(default_factory=threading.Event)
    begun: float = 0.0
    ended: float = 0.0


class Desk:
    """Takes jobs, has them done one after another, and knows of them until they are forgotten.

    Parameters
    ----------
    most
        How many may wait.
    seconds
        After which a job is ended.
    own
        Models that were handed over, by their names; jobs with them are done in this process.
    """

    def __init__(self, *, most: int, seconds: float, own: Mapping[str, Upscaler]) -> None:
        self._most, self._seconds = most, seconds
        self._worker, self._here = Worker(), Here(own)
        self._jobs: dict[str, Job] = {}
        self._waiting: deque[Job] = deque()
        self._running: Job | None = None
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def take(self, job: Job) -> None:
        """Let a job wait.

        Raises
        ------
        FullError
            If too many do.
        """
        with self._changed:
            if len(self._waiting) >= self._most:
                raise FullError
            self._jobs[job.id] = job
            self._waiting.append(job)
            self._changed.notify_all()

    def find(self, name: str) -> Job | None:
        """A job by its id."""
        return self._jobs.get(name)

    def before(self, job: Job) -> int:
        """How many are to be done before a job that waits."""
        with self._changed:
            if job not in self._waiting:
                return 0
            return self._waiting.index(job) + (self._running is not None)

    def cancel(self, job: Job) -> None:
        """Give a job up: one that waits is never begun, one that runs is stopped at once.

        One with a model that was handed over stops at its next tile.
        """
        with self._changed:
            job.cancelled.set()
            if job in self._waiting:
                self._waiting.remove(job)
                job.state, job.ended = "cancelled", time.time()
            elif self._running is job:
                self._worker.give_up()

    def spare(self) -> None:
        """Have the sweep spare the files of jobs that are not over: they are as if new."""
        with self._changed:
            for job in [*self._waiting, *filter(None, [self._running])]:
                for path in (job.photo, *job.folder.glob("*")):
                    with suppress(FileNotFoundError):  # one that was not written to its end
                        os.utime(path)

    def forget(self, before: float) -> None:
        """Forget jobs that ended before a time."""
        with self._changed:
            for name, job in list(self._jobs.items()):
                if job.ended and job.ended < before:
                    del self._jobs[name]

    def close(self) -> None:
        """Give everything up, and end the process that works."""
        with self._changed:
            self._closed = True
            for job in self._jobs.values():
                job.cancelled.set()
            self._waiting.clear()
            self._worker.give_up()
            self._changed.notify_all()
        self._thread.join(60)

    def _work(self) -> None:
        while (job := self._next()) is not None:
            self._do(job)
            with self._changed:
                self._running = None
        self._worker.end()

    def _next(self) -> Job | None:
        """The next job, when there is one; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if self._closed:
                return None
            job = self._running = self._waiting.popleft()
            job.state, job.begun = "running", time.time()
            return job

    def _do(self, job: Job) -> None:
        def tell(told: Told) -> None:
            if "finished" in told:
                job.result = told["finished"]
            else:
                job.progress = told

        state: State = "failed"
        try:
            job.folder.mkdir(parents=True)
            worker = self._here if self._here.owns(job.asked) else self._worker
            job.result = worker.made(
                job.asked, seconds=self._seconds, cancelled=job.cancelled, tell=tell
            )
            state = "done"
        except CancelledError:
            state = "cancelled"
        except SrkitError as error:
            job.error = str(error).replace(str(job.photo), job.photo.name)
        except Exception as error:
            log.exception("a job failed")
            job.error = failed(error)
        if state != "done":
            _delete(job.folder, but=files_of(job.result))
        job.ended = time.time()
        job.state = state


def told_of(job: Job, desk: Desk) -> dict[str, Any]:
    """What the page is told of a job."""
    state = job.state
    told: dict[str, Any] = {"id": job.id, "state": state}
    if state == "waiting":
        told["before"] = desk.before(job)
    if state == "running":
        told |= {"seconds": round(time.time() - job.begun, 1), **job.progress}
    if state == "failed":
        told["error"] = job.error
    if job.ended and job.result:
        told["result"] = job.result
    return told


def files_of(result: Told) -> set[str]:
    """Names of the files of a result.

    Examples
    --------
    >>> one = {"file": "a.tif", "shown": "a.png"}
    >>> sorted(files_of({"before": "before.png", "results": [one]})), files_of({})
    (['a.png', 'a.tif', 'before.png'], set())
    """
    names = {result[key] for key in ("before", "page") if key in result}
    return names | {one[key] for one in result.get("results", ()) for key in ("file", "shown")}


def _delete(folder: Path, *, but: set[str]) -> None:
    """Half of a file is none."""
    for path in folder.glob("*"):
        if path.name not in but:
            path.unlink(missing_ok=True)
