"""`evaluate`: a model's figures on a set of high-resolution images."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from srkit.errors import CorruptFileError, OptionError
from srkit.evaluation.dataset import Dataset, open_dataset
from srkit.evaluation.labels import label_of
from srkit.evaluation.measures import DEFAULT, asked_for, try_out
from srkit.evaluation.provenance import provenance_of
from srkit.evaluation.results import Scores
from srkit.evaluation.scores import Model, Score, ready
from srkit.evaluation.trial import Trial, UnfitError
from srkit.metrics import PROTOCOLS, Protocol
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
        `srkit.evaluation.dataset.open_dataset`. Grey images are scored as grey. A damaged file
        in a folder, one with alpha or CMYK colour, or one that is too small, is left out, and
        told; one of a list is an error.
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
        If a file cannot be read, or none of a folder can be measured.
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
    trial = Trial(upscaler, protocol, metrics)
    rows: list[Score] = []
    left_out: dict[str, tuple[Exception, str]] = {}
    with Meter(progress, len(found.pairs), f"{label} x{scale} on {found.name}", "image") as advance:
        for pair in found.pairs:
            try:
                rows.append(trial.score(pair))
            except (CorruptFileError, UnfitError) as error:
                unfit = error if isinstance(error, UnfitError) else None
                told = unfit.error if unfit else error
                if found.listed:  # who names files means each of them
                    raise told from error
                logger.warning("left out: %s", told)
                left_out[pair.hr.name] = told, unfit.reason if unfit else "damaged"
            advance(1)
    if not rows:
        raise next(iter(left_out.values()))[0]
    return Scores(
        label,
        found.name,
        scale,
        protocol,
        tuple(rows),
        trial.costs(),
        metrics,
        left_out=tuple(left_out),
        reasons=tuple(reason for _, reason in left_out.values()),
        provenance=provenance_of(upscaler),
    )
