"""What `srkit.evaluate` and `srkit.compare` share: ready models, and figures of one image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srkit.errors import ImageError, MissingDependencyError, OptionError
from srkit.metrics import Protocol, psnr, ssim, st_lpips
from srkit.models.loading import load
from srkit.upscaling.upscaler import Upscaler

HEADINGS = ("PSNR", "SSIM", "ST-LPIPS")


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
        Why `st_lpips` is None.

    Examples
    --------
    >>> Score("baby", 31.778, 0.85671, 0.2969).cells()
    ['31.778', '0.8567', '0.2969']
    """

    name: str
    psnr: float
    ssim: float
    st_lpips: float | None = None
    missing: str | None = None

    def cells(self) -> list[str]:
        """The figures as tables show them; ``-`` for one that is missing."""
        distance = "-" if self.st_lpips is None else f"{self.st_lpips:.4f}"
        return [f"{self.psnr:.3f}", f"{self.ssim:.4f}", distance]

    def as_dict(self) -> dict[str, Any]:
        """The figures for JSON: None for an infinite PSNR too, which JSON cannot hold."""
        finite = self.psnr if math.isfinite(self.psnr) else None
        return {"name": self.name, "psnr": finite, "ssim": self.ssim, "st_lpips": self.st_lpips}


def score(
    name: str,
    reference: NDArray[Any],
    test: NDArray[Any],
    *,
    scale: int,
    protocol: Protocol,
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
    crop = protocol.crop(scale)
    planes = protocol.plane(reference), protocol.plane(test)
    decibels = psnr(*planes, channel=protocol.channel, crop=crop)
    similarity = ssim(*planes, channel=protocol.channel, crop=crop, window=protocol.window)
    try:
        distance = st_lpips(reference, test, crop=crop)
    except (MissingDependencyError, ImageError) as error:
        # PSNR and SSIM took the pair, so an ImageError says it is too small for the network.
        return Score(name, decibels, similarity, None, str(error))
    return Score(name, decibels, similarity, distance)


def mean(scores: Sequence[Score]) -> Score:
    """The mean of each figure; of ST-LPIPS only where all have it.

    Examples
    --------
    >>> mean([Score("a", 30.0, 0.5), Score("b", 40.0, 0.75)])
    Score(name='mean', psnr=35.0, ssim=0.625, st_lpips=None, missing=None)
    """
    distances = [s.st_lpips for s in scores if s.st_lpips is not None]
    whole = len(distances) == len(scores)
    return Score(
        "mean",
        float(np.mean([s.psnr for s in scores])),
        float(np.mean([s.ssim for s in scores])),
        float(np.mean(distances)) if whole else None,
        next((s.missing for s in scores if s.missing), None),
    )


def ready(model: str | Path | Upscaler, scale: int | None = None) -> Upscaler:
    """A loaded model of that scale; of its own, where none is given.

    Raises
    ------
    OptionError
        If a model that is loaded already has another scale.
    SrkitError
        As `srkit.load` raises them.

    Examples
    --------
    >>> ready("bicubic"), ready(load("bicubic", scale=3))
    (<srkit.Upscaler bicubic x4, numpy on cpu>, <srkit.Upscaler bicubic x3, numpy on cpu>)
    """
    if not isinstance(model, Upscaler):
        return load(model, scale=scale)
    if scale is not None and model.scale != scale:
        # What was wrapped, or made by hand, has the scale that its author gave it.
        advice = f"load it with scale={scale}" if model.origin else f"leave scale={scale} out"
        raise OptionError(
            f"{model.card.name} {'was loaded for' if model.origin else 'is'} x{model.scale}, but "
            f"x{scale} is wanted; {advice}"
        )
    return model


def ready_together(
    models: Sequence[str | Path | Upscaler], scale: int | None = None
) -> list[Upscaler]:
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
    raise OptionError(f"these models have no scale in common: {told}; give scale=")
