"""Points in the plane as SVG: a logarithmic axis, marks by kind, labels that keep apart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import product

# In pixels, of letters of 13: small ones, capitals and digits, what is narrow; a line; a mark.
SMALL, LARGE, NARROW, LINE = 7.2, 8.8, 4.6, 15
MARK, GAP = 5.5, 4

# Of light and dark pages: paper, ink, faint lines, and the colours of kinds.
STYLE = """
svg{font-family:system-ui,sans-serif;--paper:#ffffff;--ink:#24292f;--grey:#6b737c;--faint:#e3e6e9;
--fidelity:#1f6feb;--looks:#c2570c;--opened:#1a7f4b}
@media(prefers-color-scheme:dark){svg{--paper:#1e2129;--ink:#e6e8eb;--grey:#a0a7b0;--faint:#363b45;
--fidelity:#6cb0ff;--looks:#ff9d57;--opened:#5fd39a}}
.paper{fill:var(--paper)}
.title{font-size:15px;font-weight:600;fill:var(--ink)}
.label{font-size:13px;fill:var(--ink)}
.small{font-size:12px;fill:var(--grey)}
.grid{stroke:var(--faint);stroke-width:1}
.level{stroke:var(--grey);stroke-width:1;stroke-dasharray:4 4}
.leader{stroke:var(--grey);stroke-width:.8}
.interpolation,.published{fill:var(--grey);stroke:var(--grey)}
.fidelity{fill:var(--fidelity);stroke:var(--fidelity)}
.looks{fill:var(--looks);stroke:var(--looks)}
.opened{fill:var(--opened);stroke:var(--opened)}
.hollow{fill:var(--paper);stroke-width:1.8}
"""

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Kind:
    """How marks of one kind look, and what the legend calls them."""

    name: str
    legend: str
    hollow: bool = False
    square: bool = False


@dataclass(frozen=True)
class Point:
    """A mark: where it is, what stands beside it, and what is told when it is pointed at."""

    label: str
    x: float
    y: float
    kind: Kind
    told: str = ""


@dataclass(frozen=True)
class Panel:
    """A diagram: its place in the picture, its axes, and lines across it with their names."""

    title: str
    top: float
    x: tuple[float, float]
    y: tuple[float, float]
    left: float = 46
    width: float = 662
    height: float = 400
    levels: Mapping[str, float] | None = None

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Pixels of a value."""
        low, high = (math.log10(end) for end in self.x)
        right = (math.log10(x) - low) / (high - low)
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return self.left + right * self.width, self.top + (1 - up) * self.height


def ticks(low: float, high: float) -> Iterator[float]:
    """1, 2 and 5 of every decade between two values.

    Examples
    --------
    >>> list(ticks(0.5, 20))
    [0.5, 1.0, 2.0, 5.0, 10.0, 20.0]
    """
    for power, digit in product(range(-6, 7), (1, 2, 5)):
        value = float(f"{digit}e{power}")
        if low <= value <= high:
            yield value


def steps(low: float, high: float) -> Iterator[float]:
    """Round values between two, four to ten of them.

    Examples
    --------
    >>> list(steps(28, 33)), list(steps(0.23, 0.37))
    ([28.0, 29.0, 30.0, 31.0, 32.0, 33.0], [0.24, 0.26, 0.28, 0.3, 0.32, 0.34, 0.36])
    """
    most = (high - low) / 4
    power = math.floor(math.log10(most))
    # Near a power of ten its logarithm may be rounded up.
    sizes = (float(size) for size in (f"5e{power - 1}", *(f"{n}e{power}" for n in (1, 2, 5))))
    step = max(size for size in sizes if size <= most)
    for number in range(math.ceil(round(low / step, 9)), math.floor(round(high / step, 9)) + 1):
        yield round(number * step, 12)


def width_of(text: str) -> float:
    """About how wide a label is.

    Examples
    --------
    >>> width_of("espcn") < width_of("ESPCN")
    True
    """
    return sum(
        NARROW if letter in "-.,: ilt" else LARGE if letter.isupper() or letter.isdigit() else SMALL
        for letter in text
    )


def apart(a: Box, b: Box) -> bool:
    """Whether two boxes, each left, top, right and bottom, leave a gap."""
    beside = a[2] + GAP <= b[0] or b[2] + GAP <= a[0]
    return beside or a[3] <= b[1] or b[3] <= a[1]


def places(panel: Panel, points: Sequence[Point]) -> list[Box]:
    """A box for each label: beside its mark where that is free, else as near as can be.

    Those of crowded marks come first, since they have the fewest places to go to.
    """
    centres = [panel.place(point.x, point.y) for point in points]
    marks = [_around(*centre, 2 * MARK + 3, 2 * MARK + 3) for centre in centres]
    levels = [panel.place(panel.x[0], level)[1] for level in (panel.levels or {}).values()]
    lines = [(panel.left, y - 2, panel.left + panel.width, y + 2) for y in levels]
    taken = [*marks, *lines]
    inside = panel.left, panel.top, panel.left + panel.width, panel.top + panel.height
    found: dict[int, Box] = {}

    def crowd(number: int) -> float:
        return -sum(1 / (20 + math.dist(centres[number], other)) for other in centres)

    for number in sorted(range(len(points)), key=crowd):
        width = width_of(points[number].label)
        for box in _candidates(*centres[number], width):
            within = (
                box[0] >= inside[0]
                and box[1] >= inside[1]
                and (box[2] <= inside[2] and box[3] <= inside[3])
            )
            if within and all(apart(box, other) for other in taken):
                break
        taken.append(box)
        found[number] = box
    return [found[number] for number in range(len(points))]


def _candidates(x: float, y: float, width: float) -> Iterator[Box]:
    """Places for a label: right, left, above and below its mark, then all around it, farther."""
    beside = width / 2 + MARK + GAP + 3
    for dx, dy in ((beside, 0.0), (-beside, 0.0), (0.0, -LINE), (0.0, LINE)):
        yield _around(x + dx, y + dy, width, LINE)
    for far, turn in product(range(16, 200, 6), range(0, 360, 15)):
        angle = math.radians(turn)
        dx, dy = far * math.cos(angle), far * math.sin(angle)
        yield _around(x + dx + math.copysign(width / 2, dx), y + dy, width, LINE)


def _around(x: float, y: float, width: float, height: float) -> Box:
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def drawn(panel: Panel, points: Sequence[Point]) -> Iterator[str]:
    """A panel as SVG."""
    yield f'<text class="title" x="{panel.left}" y="{panel.top - 14}">{escape(panel.title)}</text>'
    yield from _axes(panel)
    for name, level in (panel.levels or {}).items():
        y = panel.place(panel.x[0], level)[1]
        yield _line("level", (panel.left, y), (panel.left + panel.width, y))
        yield _text("small", panel.left + panel.width - 4, y - 5, name, "end")
    boxes = places(panel, points)
    for point, box in zip(points, boxes, strict=True):
        yield from _leader(panel.place(point.x, point.y), box)
    for point, box in zip(points, boxes, strict=True):
        x, y = panel.place(point.x, point.y)
        told = f"<title>{escape(point.told)}</title>"
        looks = f'class="{point.kind.name}{" hollow" if point.kind.hollow else ""}"'
        yield f"<g {looks}>{told}{_mark(point.kind, x, y)}</g>"
        yield _beside(x, box, point.label)


def _axes(panel: Panel) -> Iterator[str]:
    bottom, right = panel.top + panel.height, panel.left + panel.width
    for value in ticks(*panel.x):
        x = panel.place(value, panel.y[0])[0]
        yield _line("grid", (x, panel.top), (x, bottom))
        yield _text("small", x, bottom + 17, f"{value:g}", "middle")
    for level in steps(*panel.y):
        y = panel.place(panel.x[0], level)[1]
        yield _line("grid", (panel.left, y), (right, y))
        yield _text("small", panel.left - 8, y + 4, f"{level:g}", "end")


def _leader(mark: tuple[float, float], box: Box) -> Iterator[str]:
    """A line from a mark to its label, where that is not beside it."""
    nearest = min(max(mark[0], box[0]), box[2]), min(max(mark[1], box[1] + 3), box[3] - 3)
    if (far := math.dist(mark, nearest)) > 2 * MARK + 3:
        share = MARK / far
        start = tuple(m + share * (n - m) for m, n in zip(mark, nearest, strict=True))
        yield _line("leader", (start[0], start[1]), nearest)


def _beside(x: float, box: Box, label: str) -> str:
    """A label that ends or begins at its mark, if it is to its left or right."""
    if box[2] < x:
        return _text("label", box[2], box[3] - 4, label, "end")
    if box[0] > x:
        return _text("label", box[0], box[3] - 4, label, "start")
    return _text("label", (box[0] + box[2]) / 2, box[3] - 4, label, "middle")


def _mark(kind: Kind, x: float, y: float) -> str:
    if kind.square:
        side = 2 * MARK - 1
        corner = f'x="{x - side / 2:.1f}" y="{y - side / 2:.1f}"'
        return f'<rect {corner} width="{side}" height="{side}"/>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{MARK}"/>'


def _line(looks: str, start: tuple[float, float], end: tuple[float, float]) -> str:
    (x0, y0), (x1, y1) = start, end
    return f'<path class="{looks}" d="M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}"/>'


def _text(looks: str, x: float, y: float, text: str, anchor: str) -> str:
    return (
        f'<text class="{looks}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )


def legend(kinds: Sequence[Kind], x: float, y: float) -> Iterator[str]:
    """One line that tells which mark is what."""
    for kind in kinds:
        looks = f'class="{kind.name}{" hollow" if kind.hollow else ""}"'
        yield f"<g {looks}>{_mark(kind, x, y)}</g>"
        yield _text("label", x + 11, y + 4.5, kind.legend, "start")
        x += 34 + width_of(kind.legend)


def picture(width: float, height: float, parts: Iterable[str]) -> str:
    """Parts on paper, in the colours of light and dark pages: the whole file.

    Examples
    --------
    >>> picture(10, 5, []).splitlines()[0]
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 5">'
    """
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">',
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{width}" height="{height}" rx="8"/>',
        *parts,
        "</svg>\n",
    ]
    return "\n".join(lines)
