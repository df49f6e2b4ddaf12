"""Many results as rows: of CSV, and for tables of other programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from srkit.evaluation.measures import DEFAULT
from srkit.evaluation.provenance import Provenance
from srkit.evaluation.scores import Score

if TYPE_CHECKING:
    from srkit.evaluation.results import Scores

# Columns of CSV.
_FIRST = ("model", "dataset", "scale", "protocol")
_COSTS = ("seconds", "peak", "parameters", "multiply_adds")
_ENDS = ("low", "high", "gain", "gain_low", "gain_high")
_MADE_WITH = tuple(one.name for one in fields(Provenance))


def as_rows(results: Iterable[Scores]) -> list[dict[str, Any]]:
    """A plain dict for each image and model, as tables of other programs take them.

    Examples
    --------
    >>> from srkit.evaluation.results import Scores
    >>> from srkit.evaluation.scores import Score
    >>> from srkit.metrics import STANDARD
    >>> rows = (Score("baby", 31.5, 0.875),)
    >>> as_rows([Scores("bicubic", "Set5", 4, STANDARD, rows, metrics=("psnr", "ssim"))])
    [{'model': 'bicubic', 'dataset': 'Set5', 'scale': 4, 'protocol': 'standard', 'image': 'baby', \
'psnr': 31.5, 'ssim': 0.875}]
    """
    return [
        {
            "model": result.model,
            "dataset": result.dataset,
            "scale": result.scale,
            "protocol": result.protocol.name,
            "image": row.name,
            **{metric: row.figure(metric) for metric in result.metrics},
        }
        for result in results
        for row in result.rows
    ]


def as_csv(results: Iterable[Scores]) -> str:
    """Several results as one CSV table, means included, unrounded.

    What is of all images stands in the row of the mean: costs (seconds a megapixel of results,
    bytes, parameters, multiplications for 1280x720), the ends of each metric's 95 % interval,
    its mean difference to the dataset's first model with the ends of that one's, files that were
    left out, and what the model ran with.

    Examples
    --------
    >>> from srkit.evaluation.results import Scores
    >>> from srkit.evaluation.scores import Score
    >>> from srkit.metrics import STANDARD
    >>> from srkit.evaluation.costs import Costs
    >>> scores = Scores("bicubic", "Set5", 4, STANDARD, (Score("baby", 31.5, 0.875),), Costs(0.5))
    >>> image, mean = csv.DictReader(io.StringIO(as_csv([scores])))
    >>> image["psnr"], image["seconds"], mean["psnr"], mean["seconds"]
    ('31.5', '', '31.5', '0.5')
    """
    text, results = io.StringIO(), list(results)
    shown = list(dict.fromkeys((*DEFAULT, *(name for one in results for name in one.metrics))))
    lines: list[dict[str, Any]] = []
    for first, *others in by_dataset(results):
        for result in (first, *others):
            key = dict(zip(_FIRST, _key(result), strict=True))
            lines += [key | _figures(row, shown) for row in result.rows]
            lines.append(key | _figures(result.mean, shown) | _of_all(result, first, shown))
    ends = [f"{name}_{end}" for name in shown for end in _ENDS]
    columns = [*_FIRST, "image", *shown, *_COSTS, *ends, "left_out", *_MADE_WITH]
    # A missing figure is an empty cell.
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _key(result: Scores) -> tuple[str, str, int, str]:
    return result.model, result.dataset, result.scale, result.protocol.name


def _figures(row: Score, metrics: Iterable[str]) -> dict[str, Any]:
    return {"image": row.name, **{name: row.figure(name) for name in metrics}}


def _of_all(result: Scores, first: Scores, metrics: Iterable[str]) -> dict[str, Any]:
    """What a line of a mean has beyond that of an image."""
    cells: dict[str, Any] = asdict(result.costs)
    for name in metrics:
        if name in result.metrics and (found := result.interval(name)):
            cells |= {f"{name}_low": found.low, f"{name}_high": found.high}
        if result is not first and (gain := result.difference(first, name)):
            ends = (gain.mean, gain.low, gain.high)
            cells |= dict(zip((f"{name}_{end}" for end in _ENDS[2:]), ends, strict=True))
    made_with = asdict(result.provenance) if result.provenance else {}
    return {**cells, "left_out": " ".join(result.left_out), **made_with}


def by_dataset(results: Iterable[Scores]) -> list[list[Scores]]:
    """Results that follow each other on one dataset, each model once.

    Examples
    --------
    >>> from srkit.evaluation.results import Scores
    >>> from srkit.evaluation.scores import Score
    >>> from srkit.metrics import STANDARD
    >>> def of(model, dataset):
    ...     return Scores(model, dataset, 4, STANDARD, (Score("a", 30.0, 0.5),))
    >>> [len(one) for one in by_dataset([of("a", "Set5"), of("b", "Set5"), of("a", "Set14")])]
    [2, 1]
    """
    groups: list[list[Scores]] = []
    for result in results:
        last = groups[-1] if groups else []
        if not last or last[0].dataset != result.dataset or result.model in [r.model for r in last]:
            groups.append([])
        groups[-1].append(result)
    return groups
