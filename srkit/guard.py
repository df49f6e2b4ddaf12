"""What stands around every reader of files that come from strangers."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from srkit.errors import CorruptFileError, SrkitError, WeightsError

# How frameworks that have no error of their own for it say that memory ran out.
_OUT_OF_MEMORY = "out of memory", "can't allocate memory", "bad_alloc", "failed to allocate"
# Bytes of a text from a file that a message repeats.
_TOLD = 200


@contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever a file makes its reader raise into srkit's errors, which name the file.

    Parameters
    ----------
    path
        The file, which messages name.
    kind
        What it is read as: ``"frozen TensorFlow graph"``.

    Raises
    ------
    SrkitError
        Those of the reader, with the file's name where they lack it.
    WeightsError
        If the file cannot be read, or takes more memory than there is.
    CorruptFileError
        Of all other errors: what is whole raises none.

    Examples
    --------
    >>> with reading(Path("a.pb"), "frozen TensorFlow graph"):
    ...     [][0]
    Traceback (most recent call last):
    srkit.errors.CorruptFileError: a.pb: the frozen TensorFlow graph is damaged, or of a form \
that is not known (IndexError: list index out of range)
    """
    try:
        yield
    except SrkitError as error:
        if str(error).startswith(str(path)):
            raise
        raise type(error)(f"{path}: {error}") from error
    except OSError as error:
        if error.errno is None:
            raise CorruptFileError(f"{path}: the {kind} is damaged: {_told(error)}") from error
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:
        told = _told(error)
        if isinstance(error, MemoryError) or any(s in told.lower() for s in _OUT_OF_MEMORY):
            raise WeightsError(f"{path} takes more memory than there is") from error
        raise CorruptFileError(
            f"{path}: the {kind} is damaged, or of a form that is not known "
            f"({type(error).__name__}: {told})"
        ) from error


def _told(error: Exception) -> str:
    """The first line of what an error says, without control characters."""
    line = (str(error).strip() or type(error).__name__).splitlines()[0][:_TOLD]
    return "".join(letter if letter.isprintable() else "?" for letter in line)


def refuse_pipes(path: Path, error: type[SrkitError]) -> None:
    """Refuse what is no file and no folder: its bytes can be had only once, or never end.

    Raises
    ------
    SrkitError
        Of the type given; also for what can be no name of a file.
    OSError
        If there is nothing of that name.
    """
    try:
        mode = path.stat().st_mode
    except ValueError as wrong:  # a null byte in it, or half a character
        raise error(f"{str(path)!r} is no name of a file: {wrong}") from wrong
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return
    kinds = {stat.S_ISFIFO: "a pipe", stat.S_ISCHR: "a device", stat.S_ISSOCK: "a socket"}
    what = next((told for test, told in kinds.items() if test(mode)), "no regular file")
    raise error(f"{path} is {what}, which cannot be read; save what it gives as a file first")
