"""``srkit completion``: a script that completes commands, options and names in a shell."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import shtab

from srkit.cli.console import Commands, place, write

# Options that take the name of a model, or a file of weights.
_OF_MODELS = ("model", "models", "init", "file")
_MODELS = {
    "bash": "_srkit_models",
    "zsh": "_srkit_models",
    "fish": "(srkit models --names; __fish_complete_path (commandline -ct))",
}
_PREAMBLE = {
    "bash": """\
_srkit_models() {
  compgen -W "$(srkit models --names 2>/dev/null)" -- "$1"
  compgen -f -- "$1"
}""",
    "zsh": """\
_srkit_models() {
  compadd -- ${(f)"$(srkit models --names 2>/dev/null)"}
  _files
}""",
}
_EXAMPLES = """\
examples:
  srkit completion bash > ~/.local/share/bash-completion/completions/srkit
  srkit completion zsh > ~/.zfunc/_srkit          with fpath+=~/.zfunc before compinit
  srkit completion fish > ~/.config/fish/completions/srkit.fish
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "completion",
        help="complete commands, options and names of models in the shell",
        description="Write a script that completes srkit's commands in bash, zsh or fish.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the script to stdout."""
    _complete(args.parser)
    write(shtab.complete(args.parser, args.shell, preamble=_PREAMBLE.get(args.shell, "")))
    return 0


def _complete(parser: argparse.ArgumentParser) -> None:
    """Say of each argument what completes it, in commands too."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for choice in action._choices_actions:
                command = action.choices[choice.dest]
                # zsh shows it beside the name, where a paragraph has no room.
                command.description = choice.help
                _complete(command)
        elif found := _completed_by(action.dest, action.type):
            action.complete = found  # type: ignore[attr-defined]


def _completed_by(name: str, kind: Callable[[str], Any] | object) -> Mapping[str, Any] | None:
    if name in _OF_MODELS:
        return _MODELS
    if kind in (Path, place):
        return cast(Mapping[str, Any], shtab.FILE)
    return None
