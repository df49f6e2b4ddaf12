"""``srkit models``: what there is to choose from."""

from __future__ import annotations

import argparse

import srkit
from srkit.cli.console import Commands, write
from srkit.errors import SrkitError, UnknownModelError
from srkit.registry import install_line, missing_packages
from srkit.tables import text_table


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "models",
        help="list the models",
        description="List the models: srkit's own, and those of installed plugins.",
    )
    parser.add_argument(
        "pattern", nargs="?", default="*", help="only names that fit, such as 'sr*'"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the table, and below it what has to be installed for the rest."""
    names = srkit.list_models(args.pattern)
    if not names:
        raise UnknownModelError(
            f"no model's name fits {args.pattern!r}; there are {', '.join(srkit.list_models())}"
        )
    rows = [["name", "scales", "framework", "licence", "summary"]]
    needed: dict[str, list[str]] = {}
    for name in names:
        try:
            card = srkit.card(name)
        except SrkitError as error:
            rows.append([name, "-", "broken", "-", str(error)])
            continue
        framework = card.framework
        if missing_packages(framework):
            needed.setdefault(install_line(framework, card.install), []).append(name)
            framework += " (missing)"
        rows.append([name, _scales(card.scales), framework, card.licence or "-", card.summary])
    write(text_table(rows, "lllll"))
    for line, waiting in needed.items():
        write(f"\nfor {', '.join(waiting)}: {line}")
    return 0


def _scales(scales: tuple[int, ...]) -> str:
    """Scales in few words: ``x2-x16`` where none is left out."""
    first, last = min(scales), max(scales)
    if len(scales) > 2 and sorted(scales) == list(range(first, last + 1)):
        return f"x{first}-x{last}"
    return ", ".join(f"x{scale}" for scale in scales)
