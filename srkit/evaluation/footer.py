"""What stands below the tables of a benchmark: what was measured, how, with what, and what not."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from srkit.evaluation.measures import MEASURES
from srkit.evaluation.results import Scores

_COSTS = (
    "s/MP: seconds for a megapixel of results; peak MB: of main memory, on the largest image; "
    "GMAC: multiplications for 1280x720, in 10^9, of a transposed convolution at its input's size"
)
_MOST = 5  # names in a line


def footer(results: Sequence[Scores]) -> list[str]:
    r"""Lines that a table needs to be understood, and what its figures leave out.

    Examples
    --------
    >>> from srkit.evaluation.scores import Score
    >>> from srkit.metrics import STANDARD
    >>> rows = (Score("a", 30.0, 0.5), Score("white", math.inf, 1.0))
    >>> scores = Scores("mine", "Set2", 4, STANDARD, rows, metrics=("psnr",))
    >>> print("\n".join(footer([scores])[1:]))
    PSNR: in dB, higher is better
    Set2: white equals its original by mine, so its PSNR is infinite and in no mean
    """
    protocols = dict.fromkeys(result.protocol for result in results)
    lines = [f"{one.name}: {one.description}" for one in protocols]
    lines += [f"{MEASURES[name].heading}: {MEASURES[name].told}" for name in results[0].metrics]
    if made := _made_with(results):
        lines += [_COSTS, made]
    return [*lines, *dict.fromkeys(_left_out(results)), *_infinite(results), *_missing(results)]


def _made_with(results: Sequence[Scores]) -> str:
    found = {one.model: one.provenance for one in results if one.provenance}
    if not found:
        return ""
    models = "; ".join(one.told(model) for model, one in found.items())
    return f"srkit {next(iter(found.values())).srkit}: {models}"


def _left_out(results: Sequence[Scores]) -> Iterator[str]:
    for result in results:
        files: dict[str, list[str]] = {}
        reasons = result.reasons or ("damaged",) * len(result.left_out)
        for name, reason in zip(result.left_out, reasons, strict=True):
            files.setdefault(reason, []).append(name)
        for reason, names in files.items():
            yield f"{result.dataset} without {_listed(names)}: {reason}"


def _infinite(results: Sequence[Scores]) -> list[str]:
    models: dict[tuple[str, str], list[str]] = {}
    for result in results:
        if names := [row.name for row in result.rows if math.isinf(row.psnr)]:
            models.setdefault((result.dataset, _listed(names)), []).append(result.model)
    return [
        f"{dataset}: {names} equals its original by {', '.join(by)}, so its PSNR is infinite and "
        "in no mean"
        for (dataset, names), by in models.items()
        if "psnr" in results[0].metrics
    ]


def _missing(results: Sequence[Scores]) -> list[str]:
    """Metrics without a figure: of all images of a dataset, or of those that are named."""
    images: dict[tuple[str, str], dict[str, str]] = {}
    everywhere: dict[str, list[str]] = {}
    for result in results:
        for name in result.metrics:
            heading = MEASURES[name].heading
            lacking = {row.name: row for row in result.rows if row.figure(name) is None}
            reasons = [row.missing or "" for row in lacking.values()]
            if lacking and len(lacking) == len(result.rows):
                everywhere.setdefault(reasons[0], []).append(heading)
            elif lacking:
                found = images.setdefault((result.dataset, _listed(list(lacking))), {})
                found[heading] = reasons[0]
    told = [
        f"{dataset}: {names} without {', '.join(found)}: {'; '.join(dict.fromkeys(found.values()))}"
        for (dataset, names), found in images.items()
    ]
    return told + [
        f"without {', '.join(dict.fromkeys(headings))}: {reason}"
        for reason, headings in everywhere.items()
    ]


def _listed(names: Sequence[str]) -> str:
    """The first names of a list.

    Examples
    --------
    >>> _listed("abcdefg")
    'a, b, c, d, e and 2 more'
    """
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more
