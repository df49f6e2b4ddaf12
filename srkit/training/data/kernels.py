"""Blur kernels of Real-ESRGAN (Wang et al., 2021, arXiv:2107.10833, Sections 3.1 and 3.4).

A kernel is ``(side, side)`` with an odd side and a sum of 1. The three bell shapes are functions
of q = xᵀ Σ⁻¹ x, the squared distance from the middle in deviations; Σ has the squares of the
deviations along two axes that are turned by an angle.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Kernel = NDArray[np.float64]
Deviations = tuple[float, float]


def gaussian(side: int, sigma: Deviations, angle: float = 0.0) -> Kernel:
    """exp(-q / 2), normalised.

    Parameters
    ----------
    side
        In pixels, odd.
    sigma
        Deviations along two axes, in pixels: from left to right and from top to bottom
        where the angle is 0.
    angle
        By which both axes are turned, in radians, the first one downwards.

    Examples
    --------
    >>> gaussian(3, (1.0, 0.5)).round(3)
    array([[0.029, 0.048, 0.029],
           [0.216, 0.356, 0.216],
           [0.029, 0.048, 0.029]])
    """
    return _normalised(np.exp(-_squares(side, sigma, angle) / 2))


def generalised(side: int, sigma: Deviations, beta: float, angle: float = 0.0) -> Kernel:
    """exp(-qᵝ / 2), normalised: pointed for β below 1, a Gaussian at 1, flat for more."""
    return _normalised(np.exp(-(_squares(side, sigma, angle) ** beta) / 2))


def plateau(side: int, sigma: Deviations, beta: float, angle: float = 0.0) -> Kernel:
    """1 / (1 + qᵝ), normalised."""
    return _normalised(1 / (1 + _squares(side, sigma, angle) ** beta))


def sinc(side: int, cutoff: float) -> Kernel:
    """The ideal low pass of a circle in the frequency plane, cut to a square: it rings.

    ω J₁(ω d) / (2π d) at the distance d from the middle, ω² / 4π at d = 0, normalised
    (equation 6).

    Parameters
    ----------
    side
        In pixels, odd.
    cutoff
        ω in radians a pixel; π keeps all that rows and columns can hold.
    """
    from scipy.special import j1

    x = np.arange(side) - side // 2
    distance = np.hypot(x[:, None], x)
    middle = distance == 0
    apart = np.where(middle, 1.0, distance)
    rings = cutoff * j1(cutoff * apart) / (2 * np.pi * apart)
    return _normalised(np.where(middle, cutoff**2 / (4 * np.pi), rings))


def filtered(picture: NDArray[np.float32], kernel: Kernel) -> NDArray[np.float32]:
    """``(H, W, C)`` filtered by a kernel that a half turn leaves alone; borders are mirrored.

    Through the Fourier transform: kernels of 21x21 are too large to be summed up in time, and
    most of them are no products of two lines. In double precision, so that the last bit of a
    sum does not depend on the machine.
    """
    from scipy import fft

    reach = kernel.shape[0] // 2
    height, width = picture.shape[:2]
    padded = np.pad(picture, ((reach, reach), (reach, reach), (0, 0)), "reflect")
    planes = np.moveaxis(padded, 2, 0).astype(np.float64)
    shape = [fft.next_fast_len(n, real=True) for n in planes.shape[1:]]
    spectrum: NDArray[Any] = fft.rfft2(planes, shape) * fft.rfft2(kernel, shape)
    sums = fft.irfft2(spectrum, shape)
    # Sums that wrapped around are in the first rows and columns.
    inner = sums[:, 2 * reach : 2 * reach + height, 2 * reach : 2 * reach + width]
    return np.ascontiguousarray(np.moveaxis(inner, 0, 2), np.float32)


def _squares(side: int, sigma: Deviations, angle: float) -> Kernel:
    """The squared distance of each pixel, in deviations."""
    x = np.arange(side) - side // 2
    rows, columns = np.meshgrid(x, x, indexing="ij")
    along = np.cos(angle) * columns + np.sin(angle) * rows
    across = np.cos(angle) * rows - np.sin(angle) * columns
    squares: Kernel = (along / sigma[0]) ** 2 + (across / sigma[1]) ** 2
    return squares


def _normalised(kernel: Kernel) -> Kernel:
    normalised: Kernel = kernel / kernel.sum()
    return normalised
