"""The parser of the command line: argparse's, with near misses."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Iterable
from typing import Any, NoReturn

from srkit.cli.escaping import one_line

_CHOICE = re.compile(r"invalid choice: '([^']*)' \(choose from (.*)\)")


class Parser(argparse.ArgumentParser):
    """Commands and options that do not exist are refused with those that were perhaps meant.

    Python has this itself from 3.14 on, for commands. It writes the usage before an error, which
    is then at the end of many lines; here there are two, the second of which leads to the help.
    """

    # As argparse declares it, with types that are looser than its own overloads.
    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """See `argparse`; here, so that the command tells of its own options."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            options = [name for action in self._actions for name in action.option_strings]
            hints = [hint for text in unknown if (hint := near(text.split("=")[0], options))]
            self.error(f"unrecognized arguments: {' '.join(unknown)}{''.join(hints[:1])}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """See `argparse`; of many choices, those that were perhaps meant are told."""
        if match := _CHOICE.search(message):
            given, listed = match[1], re.findall(r"[\w.-]+", match[2])
            message = f"{message[: match.start()]}{given!r} is none of {', '.join(listed)}"
            message += near(given, listed)
        self.exit(2, f"{self.prog}: error: {one_line(message)}\nhelp: {self.prog} --help\n")


def near(given: str, known: Iterable[str]) -> str:
    """``"; did you mean ...?"``, or nothing.

    Examples
    --------
    >>> near("upscal", ["upscale", "models"])
    '; did you mean upscale?'
    """
    found = difflib.get_close_matches(given, list(known), 1)
    return f"; did you mean {found[0]}?" if found else ""
