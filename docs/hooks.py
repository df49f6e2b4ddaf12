"""What of the site is made when it is built: the command line, credits, and the notebooks' list."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
# What is said to who reads a page of the reference before it is built.
UNBUILT = re.compile(r"^> In a checkout this page is .*\n\n", re.MULTILINE)
# Pages that lie beside the weights, since they go with them into the package.
PRETRAINED = "../srkit/pretrained/"
BESIDE_WEIGHTS = ("CREDITS.md", "NOTICES.md")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that have no file in docs/."""
    made = {"reference/command-line.md": command_line(), "notebooks.md": notebooks()}
    for name in BESIDE_WEIGHTS:
        path = ROOT / "srkit" / "pretrained" / name
        made[name.lower()] = path.read_text(encoding="utf-8")
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links that lead out of docs/, for readers of the checkout, stay within the site."""
    markdown = UNBUILT.sub("", markdown)
    for name in BESIDE_WEIGHTS:
        markdown = markdown.replace(PRETRAINED + name, name.lower())
    return re.sub(r"\[([^\]]*)\]\(\.\./(examples/[^)]*)\)", r"\1 (`\2`)", markdown)


def command_line() -> str:
    """The help of every command."""
    import argparse
    import os

    from srkit.cli import make_parser

    os.environ["COLUMNS"] = "82"  # the width of a page
    parser = make_parser()
    parts = ["# Command line", f"```\n{parser.format_help()}```"]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                parts += [f"## srkit {name}", f"```\n{command.format_help()}```"]
    return "\n\n".join(parts)


def notebooks() -> str:
    """The notebooks of examples/, with the sentence that each begins with."""
    lines = [
        "# Notebooks",
        'Run in CI, from scratch. `pip install ".[all]" jupyterlab`, then '
        "`jupyter lab examples/notebooks`.",
        "| notebook | |\n|---|---|",
    ]
    for path in sorted((ROOT / "examples" / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        title, _, rest = "".join(cells[0]["source"]).partition("\n")
        sentence = " ".join(rest.split()).split(". ")[0].rstrip(".")
        lines[-1] += f"\n| `{path.name}` | {title.lstrip('# ')}. {sentence}. |"
    return "\n\n".join(lines)
