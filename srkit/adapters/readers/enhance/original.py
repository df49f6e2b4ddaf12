"""The way in which the original program cuts an image, to the pixel.

It crops odd sizes, pads by reflection, runs overlapping squares and keeps their middles.
Where the network sees farther than the overlap, as for repair, seams remain; srkit's own
tiling has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from srkit.adapters.readers.enhance.config import Config
from srkit.errors import ImageError, OptionError

Floats = NDArray[np.float32]
Run = Callable[[Floats], Floats]

BINS = 64


@dataclass(frozen=True)
class OriginalTiling:
    """How the original cuts images.

    Attributes
    ----------
    config
        The network's shape.
    tile, overlap
        The options rendering-tile and rendering-overlap, in LR pixels.
    match_histograms
        The option rendering-histogram: give each channel the LR channel's distribution.
    """

    config: Config
    tile: int = 80
    overlap: int = 24
    match_histograms: bool = False

    def __post_init__(self) -> None:
        """Refuse squares that the network cannot take; raises OptionError."""
        for name, least in (("tile", 1), ("overlap", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise OptionError(f"{name} is a whole number of at least {least}, not {value!r}")
        multiple = self.config.multiple
        if self.tile % multiple or 2 * self.overlap % multiple:
            raise OptionError(
                f"this network takes sides that are multiples of {multiple}: so must tile and "
                f"twice overlap be, and they are {self.tile} and {self.overlap}"
            )

    def snap(self, image: NDArray[np.generic]) -> NDArray[np.generic]:
        """Crop ``(H, W, C)`` to sides that are multiples of what doubling and halving need.

        Raises
        ------
        ImageError
            If nothing is left.
        """
        block = 2 ** max(self.config.upscale, self.config.downscale)
        keep = []
        for side in image.shape[:2]:
            rest = side % block
            keep.append(slice(rest - rest // 2, side - rest // 2))
            if side < block:
                raise ImageError(f"an image has at least {block} pixels a side, not {side}")
        return image[keep[0], keep[1]]

    def upscale(self, run: Run, image: Floats) -> Floats:
        """Upscale a snapped image.

        Parameters
        ----------
        run
            The network on ``(1, H, W, 3)`` in [0, 1].
        image
            ``(H, W, 3)`` in [0, 1].

        Returns
        -------
        NDArray
            ``(s*H, s*W, 3)``, 0 to 255, rounded half up.
        """
        scale, margin = self.config.scale, self.config.scale * self.overlap
        height, width = image.shape[:2]
        result = np.empty((height * scale, width * scale, 3), np.float32)
        padded = np.pad(image, [(self.overlap, self.overlap)] * 2 + [(0, 0)], mode="reflect")
        for y, x in self._corners(height, width):
            window = padded[
                y : y + self.tile + 2 * self.overlap, x : x + self.tile + 2 * self.overlap
            ]
            made = run(np.ascontiguousarray(window[None]))[0]
            core = made[margin : made.shape[0] - margin, margin : made.shape[1] - margin]
            top, left = y * scale, x * scale
            result[top : top + core.shape[0], left : left + core.shape[1]] = core
        result = np.clip(result, 0, 1) * np.float32(255)
        if self.match_histograms:
            for channel in range(3):
                like = image[..., channel] * np.float32(255)
                result[..., channel] = matched(result[..., channel], like)
        rounded: Floats = np.floor(np.clip(result, 0, 255) + np.float32(0.5))
        return rounded

    def _corners(self, height: int, width: int) -> Iterator[tuple[int, int]]:
        for y in range(0, height, self.tile):
            for x in range(0, width, self.tile):
                yield y, x


def matched(values: Floats, like: Floats) -> Floats:
    """Values with the distribution of others, both 0 to 255."""
    rank, level = _distribution(values), _distribution(like)
    ranks = _line(values.ravel(), *rank)
    made = _line(ranks, level[1], level[0])
    return made.reshape(values.shape).astype(np.float32)


def _distribution(values: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Levels, and how much lies up to each, scaled to 255.

    As in the original, as many levels as bins are spread from end to end.
    """
    counts, _ = np.histogram(values, bins=BINS, range=(0, 255))
    below = counts.cumsum().astype(np.float64)
    return np.linspace(0, 255, BINS), below * (255 / below[-1])


def _line(
    x: NDArray[np.floating], xs: NDArray[np.float64], ys: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Linear interpolation that goes on beyond the ends."""
    place = np.clip(np.searchsorted(xs, x), 1, len(xs) - 1)
    low, high = xs[place - 1], xs[place]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(high > low, (x - low) / (high - low), 0.0)
    made: NDArray[np.float64] = ys[place - 1] + share * (ys[place] - ys[place - 1])
    return made
