"""The picture of docs/results.md on fidelity: dB against operations and against seconds.

    models="-m bicubic -m fsrcnn -m espcn -m span -m srresnet -m unet"
    srkit bench $models --scale 4 --data Set5 --format csv > fidelity.csv
    python examples/fidelity_chart.py . fidelity.csv

writes fidelity.svg into a folder and prints the table below it. What `srkit bench` measured is
drawn, files of other programs among it (``-m rlfn_x4.pth``), by the names of `NAMES`, of ``--name
mine_x4=mine``, or of their files. Of several tables the least seconds of each model are taken.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from srkit.evaluation import charts
from srkit.evaluation.charts import Kind, Panel, Point, drawn, legend
from srkit.tables import markdown_table

WIDTH, HEIGHT = 720, 980
# What the axis of dB holds at least.
DECIBELS = (28.0, 33.0)

INTERPOLATION = Kind("interpolation", "interpolation", square=True)
FIDELITY = Kind("fidelity", "srkit, for fidelity")
LOOKS = Kind("looks", "srkit, for looks")
OPENED = Kind("opened", "opened by srkit", square=True)
PUBLISHED = Kind("published", "published", hollow=True)
KINDS: Mapping[str, Kind] = {
    "bicubic": INTERPOLATION,
    **dict.fromkeys(("fsrcnn", "espcn", "neural-enhance", "span", "srresnet"), FIDELITY),
    **dict.fromkeys(("unet", "srgan", "photo", "photo-2025"), LOOKS),
}
# Files of others that docs/results.md shows, and what their authors call the networks.
NAMES: Mapping[str, str] = {
    "team24_spanf": "SPANF",
    "rlfn_x4": "RLFN",
    "RFDN_AIM": "RFDN",
    "PlainUSR_Rep_x4": "PlainUSR",
    "DAT_light_x4": "DAT-light",
}


@dataclass(frozen=True)
class Published:
    """What a paper says of its network: Set5 x4, and multiplications for 1280x720."""

    name: str
    gmac: float
    psnr: float
    source: str


# GMAC of ESPCN, FSRCNN, SRResNet and SPAN are counted by srkit, as those papers have none of this
# kind; FSRCNN's last layer at the size of its input, which is where it computes.
PUBLISHED_POINTS = (
    Published("FSRCNN", 0.7, 30.71, "Dong et al., ECCV 2016, arXiv:1608.00367"),
    Published("ESPCN", 1.4, 30.90, "Shi et al., CVPR 2016, arXiv:1609.05158"),
    Published("SRResNet", 127.8, 32.05, "Ledig et al., CVPR 2017, arXiv:1609.04802; own protocol"),
    Published("CARN-M", 32.5, 31.92, "Ahn et al., ECCV 2018, arXiv:1803.08664"),
    Published("IMDN", 40.9, 32.21, "Hui et al., ACM MM 2019, arXiv:1909.11856"),
    Published("SwinIR-light", 49.6, 32.44, "Liang et al., ICCVW 2021, arXiv:2108.10257"),
    Published("DAT-light", 49.7, 32.57, "Chen et al., ICCV 2023, arXiv:2308.03364"),
    Published("SPAN-52", 28.7, 32.20, "Wan et al., CVPRW 2024, arXiv:2311.12770"),
)


@dataclass(frozen=True)
class Measured:
    """What `srkit bench` found of a model on Set5; `gmac` is None where it is not known."""

    name: str
    psnr: float
    ssim: float
    seconds: float
    gmac: float | None

    @property
    def kind(self) -> Kind:
        """By which it is coloured: what is not srkit's own is of others."""
        return KINDS.get(self.name.partition(":")[0], OPENED)


def measured(tables: Iterable[Path], names: Mapping[str, str]) -> list[Measured]:
    """Means of Set5 at x4 in tables of ``srkit bench --format csv``, each model once."""
    found: dict[str, Measured] = {}
    for path in tables:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if tuple(map(row.get, ("image", "dataset", "scale"))) != ("mean", "Set5", "4"):
                    continue
                count = row["multiply_adds"]
                new = Measured(
                    names.get(row["model"], row["model"]),
                    *(float(row[key]) for key in ("psnr", "ssim", "seconds")),
                    float(count) / 1e9 if count else None,
                )
                old = found.get(new.name, new)
                found[new.name] = replace(new, seconds=min(new.seconds, old.seconds))
    return sorted(found.values(), key=lambda one: one.psnr)


