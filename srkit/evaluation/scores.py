"""What `srkit.evaluate` and `srkit.compare` share: ready models, and figures of one image."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from srkit.errors import ImageError, MissingDependencyError, OptionError
from srkit.evaluation.measures import DEFAULT, MEASURES, Case
from srkit.metrics import Protocol
from srkit.models.loading import load
from srkit.models.wrapping import wrap
from srkit.upscaling.upscaler import Upscaler

HEADINGS = tuple(MEASURES[name].heading for name in DEFAULT)
# What stands in their own fields.
_ALWAYS = ("psnr", "ssim")


@dataclass(frozen=True)
class Score:
    """How near one upscaled image is to its original.

    Attributes
    ----------
    name
        Of the image or of the model, or ``"mean"``.
    psnr
        In dB; infinite for equal images.
    ssim
        At most 1.
    st_lpips
        Perceptual distance (AlexNet), lower is better; None where it could not be
        computed.
    missing
        Why figures are missing, or None.
    more
        Figures of other metrics by name, None where one could not be computed.

    Examples
    --------
    >>> Score("baby", 31.778, 0.85671, 0.2969).cells()
    ['31.778', '0.8567', '0.2969']
    >>> Score("baby", 31.778, 0.85671, more={"niqe": 5.25}).cells(["psnr", "niqe"])
    ['31.778', '5.250']
    """

    name: str
    psnr: float
    ssim: float
    st_lpips: float | None = None
    missing: str | None = None
    more: Mapping[str, float | None] = field(default_factory=dict)

    def figure(self, metric: str) -> float | None:
        """The figure of a metric by name; None where it is missing.

        Examples
        --------
        >>> Score("baby", 31.5, 0.875).figure("psnr")
        31.5
        """
        own: Mapping[str, float | None] = {
            "psnr": self.psnr,
            "ssim": self.ssim,
            "st_lpips": self.st_lpips,
        }
        return own[metric] if metric in own else self.more.get(metric)

    def cells(self, metrics: Sequence[str] = DEFAULT) -> list[str]:
        """The figures as tables show them; ``-`` for one that is missing."""
        return [MEASURES[name].cell(self.figure(name)) for name in metrics]

    def as_dict(self) -> dict[str, Any]:
        """The figures for JSON: None for an infinite PSNR too, which JSON cannot hold."""
        finite = self.psnr if math.isfinite(self.psnr) else None
        first = {"name": self.name, "psnr": finite, "ssim": self.ssim, "st_lpips": self.st_lpips}
        return {**first, **self.more}


def score(
    name: str,
    reference: NDArray[Any],
    test: NDArray[Any],
    *,
    scale: int,
    protocol: Protocol,
    metrics: Sequence[str] = DEFAULT,
) -> Score:
    """Compare an upscaled image with its original by a protocol.

    Parameters
    ----------
    name
        Goes into the result.
    reference, test
        ``(H, W)`` or ``(H, W, 3)`` of one shape and depth, as `srkit.metrics` takes
        them.
    scale
        Decides how many border pixels are left out.
    metrics
        Names of `srkit.evaluation.measures.MEASURES`. PSNR and SSIM are always taken. One that
        cannot be taken of this image, or is not installed, is missing.

    Raises
    ------
    ImageError, OptionError
        As `psnr` and `ssim` raise them.

    Examples
    --------
    >>> from srkit.metrics import STANDARD
    >>> black = np.zeros((24, 24), np.uint8)
    >>> round(score("black", black, black + 1, scale=4, protocol=STANDARD).psnr, 4)
    48.1308
    """
    case = Case(reference, test, protocol, protocol.crop(scale))
    figures: dict[str, float | None] = {n: MEASURES[n].take(case) for n in _ALWAYS}
    missing: dict[str, None] = {}
    for metric in dict.fromkeys(metrics):
        if metric in _ALWAYS:
            continue
        try:
            figures[metric] = MEASURES[metric].take(case)
        except (MissingDependencyError, ImageError) as error:
            # PSNR and SSIM took the pair, so an ImageError says that it is too small or flat.
            figures[metric] = None
            missing[str(error)] = None
    return _made(name, figures, missing)


def mean(scores: Sequence[Score]) -> Score:
    """The mean of each figure over the images that have it, and where it is finite.

    A PSNR is infinite where all images equal their originals.

    Examples
    --------
    >>> mean([Score("a", 30.0, 0.5), Score("b", 40.0, 0.75)])
    Score(name='mean', psnr=35.0, ssim=0.625, st_lpips=None, missing=None, more={})
    """
    names = dict.fromkeys((*DEFAULT, *(name for one in scores for name in one.more)))
    figures: dict[str, float | None] = {}
    for name in names:
        known = [value for one in scores if (value := one.figure(name)) is not None]
        finite = [value for value in known if math.isfinite(value)]
        figures[name] = float(np.mean(finite or known)) if known else None
    return _made("mean", figures, dict.fromkeys(one.missing for one in scores if one.missing))


def _made(name: str, figures: dict[str, float | None], missing: Mapping[str, None]) -> Score:
    decibels, similarity = (cast(float, figures.pop(one)) for one in _ALWAYS)
    distance = figures.pop("st_lpips", None)
    return Score(name, decibels, similarity, distance, "; ".join(missing) or None, figures)


Model = str | Path | Upscaler | Callable[..., Any]


def ready(model: Model, scale: int | None = None, **options: Any) -> Upscaler:
    """A loaded model of that scale; of its own, where none is given.

    Parameters
    ----------
    model
        A name or file, as `srkit.load` takes it, a loaded model, or a function or torch module of
        your own, as `srkit.wrap` takes it.
    options
        Of `srkit.load`, where that loads it.

    Raises
    ------
    OptionError
        If a model that is loaded already has another scale, or of a function none is given.
    SrkitError
        As `srkit.load` and `srkit.wrap` raise them.

    Examples
    --------
    >>> ready("bicubic"), ready(load("bicubic", scale=3))
    (<srkit.Upscaler bicubic x4, numpy on cpu>, <srkit.Upscaler bicubic x3, numpy on cpu>)
    >>> ready(lambda tiles: tiles.repeat(2, axis=1).repeat(2, axis=2), 2).scale
    2
    """
    if isinstance(model, str | Path):
        return load(model, scale=scale, **options)
    if not isinstance(model, Upscaler):
        if scale is None:
            raise OptionError("by how much a function or module upscales is not known; give scale=")
        return wrap(model, scale)
    if scale is not None and model.scale != scale:
        # What was wrapped, or made by hand, has the scale that its author gave it.
        advice = f"load it with scale={scale}" if model.origin else f"leave scale={scale} out"
        raise OptionError(
            f"{model.card.name} {'was loaded for' if model.origin else 'is'} x{model.scale}, but "
            f"x{scale} is wanted; {advice}"
        )
    return model


def ready_together(models: Sequence[Model], scale: int | None = None) -> list[Upscaler]:
    """Loaded models of one scale.

    Where none is given, it is the first that all of them exist for, of those that they have by
    themselves: a loaded model or a weights file has one, a name its default.

    Raises
    ------
    OptionError
        If there is none, or a model that is loaded already has another than the given one.
    SrkitError
        As `srkit.load` raises them.

    Examples
    --------
    >>> ready_together(["bicubic", load("nearest", scale=3)])[0]
    <srkit.Upscaler bicubic x3, numpy on cpu>
    """
    if scale is not None:
        return [ready(model, scale) for model in models]
    found = [ready(model) for model in models]
    own = dict.fromkeys(one.scale for one in found)
    # What is loaded stays as it is; what srkit loads here can be loaded for another scale.
    on_offer = [
        (one.scale,) if isinstance(model, Upscaler) else one.card.scales
        for model, one in zip(models, found, strict=True)
    ]
    for shared in own:
        if all(shared in scales for scales in on_offer):
            pairs = zip(models, found, strict=True)
            return [one if one.scale == shared else ready(model, shared) for model, one in pairs]
    told = ", ".join(f"{one.card.name} x{one.scale}" for one in found)
    advice = "ask for them apart"
    if set.intersection(*map(set, on_offer)):
        advice = "give scale="
    elif common := set.intersection(*(set(one.card.scales) for one in found)):
        advice = f"load them for one, such as scale={min(common)}"
    raise OptionError(f"these models have no scale in common: {told}; {advice}")
