"""What `evaluate` gives: a model's figures on a dataset, and many of them as tables."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path
from typing import Any, TypeVar

from srkit.atomic import replacing
from srkit.errors import OptionError
from srkit.evaluation.costs import Costs
from srkit.evaluation.intervals import Interval, interval
from srkit.evaluation.measures import DEFAULT, MEASURES
from srkit.evaluation.provenance import Provenance
from srkit.evaluation.rows import as_csv
from srkit.evaluation.scores import Score, mean
from srkit.metrics import Protocol
from srkit.tables import html_table, markdown_table, text_table

R = TypeVar("R")


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
        Names of files of the folder that are no part of the figures.
    reasons
        Why each of those is not: it is damaged, of a wrong kind, or too small.
    provenance
        What it was measured with: versions, device, precision, weights. None of figures that were
        put together by hand.

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
    reasons: tuple[str, ...] = ()
    provenance: Provenance | None = None

    @property
    def mean(self) -> Score:
        """The mean of the images' figures; of each metric, of those that have a finite one.

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
            None of fewer than two images that have a finite figure.

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

    def differences(self, other: Scores) -> dict[str, Any]:
        """Mean and ends of `difference` by metric, as plain numbers; None where there is none.

        Examples
        --------
        >>> from srkit.metrics import STANDARD
        >>> def scores(*decibels):
        ...     rows = tuple(Score(str(n), one, 0.5) for n, one in enumerate(decibels))
        ...     return Scores("mine", "Set2", 4, STANDARD, rows, metrics=("psnr",))
        >>> scores(31.0, 26.0).differences(scores(30.0, 25.0))
        {'to': 'mine', 'psnr': {'mean': 1.0, 'low': 1.0, 'high': 1.0}}
        """
        found: dict[str, Any] = {"to": other.model}
        for name in self.metrics:
            one = self.difference(other, name)
            found[name] = one and {"mean": one.mean, "low": one.low, "high": one.high}
        return found

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
        >>> Scores("mine", "Set1", 4, STANDARD, rows).to_csv().splitlines()[1].rstrip(",")
        'mine,Set1,4,standard,baby,31.5,0.875'
        """
        return as_csv([self])

    def to_json(self) -> str:
        """The result of `as_dict` as JSON; null where a figure is missing or infinite.

        Which of the two, ``"without"`` tells: why, by metric and image.

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
            "reasons": list(self.reasons),
            "without": self._without(),
            "mean": self.mean.as_dict(),
            "intervals": {
                name: None if found is None else [found.low, found.high]
                for name in self.metrics
                for found in [self.interval(name)]
            },
            "costs": asdict(self.costs),
            "provenance": asdict(self.provenance) if self.provenance else None,
        }

    def _without(self) -> dict[str, dict[str, str]]:
        """By metric, the images that are no part of its mean, and why."""
        found: dict[str, dict[str, str]] = {}
        for name in self.metrics:
            for row in self.rows:
                if row.figure(name) is None:
                    found.setdefault(name, {})[row.name] = row.missing or "not measured"
                elif not math.isfinite(row.figure(name) or 0):
                    found.setdefault(name, {})[row.name] = "infinite: equal to the original"
        return found

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
