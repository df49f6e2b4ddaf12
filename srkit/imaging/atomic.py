"""Files that appear whole or not at all."""

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
    # A link keeps pointing at its file, which is what gets replaced.
    target = Path(path).resolve()
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(target.parent))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    # Not tempfile: its files are private, whereas this one obeys the umask.
    # The name is short, so that a long name of the target does not break it.
    temporary = target.with_name(f".srkit-{os.urandom(8).hex()}.tmp")
    try:
        with temporary.open("x+b") as file:
            yield file
        if target.exists():
            shutil.copymode(target, temporary)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
