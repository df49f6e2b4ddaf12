"""What a file says and its copy cannot keep: told once, by name."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

log = logging.getLogger(__name__)

_file: ContextVar[str] = ContextVar("file", default="")
_collected: ContextVar[list[str] | None] = ContextVar("collected", default=None)


@contextmanager
def about(path: str | os.PathLike[str]) -> Iterator[None]:
    """Name a file in what is told within the block."""
    token = _file.set(os.fspath(path))
    try:
        yield
    finally:
        _file.reset(token)


@contextmanager
def collecting() -> Iterator[list[str]]:
    """Gather what is told within the block, each thing once; the log has it, too.

    Examples
    --------
    >>> with collecting() as told:
    ...     tell("the JPEG comment was left out")
    ...     tell("the JPEG comment was left out")
    >>> told
    ['the JPEG comment was left out']
    """
    told: list[str] = []
    token = _collected.set(told)
    try:
        yield told
    finally:
        _collected.reset(token)


def tell(text: str) -> None:
    """Say what was left out, and why where that is not plain.

    The record of the log has both parts as attributes, too, for programs: `left_out`, and the
    file as `picture`.
    """
    texts = _collected.get()
    if texts is not None:
        if text in texts:
            return
        texts.append(text)
    file = _file.get()
    about_it = {"left_out": text, "picture": file}
    log.warning("%s", f"{file}: {text}" if file else text, extra=about_it)


def joined(words: Sequence[str], conjunction: str = "or") -> str:
    """Words as a sentence lists them.

    Examples
    --------
    >>> joined(["EXIF"]), joined(["EXIF", "XMP", "IPTC"])
    ('EXIF', 'EXIF, XMP or IPTC')
    """
    *others, last = words
    return f"{', '.join(others)} {conjunction} {last}" if others else last
