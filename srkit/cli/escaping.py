"""Texts of files on a terminal, which would obey some of their characters."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Control characters but tab and line feed; marks that turn the direction of text around;
# separators of lines; and halves of characters, which stand for bytes that are no text.
_OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def plain(text: str) -> str:
    r"""Escape what a terminal would obey, or could not show.

    Examples
    --------
    >>> plain("\x1b[31mred\n")
    '\\x1b[31mred\n'
    """
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def one_line(text: object) -> str:
    r"""Escape line feeds as well, for a name among other texts.

    Examples
    --------
    >>> one_line("a\nb")
    'a\\nb'
    """
    return plain(str(text)).replace("\n", "\\n").replace("\t", "\\t")


class PlainFormatter(logging.Formatter):
    """Messages of the log, escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        return plain(super().format(record))


@contextmanager
def escaping() -> Iterator[None]:
    """Escape what the log and Python's warnings write to stderr."""
    last, format_warning = logging.lastResort, warnings.formatwarning
    before = last.formatter if last else None

    def formatted(*args: Any, **given: Any) -> str:
        return plain(format_warning(*args, **given))

    if last:
        last.setFormatter(PlainFormatter("%(message)s"))
    warnings.formatwarning = formatted
    try:
        yield
    finally:
        warnings.formatwarning = format_warning
        if last:
            last.setFormatter(before)
