"""`bench`: several models on several datasets, as tables, files and a plot."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from srkit.atomic import replacing
from srkit.errors import OptionError
from srkit.evaluation.benchmark import known_metrics, known_protocol, measured
from srkit.evaluation.dataset import open_dataset
from srkit.evaluation.footer import footer
from srkit.evaluation.labels import Models, apart, listed
from srkit.evaluation.plot import plot
from srkit.evaluation.report import Table, images, intervals, means
from srkit.evaluation.results import Scores, form_of, write_text
from srkit.evaluation.rows import as_csv, as_rows, by_dataset
from srkit.evaluation.scores import Model, ready, ready_together
from srkit.models.loading import card, list_models
from srkit.models.specs import split
from srkit.tables import latex_table, markdown_table, text_table
from srkit.upscaling.upscaler import Upscaler


@dataclass(frozen=True, repr=False)
class Benchmark:
    r"""Figures of several models on several datasets.

    Attributes
    ----------
    results
        A `Scores` for each dataset and model.

    Examples
    --------
    >>> from srkit.evaluation.scores import Score
    >>> from srkit.metrics import STANDARD
    >>> def scores(model, *decibels):
    ...     rows = [Score(str(n), one, 0.875) for n, one in enumerate(decibels)]
    ...     return Scores(model, "Set2", 4, STANDARD, tuple(rows), metrics=("psnr", "ssim"))
    >>> found = Benchmark((scores("old", 30.0, 31.0), scores("new", 30.5, 31.625)))
    >>> print(found.to_text().rpartition("\n\n")[0])
    data  model  scale    PSNR    SSIM   s/MP  peak MB  params  GMAC
    Set2  old    x4     30.500  0.8750  0.000        -       -     -
    Set2  new    x4     31.062  0.8750  0.000        -       -     -
    <BLANKLINE>
    mean ± 95 % interval (Student's t over the images), differences image by image
    data  model                PSNR              SSIM
    Set2  old        30.500 ± 6.353   0.8750 ± 0.0000
    Set2  new        31.062 ± 7.147   0.8750 ± 0.0000
    Set2  new - old  +0.562 ± 0.794  +0.0000 ± 0.0000
    """

    results: tuple[Scores, ...]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A dict for each image, model and dataset: ``pandas.DataFrame(found)`` is made of them.

        Examples
        --------
        >>> from srkit.evaluation.scores import Score
        >>> from srkit.metrics import STANDARD
        >>> row = Score("a", 30.0, 0.875)
        >>> found = Benchmark((Scores("old", "Set1", 4, STANDARD, (row,), metrics=("psnr",)),))
        >>> found.rows[0]["psnr"], [line["image"] for line in found]
        (30.0, ['a'])
        """
        return as_rows(self.results)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    def __len__(self) -> int:
        return sum(map(len, self.results))

    def to_text(self, *, by_image: bool = False) -> str:
        """The tables for a terminal; `by_image` adds a line for each image.

        Examples
        --------
        >>> from srkit.evaluation.scores import Score
        >>> from srkit.metrics import STANDARD
        >>> row = Score("a", 30.0, 0.875)
        >>> found = Benchmark((Scores("old", "Set1", 4, STANDARD, (row,)),))
        >>> print(found.to_text().splitlines()[0])
        data  model  scale    PSNR    SSIM  ST-LPIPS   s/MP  peak MB  params  GMAC
        """
        return self._told(text_table, by_image)

    def to_markdown(self, *, by_image: bool = False) -> str:
        """The same tables in Markdown.

        Examples
        --------
        >>> from srkit.evaluation.scores import Score
        >>> from srkit.metrics import STANDARD
        >>> row = Score("a", 30.0, 0.875)
        >>> found = Benchmark((Scores("old", "Set1", 4, STANDARD, (row,)),))
        >>> print(found.to_markdown().splitlines()[2])
        | Set1 | old | x4 | 30.000 | 0.8750 | - | 0.000 | - | - | - |
        """
        return self._told(markdown_table, by_image)

    def to_csv(self) -> str:
        """A line for each image and each mean; see `srkit.evaluation.rows.as_csv`.

        Examples
        --------
        >>> from srkit.evaluation.scores import Score
        >>> from srkit.metrics import STANDARD
        >>> row = Score("a", 30.0, 0.875)
        >>> found = Benchmark((Scores("old", "Set1", 4, STANDARD, (row,)),))
        >>> found.to_csv().splitlines()[1].rstrip(",")
        'old,Set1,4,standard,a,30.0,0.875'
        """
        return as_csv(self.results)

    def to_json(self) -> str:
        """A list of `Scores.as_dict`; from the second model on with its differences to the first.

        Examples
        --------
        >>> from srkit.evaluation.scores import Score
        >>> from srkit.metrics import STANDARD
        >>> row = Score("a", 30.0, 0.875)
        >>> found = Benchmark((Scores("old", "Set1", 4, STANDARD, (row,)),))
        >>> json.loads(found.to_json())[0]["mean"]["psnr"]
        30.0
        """
        plain = []
        for first, *others in by_dataset(self.results):
            plain.append(first.as_dict())
            plain += [{**one.as_dict(), "differences": one.differences(first)} for one in others]
        return json.dumps(plain, indent=2)

    def to_latex(self) -> str:
        r"""The table of means as a tabular of LaTeX, what belongs in its caption as comments.

        Examples
        --------
        >>> from srkit.evaluation.scores import Score
        >>> from srkit.metrics import STANDARD
        >>> row = Score("a", 30.0, 0.875)
        >>> found = Benchmark((Scores("old", "Set1", 4, STANDARD, (row,)),))
        >>> found.to_latex().splitlines()[4]
        'Set1 & old & x4 & 30.000 & 0.8750 & - & 0.000 & - & - & - \\\\'
        """
        notes = [f"% {line}" for line in footer(self.results)]
        return "\n".join([means(self.results, latex_table), *notes])

    def save(self, path: str | Path) -> None:
        """Write a file as its suffix says (.csv, .json, .md, .tex). It appears whole or not at all.

        Raises
        ------
        OptionError
            If the suffix is another.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> from srkit.evaluation.scores import Score
        >>> from srkit.metrics import STANDARD
        >>> row = Score("a", 30.0, 0.875)
        >>> found = Benchmark((Scores("old", "Set1", 4, STANDARD, (row,)),))
        >>> found.save(Path(tempfile.mkdtemp()) / "table.md")
        """
        write_text(path, written_as(path)(self))

    def plot(self, path: str | Path) -> None:
        """Draw the first metric against seconds as SVG, a panel for each dataset.

        Raises
        ------
        OptionError
            If the suffix is not .svg, or nothing has a figure.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> from srkit.evaluation.scores import Score
        >>> from srkit.metrics import STANDARD
        >>> row = Score("a", 30.0, 0.875)
        >>> found = Benchmark((Scores("old", "Set1", 4, STANDARD, (row,)),))
        >>> found.plot(Path(tempfile.mkdtemp()) / "plot.svg")
        """
        check_plot(path)
        drawing = plot(self.results)
        with replacing(path) as file:
            file.write(drawing.encode())

    def _told(self, table: Table, by_image: bool) -> str:
        parts = [means(self.results, table)]
        if any(len(result.rows) > 1 for result in self.results):
            parts.append(intervals(self.results, table))
        if by_image:
            parts.append(images(self.results, table))
        gap = "\n" if table is text_table else "\n\n"
        return "\n\n".join([*parts, gap.join(footer(self.results))])

    def __repr__(self) -> str:
        return self.to_text()


_FORMS: dict[str, Callable[[Benchmark], str]] = {
    ".csv": Benchmark.to_csv,
    ".json": Benchmark.to_json,
    ".md": lambda found: found.to_markdown(by_image=True),
    ".tex": Benchmark.to_latex,
}


def written_as(path: str | Path) -> Callable[[Benchmark], str]:
    """What writes a file of that suffix.

    Raises
    ------
    OptionError
        If there is none.
    """
    return form_of(path, _FORMS)


def check_plot(path: str | Path) -> None:
    """Refuse a plot that is no SVG file.

    Raises
    ------
    OptionError
    """
    if Path(path).suffix.lower() != ".svg":
        raise OptionError(f"plots are SVG files, such as plot.svg, not {path}")


def bench(
    models: Model | Models,
    datasets: str | Path | Sequence[str | Path],
    *,
    scale: int | None = None,
    protocol: str = "standard",
    metrics: str | Sequence[str] | None = None,
    device: str | None = None,
    progress: bool | Callable[[int, int], None] = False,
) -> Benchmark:
    """Measure models on datasets, as ``srkit bench`` does.

    Parameters
    ----------
    models
        One or several, each as `evaluate` takes it: names, files, loaded models, functions and
        torch modules of your own; or a dict of what tables call them, and each. Differences are
        taken to the first.
    datasets
        One or several folders, as `evaluate` takes them.
    scale
        Factor of both sides; one that all models have if left out.
    protocol, metrics, progress
        As in `evaluate`.
    device
        For networks that are loaded here, such as ``"cuda"``; interpolation stays on the CPU.

    Returns
    -------
    Benchmark
        Tables when it is shown; with `save` and `plot`.

    Raises
    ------
    OptionError, MissingDependencyError, ImageError, CorruptFileError, OSError, SrkitError
        As in `evaluate`.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from srkit import Image
    >>> folder = Path(tempfile.mkdtemp(prefix="set"))
    >>> ramp = np.add.outer(np.arange(48), np.arange(64)).astype(np.uint8)
    >>> Image(ramp).save(folder / "ramp.png")
    >>> def fours(tiles):
    ...     return tiles.repeat(2, axis=1).repeat(2, axis=2)
    >>> found = bench(["bicubic", fours], folder, scale=2, metrics=["psnr"])
    >>> [result.model for result in found.results]
    ['bicubic', 'fours']
    >>> found.save(folder / "table.md")
    """
    several = isinstance(models, list | tuple | Mapping)
    asked, labels = listed(cast(Models, models if several else [models]))
    # What is neither a folder nor several is refused where one is opened.
    one = isinstance(datasets, str) or not isinstance(datasets, Iterable)
    folders = [datasets] if one else list(cast(Iterable[str | Path], datasets))
    if not asked or not folders:
        raise OptionError("give at least one model and one folder")
    chosen, names = known_protocol(protocol), known_metrics(metrics)
    loaded = _loaded(asked, scale, device or "auto")
    found = [open_dataset(folder, loaded[0].scale) for folder in folders]
    named = list(zip(labels or apart(asked, loaded), loaded, strict=True))
    return Benchmark(
        tuple(
            measured(label, one, dataset, protocol=chosen, metrics=names, progress=progress)
            for dataset in found
            for label, one in named
        )
    )


def _loaded(models: Sequence[Model], scale: int | None, device: str) -> list[Upscaler]:
    """All models, before the first is measured."""
    if scale is None:
        scale = ready_together(models)[0].scale
    return [ready(one, scale, **({"device": device} if _anywhere(one) else {})) for one in models]


def _anywhere(model: Model) -> bool:
    """Whether a network is loaded here, on a device that is not its own.

    Interpolation is on the CPU alone, wherever networks are asked to run.
    """
    if not isinstance(model, str | Path):
        return False
    name, own = split(model)
    here = isinstance(name, str) and name in list_models() and card(name).framework == "numpy"
    return "device" not in own and not here
