"""The folder beside a result in which one process at a time works on it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from srkit.errors import VideoError

try:
    import fcntl
except ImportError:  # Windows, where who comes second is not noticed
    fcntl = None  # type: ignore[assignment]

LOCK = "lock"


@contextmanager
def work_folder(target: Path) -> Iterator[Path]:
    """Hold the folder of unfinished work on a result.

    The system itself lets go of the lock when a process ends, however it does. What is left in
    the folder then is for the next to go on with; an empty folder is removed.

    Parameters
    ----------
    target
        The result.

    Yields
    ------
    Path
        A folder beside it.

    Raises
    ------
    VideoError
        If another process works on it.
    """
    folder = folder_of(target)
    lock = _lock(folder, target)
    try:
        yield folder
    finally:
        # Windows removes no file that is open; elsewhere it goes before others may lock it.
        if fcntl is None:
            os.close(lock)
        (folder / LOCK).unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()
        if fcntl is not None:
            os.close(lock)


def folder_of(target: Path) -> Path:
    """The folder of unfinished work on a result.

    Examples
    --------
    >>> folder_of(Path("out.mp4")).name
    '.out.mp4.srkit'
    """
    return target.parent / f".{target.name}.srkit"


def clear(folder: Path, keep: Collection[str] = ()) -> None:
    """Remove what is in a folder, but its lock and the files of some names."""
    for entry in folder.iterdir():
        if entry.name == LOCK or entry.name in keep:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _lock(folder: Path, target: Path) -> int:
    path = folder / LOCK
    while True:
        folder.mkdir(exist_ok=True)
        try:
            lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except FileNotFoundError:
            continue  # removed by who held it, a moment ago
        if fcntl is None:
            return lock
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise VideoError(
                f"another process is making {target}: wait for it, or name another output"
            ) from None
        except OSError:
            return lock  # a file system without locks
        if _is_at(lock, path):
            return lock
        os.close(lock)


def _is_at(lock: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(lock), path.stat())
    except FileNotFoundError:
        return False
