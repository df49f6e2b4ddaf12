"""`evaluate`: a model's figures on a set of high-resolution images."""

from __future__ import annotations

import csv
import difflib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srkit.errors import ImageError, OptionError
from srkit.evaluation.costs import Costs, Stopwatch
from srkit.evaluation.dataset import Pair, open_dataset
from srkit.evaluation.scores import HEADINGS, Score, mean, ready, score
from srkit.imaging.files.reading import read_image
from srkit.metrics import PROTOCOLS, Protocol, mod_crop
from srkit.tables import markdown_table, text_table
from srkit.upscaling.upscaler import Upscaler

_COLUMNS = (
    *("model", "dataset", "scale", "protocol", "image", "psnr", "ssim", "st_lpips"),
    *("seconds", "peak", "parameters", "multiply_adds"),
)


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
        """Why ST-LPIPS is missing, or None where it is not.

        Examples
        --------
        >>> from srkit.metrics import STANDARD
        >>> rows = (Score("dot", 32.0, 0.75, missing="the image is too small"),)
        >>> Scores("mine", "Set1", 4, STANDARD, rows).missing
        'the image is too small'
        """
        return self.mean.missing

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
        return markdown_table(self._cells(), "lrrr")

    def to_csv(self) -> str:
        """A heading, a line for each image and one for the mean; see `as_csv`.

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
            "mean": self.mean.as_dict(),
            "costs": asdict(self.costs),
        }

    def _cells(self) -> list[list[str]]:
        body = [[row.name, *row.cells()] for row in (*self.rows, self.mean)]
        return [["image", *HEADINGS], *body]

    def __repr__(self) -> str:
        title = f"{self.model} x{self.scale} on {self.dataset}, protocol {self.protocol.name}"
        return f"{title}\n{text_table(self._cells(), 'lrrr')}"


def evaluate(
    model: str | Path | Upscaler,
    dataset: str | Path | Sequence[str | Path],
    *,
    scale: int | None = None,
    protocol: str = "standard",
    progress: bool = False,
) -> Scores:
    """Measure a model on high-resolution images.

    Each image is cropped to a multiple of the scale, shrunk, upscaled by the model and
    compared with what it was.

    Parameters
    ----------
    model
        A name or weights file, as `srkit.load` takes it, or a loaded model.
    dataset
        A folder of images, or of pairs in ``HR`` and ``LR``, or a list of paths; see
        `srkit.evaluation.dataset.open_dataset`. Grey images are scored as grey.
    scale
        Factor of both sides; the model's own if left out.
    protocol
        Name of one of `srkit.metrics.PROTOCOLS`.
    progress
        Show a bar.

    Returns
    -------
    Scores
        PSNR, SSIM and, where ``srkit[perceptual]`` is installed, ST-LPIPS (AlexNet,
        on RGB), for each image and in the mean.

    Raises
    ------
    OptionError
        If the protocol is unknown, or the dataset holds no image.
    ImageError, CorruptFileError, OSError
        If a file cannot be read, has alpha or CMYK colour, or is too small.
    SrkitError
        As `srkit.load` raises them.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from srkit import Image
    >>> folder = Path(tempfile.mkdtemp(prefix="set"))
    >>> ramp = np.add.outer(np.arange(48), np.arange(64)).astype(np.uint8)
    >>> Image(ramp).save(folder / "ramp.png")
    >>> evaluate("bicubic", folder, scale=2).mean.psnr > evaluate(
    ...     "nearest", folder, scale=2).mean.psnr
    True
    """
    if (chosen := PROTOCOLS.get(protocol)) is None:
        near = difflib.get_close_matches(str(protocol), PROTOCOLS, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(PROTOCOLS)}"
        raise OptionError(f"no protocol is named {protocol!r}; {hint}")
    upscaler = ready(model, scale)
    scale = upscaler.scale
    found = open_dataset(dataset, scale)
    if any(pair.lr for pair in found.pairs):
        chosen = chosen.with_given_lr()
    name, watch = found.name, Stopwatch()
    # What happens once, at the first call, is no part of a model's time.
    upscaler.upscale(np.zeros((8, 8), np.uint8))
    label = f"{upscaler.card.name} x{scale} on {name}"
    from tqdm import tqdm

    # disable=None: no bar where stderr is not a terminal.
    bar = tqdm(found.pairs, desc=label, unit="image", disable=None if progress else True)
    rows = tuple(_score(pair, upscaler, scale, chosen, watch) for pair in bar)
    return Scores(upscaler.card.name, name, scale, chosen, rows, watch.costs(upscaler))


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
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for result in results:
        key = (result.model, result.dataset, result.scale, result.protocol.name)
        costs = asdict(result.costs).values()
        rows = [(row, [None] * len(costs)) for row in result.rows]
        for row, spent in (*rows, (result.mean, costs)):
            # A missing figure is an empty cell.
            writer.writerow([*key, row.name, row.psnr, row.ssim, row.st_lpips, *spent])
    return text.getvalue()


def _score(
    pair: Pair, upscaler: Upscaler, scale: int, protocol: Protocol, watch: Stopwatch
) -> Score:
    original, path = _pixels(pair.hr), pair.hr
    try:
        reference = mod_crop(original, scale)
        if pair.lr is None:
            lr = protocol.low_resolution(reference, scale)
        else:
            path = pair.lr
            lr = _fitting(_pixels(pair.lr), reference, scale)
        with watch.measure(reference.shape[0] * reference.shape[1]):
            upscaled = upscaler.upscale(lr)
        return score(pair.hr.stem, reference, upscaled, scale=scale, protocol=protocol)
    except (ImageError, OptionError) as error:
        raise type(error)(f"{path}: {error}") from error


def _pixels(path: Path) -> NDArray[Any]:
    image = read_image(path)
    if image.metadata.mode not in ("L", "RGB"):
        raise ImageError(
            f"{path} is {image.metadata.mode}; benchmarks take grey and RGB images, "
            "so convert it or leave it out"
        )
    return image.pixels


def _fitting(lr: NDArray[Any], reference: NDArray[Any], scale: int) -> NDArray[Any]:
    """An LR image that has the size it must have for its original."""
    wanted = tuple(n // scale for n in reference.shape[:2])
    if lr.shape[:2] != wanted or lr.ndim != reference.ndim or lr.dtype != reference.dtype:
        raise ImageError(
            f"this LR image is {lr.dtype} of shape {lr.shape}, where the original, "
            f"{reference.dtype} of shape {reference.shape}, wants {wanted} at x{scale}"
        )
    return lr
