"""``srkit info``: what a weights file holds, whether it is safe, and what loads it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from srkit.card import ModelCard
from srkit.cli.console import Commands, examples, model, positive, write
from srkit.cli.escaping import one_line
from srkit.cli.models import absent_facts
from srkit.errors import SrkitError
from srkit.models import loading
from srkit.models.contents import Contents, safetensors_contents
from srkit.models.inspection import FileReport
from srkit.models.weights import absent, how_to_get, is_here, place_of, with_companions
from srkit.tables import text_table
from srkit.upscaling.upscaler import LONGEST_SIDE

_SHOWN = 12  # tensors
_WIDTH = 100  # characters of a text from a file


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "info",
        help="what is in a weights file, is it safe, which model is it",
        description=(
            "Tell what a weights file holds without running anything in it: its format, whether "
            "it is safe, the network and scale that srkit would load, licence, header and tensors. "
            "For the name of a model: its card, where its weights lie, which networks they learned "
            "from, and how to get those that are not here. "
            "The exit code is 1 if srkit would not load the file."
        ),
        **examples("srkit info checkpoint_srgan.pth.tar", "srkit info ESPCN_x3.pb --json"),
    )
    parser.add_argument(
        "file", type=model, metavar="FILE", help="weights file, or the name of a model"
    )
    parser.add_argument("--scale", type=positive, help="factor, where the weights do not tell")
    parser.add_argument(
        "--tensors", action="store_true", help=f"list all tensors, not the first {_SHOWN}"
    )
    parser.add_argument("--json", action="store_true", help="for programs: all of it, as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the report."""
    if args.file in loading.list_models() and not Path(args.file).is_file():
        card = loading.card(args.file)
        present = _present(card)
        facts = {**card.as_dict(), "present": present, "absent": absent_facts(card)}
        write(json.dumps(facts, indent=2) if args.json else _card_text(card, present))
        return 0
    if not Path(args.file).exists() and not Path(args.file).suffix:
        loading.card(args.file)  # whose error has near misses
    report = loading.inspect(args.file, scale=args.scale)
    if args.json:
        write(json.dumps(report.as_dict(), indent=2))
    else:
        write(_text(report, None if args.tensors else _SHOWN))
    return 0 if report.model else 1


def _text(report: FileReport, most: int | None) -> str:
    lines = [
        ["file", str(report.path)],
        ["format", f"{report.format}, {report.size:,} bytes"],
        ["SHA-256", report.sha256],
        ["safe", _safety(report)],
    ]
    if model := report.model:
        sight = "" if model.radius is None else f", sees {_far(model.radius)}"
        lines += [
            ["model", model.summary],
            ["", f"x{model.scale}, {model.colour}, on {model.framework}{sight}"],
            ["licence", model.licence or "not stated"],
            ["use", f"srkit upscale photo.jpg -m {report.path}"],
        ]
    else:
        lines.append(["not loaded", report.problem])
    lines = [[one_line(cell) for cell in line] for line in lines]
    parts = [text_table(lines, "ll")]
    if report.contents.header:
        header = [[_cut(key), _cut(text)] for key, text in sorted(report.contents.header.items())]
        parts.append("header\n" + _indented(text_table(header, "ll")))
    if report.contents.tensors:
        parts.append(_tensors(report.contents, most))
    return "\n\n".join(parts)


def _far(radius: int) -> str:
    return f"{radius} pixels far" if radius < LONGEST_SIDE else "all of a picture"


def _safety(report: FileReport) -> str:
    if report.safe is None:
        return "not known: it could not be read"
    if report.safe:
        return "yes: all of it was read as data, and nothing in it was run"
    return "NO: srkit refuses it, and nothing in it was run"


def _tensors(contents: Contents, most: int | None) -> str:
    names = list(contents.tensors)[:most]
    facts = ((name, contents.tensors[name]) for name in names)
    rows = [[_cut(name), "x".join(map(str, t.shape)) or "1", t.dtype] for name, t in facts]
    title = f"{len(contents.tensors)} tensors, {contents.numbers:,} numbers"
    left = len(contents.tensors) - len(names)
    more = f"\n  and {left} more: --tensors" if left else ""
    return f"{title}\n{_indented(text_table(rows, 'lll'))}{more}"


def _present(card: ModelCard) -> list[dict[str, Any]]:
    """Weights files of a model that are here: where they lie, and what their headers say.

    A header names the networks that the weights learned from, as ``teachers``. Of formats without
    one there is no such key, and of a damaged file a ``problem`` in its place.
    """
    found = []
    for scale, weights in card.weights.items():
        for file in filter(is_here, with_companions([weights])):
            path = place_of(file)
            facts: dict[str, Any] = {"file": file.file, "scale": scale, "path": str(path)}
            if path.suffix == ".safetensors":
                try:
                    header = safetensors_contents(path).header
                    facts["teachers"] = header.get("teachers", "")
                except SrkitError as error:
                    facts["problem"] = str(error)
            found.append(facts)
    return found


def _card_text(card: ModelCard, present: Sequence[Mapping[str, Any]]) -> str:
    rows = [[title, _cut(text)] for title, text in card.rows()]
    files = [
        f"x{scale}: {file.file}"
        for scale, weights in card.weights.items()
        for file in with_companions([weights])
    ]
    lacking = absent(card.weights.values())
    # Whole: half an address is of no use.
    lines = [f"{f.file}: {how_to_get(f, card.install)}" for f in lacking]
    folders = dict.fromkeys(str(Path(file["path"]).parent) for file in present)
    taught = [f"x{file['scale']}: {file['teachers']}" for file in present if file.get("teachers")]
    problems = [file["problem"] for file in present if "problem" in file]
    rows += _titled("weights", files) + _titled("lie in", list(folders))
    rows += _titled("teachers", list(dict.fromkeys(taught)))
    rows += _titled("damaged", problems) + _titled("not here", lines)
    return text_table(rows, "ll")


def _titled(title: str, lines: Sequence[str]) -> list[list[str]]:
    """Rows of a table whose first has a title."""
    return [["" if number else title, one_line(line)] for number, line in enumerate(lines)]


def _cut(text: str) -> str:
    """One line of a text that a file may have made long, without control characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
