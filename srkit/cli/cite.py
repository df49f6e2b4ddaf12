"""``srkit cite``: BibTeX of srkit, and of the papers behind its models and metrics."""

from __future__ import annotations

import argparse
import re
import sys

from srkit.cli.console import Commands, examples, write
from srkit.cli.papers import METRICS, OLDER, PAPERS, TEACHERS, Entry
from srkit.evaluation.measures import MEASURES
from srkit.models import loading
from srkit.version import __version__

SRKIT: Entry = (
    "misc",
    "srkit",
    {
        "author": "{The srkit authors}",
        "title": "srkit: image and video super-resolution with any model",
        "year": "2026",
        "version": __version__,
        "note": f"Version {__version__}",
    },
)


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "cite",
        help="BibTeX of srkit, and of papers behind models and metrics",
        description=(
            "Write BibTeX of srkit, and of the papers behind the models and the metrics of bench "
            "that are named; and of the networks that weights have learned from."
        ),
        **examples("srkit cite srgan espcn > papers.bib", "srkit cite span ssim niqe"),
    )
    parser.add_argument("models", nargs="*", metavar="NAME", help="of a model, or of a metric")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write an entry for srkit, and one for each paper."""
    entries = {SRKIT[1]: SRKIT}
    for name in args.models:
        entry = _entry(name)
        if isinstance(entry, str):
            write(f"srkit: note: {entry}", sys.stderr)
            continue
        for one in (entry, *map(_by_number, TEACHERS.get(name, ()))):
            entries[one[1]] = one
    write("\n\n".join(map(bibtex, entries.values())))
    return 0


def _entry(name: str) -> Entry | str:
    """The paper of a model or a metric, or a sentence that says why there is none."""
    metric = name.lower().replace("-", "_")
    if metric in MEASURES:
        return METRICS.get(metric) or f"{MEASURES[metric].heading} has no paper of its own"
    paper = loading.card(name).paper
    if not paper:
        return f"the card of {name} names no paper"
    number = re.search(r"arXiv:(\d{4}\.\d{4,5})", paper)
    if number and number[1] in PAPERS:
        return _by_number(number[1])
    # In full where it is known here, else as the card names it.
    plain = {"title": f"{{The super-resolution model {name}}}", "note": paper}
    return OLDER.get(paper) or ("misc", name, plain)


def _by_number(number: str) -> Entry:
    """The paper of a number of arXiv's."""
    kind, key, fields = PAPERS[number]
    return kind, key, {**fields, "eprint": number, "archiveprefix": "arXiv"}


def bibtex(entry: Entry) -> str:
    """An entry as files of BibTeX have it.

    Examples
    --------
    >>> print(bibtex(("misc", "a", {"title": "A", "year": "2026"})))
    @misc{a,
      title = {A},
      year = {2026},
    }
    """
    kind, key, fields = entry
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join([f"@{kind}{{{key},", *lines, "}"])
