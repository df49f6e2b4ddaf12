"""Degradations of Real-ESRGAN: blur by many kernels, resizing by chance, shot noise.

Wang et al., "Real-ESRGAN", 2021 (arXiv:2107.10833), Section 3. As in
`srkit.training.data.degradations`, fields are ranges, and each picture draws its own strengths.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from srkit.training.data import kernels
from srkit.training.data.ranges import Range, around_one, odd, uniform

Floats = NDArray[np.float32]
Size = tuple[int, int]

# Fewest photons of white that are counted, where a picture has few levels.
LEAST = 64

FILTERS = {
    "nearest": PILImage.Resampling.NEAREST,
    "area": PILImage.Resampling.BOX,
    "bilinear": PILImage.Resampling.BILINEAR,
    "bicubic": PILImage.Resampling.BICUBIC,
    "lanczos": PILImage.Resampling.LANCZOS,
}


@dataclass(frozen=True)
class KernelBlur:
    """Blur by a small kernel, round or slanted.

    Attributes
    ----------
    shape
        ``"gaussian"``; ``"generalised"``, pointed or flat-topped; ``"plateau"``, with long
        tails.
    slanted
        Whether the kernel is stretched in a direction that is drawn, with two deviations.
    sigma
        Range of the deviations, in pixels of the picture as it is then.
    beta
        Range of the exponent of the two other shapes: see `srkit.training.data.kernels`.
        Half of the draws are below 1.
    side
        Range of the kernel's side, which is odd.
    """

    kind: Literal["kernel_blur"] = "kernel_blur"
    shape: Literal["gaussian", "generalised", "plateau"] = "gaussian"
    slanted: bool = False
    sigma: Range = (0.2, 3.0)
    beta: Range = (1.0, 2.0)
    side: tuple[int, int] = (7, 21)

    def apply(self, picture: Floats, size: Size, rng: np.random.Generator) -> Floats:
        """Blur ``(H, W, 3)``."""
        return kernels.filtered(picture, self.kernel(rng))

    def kernel(self, rng: np.random.Generator) -> kernels.Kernel:
        """A kernel drawn from the ranges."""
        side, first = odd(self.side, rng), uniform(self.sigma, rng)
        second, angle = first, 0.0
        if self.slanted:
            second, angle = uniform(self.sigma, rng), uniform((-np.pi, np.pi), rng)
        if self.shape == "gaussian":
            return kernels.gaussian(side, (first, second), angle)
        shape = kernels.generalised if self.shape == "generalised" else kernels.plateau
        return shape(side, (first, second), around_one(self.beta, rng), angle)


@dataclass(frozen=True)
class Sinc:
    """Cut high frequencies off, which leaves rings beside edges, as sharpening does.

    Attributes
    ----------
    cutoff
        Range of the highest frequency that is kept, in radians a pixel; π keeps all.
    side
        Range of the kernel's side, which is odd.
    """

    kind: Literal["sinc"] = "sinc"
    cutoff: Range = (np.pi / 3, np.pi)
    side: tuple[int, int] = (7, 21)

    def apply(self, picture: Floats, size: Size, rng: np.random.Generator) -> Floats:
        """Filter ``(H, W, 3)``."""
        kernel = kernels.sinc(odd(self.side, rng), uniform(self.cutoff, rng))
        return kernels.filtered(picture, kernel)


@dataclass(frozen=True)
class Resize:
    """Resize by a factor; a `Downsample` has to follow, which makes LR's size of any.

    Attributes
    ----------
    factor
        Range of the factor.
    of
        What the factor is of: ``"picture"`` as it is then, or ``"lr"``, the size that the
        LR picture will have.
    kernels
        One of them is drawn; Pillow's, by the names of `Downsample`.
    antialias
        Whether a picture that shrinks is averaged over all pixels, as programs for photos
        do; else bilinear and bicubic see 2x2 and 4x4 pixels, as PyTorch's, which made the
        published networks, do.
    """

    kind: Literal["resize"] = "resize"
    factor: Range = (0.5, 1.0)
    of: Literal["picture", "lr"] = "picture"
    kernels: tuple[Literal["area", "bilinear", "bicubic"], ...] = ("area", "bilinear", "bicubic")
    antialias: bool = True

    def apply(self, picture: Floats, size: Size, rng: np.random.Generator) -> Floats:
        """``(H, W, 3)`` to a size of its own, one pixel at least."""
        factor = uniform(self.factor, rng)
        kernel = self.kernels[int(rng.integers(len(self.kernels)))]
        height, width = size if self.of == "lr" else picture.shape[:2]
        reached = max(1, round(factor * height)), max(1, round(factor * width))
        if self.antialias or kernel == "area":
            return resized(picture, reached, kernel)
        return _interpolated(picture, reached, kernel)


@dataclass(frozen=True)
class Poisson:
    """Shot noise, which grows with the root of the light.

    White is counted as v photons, v the power of two from the number of distinct levels on;
    what the counts add to the picture is multiplied by a strength. Of few levels v is `LEAST`,
    else a plain crop would be seen by one photon.

    Attributes
    ----------
    strength
        Range of the factor.
    grey
        Chance that all channels get the noise of luma.
    """

    kind: Literal["poisson"] = "poisson"
    strength: Range = (0.05, 3.0)
    grey: float = 0.4

    def apply(self, picture: Floats, size: Size, rng: np.random.Generator) -> Floats:
        """Add noise to ``(H, W, 3)``."""
        from srkit.imaging.color import KB, KG, KR

        strength, grey = uniform(self.strength, rng), rng.random() < self.grey
        light: Floats = picture @ np.array([[KR], [KG], [KB]], np.float32) if grey else picture
        levels = np.clip(np.rint(light), 0, 255).astype(np.uint8)
        distinct = np.count_nonzero(np.bincount(levels.ravel(), minlength=256))
        white = max(LEAST, 2 ** math.ceil(math.log2(distinct)))
        noise = rng.poisson(levels * (white / 255)) * (255 / white) - levels
        noisy: Floats = picture + (strength * noise).astype(np.float32)
        return noisy


def resized(picture: Floats, size: Size, kernel: str) -> Floats:
    """``(H, W, 3)`` to ``(*size, 3)`` by Pillow, unrounded; `kernel` is a name in `FILTERS`."""
    height, width = size
    planes = [
        np.asarray(PILImage.fromarray(plane).resize((width, height), FILTERS[kernel]))
        for plane in np.moveaxis(picture, 2, 0)
    ]
    stacked: Floats = np.stack(planes, axis=2)
    return stacked


def _interpolated(picture: Floats, size: Size, kernel: str) -> Floats:
    import torch

    planes = torch.from_numpy(picture.transpose(2, 0, 1).copy())[None]
    sampled = torch.nn.functional.interpolate(planes, size, mode=kernel, align_corners=False)
    samples: Floats = sampled[0].permute(1, 2, 0).contiguous().numpy()
    return samples
