"""Draw the house: rooms of srkit by floor, and who imports whom.

``python tools/house.py`` writes docs/house.svg of this checkout. ``python tools/house.py --checkout
PATH --out FILE`` draws another, whose rooms have floors of their own: as low as what they import
allows. Arrows up are red; there should be none, and tests/test_house.py sees to it.
"""

from __future__ import annotations

import argparse
import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path

ROOT = Path(__file__).parent.parent
FACE = "srkit"

# Floors from the ground up, and what is on them; a room is a package or a module of srkit, and
# each package of adapters/ is one. What is not named here, a new package, is for people to call.
FLOORS = (
    "errors version advice card extras guard places atomic progress memory receptive tables",
    "imaging",
    "upscaling metrics",
    "models evaluation",
    "adapters adapters/functions adapters/readers adapters/pytorch adapters/spandrel "
    "adapters/openvino adapters/onnx adapters/tensorflow adapters/lasagne batch",
    "training video dask testing web cli",
    FACE,
)


@dataclass(frozen=True, order=True)
class Import:
    """A module that imports another: at the top, or late, within a function."""

    source: str
    target: str
    late: bool = False


def modules(checkout: Path) -> dict[str, Path]:
    """The modules of srkit by their names."""
    found = {}
    for path in sorted((checkout / FACE).rglob("*.py")):
        parts = path.relative_to(checkout).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(checkout: Path) -> set[Import]:
    """All imports of a module of srkit by another, those for type checkers left out."""
    known = modules(checkout)
    found = set()
    for name, path in known.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for target, late in _imported(tree.body, known, late=False):
            if target != name:
                found.add(Import(name, target, late))
    return {one for one in found if not (one.late and Import(one.source, one.target) in found)}


