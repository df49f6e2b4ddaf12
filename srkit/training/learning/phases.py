"""A loss on patterns that repeat with the pixel shuffle.

A pixel shuffle lays the channels of each position out as a square of pixels. Nothing makes them
agree with each other: losses on features bear a faint pattern of dots that repeats from square to
square, and the eye sees it on skin and sky as a grid (Odena, Dumoulin, Olah, "Deconvolution and
Checkerboard Artifacts", Distill, 2016, on where such patterns come from).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from srkit.errors import OptionError


@dataclass(frozen=True)
class Phases:
    """How much the mean error differs between the pixels of a square.

    Mean absolute difference between the mean error at each place of a square of `period` pixels
    and the mean of all places, within windows of `window` squares a side that overlap by half. It
    is 0 for what is right on average, however soft, and for an error that is even.

    Attributes
    ----------
    period
        Side of the squares: the scale, where a pixel shuffle is the last step, times a compact
        network's unshuffle. The default is for x4, or x2 with unshuffle=2.
    window
        Squares a side that are averaged over. Detail of the picture itself, which is not what is
        meant, averages out over more of them.
    target
        See `srkit.training.learning.losses.Pixel`.
    """

    kind: Literal["phases"] = "phases"
    weight: float = 1.0
    period: int = 4
    window: int = 8
    target: str = "auto"

    def check(self) -> None:
        """Refuse squares of one pixel, and empty windows; raises OptionError."""
        for name, value, least in (("period", self.period, 2), ("window", self.window, 1)):
            if value < least:
                raise OptionError(f"{name} of phases is {least} at least, not {value}")

    def prepare(self, device: torch.device) -> None:
        """Nothing has to be read."""

    def __call__(self, made: Tensor, photo: Tensor) -> Tensor:
        """A scalar, not weighted; sides that are no multiples of `period` lose the rest."""
        error = made - photo
        n, channels, height, width = error.shape
        rows, columns = height // self.period, width // self.period
        if not (rows and columns):
            raise OptionError(
                f"phases of period={self.period} need crops of that many HR pixels, not of "
                f"{height}x{width}, and rim= takes some of them"
            )
        error = error[..., : rows * self.period, : columns * self.period]
        phases = functional.pixel_unshuffle(error, self.period)
        window = min(self.window, rows, columns)
        means = functional.avg_pool2d(phases, window, max(1, window // 2))
        means = means.view(n, channels, self.period**2, *means.shape[-2:])
        return (means - means.mean(dim=2, keepdim=True)).abs().mean()
