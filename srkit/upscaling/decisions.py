"""What a model decides for each picture, before it sees any part of it.

A model that has such options overrides `srkit.Upscaler.for_picture`. It is asked once a picture of
a batch, once a file, once a clip of video, once for all blocks and chunks of a Dask cluster; so all
parts of a picture are made alike.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, TypeVar, cast

import numpy as np

from srkit.imaging.image import Image
from srkit.imaging.jpeg_traces import estimate_jpeg_quality
from srkit.imaging.noise import Sliceable, bounds, estimate_noise
from srkit.imaging.planes import Planes
from srkit.imaging.sharpness import estimate_sharpness
from srkit.upscaling.findings import Findings
from srkit.upscaling.model import Model

log = logging.getLogger(__name__)

# What stands for an option that is decided.
AUTO = "auto"

M = TypeVar("M", bound=Model)
Decided = tuple[tuple[str, float], ...]

# Between these noise, in levels, is taken away more and more: below, it is fine grain at most, and
# above, people prefer to see none of it.
LEAST_NOISE, MOST_NOISE = 1.0, 5.0
# Between these qualities traces of JPEG are taken away more and more: above, there are none to see.
BEST_JPEG, WORST_JPEG = 95, 85
# Between these, pictures look soft: out of focus, or enlarged, with what noise and JPEG left
# enlarged as well, so that nothing else tells of them.
SHARP, SOFT = 0.65, 0.55
# Parts of the dial, so that pictures of about the same noise are upscaled by the same network.
STEPS = 20

_collected: ContextVar[list[Decided] | None] = ContextVar("collected", default=None)


def automatic_denoise(
    noise: float, jpeg_quality: int | None = None, sharpness: float | None = None
) -> float:
    """How much to denoise a picture: what ``denoise="auto"`` is.

    The largest of three shares, rounded to twentieths: of noise between 1 level, where it is 0, and
    5 levels, where it is 1; of JPEG's quality between 95, where it is 0, and 85, where it is 1; and
    of sharpness between 0.65, where it is 0, and 0.55, where it is 1. JPEG and softness have shares
    of their own, since both take away the very detail that noise is told by.

    Parameters
    ----------
    noise
        Deviation in levels of 255.
    jpeg_quality
        From 1 to 100, or None.
    sharpness
        See `srkit.imaging.sharpness.estimate_sharpness`.

    Returns
    -------
    float
        From 0, keep all, to 1, take all away.

    Examples
    --------
    >>> [automatic_denoise(noise) for noise in (0.3, 2, 4, 25)]
    [0.0, 0.25, 0.75, 1.0]
    >>> [automatic_denoise(0.3, quality) for quality in (98, 92, 90, 50)]
    [0.0, 0.3, 0.5, 1.0]
    >>> [automatic_denoise(0.3, sharpness=sharpness) for sharpness in (0.8, 0.625, 0.4)]
    [0.0, 0.25, 1.0]
    """
    share = (noise - LEAST_NOISE) / (MOST_NOISE - LEAST_NOISE)
    if jpeg_quality is not None:
        share = max(share, (BEST_JPEG - jpeg_quality) / (BEST_JPEG - WORST_JPEG))
    if sharpness is not None:
        share = max(share, (SHARP - sharpness) / (SHARP - SOFT))
    return round(min(1.0, max(0.0, share)) * STEPS) / STEPS


def decided(model: M, picture: Sliceable, top: float, jpeg_quality: int | None = None) -> M:
    """The model as it is for one picture; itself, where it has nothing to decide.

    What was decided is told in the log.

    Parameters
    ----------
    picture
        ``(H, W, C)``, of which a sample is looked at.
    top
        The value that stands for white.
    jpeg_quality
        Of the JPEG file that it is; by default what its pixels tell of one.
    """
    if not model.decides:
        return model
    sample = _ReadOnce(picture)
    if jpeg_quality is None:
        jpeg_quality, kind = estimate_jpeg_quality(sample, top), "once a JPEG"
    else:
        kind = "JPEG"
    noise, sharpness = estimate_noise(sample, top), estimate_sharpness(sample, top)
    findings = Findings(noise, jpeg_quality, sharpness)
    # A model decides for itself: an `Upscaler` gives an `Upscaler`.
    chosen = cast(M, model.for_picture(findings))
    values = ", ".join(f"{name}={value:g}" for name, value in chosen.decided)
    # Noise last: it is always told, and beside JPEG or softness seldom decides.
    jpeg = "" if jpeg_quality is None else f"{kind} of quality {jpeg_quality}, "
    soft = "soft, " if sharpness is not None and sharpness < SHARP else ""
    log.info("%s: %s (%s%snoise of %.1f levels)", model.card.name, values, jpeg, soft, noise)
    if (gathered := _collected.get()) is not None:
        gathered.append(chosen.decided)
    return chosen


class _ReadOnce:
    """A picture whose parts are read once, however many look at them."""

    def __init__(self, picture: Sliceable) -> None:
        self.shape, self.dtype = picture.shape, picture.dtype
        self._picture = picture
        self._parts: dict[tuple[int, ...], Any] = {}

    def __getitem__(self, part: tuple[slice, slice], /) -> Any:
        key = bounds(part)
        if key not in self._parts:
            self._parts[key] = self._picture[part]
        return self._parts[key]


def each_decided(model: M, planes: Planes) -> list[tuple[M, Planes]]:
    """The pictures of a batch, each with the model as it is for it.

    All of them together, where the model has nothing to decide. What they become is put together
    by `together`.
    """
    if not model.decides:
        return [(model, planes)]
    models = [decided(model, one, planes.top, planes.jpeg_quality) for one in planes.colour]
    if len(models) == 1:
        return [(models[0], _noting(planes, models[0].decided))]
    return list(zip(models, _apart(planes), strict=True))


def together(planes: Planes, results: Sequence[Any]) -> Any:
    """What the parts of `each_decided` became, as one of the kind that was given."""
    if len(results) == 1:
        return results[0]
    colour = np.concatenate([part for part, _ in results])
    alpha = None if planes.alpha is None else np.concatenate([part for _, part in results])
    return planes.rebuild(colour, alpha)


def _noting(planes: Planes, decided: Decided) -> Planes:
    """Planes of which an `Image` is made that tells what was decided for it."""

    def rebuild(*parts: Any) -> Any:
        result = planes.rebuild(*parts)
        if isinstance(result, Image):
            return replace(result, metadata=replace(result.metadata, decided=decided))
        return result

    return replace(planes, rebuild=rebuild)


def _apart(planes: Planes) -> Iterator[Planes]:
    """The pictures of a batch, which come back as colour and alpha."""
    for number in range(len(planes.colour)):
        one = slice(number, number + 1)
        alpha = None if planes.alpha is None else planes.alpha[one]
        yield replace(planes, colour=planes.colour[one], alpha=alpha, rebuild=lambda *parts: parts)


@contextmanager
def collecting() -> Iterator[list[Decided]]:
    """Gather what is decided within the block, once for each picture.

    Examples
    --------
    >>> with collecting() as decisions:
    ...     pass
    >>> decisions
    []
    """
    decisions: list[Decided] = []
    token = _collected.set(decisions)
    try:
        yield decisions
    finally:
        _collected.reset(token)
