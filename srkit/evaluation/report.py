"""The tables of a benchmark: means, intervals and differences, and each image."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from srkit.evaluation import costs
from srkit.evaluation.intervals import Interval
from srkit.evaluation.measures import MEASURES
from srkit.evaluation.results import Scores
from srkit.evaluation.rows import by_dataset
from srkit.tables import Rows, text_table

Table = Callable[[Rows, str], str]


def means(results: Sequence[Scores], table: Table) -> str:
    """A line for each dataset and model: the mean of each metric, and the costs."""
    metrics = results[0].metrics
    body = [
        [
            result.dataset,
            result.model,
            f"x{result.scale}",
            *result.mean.cells(metrics),
            *result.costs.cells(),
        ]
        for result in results
    ]
    headings = [MEASURES[name].heading for name in metrics]
    align = "lll" + "r" * (len(metrics) + len(costs.HEADINGS))
    return table([["data", "model", "scale", *headings, *costs.HEADINGS], *body], align)


def intervals(results: Sequence[Scores], table: Table) -> str:
    """Means with their intervals, and differences to the first model on the same images."""
    metrics = results[0].metrics
    rows: list[list[str]] = []
    for first, *others in by_dataset(results):
        for result in (first, *others):
            cells = [_cell(metric, result.interval(metric)) for metric in metrics]
            rows.append([result.dataset, result.model, *cells])
        for result in others:
            cells = [_cell(metric, result.difference(first, metric), "+") for metric in metrics]
            rows.append([result.dataset, f"{result.model} - {first.model}", *cells])
    headings = [MEASURES[metric].heading for metric in metrics]
    told = "mean ± 95 % interval (Student's t over the images), differences image by image"
    gap = "\n" if table is text_table else "\n\n"
    return told + gap + table([["data", "model", *headings], *rows], "ll" + "r" * len(metrics))


def _cell(metric: str, found: Interval | None, sign: str = "") -> str:
    if found is None:
        return "-"
    digits = MEASURES[metric].digits
    return f"{found.mean:{sign}.{digits}f} ± {found.half:.{digits}f}"


def images(results: Sequence[Scores], table: Table) -> str:
    """A line for each dataset, model and image."""
    metrics = results[0].metrics
    rows = [
        [result.dataset, result.model, row.name, *row.cells(metrics)]
        for result in results
        for row in result.rows
    ]
    headings = [MEASURES[metric].heading for metric in metrics]
    return table([["data", "model", "image", *headings], *rows], "lll" + "r" * len(metrics))
