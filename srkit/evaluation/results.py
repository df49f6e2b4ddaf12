"""What `evaluate` gives: a model's figures on a dataset, and many of them as tables."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path
from typing import Any, TypeVar

from srkit.atomic import replacing
from srkit.errors import OptionError
from srkit.evaluation.costs import Costs
from srkit.evaluation.intervals import Interval, interval
from srkit.evaluation.measures import DEFAULT, MEASURES
from srkit.evaluation.scores import Score, mean
from srkit.metrics import Protocol
from srkit.tables import html_table, markdown_table, text_table

R = TypeVar("R")

_FIRST = ("model", "dataset", "scale", "protocol", "image", *DEFAULT)
_COSTS = ("seconds", "peak", "parameters", "multiply_adds")


@dataclass(frozen=True, repr=False)
class Scores:
    """A model's figures on a dataset, image by image and their mean.

    Attributes
    ----------
    model
        Name of the model.
    dataset
        Name of the folder, or ``"images"`` for a list of paths.
    scale
        Factor of both sides.
    protocol
        What the figures mean; its `name` and `description` belong beside them.
    rows
        One `Score` for each image, in the order of their names.
    costs
        What the model took: time, memory, parameters, multiplications.
    metrics
        Names of the metrics that tables show.
    left_out
        Names of files of the folder that are damaged, or no pictures to measure, and no part of
        the figures.

    Examples
    --------
    >>> from srkit.metrics import STANDARD
    >>> rows = (Score("baby", 31.778, 0.8567), Score("bird", 30.178, 0.8729))
    >>> scores = Scores("bicubic", "Set5", 4, STANDARD, rows)
    >>> scores
    bicubic x4 on Set5, protocol standard
    image    PSNR    SSIM  ST-LPIPS
    baby   31.778  0.8567         -
    bird   30.178  0.8729         -
    mean   30.978  0.8648         -
    >>> print(scores.to_markdown().splitlines()[-1])
    | mean | 30.978 | 0.8648 | - |
    """

    model: str
    dataset: str
    scale: int
    protocol: Protocol
    rows: tuple[Score, ...]
    costs: Costs = field(default_factory=Costs)
    metrics: tuple[str, ...] = DEFAULT
    left_out: tuple[str, ...] = ()

    @property
    def mean(self) -> Score:
        """The mean of the images' figures.

        Examples
        --------
        >>> from srkit.metrics import STANDARD
        >>> rows = (Score("baby", 32.0, 0.75), Score("bird", 30.0, 0.25))
        >>> Scores("mine", "Set2", 4, STANDARD, rows).mean.psnr
        31.0
        """
        return mean(self.rows)

    @property
    def missing(self) -> str | None:
        """Why figures are missing, or None where none is.

        Examples
        --------
        >>> from srkit.metrics import STANDARD
        >>> rows = (Score("dot", 32.0, 0.75, missing="the image is too small"),)
        >>> Scores("mine", "Set1", 4, STANDARD, rows).missing
        'the image is too small'
        """
        return self.mean.missing

    def interval(self, metric: str = "psnr") -> Interval | None:
        """Where the mean of a metric lies with 95 % confidence (Student's t over the images).

        Returns
        -------
        Interval or None
            None of fewer than two images, or where one has no figure or an infinite one.

        Examples
        --------
        >>> from srkit.metrics import STANDARD
        >>> rows = (Score("a", 30.0, 0.5), Score("b", 31.0, 0.5), Score("c", 32.0, 0.5))
        >>> round(Scores("mine", "Set3", 4, STANDARD, rows).interval("psnr").low, 3)
        28.516
        """
        return interval([row.figure(metric) for row in self.rows])

    def difference(self, other: Scores, metric: str = "psnr") -> Interval | None:
        """Mean of the differences to another model's figures, image by image.

        Images differ more from each other than models do, so this is much surer than the
        means are: where it does not hold 0, one model is better beyond chance.

        Parameters
        ----------
        other
            Of the same images, protocol and scale.

        Returns
        -------
        Interval or None
            Of this model's figure less the other's; None as of `interval`.

        Raises
        ------
        OptionError
            If these are not figures of the same images.

        Examples
        --------
        >>> from srkit.metrics import STANDARD
        >>> def scores(*decibels):
        ...     rows = tuple(Score(str(n), one, 0.5) for n, one in enumerate(decibels))
        ...     return Scores("mine", "Set3", 4, STANDARD, rows)
        >>> found = scores(31.0, 26.0, 35.5).difference(scores(30.0, 25.0, 34.5))
        >>> found.mean, found.half
        (1.0, 0.0)
        """
        mine, theirs = ([row.name for row in one.rows] for one in (self, other))
        if (mine, self.scale, self.protocol) != (theirs, other.scale, other.protocol):
            raise OptionError(
                f"{self.model} on {self.dataset} and {other.model} on {other.dataset} were not "
                "measured on the same images, by one protocol at one scale"
            )
        figures = [
            (row.figure(metric), to.figure(metric))
            for row, to in zip(self.rows, other.rows, strict=True)
        ]
        return interval([None if a is None or b is None else a - b for a, b in figures])

    def to_markdown(self) -> str:
        """A Markdown table of images and mean.

        Examples
        --------
        >>> from srkit.metrics import STANDARD
        >>> rows = (Score("baby", 31.5, 0.875, 0.25),)
        >>> print(Scores("mine", "Set1", 4, STANDARD, rows).to_markdown())
        | image | PSNR | SSIM | ST-LPIPS |
        |---|---:|---:|---:|
        | baby | 31.500 | 0.8750 | 0.2500 |
        | mean | 31.500 | 0.8750 | 0.2500 |
        """
        return markdown_table(self._cells(), self._align())

    def to_csv(self) -> str:
        """A text: a heading, a line for each image and one for the mean; see `as_csv`.

        Examples
        --------
        >>> from srkit.metrics import STANDARD
        >>> rows = (Score("baby", 31.5, 0.875),)
        >>> Scores("mine", "Set1", 4, STANDARD, rows).to_csv().splitlines()[1]
        'mine,Set1,4,standard,baby,31.5,0.875,,,,,'
        """
        return as_csv([self])

    def to_json(self) -> str:
        """The result of `as_dict` as JSON; null where a figure is missing or infinite.

        Examples
        --------
        >>> from srkit.metrics import STANDARD
        >>> rows = (Score("black", float("inf"), 1.0),)  # equal to its original
        >>> json.loads(Scores("mine", "Set1", 4, STANDARD, rows).to_json())["images"]
        [{'name': 'black', 'psnr': None, 'ssim': 1.0, 'st_lpips': None}]
        """
        return json.dumps(self.as_dict(), indent=2)

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, texts and numbers.

        Examples
        --------
        >>> from srkit.metrics import STANDARD
        >>> plain = Scores("mine", "Set1", 4, STANDARD, (Score("baby", 31.5, 0.875),)).as_dict()
        >>> plain["protocol"], plain["mean"]["psnr"]
        ('standard', 31.5)
        """
        return {
            "model": self.model,
            "dataset": self.dataset,
            "scale": self.scale,
            "protocol": self.protocol.name,
            "description": self.protocol.description,
            "images": [row.as_dict() for row in self.rows],
            "left_out": list(self.left_out),
            "mean": self.mean.as_dict(),
            "intervals": {
                name: None if found is None else [found.low, found.high]
                for name in self.metrics
                for found in [self.interval(name)]
            },
            "costs": asdict(self.costs),
        }

    def save(self, path: str | Path) -> None:
        """Write a file as its suffix says: .csv, .json or .md. It appears whole or not at all.

        Raises
        ------
        OptionError
            If the suffix is another.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> from srkit.metrics import STANDARD
        >>> path = Path(tempfile.mkdtemp()) / "table.md"
        >>> Scores("mine", "Set1", 4, STANDARD, (Score("baby", 31.5, 0.875),)).save(path)
        >>> path.read_text().splitlines()[0]
        '| image | PSNR | SSIM | ST-LPIPS |'
        """
        write_text(path, form_of(path, _FORMS)(self))

    def __iter__(self) -> Iterator[Score]:
        return iter(self.rows)

    def __getitem__(self, image: int | str) -> Score:
        """The figures of an image, by its place or its name."""
        if not isinstance(image, str):
            return self.rows[image]
        for row in self.rows:
            if row.name == image:
                return row
        names = ", ".join(row.name for row in self.rows)
        raise KeyError(f"no image is named {image!r}; there are {names}")

    def __len__(self) -> int:
        return len(self.rows)

    def _repr_html_(self) -> str:
        """The table of `repr`, for notebooks."""
        return f"<p>{escape(self._title())}</p>\n{html_table(self._cells())}"

    def _title(self) -> str:
        title = f"{self.model} x{self.scale} on {self.dataset}, protocol {self.protocol.name}"
        return f"{title}, without {', '.join(self.left_out)}" if self.left_out else title

    def _cells(self) -> list[list[str]]:
        body = [[row.name, *row.cells(self.metrics)] for row in (*self.rows, self.mean)]
        return [["image", *(MEASURES[name].heading for name in self.metrics)], *body]

    def _align(self) -> str:
        return "l" + "r" * len(self.metrics)

    def __repr__(self) -> str:
        return f"{self._title()}\n{text_table(self._cells(), self._align())}"


_FORMS: dict[str, Callable[[Scores], str]] = {
    ".csv": Scores.to_csv,
    ".json": Scores.to_json,
    ".md": Scores.to_markdown,
}


def form_of(path: str | Path, forms: Mapping[str, Callable[[R], str]]) -> Callable[[R], str]:
    """What makes the text of a file, by its suffix.

    Raises
    ------
    OptionError
        If none does.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in forms:
        raise OptionError(
            f"results are written as {', '.join(forms)}, by the suffix; not to {path}"
        )
    return forms[suffix]


def write_text(path: str | Path, text: str) -> None:
    """Write a text that ends with one line feed; the file appears whole or not at all."""
    with replacing(path) as file:
        file.write((text.rstrip("\n") + "\n").encode())


def as_rows(results: Iterable[Scores]) -> list[dict[str, Any]]:
    """A plain dict for each image and model, as tables of other programs take them.

    Examples
    --------
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

    Costs stand in the row of the mean: seconds a megapixel of results, bytes,
    parameters, multiplications for 1280x720.

    Examples
    --------
    >>> from srkit.metrics import STANDARD
    >>> scores = Scores("bicubic", "Set5", 4, STANDARD, (Score("baby", 31.5, 0.875),), Costs(0.5))
    >>> print(as_csv([scores]), end="")
    model,dataset,scale,protocol,image,psnr,ssim,st_lpips,seconds,peak,parameters,multiply_adds
    bicubic,Set5,4,standard,baby,31.5,0.875,,,,,
    bicubic,Set5,4,standard,mean,31.5,0.875,,0.5,,,
    """
    text, results = io.StringIO(), list(results)
    writer = csv.writer(text, lineterminator="\n")
    more = list(dict.fromkeys(n for one in results for n in one.metrics if n not in DEFAULT))
    writer.writerow([*_FIRST, *more, *_COSTS])
    for result in results:
        key = (result.model, result.dataset, result.scale, result.protocol.name)
        costs = asdict(result.costs).values()
        rows = [(row, [None] * len(costs)) for row in result.rows]
        for row, spent in (*rows, (result.mean, costs)):
            # A missing figure is an empty cell.
            figures = [row.figure(metric) for metric in (*DEFAULT, *more)]
            writer.writerow([*key, row.name, *figures, *spent])
    return text.getvalue()


def by_dataset(results: Iterable[Scores]) -> list[list[Scores]]:
    """Results that follow each other on one dataset, each model once.

    Examples
    --------
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
