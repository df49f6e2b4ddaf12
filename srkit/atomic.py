"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import errno
import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from srkit.places import Place, claimed, recover, sweep


class _Raw(io.FileIO):
    """A file that is written through Python alone.

    Encoders that are told a descriptor write to it themselves, and some, Pillow's among them,
    take no notice when a full disk takes less than it was given. Python's buffer does.
    """

    def fileno(self) -> int:
        """Refuse, as files in memory do."""
        raise io.UnsupportedOperation("fileno")

    def settle(self) -> None:
        """Have the system write what it holds, since some disks refuse only then."""
        _sync(super().fileno())


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Write a file under a temporary name and move it into place at the end.

    What an earlier call for the same file left behind when it was killed is removed.

    Parameters
    ----------
    path
        The file to make or to replace. A link is followed.

    Yields
    ------
    BinaryIO
        A new file in the same folder, open for reading and writing, without a descriptor
        (`fileno`). If the block raises, it is removed and what was at `path` stays as it was.

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
    target = check_place(path)
    if target.is_dir():
        raise _error(IsADirectoryError, errno.EISDIR, target)
    with claimed(target) as place:
        try:
            raw = _Raw(place.path, "r+b")
            with io.BufferedRandom(raw) as file:
                yield cast(BinaryIO, file)
                file.flush()
                raw.settle()
            if target.exists():
                shutil.copymode(target, place.path)
            place.path.replace(target)
        except BaseException:
            place.path.unlink(missing_ok=True)
            raise


@contextmanager
def replacing_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Fill a folder under a temporary name and move it into place at the end.

    What an earlier call for the same folder left behind when it was killed is removed, and
    what it had moved aside comes back.

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
    target = check_place(path)
    if target.exists() and not target.is_dir():
        raise _error(NotADirectoryError, errno.ENOTDIR, target)
    recover(target)
    with claimed(target, folder=True) as place:
        try:
            yield place.path
            for inside in place.path.rglob("*"):
                if inside.is_file():
                    _settle(inside)
            _exchange(place, target)
        except BaseException:
            shutil.rmtree(place.path, ignore_errors=True)
            raise
    sweep(target)


def check_place(path: str | os.PathLike[str]) -> Path:
    """Where a path leads, if a file can be there: its folder exists and takes its name.

    Raises
    ------
    OSError
        As Python raises them: no such folder, a name that is too long, a link onto itself.
    """
    # A link keeps pointing at its file, which is what gets replaced.
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise _error(FileNotFoundError, errno.ENOENT, target.parent)
    with suppress(FileNotFoundError):
        target.stat()
    return target


def _exchange(place: Place, target: Path) -> None:
    """Give a folder the name of another, which is moved aside."""
    if target.exists():
        target.rename(place.old)
    try:
        place.path.rename(target)
    except BaseException:
        if place.old.exists():
            place.old.rename(target)
        raise


def _settle(path: Path) -> None:
    with path.open("r+b") as file:
        _sync(file.fileno())


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems know no such call; closing the file then has to do.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
            raise


def _error(kind: type[OSError], number: int, path: Path) -> OSError:
    return kind(number, os.strerror(number), str(path))
