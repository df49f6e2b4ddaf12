"""Quality against time as a picture: what `srkit bench --plot` draws."""

from __future__ import annotations

import math
from collections.abc import Sequence

from srkit.errors import OptionError
from srkit.evaluation.charts import Kind, Panel, Point, drawn, legend, picture
from srkit.evaluation.measures import MEASURES
from srkit.evaluation.results import Scores
from srkit.evaluation.rows import by_dataset

WIDTH, TOP, HEIGHT, GAP = 720, 92, 400, 74
_NETWORK = Kind("fidelity", "network")
_OTHER = Kind("interpolation", "others", square=True)


def plot(results: Sequence[Scores]) -> str:
    """The first metric against seconds for a megapixel as SVG, a panel for each dataset.

    Raises
    ------
    OptionError
        If a dataset has no model with a figure.

    Examples
    --------
    >>> from srkit.evaluation.costs import Costs
    >>> from srkit.evaluation.scores import Score
    >>> from srkit.metrics import STANDARD
    >>> rows = (Score("baby", 31.5, 0.875),)
    >>> svg = plot([Scores("mine", "Set1", 4, STANDARD, rows, Costs(0.5))])
    >>> "PSNR on Set1, x4, against seconds for a megapixel" in svg
    True
    """
    panels: list[str] = []
    kinds: dict[Kind, None] = {}
    sets = by_dataset(results)
    for number, group in enumerate(sets):
        panel, points = _panel(group, number)
        kinds |= dict.fromkeys(point.kind for point in points)
        panels += drawn(panel, points)
    height = TOP + len(sets) * (HEIGHT + GAP) - GAP + 30
    return picture(WIDTH, height, [*legend(list(kinds), 54, 30), *panels])


def _panel(results: Sequence[Scores], number: int) -> tuple[Panel, list[Point]]:
    measure = MEASURES[results[0].metrics[0]]
    points = [
        Point(
            result.model,
            # A clock that saw nothing pass is taken as a tenth of a millisecond.
            max(result.costs.seconds, 1e-4),
            value,
            _OTHER if result.costs.parameters is None else _NETWORK,
            f"{result.model}: {measure.heading} {measure.cell(value)}, "
            f"{result.costs.seconds:.3f} s/MP",
        )
        for result in results
        if (value := result.mean.figure(measure.name)) is not None and math.isfinite(value)
    ]
    if not points:
        raise OptionError(f"no model has a finite {measure.heading} on {results[0].dataset}")
    better = " (lower is better)" if measure.lower else ""
    first = results[0]
    title = f"{measure.heading} on {first.dataset}, x{first.scale}, against seconds for a megapixel"
    seconds = [point.x for point in points]
    values = [point.y for point in points]
    room = max(0.12 * (max(values) - min(values)), 10.0**-measure.digits)
    panel = Panel(
        title + better,
        top=TOP + number * (HEIGHT + GAP),
        x=(min(seconds) / 1.6, max(seconds) * 1.6),
        y=(min(values) - room, max(values) + room),
        height=HEIGHT,
    )
    return panel, points
