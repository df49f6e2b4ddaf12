"""What was done in an output folder: so that work goes on later, wherever the folder is.

The folder ``.srkit`` of the output holds files of lines, each of them written once, as object
stores have it; the last line on a file counts. Each run first writes what it is going to make:
a result that is there but was not recorded is then known to be its own.
"""

from __future__ import annotations

import json
import posixpath
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from srkit.guard import reading
from srkit.imaging.files.remote import filesystem

FOLDER = ".srkit"
# Lines that may be lost when the process is killed, and seconds: their files are made again.
LINES, SECONDS = 500, 10.0

BEGUN, DONE, FAILED = "begun", "done", "failed"


@dataclass(frozen=True)
class Entry:
    """One file.

    Attributes
    ----------
    source, target
        What is read, and what is written.
    status
        ``"begun"``, ``"done"`` or ``"failed"``.
    settings
        Digest of all that the result depends on, but for the source.
    size, stamp
        Of the source in bytes, and what changes when it is written again.
    written
        Bytes of the result.
    reason
        Why it failed.
    seconds, attempts, worker
        That it took, how often it was tried, and who made it.
    """

    source: str
    target: str
    status: str
    settings: str
    size: int = 0
    stamp: str = ""
    written: int = 0
    reason: str = ""
    seconds: float = 0.0
    attempts: int = 0
    worker: str = ""


class Record:
    """The record of an output folder.

    Parameters
    ----------
    output
        A path or URL.

    Attributes
    ----------
    entries
        The newest of each target.
    """

    def __init__(self, output: str) -> None:
        self._system, root = filesystem(output)
        self._output = output.rstrip("/") + "/"
        self._folder = posixpath.join(root, FOLDER)
        self._waiting: list[Entry] = []
        self._flushed = time.monotonic()
        self.entries: dict[str, Entry] = {}
        self._parts = self._list()
        for part in self._parts:
            with reading(Path(part), "record of a batch"):
                for line in self._system.cat_file(part).decode().splitlines():
                    values = json.loads(line)
                    values["target"] = self._output + values["target"]
                    self.entries[values["target"]] = Entry(**values)

    def begin(self, entries: Iterable[Entry]) -> None:
        """Write down what is going to be made, and old parts as one."""
        self.entries.update((entry.target, entry) for entry in entries)
        old, self._waiting = self._parts, list(self.entries.values())
        self.flush()
        if old:
            self._system.rm(old)

    def add(self, entry: Entry) -> None:
        """Note what became of a file; it is written down soon."""
        self.entries[entry.target] = entry
        self._waiting.append(entry)
        late = time.monotonic() - self._flushed > SECONDS
        if len(self._waiting) >= LINES or late:
            self.flush()

    def flush(self) -> None:
        """Write down what waits."""
        self._flushed = time.monotonic()
        if not self._waiting:
            return
        lines = "".join(json.dumps(self._short(entry)) + "\n" for entry in self._waiting)
        name = posixpath.join(self._folder, f"{time.time_ns():020d}")
        self._system.makedirs(self._folder, exist_ok=True)
        # Under another name first: a part counts when it is whole.
        self._system.pipe_file(f"{name}.tmp", lines.encode())
        self._system.mv(f"{name}.tmp", f"{name}.jsonl")
        self._waiting = []

    def _list(self) -> list[str]:
        if not self._system.exists(self._folder):
            return []
        self._system.invalidate_cache(self._folder)
        names = self._system.ls(self._folder, detail=False)
        return sorted(name for name in names if name.endswith(".jsonl"))

    def _short(self, entry: Entry) -> dict[str, Any]:
        """What is not as by default; targets by their names in the folder, which may be moved."""
        values = {key: value for key, value in asdict(entry).items() if value not in ("", 0, 0.0)}
        return {**values, "target": entry.target.removeprefix(self._output)}
