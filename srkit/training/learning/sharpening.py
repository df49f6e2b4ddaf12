"""Sharpened photos for losses to compare with, as Real-ESRGAN has it.

What an L1 loss makes is softer than the photo; compared with a sharper one, it is not
(Wang et al., 2021, arXiv:2107.10833, Section 3.5, and the published training code).
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor

# Of the Gaussian. The deviation is what OpenCV takes for that side: 0.3 (25 - 1) + 0.8.
SIDE, SIGMA = 51, 8.0
WEIGHT, THRESHOLD = 0.5, 10 / 255


def sharpened(photo: Tensor) -> Tensor:
    """Planes ``(N, C, H, W)`` in [0, 1] after an unsharp mask, in [0, 1].

    Half of what a Gaussian takes from the photo is added to it, around the places where that
    is more than 10 levels of 255: even areas keep their grain as it is. Beyond its border
    a photo is mirrored, so a crop has no rim.

    Examples
    --------
    An edge between two greys goes apart, and even planes stay:

    >>> edge = torch.tensor([0.4] * 60 + [0.6] * 60).expand(1, 1, 120, 120)
    >>> sharpened(edge)[0, 0, 0, [0, 58, 59, 60, 61, 119]].round(decimals=2)
    tensor([0.4000, 0.3700, 0.3700, 0.6300, 0.6300, 0.6000])
    """
    residue = photo - _blurred(photo)
    mask = _blurred((residue.abs() > THRESHOLD).to(photo.dtype))
    sharp = (photo + WEIGHT * residue).clamp(0, 1)
    return photo + mask * (sharp - photo)


def _blurred(planes: Tensor) -> Tensor:
    rows, columns = (_blur_matrix(n).to(planes) for n in planes.shape[-2:])
    blurred: Tensor = rows @ planes @ columns.T
    return blurred


@functools.lru_cache(maxsize=16)
def _blur_matrix(length: int) -> Tensor:
    """The blur of a line, borders mirrored, as a matrix: crops are small, and kernels large."""
    offsets = np.arange(SIDE) - SIDE // 2
    taps = np.exp(-(offsets**2) / (2 * SIGMA**2))
    mirrored = np.pad(np.arange(length), SIDE // 2, "reflect")
    matrix = np.zeros((length, length))
    for line in range(length):
        np.add.at(matrix[line], mirrored[line : line + SIDE], taps / taps.sum())
    return torch.from_numpy(matrix)
