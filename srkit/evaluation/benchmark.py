"""`evaluate`: a model's figures on a set of high-resolution images."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srkit.errors import CorruptFileError, ImageError, OptionError, SrkitError
from srkit.evaluation.costs import Stopwatch
from srkit.evaluation.dataset import Dataset, Pair, open_dataset
from srkit.evaluation.labels import label_of
from srkit.evaluation.measures import DEFAULT, asked_for, try_out
from srkit.evaluation.results import Scores
from srkit.evaluation.scores import Model, Score, ready, score
from srkit.imaging.files.reading import read_image
from srkit.metrics import PROTOCOLS, Protocol, mod_crop
from srkit.progress import Meter
from srkit.upscaling.upscaler import Upscaler

logger = logging.getLogger(__name__)


def evaluate(
    model: Model,
    dataset: str | Path | Sequence[str | Path],
    *,
    scale: int | None = None,
    protocol: str = "standard",
    metrics: str | Sequence[str] | None = None,
    progress: bool | Callable[[int, int], None] = False,
) -> Scores:
    """Measure a model on high-resolution images.

    Each image is cropped to a multiple of the scale, shrunk, upscaled by the model and
    compared with what it was.

    Parameters
    ----------
    model
        A name or weights file, as `srkit.load` takes it, or with options behind it, such as
        ``"srgan:perception=0.5"``; a loaded model; or a function or torch module of your own, as
        `srkit.wrap` takes it.
    dataset
        A folder of images, or of pairs in ``HR`` and ``LR``, or a list of paths; see
        `srkit.evaluation.dataset.open_dataset`. Grey images are scored as grey. A file of a folder
        that is damaged, or neither grey nor RGB, is left out, and told; one of a list is an error.
    scale
        Factor of both sides; the model's own if left out.
    protocol
        Name of one of `srkit.metrics.PROTOCOLS`.
    metrics
        Of ``psnr``, ``ssim``, ``ms_ssim``, ``st_lpips``, ``lpips``, ``dists``, ``niqe`` and
        ``brisque``. By default PSNR, SSIM and, where ``srkit[perceptual]`` is installed,
        ST-LPIPS; what is asked for must be installed.
    progress
        True shows a bar; a function is called with images done and images in all.

    Returns
    -------
    Scores
        For each image and in the mean, with intervals.

    Raises
    ------
    OptionError
        If the protocol or a metric is unknown, the dataset holds no image, or several models
        are given, which `srkit.bench` takes.
    MissingDependencyError
        If a metric that is asked for is not installed.
    ImageError, CorruptFileError, OSError
        If a file of a list cannot be read, or has alpha or CMYK colour; if none of a folder can
        be measured; or one is too small.
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
    if isinstance(model, list | tuple):
        raise OptionError("evaluate measures one model; srkit.bench(models, folders) takes several")
    chosen = known_protocol(protocol)
    names = known_metrics(metrics)
    upscaler = ready(model, scale)
    found, label = open_dataset(dataset, upscaler.scale), label_of(model, upscaler)
    return measured(label, upscaler, found, protocol=chosen, metrics=names, progress=progress)


def known_protocol(name: str) -> Protocol:
    """A protocol by its name, or an OptionError with near misses."""
    if (chosen := PROTOCOLS.get(name)) is None:
        near = difflib.get_close_matches(str(name), PROTOCOLS, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(PROTOCOLS)}"
        raise OptionError(f"no protocol is named {name!r}; {hint}")
    return chosen


def known_metrics(names: str | Sequence[str] | None) -> tuple[str, ...]:
    """Names of metrics as columns call them. Those that are asked for are tried out."""
    if names is None:
        return DEFAULT
    measures = asked_for([names] if isinstance(names, str) else names)
    try_out(measures)
    return tuple(one.name for one in measures)


def measured(
    label: str,
    upscaler: Upscaler,
    found: Dataset,
    *,
    protocol: Protocol,
    metrics: tuple[str, ...],
    progress: bool | Callable[[int, int], None],
) -> Scores:
    """What `evaluate` does when all is known and loaded."""
    scale = upscaler.scale
    if any(pair.lr for pair in found.pairs):
        protocol = protocol.with_given_lr()
    watch = Stopwatch()
    # What happens once, at the first call, is no part of a model's time.
    upscaler.upscale(np.zeros((8, 8), np.uint8))
    rows: list[Score] = []
    left_out: dict[str, SrkitError] = {}
    with Meter(progress, len(found.pairs), f"{label} x{scale} on {found.name}", "image") as advance:
        for pair in found.pairs:
            try:
                original = _pixels(pair.hr)
                small = None if pair.lr is None else _pixels(pair.lr)
            except (CorruptFileError, ImageError) as error:
                if found.listed:  # who names files means each of them
                    raise
                logger.warning("left out: %s", error)
                left_out[pair.hr.name] = error
            else:
                rows.append(_score(pair, original, small, upscaler, protocol, metrics, watch))
            advance(1)
    if not rows:
        raise next(iter(left_out.values()))
    costs = watch.costs(upscaler)
    return Scores(
        label, found.name, scale, protocol, tuple(rows), costs, metrics, left_out=tuple(left_out)
    )


def _score(
    pair: Pair,
    original: NDArray[Any],
    small: NDArray[Any] | None,
    upscaler: Upscaler,
    protocol: Protocol,
    metrics: tuple[str, ...],
    watch: Stopwatch,
) -> Score:
    scale, path = upscaler.scale, pair.hr
    try:
        reference = mod_crop(original, scale)
        if small is None:
            lr = protocol.low_resolution(reference, scale)
        else:
            path = pair.lr or path
            lr = _fitting(small, reference, scale)
        with watch.measure(reference.shape[0] * reference.shape[1]):
            upscaled = upscaler.upscale(lr)
        return score(
            pair.hr.stem, reference, upscaled, scale=scale, protocol=protocol, metrics=metrics
        )
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
