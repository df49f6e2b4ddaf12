"""``srkit models``: what there is to choose from."""

from __future__ import annotations

import argparse
import json
from typing import Any

from srkit.card import ModelCard, WeightsFile
from srkit.cli.console import Commands, examples, write
from srkit.errors import SrkitError, UnknownModelError
from srkit.models import loading
from srkit.models.cards import framework_of, licence_of, notes_on, scales_of
from srkit.models.weights import (
    absent,
    how_to_get,
    install_lines,
    missing_distributions,
    missing_for,
)
from srkit.tables import text_table

WHICH = (
    "Which one for which picture: docs/which-model.md (photos and text: photo; clean ones, truest: "
    "srresnet; drawings: realesrgan-anime; video: espcn)"
)


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "models",
        help="list the models",
        description="List the models: srkit's own, and those of installed plugins.",
        **examples("srkit models 'sr*'", "srkit models --json"),
    )
    parser.add_argument(
        "pattern", nargs="?", default="*", help="only names that fit, such as 'sr*'"
    )
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--names", action="store_true", help="names alone, one on a line")
    output.add_argument("--json", action="store_true", help="for programs: the cards, as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the table, and below it what has to be installed for the rest."""
    names = loading.list_models(args.pattern)
    if not names:
        raise UnknownModelError(
            f"no model's name fits {args.pattern!r}; there are {', '.join(loading.list_models())}"
        )
    if args.names:
        write("\n".join(names))
        return 0
    if args.json:
        write(json.dumps([_facts(name) for name in names], indent=2))
        return 0
    rows = [["name", "scales", "framework", "licence", "summary"]]
    needed: dict[str, list[str]] = {}
    found: list[ModelCard] = []
    fetched: dict[str, list[str]] = {}
    for name in names:
        try:
            card = loading.card(name)
        except SrkitError as error:
            rows.append([name, "-", "broken", "-", str(error)])
            continue
        for line in install_lines(card):
            needed.setdefault(line, []).append(name)
        if lines := [f"{file.file}: {how_to_get(file)}" for file in _to_fetch(card)]:
            fetched[name] = lines
        found.append(card)
        rows.append([name, scales_of(card), framework_of(card), licence_of(card), card.summary])
    write(text_table(rows, "lllll"))
    for note in notes_on(found):
        write(f"\n{note}")
    for line, waiting in needed.items():
        write(f"\nfor {', '.join(waiting)}: {line}")
    for name, lines in fetched.items():
        write("\n".join([f"\nweights of {name} that are not here:", *(f"  {x}" for x in lines)]))
    if args.pattern == "*":
        write(f"\n{WHICH}")
    return 0


def _to_fetch(card: ModelCard) -> list[WeightsFile]:
    """Weights that are not here, but for those that the line below the table installs."""
    return [f for f in absent(card.weights.values()) if not missing_distributions([f])]


def _facts(name: str) -> dict[str, Any]:
    """A card, or why there is none; with whether what it needs is installed."""
    try:
        card = loading.card(name)
    except SrkitError as error:
        return {"name": name, "problem": str(error)}
    # One command line, for who runs it as it is.
    line = " && ".join(install_lines(card)) or None
    facts = {"installed": not missing_for(card), "install": line, "absent": absent_facts(card)}
    return {**card.as_dict(), **facts}


def absent_facts(card: ModelCard) -> list[dict[str, Any]]:
    """Weights files of a model that are not here, for programs."""
    return [
        {
            "file": file.file,
            "source": file.source,
            "size": file.size,
            "get": how_to_get(file, card.install),
        }
        for file in absent(card.weights.values())
    ]
