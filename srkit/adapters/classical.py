"""Classical interpolation: the baselines that every network is measured against."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srkit.card import ModelCard
from srkit.imaging.resize import keys_cubic
from srkit.upscaling.upscaler import Upscaler

Kernel = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def box(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Nearest neighbour."""
    return np.where((x >= -0.5) & (x < 0.5), 1.0, 0.0)


def triangle(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear interpolation."""
    return np.maximum(0.0, 1.0 - np.abs(x))


def lanczos3(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sinc windowed by the middle lobe of a three times wider sinc (Lanczos, a = 3)."""
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


# Kernel and support radius in LR pixels of each model.
KERNELS: dict[str, tuple[Kernel, int]] = {
    "nearest": (box, 1),
    "bilinear": (triangle, 1),
    "bicubic": (keys_cubic, 2),
    "lanczos": (lanczos3, 3),
}


class Interpolation(Upscaler):
    """Separable interpolation by the kernel that the card names.

    ``"bicubic"`` is MATLAB's ``imresize``: Keys' kernel, a = -1/2.
    """

    def __init__(self, card: ModelCard, scale: int, weights: Path | None = None) -> None:
        self.card, self.scale = card, scale
        kernel, radius = KERNELS[card.name]
        phase = (np.arange(scale) + 0.5) / scale - 0.5
        offsets = np.arange(-radius, radius + 1)
        taps = kernel(phase[:, None] - offsets)
        self._taps = (taps / taps.sum(axis=1, keepdims=True)).astype(np.float32)

    def run(self, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        """Both axes, one after the other; edges of the tile are repeated."""
        return self._axis(self._axis(tiles, 1), 2)

    def _axis(self, tiles: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
        scale, width = self._taps.shape
        radius, length = width // 2, tiles.shape[axis]
        pad: list[tuple[int, int]] = [(0, 0)] * 4
        pad[axis] = (radius, radius)
        padded = np.pad(tiles, pad, mode="symmetric")
        shape = (*tiles.shape[: axis + 1], scale, *tiles.shape[axis + 1 :])
        out = np.zeros(shape, np.float32)
        for tap in range(width):
            part = padded.take(np.arange(tap, tap + length), axis=axis)
            for phase in range(scale):
                if weight := self._taps[phase, tap]:
                    place: list[Any] = [slice(None)] * axis + [slice(None), phase]
                    out[tuple(place)] += weight * part
        return out.reshape(*tiles.shape[:axis], length * scale, *tiles.shape[axis + 1 :])