def by_operations(models: Iterable[Measured]) -> list[Point]:
    """Marks of the upper panel: what multiplies, measured and published."""
    own = [
        Point(m.name, m.gmac, m.psnr, m.kind, f"{m.name}: {m.psnr:.2f} dB, {m.gmac:.1f} GMAC")
        for m in models
        if m.gmac
    ]
    theirs = [
        Point(p.name, p.gmac, p.psnr, PUBLISHED, f"{p.psnr:.2f} dB, {p.gmac:.1f} GMAC: {p.source}")
        for p in PUBLISHED_POINTS
    ]
    # What was measured lies over what is only said.
    return theirs + own


def by_seconds(models: Iterable[Measured]) -> list[Point]:
    """Marks of the lower panel: all that was measured."""
    return [
        Point(m.name, m.seconds, m.psnr, m.kind, f"{m.name}: {m.psnr:.2f} dB, {m.seconds:.2f} s/MP")
        for m in models
    ]


def span_of(values: Iterable[float]) -> tuple[float, float]:
    """Ends of an axis that holds values, with room at both sides."""
    known = list(values)
    return min(known) / 1.6, max(known) * 1.6


def picture(models: list[Measured]) -> str:
    """Both panels as SVG."""
    operations, seconds = by_operations(models), by_seconds(models)
    levels = {f"{m.name} {m.psnr:.2f}": m.psnr for m in models if m.name == "bicubic"}
    known = [*DECIBELS, *(m.psnr for m in models)]
    decibels = float(math.floor(min(known))), float(math.ceil(max(known)))
    upper = Panel(
        "PSNR on Set5, x4 (dB), against multiplications for 1280×720 (10⁹)",
        top=92,
        x=span_of(point.x for point in operations),
        y=decibels,
        levels=levels,
    )
    lower = Panel(
        "the same against measured seconds for a megapixel",
        top=550,
        x=span_of(point.x for point in seconds),
        y=decibels,
    )
    kinds = {point.kind: None for point in (*seconds, *operations)}
    parts = [*legend(list(kinds), 54, 30), *drawn(upper, operations), *drawn(lower, seconds)]
    return charts.picture(WIDTH, HEIGHT, parts)


def table(models: Iterable[Measured]) -> str:
    """What is drawn, as Markdown, measured and published in the order of their PSNR."""
    rows = [
        (
            m.psnr,
            [m.name, f"{m.psnr:.2f}", _count(m.gmac), f"{m.seconds:.2f}", m.kind.legend],
        )
        for m in models
    ]
    rows += [
        (p.psnr, [p.name, f"{p.psnr:.2f}", _count(p.gmac), "-", p.source]) for p in PUBLISHED_POINTS
    ]
    body = [cells for _, cells in sorted(rows, key=lambda row: row[0])]
    return markdown_table([["model", "Set5, dB", "GMAC", "s/MP", ""], *body], "lrrrl")


def _count(gmac: float | None) -> str:
    return "-" if gmac is None else f"{gmac:.1f}"


def main() -> None:
    """Read the command line, draw, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("tables", nargs="+", type=Path, metavar="TABLE.CSV")
    parser.add_argument("--name", action="append", default=[], metavar="FILE=NAME")
    given = parser.parse_args()
    if odd := [text for text in given.name if "=" not in text]:
        parser.error(f"--name takes FILE=NAME, not {odd[0]}")
    names = {**NAMES, **dict(text.split("=", 1) for text in given.name)}
    try:
        models = measured(given.tables, names)
    except (OSError, ValueError) as error:
        parser.error(f"a table cannot be read: {error}")
    if not given.folder.is_dir():
        parser.error(f"there is no folder {given.folder}")
    if not models:
        parser.error("no table has a mean of Set5 at x4: srkit bench --format csv writes them")
    (given.folder / "fidelity.svg").write_text(picture(models), encoding="utf-8")
    print(table(models))


if __name__ == "__main__":
    main()
