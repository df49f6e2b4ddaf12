"""Files in places that have no path: object stores and servers, by fsspec's URLs."""

from __future__ import annotations

import os
import posixpath
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from srkit.batch.plan import KEPT, Failure, Source, Task, assign, find
from srkit.errors import OptionError
from srkit.imaging.files.remote import filesystem, is_url, placed

# What file systems call a time, or another sign, that a file was written anew.
_STAMPS = ("mtime", "ETag", "etag", "LastModified", "last_modified", "updated", "created")


def absolute(place: str | os.PathLike[str]) -> str:
    """A URL as it is, or a path that means the same in every process."""
    return os.fspath(place) if is_url(place) else str(Path(place).absolute())


@dataclass(frozen=True)
class Pair:
    """A file to read and one to write, by paths or URLs.

    Attributes
    ----------
    source, target
        The two.
    size, stamp
        Of the source in bytes, and what changes when it is written again.
    """

    source: str
    target: str
    size: int
    stamp: str


def plan(
    inputs: Sequence[str], output: str, tag: str, suffix: str | None
) -> tuple[list[Pair], list[Failure]]:
    """What to read and to write, and inputs that give nothing.

    Parameters
    ----------
    inputs
        Files and folders.
    output
        Folder of the results.
    tag, suffix
        As `srkit.batch.plan.assign` takes them.
    """
    if any(map(is_url, [*inputs, output])):
        return _plan_urls(inputs, output, tag, suffix)
    sources, failures = find([Path(given) for given in inputs], Path(output))
    tasks = assign(sources, tag, Path(output), suffix)
    return [Pair(str(t.source), str(t.target), *_stat(t.source)) for t in tasks], failures


def _plan_urls(
    inputs: Sequence[str], output: str, tag: str, suffix: str | None
) -> tuple[list[Pair], list[Failure]]:
    pairs: dict[str, Pair] = {}
    failures = []
    for given in inputs:
        found = list(_walk(given))
        if not found:
            reason = "no such file, or a folder without images"
            failures.append(Failure(given, reason, FileNotFoundError.__name__))
        for url, below, info in found:
            # Names are given as to paths.
            (task,) = assign([Source(Path("/", below), Path(), True)], tag, None, suffix)
            name = (PurePosixPath(below).parent / task.target.name).as_posix()
            target = f"{output.rstrip('/')}/{name}"
            if target in pairs and pairs[target].source != url:
                raise OptionError(
                    f"{pairs[target].source} and {url} would both become {target}; "
                    "upscale them into different folders"
                )
            pairs[target] = Pair(url, target, *_size_and_stamp(info))
    return list(pairs.values()), failures


def _stat(path: Path) -> tuple[int, str]:
    try:
        told = path.stat()
    except OSError:
        return 0, ""  # the worker tells what is wrong with it
    return told.st_size, str(told.st_mtime_ns)


def _size_and_stamp(info: dict[str, Any]) -> tuple[int, str]:
    stamps = (str(info[key]) for key in _STAMPS if info.get(key) is not None)
    return int(info.get("size") or 0), next(stamps, "")


def _walk(given: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """URLs of images, their paths below what was given, and what the store says of them."""
    system, root = filesystem(given)
    if not system.exists(root):
        return
    folder = system.isdir(root)
    found = system.find(root, detail=True) if folder else {root: system.info(root)}
    for path in sorted(found):
        below = posixpath.relpath(path, root) if folder else posixpath.basename(path)
        hidden = any(part.startswith(".") for part in below.split("/"))
        if PurePosixPath(path).suffix.lower() in KEPT and not hidden:
            yield system.unstrip_protocol(path), below, found[path]


@contextmanager
def local(source: str, target: str) -> Iterator[Task]:
    """Local names for a pair of files, which are copied from and to where they are."""
    if not (is_url(source) or is_url(target)):
        yield Task(Path(source), Path(target))
        return
    with tempfile.TemporaryDirectory(prefix="srkit-") as folder:
        here = Path(folder) / "in" / PurePosixPath(source).name
        made = Path(folder) / "out" / PurePosixPath(target).name
        here.parent.mkdir()
        made.parent.mkdir()
        system, path = filesystem(source)
        system.get_file(path, str(here))
        yield Task(here, made)
        if made.exists():
            _put(made, target)


def _put(made: Path, target: str) -> None:
    """Copy a result to its place, where it appears whole."""
    system, path = filesystem(target)
    system.makedirs(posixpath.dirname(path), exist_ok=True)
    with placed(system, path) as part:
        system.put_file(str(made), part)
