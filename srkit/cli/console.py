"""What the commands share: writing to the terminal, and reading arguments."""

from __future__ import annotations

import argparse
import contextlib
import inspect
import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO, TypeAlias

from tqdm import tqdm

from srkit import memory
from srkit.cli.escaping import plain
from srkit.errors import OptionError
from srkit.imaging.files.remote import without_scheme
from srkit.imaging.light import check_exposure
from srkit.models.loading import upscale

# In quotes: only type checkers know that it is generic.
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

DEFAULT_MODEL: str = inspect.signature(upscale).parameters["model"].default
TRIO = ("bicubic", "srresnet", "srgan")


def examples(*lines: str) -> dict[str, Any]:
    """What `add_parser` takes to end a command's help with examples, each on a line."""
    title = "example:" if len(lines) == 1 else "examples:"
    return {
        "epilog": "\n".join([title, *(f"  {line}" for line in lines)]),
        "formatter_class": argparse.RawDescriptionHelpFormatter,
    }


def write(text: str, to: TextIO | None = None) -> None:
    """Write lines to stdout, or to another stream, above any progress bar.

    What a terminal would obey, or could not show, is escaped: names and texts of files are in it.
    """
    stream = sys.stdout if to is None else to
    encoding = getattr(stream, "encoding", None) or "utf-8"
    text = plain(text).encode(encoding, "backslashreplace").decode(encoding)
    tqdm.write(text, file=stream)


class _Notes(logging.Handler):
    """Writes what a module tells its log to stderr, as a note; to the first one more is added."""

    def __init__(self, first: str) -> None:
        super().__init__()
        self._first = first

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        write(f"srkit: note: {record.getMessage()}{self._first}", sys.stderr)
        self._first = ""


@contextlib.contextmanager
def notes_of(log: logging.Logger, first: str = "") -> Iterator[None]:
    """Within this, what is told to a log at level INFO is written to stderr.

    Parameters
    ----------
    first
        What the first note ends with.

    Examples
    --------
    >>> with notes_of(logging.getLogger("srkit.example")):
    ...     logging.getLogger("srkit.example").info("this is seen")
    """
    handler, level = _Notes(first), log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


# Standard input, or output, in the place of a file.
PIPE = "-"
_STANDARD_OUTPUT = "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"


def place(text: str) -> Path | str:
    """A path, also of a URL such as ``file:///a.png``; or a URL or `PIPE` as it is, for argparse.

    Examples
    --------
    >>> place("file:///photos/a.png").name, place("s3://photos/a.png"), place("-")
    ('a.png', 's3://photos/a.png', '-')
    """
    text = without_scheme(text)
    return text if "://" in text or text == PIPE else Path(text)


def result(text: str) -> Path | str:
    """A `place` to write to, for argparse; standard output by its names as a file, too.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is a pipe or a device, which has no name that a whole file can take.

    Examples
    --------
    >>> result("large.png").name, result("/dev/stdout"), result("-")
    ('large.png', '-', '-')
    """
    if text in _STANDARD_OUTPUT:
        return PIPE
    given = place(text)
    if isinstance(given, Path) and (given.is_fifo() or given.is_char_device()):
        raise argparse.ArgumentTypeError(
            f"{text} is a pipe or a device: -o - > {text} writes to it"
        )
    return given


def local(text: str) -> Path:
    """A path, for argparse.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is an address in a network.
    """
    return Path(model(text))


def model(text: str) -> str:
    """A model's name or the path of its weights, for argparse; errors as of `local`."""
    text = without_scheme(text)
    if _is_address(text):
        raise argparse.ArgumentTypeError(
            f"{text} is an address in a network, not a file; download it first"
        )
    return text


def written(text: str) -> Path:
    """The path of a result, for argparse.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is an address in a network.
    """
    text = without_scheme(text)
    if _is_address(text):
        raise argparse.ArgumentTypeError(
            f"{text} is an address in a network; results are written as files of this machine"
        )
    return Path(text)


def _is_address(text: str) -> bool:
    return bool(re.match(r"[a-z][a-z0-9+.-]+://", text, re.IGNORECASE))


def positive(text: str) -> int:
    """A whole number above zero, for argparse."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, not {text!r}")
    return number


def percent(text: str) -> int:
    """A whole number from 1 to 100, for argparse."""
    number = positive(text)
    if number > 100:
        raise argparse.ArgumentTypeError(f"expected a number from 1 to 100, not {text!r}")
    return number


def share_or_auto(text: str) -> float | str:
    """A number, or the word auto, for argparse."""
    try:
        return text if text == "auto" else float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"expected a number from 0 to 1, or auto, not {text!r}"
        ) from error


def stops_or_auto(text: str) -> float | str:
    """Stops (EV), or the word auto, for argparse."""
    try:
        exposure = text if text == "auto" else float(text)
        check_exposure(exposure)
    except (ValueError, OptionError) as error:
        raise argparse.ArgumentTypeError(
            f"expected stops (EV) such as 1.5 or -1, or auto, not {text!r}; from -64 to 64"
        ) from error
    return exposure


def byte_count(text: str) -> int:
    """A number of bytes such as ``500MB`` or ``1.5GiB``, for argparse.

    Examples
    --------
    >>> byte_count("500MB"), byte_count("1.5 GiB"), byte_count("4096")
    (500000000, 1610612736, 4096)
    """
    try:
        return memory.byte_count(text)
    except OptionError as error:
        raise argparse.ArgumentTypeError(
            f"expected a size such as 500MB or 2GiB, not {text!r}"
        ) from error
