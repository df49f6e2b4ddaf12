"""Learning curves as pictures of docs/: figures on held-out photos against steps.

    python examples/learning_curves.py docs/curves docs/pictures

What is drawn is what the runs wrote: the `log.csv` of each, in docs/curves.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import product
from pathlib import Path

from srkit.evaluation.charts import STYLE

CURVE = ".curve{fill:none;stroke-width:2}.fidelity.curve{stroke:var(--fidelity)}"
CURVE += ".looks.curve{stroke:var(--looks)}"
TOP, HEIGHT, GAP, LABELS = 44, 200, 30, 46
MOST_TICKS = 5

Point = tuple[float, float]


@dataclass(frozen=True)
class Panel:
    """A curve: of which run, which column of its table, how it is drawn; and one to see it by."""

    title: str
    run: str
    column: str
    looks: str = "fidelity"
    beside: str | None = None


# On docs/tutorial-training.md, docs/training.md and docs/how-trained.md.
FIRST = (Panel("espcn x2, 2025: PSNR in dB; it begins as bicubic", "espcn_x2-2025", "psnr"),)
RUNS = (
    Panel("span x4: PSNR, dB", "span_x4", "psnr"),
    # The run that began as srresnet; what ships began halfway to it.
    Panel("srgan x4, 2025: PSNR, dB", "srgan_x4-2025", "psnr", "looks"),
    Panel("srgan x4, 2025: ST-LPIPS", "srgan_x4-2025", "st_lpips", "looks"),
)
# Two runs from one start, which differ in what they learned from.
TAUGHT = (
    Panel(
        "span x4: PSNR in dB; taught by PlainUSR-L (blue), by the photos alone (orange)",
        "span_x4-taught",
        "psnr",
        beside="span_x4-photos",
    ),
)


def read(path: Path, column: str) -> list[Point]:
    """Steps and figures of a run."""
    with path.open(newline="", encoding="utf-8") as file:
        return [(float(row["step"]), float(row[column])) for row in csv.DictReader(file)]


def marks(low: float, high: float) -> list[float]:
    """Round values between two, at most five of them.

    Examples
    --------
    >>> marks(0, 15000)
    [0.0, 5000.0, 10000.0, 15000.0]
    >>> marks(0.11, 0.2)
    [0.12, 0.14, 0.16, 0.18, 0.2]
    """
    for power, digit in product(range(-6, 9), (1, 2, 5)):
        step = float(f"{digit}e{power}")
        first, last = -(-low // step), (high + step / 1e6) // step
        if last - first < MOST_TICKS:
            return [round(n * step, 6) for n in range(int(first), int(last) + 1)]
    raise ValueError(f"no marks between {low} and {high}")


def drawn(
    panel: Panel, curves: Mapping[str, Sequence[Point]], left: float, width: float
) -> Iterator[str]:
    """A panel as SVG; its curves by their looks."""
    everything = [point for points in curves.values() for point in points]
    (steps, values), bottom, right = zip(*everything, strict=True), TOP + HEIGHT, left + width
    low, high = min(values), max(values)

    def place(step: float, value: float) -> Point:
        up = 0.04 + 0.92 * (value - low) / (high - low)
        return left + step / max(steps) * width, bottom - up * HEIGHT

    yield f'<text class="title" x="{left}" y="{TOP - 16}">{escape(panel.title)}</text>'
    for value in marks(low, high):
        y = place(0, value)[1]
        yield f'<path class="grid" d="M{left} {y:.1f}H{right}"/>'
        yield _text(left - 6, y + 4, f"{value:g}", "end")
    for step in marks(0, max(steps)):
        x = place(step, low)[0]
        yield f'<path class="grid" d="M{x:.1f} {TOP}V{bottom}"/>'
        yield _text(x, bottom + 17, f"{step:,.0f}", "middle")
    for looks, points in curves.items():
        line = " ".join("{:.1f},{:.1f}".format(*place(*point)) for point in points)
        yield f'<polyline class="{looks} curve" points="{line}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text class="small" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def picture(panels: Sequence[Panel], curves: Path, width: float) -> str:
    """Panels side by side as SVG, each so wide."""
    across = LABELS + width + GAP
    size = f"{across * len(panels)} {TOP + HEIGHT + 44}"
    box = size.split()
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}">',
        f"<style>{STYLE}{CURVE}</style>",
        f'<rect class="paper" width="{box[0]}" height="{box[1]}" rx="8"/>',
    ]
    for number, panel in enumerate(panels):
        shown = {panel.looks: read(curves / f"{panel.run}.csv", panel.column)}
        if panel.beside is not None:
            shown["looks"] = read(curves / f"{panel.beside}.csv", panel.column)
        left = number * across + LABELS
        parts += drawn(panel, shown, left, width)
        parts.append(_text(left + width / 2, TOP + HEIGHT + 35, "steps", "middle"))
    return "\n".join([*parts, "</svg>\n"])


def main(curves: Path, folder: Path) -> None:
    """Write all pictures."""
    (folder / "learning-first.svg").write_text(picture(FIRST, curves, 600), encoding="utf-8")
    (folder / "learning.svg").write_text(picture(RUNS, curves, 190), encoding="utf-8")
    (folder / "learning-taught.svg").write_text(picture(TAUGHT, curves, 600), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
