"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Write a file under a temporary name and move it into place at the end.

    Parameters
    ----------
    path
        The file to make or to replace. A link is followed.

    Yields
    ------
    BinaryIO
        A new file in the same folder, open for reading and writing. If the
        block raises, it is removed and what was at `path` stays as it was.

    Raises
    ------
    OSError
        As Python raises them: no such folder, no permission, disk full.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with replacing(folder / "a.bin") as file:
    ...     _ = file.write(b"whole")
    >>> (folder / "a.bin").read_bytes()
    b'whole'
    """
    target = _target(path)
    if target.is_dir():
        raise _error(IsADirectoryError, errno.EISDIR, target)
    temporary = _beside(target)
    try:
        with temporary.open("x+b") as file:
            yield file
        if target.exists():
            shutil.copymode(target, temporary)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def replacing_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Fill a folder under a temporary name and move it into place at the end.

    Parameters
    ----------
    path
        The folder to make or to replace. A link is followed.

    Yields
    ------
    Path
        A new, empty folder beside it. If the block raises, it is removed and what was at
        `path` stays as it was.

    Raises
    ------
    OSError
        As Python raises them: no such folder, no permission, disk full, or a file of that name.

    Notes
    -----
    No call replaces a folder that is not empty. The old one is moved aside before the new one
    takes its name: who looks in between finds nothing there, but never a part.
    """
    target = _target(path)
    if target.exists() and not target.is_dir():
        raise _error(NotADirectoryError, errno.ENOTDIR, target)
    temporary, old = _beside(target), _beside(target)
    temporary.mkdir()
    try:
        yield temporary
        if target.exists():
            target.rename(old)
        try:
            temporary.rename(target)
        except BaseException:
            if old.exists():
                old.rename(target)
            raise
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _target(path: str | os.PathLike[str]) -> Path:
    """Where a path leads; the folder that it lies in has to be there."""
    # A link keeps pointing at its file, which is what gets replaced.
    target = Path(path).resolve()
    if not target.parent.is_dir():
        raise _error(FileNotFoundError, errno.ENOENT, target.parent)
    return target


def _beside(target: Path) -> Path:
    # Not tempfile: its files are private, whereas this one obeys the umask.
    # The name is short, so that a long name of the target does not break it.
    return target.with_name(f".srkit-{os.urandom(8).hex()}.tmp")


def _error(kind: type[OSError], number: int, path: Path) -> OSError:
    return kind(number, os.strerror(number), str(path))
