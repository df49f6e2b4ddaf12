"""Temporary names beside a file, whose owner may be killed at any moment."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

try:
    import fcntl
except ImportError:  # Windows, which removes no file that is open
    fcntl = None  # type: ignore[assignment]

# Names of a target that are looked at after the one that was taken.
_LOOKED_AT = 8
_OLD = ".old"


class Place(NamedTuple):
    """Names of which nobody else makes use.

    Attributes
    ----------
    path
        A new, empty file or folder.
    old
        Where a folder that it replaces goes for a moment.
    """

    path: Path
    old: Path


@contextmanager
def claimed(target: Path, *, folder: bool = False) -> Iterator[Place]:
    """Make an empty file or folder beside `target`, and hold it until the end of the block.

    Names follow from the target's, so that who comes next finds what a killed process left,
    and removes it. What lives is locked, and lives with its process: the system itself lets
    go of a lock. The name is short, so that a long name of the target does not break it.

    Raises
    ------
    OSError
        As Python raises them: no permission, disk full.
    """
    for number in itertools.count():
        path = _name(target, number)
        if (lock := _make(path, folder=folder)) is None:
            continue
        try:
            for further in range(number + 1, number + 1 + _LOOKED_AT):
                _remove_stale(_name(target, further))
            yield Place(path, path.with_suffix(_OLD))
        finally:
            if lock >= 0:
                os.close(lock)
        return


def recover(target: Path) -> None:
    """Give a folder its name back that was moved aside by a process that was killed then."""
    for number in range(_LOOKED_AT):
        old = _name(target, number).with_suffix(_OLD)
        if old.exists() and not target.exists() and not _is_held(_name(target, number)):
            old.rename(target)
    sweep(target)


def sweep(target: Path) -> None:
    """Remove folders that were moved aside."""
    for number in range(_LOOKED_AT):
        old = _name(target, number).with_suffix(_OLD)
        if target.exists() and old.exists():
            shutil.rmtree(old, ignore_errors=True)


def _name(target: Path, number: int) -> Path:
    digest = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:12]
    return target.with_name(f".srkit-{digest}-{number}.tmp")


def _make(path: Path, *, folder: bool) -> int | None:
    """Make a file or folder and lock it; None if the name is another's that lives."""
    while True:
        try:
            # Not tempfile: its files are private, whereas this one obeys the umask.
            if folder:
                path.mkdir()
            else:
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666))
        except FileExistsError:
            if not _remove_stale(path):
                return None
            continue
        if fcntl is None:
            return -1
        try:
            lock = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue  # taken for stale before it was locked
        # Where locks are not known, what was left behind is not removed, either.
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_at(lock, path):
            return lock
        os.close(lock)


def _remove_stale(path: Path) -> bool:
    """Remove what nobody holds; False if somebody does, or it cannot be known."""
    if fcntl is None:
        try:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        except OSError:
            return False
        return True
    try:
        lock = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_at(lock, path):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    except OSError:
        return False
    finally:
        os.close(lock)
    return True


def _is_held(path: Path) -> bool:
    """Whether a living process works on what is at a name."""
    return path.exists() and not _remove_stale(path)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
