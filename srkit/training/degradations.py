"""How an LR picture comes about: an ordered list of what happens to the HR one.

Each kind is a frozen dataclass whose fields are ranges; a strength is drawn uniformly
from the range for each picture. The model is y = JPEG(downsample(x * k) + n), of which
any part may be left out, repeated or moved (Wang, Chen, Hoi, "Deep Learning for Image
Super-resolution: A Survey", 2020, Section 2.1, equations 3 and 4).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from srkit.errors import OptionError
from srkit.imaging.resize import imresize

Floats = NDArray[np.float32]
Range = tuple[float, float]

_FILTERS = {
    "nearest": PILImage.Resampling.NEAREST,
    "area": PILImage.Resampling.BOX,
    "bilinear": PILImage.Resampling.BILINEAR,
    "bicubic": PILImage.Resampling.BICUBIC,
    "lanczos": PILImage.Resampling.LANCZOS,
}


@dataclass(frozen=True)
class Blur:
    """Gaussian blur.

    Attributes
    ----------
    sigma
        Range of the deviation, in pixels of the picture as it is then.
    """

    kind: Literal["blur"] = "blur"
    sigma: Range = (0.0, 2.0)

    def apply(self, picture: Floats, scale: int, rng: np.random.Generator) -> Floats:
        """Blur ``(H, W, 3)`` in [0, 255]."""
        from scipy import ndimage

        sigma = _draw(self.sigma, rng)
        if sigma <= 0:
            return picture
        blurred: Floats = ndimage.gaussian_filter(picture, (sigma, sigma, 0), mode="mirror")
        return blurred


@dataclass(frozen=True)
class Downsample:
    """Shrink by the scale.

    Attributes
    ----------
    kernel
        ``"matlab"`` is the antialiased bicubic of `srkit.imresize`, on which published
        figures rest. ``"nearest"``, ``"area"``, ``"bilinear"``, ``"bicubic"`` and
        ``"lanczos"`` are Pillow's, antialiased but for the first.
    """

    kind: Literal["downsample"] = "downsample"
    kernel: Literal["matlab", "nearest", "area", "bilinear", "bicubic", "lanczos"] = "matlab"

    def apply(self, picture: Floats, scale: int, rng: np.random.Generator) -> Floats:
        """``(H, W, 3)`` to ``(H/scale, W/scale, 3)``."""
        if self.kernel == "matlab":
            return imresize(picture, 1 / scale)
        size = picture.shape[1] // scale, picture.shape[0] // scale
        planes = [
            np.asarray(PILImage.fromarray(plane).resize(size, _FILTERS[self.kernel]))
            for plane in np.moveaxis(picture, 2, 0)
        ]
        return np.stack(planes, axis=2)


@dataclass(frozen=True)
class Noise:
    """Gaussian noise.

    Attributes
    ----------
    sigma
        Range of the deviation, in grey levels of 255.
    grey
        Chance that all channels get the same noise.
    """

    kind: Literal["noise"] = "noise"
    sigma: Range = (0.0, 10.0)
    grey: float = 0.4

    def apply(self, picture: Floats, scale: int, rng: np.random.Generator) -> Floats:
        """Add noise to ``(H, W, 3)``."""
        sigma, channels = _draw(self.sigma, rng), 1 if rng.random() < self.grey else 3
        noise = rng.standard_normal((*picture.shape[:2], channels), dtype=np.float32)
        return picture + np.float32(sigma) * noise


# Sides of JPEG's blocks where chroma is halved.
_GRID = 16


@dataclass(frozen=True)
class Jpeg:
    """JPEG, written and read again.

    Attributes
    ----------
    quality
        Range of libjpeg's quality, 1 to 100.
    halved
        Chance that chroma is halved (4:2:0); 4:4:4 otherwise.
    shifted
        Chance that the grid of blocks begins anywhere, as in photos that were cropped
        later; else at the corner.
    """

    kind: Literal["jpeg"] = "jpeg"
    quality: Range = (40.0, 95.0)
    halved: float = 0.7
    shifted: float = 0.0

    def apply(self, picture: Floats, scale: int, rng: np.random.Generator) -> Floats:
        """Compress ``(H, W, 3)``."""
        quality, halved = round(_draw(self.quality, rng)), rng.random() < self.halved
        y, x = rng.integers(_GRID, size=2) if rng.random() < self.shifted else (0, 0)
        levels = np.pad(_levels(picture), ((y, 0), (x, 0), (0, 0)), "symmetric")
        file = io.BytesIO()
        PILImage.fromarray(levels).save(
            file, "JPEG", quality=quality, subsampling=2 if halved else 0
        )
        return np.asarray(PILImage.open(file), np.float32)[y:, x:]


@dataclass(frozen=True)
class Shuffled:
    """Several degradations, in an order that is drawn for each picture.

    Attributes
    ----------
    steps
        The degradations.
    """

    steps: tuple[Blur | Downsample | Noise | Jpeg, ...] = ()
    kind: Literal["shuffled"] = "shuffled"

    def apply(self, picture: Floats, scale: int, rng: np.random.Generator) -> Floats:
        """Apply all of them, in some order."""
        for n in rng.permutation(len(self.steps)):
            picture = self.steps[n].apply(picture, scale, rng)
        return picture


Degradation = Blur | Downsample | Noise | Jpeg | Shuffled


def degrade(
    picture: NDArray[np.uint8],
    scale: int,
    degradations: Sequence[Degradation],
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """An LR picture made of an HR one.

    Parameters
    ----------
    picture
        ``(H, W, 3)``, uint8; both sides are multiples of `scale`.
    scale
        Factor between the two.
    degradations
        In their order; `Downsample` is among them once, or at x1 not at all.

    Returns
    -------
    NDArray
        ``(H/scale, W/scale, 3)``, uint8.

    Examples
    --------
    >>> photo = np.full((16, 16, 3), 100, np.uint8)
    >>> steps = (Blur(sigma=(1.0, 1.0)), Downsample("downsample", "area"), Jpeg())
    >>> degrade(photo, 4, steps, np.random.default_rng(0)).shape
    (4, 4, 3)
    """
    floats = picture.astype(np.float32)
    for step in degradations:
        floats = step.apply(floats, scale, rng)
    return _levels(floats)


def check(degradations: Sequence[Degradation]) -> None:
    """Refuse ranges that are none.

    Raises
    ------
    OptionError
    """
    flat = _flat(degradations)
    for part in flat:
        bounds = {Blur: (0, 50), Noise: (0, 255), Jpeg: (1, 100)}.get(type(part))
        given = getattr(part, "quality", getattr(part, "sigma", None))
        if bounds and given and not bounds[0] <= given[0] <= given[1] <= bounds[1]:
            raise OptionError(
                f"{part.kind} takes a range within {bounds[0]} to {bounds[1]}, not {given}"
            )
        for chance in (getattr(part, name, 0.0) for name in ("grey", "halved", "shifted")):
            if not 0 <= chance <= 1:
                raise OptionError(f"a chance of {part.kind} is from 0 to 1, not {chance}")


def check_shrinking(degradations: Sequence[Degradation], scale: int) -> None:
    """Refuse a list that does not shrink exactly once; at x1 it need not.

    Raises
    ------
    OptionError
    """
    shrinking = sum(isinstance(part, Downsample) for part in _flat(degradations))
    if degradations and shrinking != 1 and not (scale == 1 and shrinking == 0):
        raise OptionError("degradations need exactly one of kind 'downsample'")


def _flat(degradations: Sequence[Degradation]) -> list[Degradation]:
    return [
        part
        for step in degradations
        for part in (step.steps if isinstance(step, Shuffled) else (step,))
    ]


def _draw(limits: Range, rng: np.random.Generator) -> float:
    return float(rng.uniform(*limits))


def _levels(picture: Floats) -> NDArray[np.uint8]:
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)
