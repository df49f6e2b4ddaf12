"""Advice for whom it is read by: who calls srkit in Python, or who gives the command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

# Of the process: threads and logs speak as it does. A list, whose end counts.
_to_command = [False]


def advise(python: str, command: str) -> str:
    """What to do, in the words of whoever will read it.

    Parameters
    ----------
    python
        For who calls srkit in Python, such as ``"pass overwrite=True"``.
    command
        For who uses the command line, such as ``"use --overwrite"``.

    Examples
    --------
    >>> advise("pass overwrite=True", "use --overwrite")
    'pass overwrite=True'
    >>> with for_command():
    ...     advise("pass overwrite=True", "use --overwrite")
    'use --overwrite'
    """
    return command if _to_command[-1] else python


@contextmanager
def for_command() -> Iterator[None]:
    """Within this, advice is for users of the command line, in all threads of the process.

    Examples
    --------
    >>> with for_command():
    ...     advise("crf=18", "--crf 18")
    '--crf 18'
    """
    _to_command.append(True)
    try:
        yield
    finally:
        _to_command.pop()
