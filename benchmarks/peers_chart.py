"""The picture of peers.py: CPU seconds against memory, a diagram for each size."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from srkit.evaluation import charts
from srkit.evaluation.charts import Kind, Panel, Point, drawn, legend

OWN = Kind("fidelity", "srkit")
OTHERS = Kind("looks", "others", square=True)
WIDTH, FIRST, HEIGHT, GAP = 720, 92, 260, 90


def picture(sizes: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """All sizes below each other, as SVG; what did not run is not drawn.

    Parameters
    ----------
    sizes
        Titles, and of each peer either its runs or why it has none.
    """
    parts = list(legend([OWN, OTHERS], 54, 30))
    for number, (title, rows) in enumerate(sizes):
        parts += _diagram(title, rows, FIRST + number * (HEIGHT + GAP))
    return charts.picture(WIDTH, FIRST + len(sizes) * (HEIGHT + GAP) - 30, parts)


def _diagram(title: str, rows: Mapping[str, Any], top: float) -> list[str]:
    points = []
    for peer, runs in rows.items():
        if isinstance(runs, str):
            continue
        seconds = statistics.median(run["cpu"] for run in runs)
        megabytes = statistics.median(run["bytes"] for run in runs) / 1e6
        kind = OWN if peer.startswith("srkit") else OTHERS
        told = f"{peer}: {seconds:.3g} CPU s, {megabytes:.0f} MB"
        points.append(Point(peer, seconds, megabytes, kind, told))
    if not points:
        return []
    panel = Panel(
        f"{title}: peak MB, against CPU seconds",
        top=top,
        x=(min(p.x for p in points) / 1.4, max(p.x for p in points) * 1.4),
        y=(0, 1.1 * max(p.y for p in points)),
        height=HEIGHT,
    )
    return list(drawn(panel, points))
