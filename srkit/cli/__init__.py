"""The ``srkit`` command."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from srkit.advice import for_command
from srkit.cli.console import write
from srkit.cli.ending import ended_as_by_ctrl_c
from srkit.cli.escaping import escaping
from srkit.cli.parsing import Parser
from srkit.errors import OptionError, SrkitError, UnknownModelError
from srkit.version import __version__

# Commands and the modules of this package that hold them, in the order of the help.
_COMMANDS = {
    "upscale": "upscale",
    "upscale-video": "video",
    "models": "models",
    "info": "info",
    "compare": "compare",
    "bench": "bench",
    "serve": "serve",
    "train": "train",
    "convert": "convert",
    "export": "export",
    "doctor": "doctor",
    "completion": "completion",
    "cite": "cite",
}
# It describes all of them.
_COMPLETION = "completion"
FAILED, USAGE, INTERRUPTED = 1, 2, 130
MODELS = "srkit models"
_EXAMPLES = """\
examples:
  srkit upscale portrait.jpg                       portrait_photo_x4.jpg, beside it
  srkit upscale photos/ -m srgan -o out/           a folder and all below it
  srkit upscale-video in.mp4 -m espcn -o out.mp4   with sound, at any length
  srkit compare photo.png -m bicubic -m srgan -o sheet.png
  srkit train espcn photos/ -o runs/mine --scale 2
  srkit models

srkit COMMAND --help explains a command.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv
        Arguments without the program's name; those of the process by default.

    Returns
    -------
    int
        Exit code: 0, also after the help where no command is given, or 1 if something failed,
        2 if the arguments make no sense, 130 after Ctrl-C or SIGTERM.

    Raises
    ------
    SystemExit
        As argparse does: after ``--help`` and ``--version``, and with code 2 for
        arguments that it does not understand.

    Examples
    --------
    >>> main(["models", "nearest"])
    name     scales  framework  licence     summary
    nearest  x2-x16  numpy      Apache-2.0  Each pixel repeated.
    0
    """
    words = sys.argv[1:] if argv is None else argv
    args = make_parser(_asked_for(words)).parse_args(words)
    try:
        with for_command(), escaping(), ended_as_by_ctrl_c():
            code: int = args.run(args)
            sys.stdout.flush()
    except KeyboardInterrupt:
        sys.stderr.write("srkit: interrupted\n")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output, such as `head`, has seen enough. What Python
        # flushes at its end must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (OptionError, UnknownModelError) as error:
        _complain(error)
        sys.stderr.write(f"help: {MODELS if isinstance(error, UnknownModelError) else args.help}\n")
        return USAGE
    except SrkitError as error:
        _complain(error)
        return FAILED
    except OSError as error:
        named = error.filename is not None and error.strerror
        told = f"{error.filename}: {error.strerror}" if named else str(error)
        _complain(told)
        return FAILED
    return code


def _complain(told: object) -> None:
    """Write an error; a line feed in a name does not begin a line that looks like our own."""
    write(f"srkit: error: {told}".replace("\n", "\n  "), sys.stderr)


def _asked_for(words: Sequence[str]) -> str | None:
    """The one command whose module these arguments need; None if they need all, as for help."""
    first = words[0] if words else None
    return first if first in _COMMANDS and first != _COMPLETION else None


def make_parser(only: str | None = None) -> Parser:
    """The parser of all commands, or of one: to import the others takes a tenth of a second.

    Parameters
    ----------
    only
        A command, with which the arguments begin.
    """
    parser = Parser(
        prog="srkit",
        description="Upscale images and videos by any super-resolution model.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"srkit {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, module in _COMMANDS.items():
        if only in (None, name):
            import_module(f"srkit.cli.{module}").add(commands)
    for one in commands.choices.values():
        one.set_defaults(help=f"{one.prog} --help")
    parser.set_defaults(run=_help, parser=parser)  # which `srkit completion` describes
    return parser


def _help(args: argparse.Namespace) -> int:
    """What `srkit` alone writes."""
    write(args.parser.format_help().rstrip("\n"))
    return 0