def _imported(
    body: Iterable[ast.AST], known: Mapping[str, Path], *, late: bool
) -> Iterator[tuple[str, bool]]:
    for node in body:
        if isinstance(node, ast.Import):
            yield from ((one.name, late) for one in node.names if one.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module in known:
            for one in node.names:
                within = f"{node.module}.{one.name}"
                yield (within if within in known else node.module), late
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _imported(node.orelse, known, late=late)
        else:
            function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _imported(ast.iter_child_nodes(node), known, late=late or function)


def room(module: str) -> str:
    """The room of a module.

    >>> room("srkit.imaging.files.png"), room("srkit.adapters.onnx.files"), room("srkit")
    ('imaging', 'adapters/onnx', 'srkit')
    """
    parts = module.split(".")[1:]
    if parts[:1] == ["adapters"] and len(parts) > 1 and parts[1] not in ("classical", "conversion"):
        return f"adapters/{parts[1]}"
    return FACE if parts in ([], ["__main__"]) else parts[0]


def floor(name: str) -> int:
    """The floor of a room, by FLOORS."""
    for number, rooms in enumerate(FLOORS):
        if name in rooms.split():
            return number
    return len(FLOORS) - 2


def climbs(one: Import) -> bool:
    """Whether an import goes up a floor, as from the core to an adapter."""
    return floor(room(one.source)) < floor(room(one.target))


def circles(arrows: Iterable[tuple[str, str]]) -> set[frozenset[str]]:
    """The largest sets in which each reaches each other (Tarjan's algorithm)."""
    after: dict[str, list[str]] = {}
    for source, target in arrows:
        after.setdefault(source, []).append(target)
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found = set()

    def visit(one: str) -> None:
        order[one] = lowest[one] = len(order)
        stack.append(one)
        for other in sorted(after.get(one, ())):
            if other not in order:
                visit(other)
                lowest[one] = min(lowest[one], lowest[other])
            elif other in stack:
                lowest[one] = min(lowest[one], order[other])
        if lowest[one] == order[one]:
            place = stack.index(one)
            if len(stack) - place > 1:
                found.add(frozenset(stack[place:]))
            del stack[place:]

    for one in sorted(after):
        if one not in order:
            visit(one)
    return found


# --- the picture --------------------------------------------------------------------------

WIDTH, MARGIN, STEP, HEIGHT, GAP = 1500, 130, 128, 52, 18
SHADES = ("#5b6770", "#2f7d6d", "#1f77a4", "#5a58a8", "#9a6a1f", "#7a3f7d", "#333333")
UP = "#d62728"


@dataclass(frozen=True)
class Box:
    """A room on the paper."""

    name: str
    left: float
    top: float
    width: float
    lines: int

    @property
    def middle(self) -> float:
        return self.left + self.width / 2


def label(name: str) -> str:
    """How the picture calls a room."""
    return name.removeprefix("adapters/")


def between_rooms(found: Iterable[Import]) -> dict[tuple[str, str], int]:
    """How many imports there are from room to room."""
    counts: dict[tuple[str, str], int] = {}
    for one in found:
        pair = room(one.source), room(one.target)
        if pair[0] != pair[1]:
            counts[pair] = counts.get(pair, 0) + 1
    return counts


def lowest_floors(rooms: Iterable[str], arrows: Mapping[tuple[str, str], int]) -> dict[str, int]:
    """Floors for rooms of no plan: each above what it imports, but for the fewest imports."""
    left, order = set(rooms), []
    # From the top down: next is who is imported least, weighed against what it imports.
    while left:

        def weight(name: str) -> tuple[int, int, str]:
            onto = sum(n for (a, b), n in arrows.items() if b == name and a in left)
            down = sum(n for (a, b), n in arrows.items() if a == name and b in left)
            return (0 if not onto else 2 if not down else 1, onto - down, name)

        order.append(min(left, key=weight))
        left.remove(order[-1])
    place = {name: number for number, name in enumerate(order)}

    @cache
    def level(name: str) -> int:
        below = (b for a, b in arrows if a == name and place[b] > place[a])
        return 1 + max(map(level, below), default=-1)

    return {name: level(name) for name in order}


def boxes(
    lines: Mapping[str, int], floors: Mapping[str, int], arrows: Mapping[tuple[str, str], int]
) -> dict[str, Box]:
    """Places of the rooms: floors as rows, and in a row near what is imported."""
    top = max(floors.values())
    placed: dict[str, Box] = {}
    for number in range(top + 1):
        row = [name for name in lines if floors[name] == number]

        def near(name: str) -> float:
            below = [placed[b].middle for a, b in arrows if a == name and b in placed]
            return sum(below) / len(below) if below else 0.0

        row.sort(key=lambda name: (near(name), name))
        widths = [max(66, 8.6 * len(label(name)) + 18, (lines[name] / 22) ** 0.85) for name in row]
        room_left = WIDTH - MARGIN - 20 - sum(widths)
        gap = max(6, min(3 * GAP, room_left / (len(row) + 1)))
        scale = min(1, (WIDTH - MARGIN - 20 - gap * (len(row) + 1)) / sum(widths))
        left = MARGIN + (WIDTH - MARGIN - scale * sum(widths) - gap * (len(row) - 1)) / 2
        for name, width in zip(row, widths, strict=True):
            y = 60 + (top - number) * STEP
            placed[name] = Box(name, left, y, width * scale, lines[name])
            left += width * scale + gap
    return placed


def draw(checkout: Path, *, planned: bool) -> str:
    """The picture as SVG."""
    known = modules(checkout)
    lines: dict[str, int] = {}
    for name, path in known.items():
        count = len(path.read_text(encoding="utf-8").splitlines())
        lines[room(name)] = lines.get(room(name), 0) + count
    if "adapters" in lines and lines["adapters"] < 5:
        del lines["adapters"]
    found = imports(checkout)
    arrows = {pair: n for pair, n in between_rooms(found).items() if set(pair) <= set(lines)}
    floors = {name: floor(name) for name in lines} if planned else lowest_floors(lines, arrows)
    placed = boxes(lines, floors, arrows)
    up = {pair for pair in arrows if floors[pair[0]] < floors[pair[1]]}
    height = 60 + max(floors.values()) * STEP + HEIGHT + 12
    told = (
        f"{len(lines)} rooms on {max(floors.values()) + 1} floors, {len(arrows)} arrows, "
        f"{len(up)} of them up"
    )
    order = sorted(arrows, key=lambda pair: (pair in up, -abs(floors[pair[0]] - floors[pair[1]])))
    parts = [
        _head(height, told),
        *(_band(floors, number) for number in range(max(floors.values()) + 1)),
        *(_arrow(placed, floors, pair, arrows[pair], up=pair in up) for pair in order),
        *(_box(box, floors[box.name]) for box in placed.values()),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _head(height: float, told: str) -> str:
    marks = "".join(
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="{size}" '
        f'markerHeight="{size}" markerUnits="userSpaceOnUse" orient="auto">'
        f'<path d="M0 0.8 8 4 0 7.2z" fill="{colour}"/></marker>'
        for name, colour, size in [
            *((f"m{number}", shade, 8) for number, shade in enumerate(SHADES)),
            ("up", UP, 12),
        ]
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
        f'font-family="system-ui, sans-serif"><defs>{marks}</defs>\n'
        f'<rect width="{WIDTH}" height="{height:.0f}" fill="#ffffff"/>\n'
        f'<text x="20" y="32" font-size="20" fill="#222222">{escape(told)}</text>'
    )


def _band(floors: Mapping[str, int], number: int) -> str:
    y = 60 + (max(floors.values()) - number) * STEP
    return (
        f'<rect x="0" y="{y - 12}" width="{WIDTH}" height="{HEIGHT + 24}" fill="#f3f4f6"/>'
        f'<text x="20" y="{y + HEIGHT / 2 + 5}" font-size="15" fill="#8a9097">'
        f"{'ground' if number == 0 else f'floor {number}'}</text>"
    )


def _box(box: Box, number: int) -> str:
    shade = SHADES[number % len(SHADES)]
    if box.name == FACE:
        shape = (
            f'<path d="M{MARGIN} {box.top + HEIGHT} L{box.middle:.1f} {box.top - 10} '
            f'L{WIDTH - 20} {box.top + HEIGHT}z" fill="{shade}"/>'
        )
    else:
        shape = (
            f'<rect x="{box.left:.1f}" y="{box.top}" width="{box.width:.1f}" height="{HEIGHT}" '
            f'rx="6" fill="{shade}"/>'
        )
    return (
        f"<g><title>{escape(box.name)}: {box.lines} lines</title>{shape}"
        f'<text x="{box.middle:.1f}" y="{box.top + 24}" font-size="15" fill="#ffffff" '
        f'text-anchor="middle">{escape(label(box.name))}</text>'
        f'<text x="{box.middle:.1f}" y="{box.top + 41}" font-size="11" fill="#e3e5e8" '
        f'text-anchor="middle">{box.lines}</text></g>'
    )


def _arrow(
    placed: Mapping[str, Box], floors: Mapping[str, int], pair: tuple[str, str], n: int, *, up: bool
) -> str:
    """From the bottom of a room to the top of one below; along a floor over its roofs."""
    source, target = placed[pair[0]], placed[pair[1]]
    far = floors[pair[0]] - floors[pair[1]]
    shift = (target.middle - source.middle) / WIDTH
    x0 = source.middle + shift * source.width * 0.8
    x1 = target.middle - shift * target.width * 0.8
    if far == 0:
        y0 = y1 = source.top
        bend = y0 - 18 - 40 * abs(shift)
        path = f"M{x0:.1f} {y0} C{x0:.1f} {bend:.1f} {x1:.1f} {bend:.1f} {x1:.1f} {y1}"
    else:
        y0, y1 = (source.top, target.top + HEIGHT) if up else (source.top + HEIGHT, target.top)
        pull = (y1 - y0) * 0.45
        path = f"M{x0:.1f} {y0} C{x0:.1f} {y0 + pull:.1f} {x1:.1f} {y1 - pull:.1f} {x1:.1f} {y1}"
    mark = "up" if up else f"m{floors[pair[0]] % len(SHADES)}"
    colour = UP if up else SHADES[floors[pair[0]] % len(SHADES)]
    # What everybody uses is far below; it is there, and does not hide the rest.
    faint = 1.0 if up else 0.75 if far <= 1 else 0.5 if far == 2 else 0.28
    return (
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-opacity="{faint}" '
        f'stroke-width="{2.5 if up else min(3.0, 0.8 + n / 12):.1f}" marker-end="url(#{mark})">'
        f"<title>{escape(pair[0])} imports {escape(pair[1])}: {n} times</title></path>"
    )


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--checkout", type=Path, help="another checkout, of another plan")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "house.svg")
    args = parser.parse_args()
    picture = draw(args.checkout or ROOT, planned=args.checkout is None)
    args.out.write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
