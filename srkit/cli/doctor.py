"""``srkit doctor``: what is installed, what is missing, what is broken."""

from __future__ import annotations

import argparse
import json

from srkit.cli.console import Commands, examples, write
from srkit.cli.diagnosis import Diagnosis, diagnose
from srkit.models import loading
from srkit.tables import text_table


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "doctor",
        help="what is installed, what more there is, and what is broken",
        description=(
            "Look at this installation: versions, optional parts and what each would add, devices, "
            "weights and their checksums, plugins and why one is broken. The exit code is 1 if "
            "something should be mended. Paste its output into a report of a fault."
        ),
        **examples("srkit doctor", "srkit doctor --json"),
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write what was found."""
    found = diagnose(loading.REGISTRY)
    write(json.dumps(found.as_dict(), indent=2) if args.json else _text(found))
    return 1 if found.problems else 0


def _text(found: Diagnosis) -> str:
    parts = [
        text_table([[key, value] for key, value in found.system.items()], "ll"),
        _extras(found),
    ]
    devices = found.devices or ("none: networks need torch",)
    parts.append("devices\n" + "\n".join(f"  {device}" for device in devices))
    good = sum(state == "ok" for state in found.weights.values())
    parts.append(
        f"weights\n  {good} of {len(found.weights)} files are there and have their SHA-256"
    )
    if found.absent:
        parts.append("weights that are not here\n" + _indented(_absent(found)))
    if found.plugins:
        brought = (f"  {name}: {', '.join(names)}" for name, names in found.plugins.items())
        parts.append("plugins\n" + "\n".join(brought))
    if found.problems:
        parts.append("to be mended\n" + "\n".join(f"  {problem}" for problem in found.problems))
    else:
        parts.append("Nothing is broken.")
    return "\n\n".join(parts)


def _absent(found: Diagnosis) -> str:
    """How to get them: a command once for all models, an address for each file."""
    models: dict[str, list[str]] = {}
    for name, files in found.absent.items():
        for how in dict.fromkeys(files.values()):
            models.setdefault(how, []).append(name)
    return text_table([[", ".join(names), how] for how, names in models.items()], "ll")


def _extras(found: Diagnosis) -> str:
    there, more = [], []
    for extra in found.extras:
        if extra.state == "missing":
            more.append([extra.install, extra.adds])
        else:
            versions = ", ".join(
                f"{name} {version}" + " (cannot be imported)" * (name in extra.broken)
                for name, version in extra.packages.items()
            )
            there.append([extra.name, versions])
    parts = []
    if there:
        parts.append("optional parts\n" + _indented(text_table(there, "ll")))
    if more:
        parts.append("what more there is\n" + _indented(text_table(more, "ll")))
    return "\n\n".join(parts)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
