"""How LR comes of HR, as a matrix, and its pseudo-inverse.

LR is HR after a Gaussian blur and MATLAB's antialiased bicubic: a linear map A, with one
matrix for rows and one for columns. A. Lucas, S. López-Tapia, R. Molina, A.
Katsaggelos, "Generative Adversarial Networks and Perceptual Losses for Video
Super-Resolution", 2019, and those authors' "A Single Video Super-Resolution GAN for
Multiple Downsampling Operators based on Pseudo-Inverse Image Formation Models", 2019,
equations 1 to 3, use its pseudo-inverse A⁺ so: A⁺y is an HR image that A makes y of, and
(I - A⁺A) z is what A does not see of an image z.

Nothing here is clipped or rounded, and every value depends on all of a row and a column:
this is for whole planes, not for tiles.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from srkit.errors import OptionError
from srkit.imaging.resize import taps

Floats = NDArray[np.float64]
# Gaussian kernels end so many deviations from their middle.
REACH = 4.0


@dataclass(frozen=True)
class Axis:
    """A matrix for one axis, by its singular values: ``u @ diag(s) @ v.T``."""

    matrix: Floats  # (m, n)
    u: Floats  # (m, m)
    s: Floats  # (m,)
    v: Floats  # (n, m)


@lru_cache(maxsize=8)
def axis(length: int, scale: int, sigma: float) -> Axis:
    """The map of one axis, from `length` samples to a `scale`-th of them.

    Parameters
    ----------
    length
        Samples of HR, a multiple of `scale`.
    scale
        Factor.
    sigma
        Deviation of the Gaussian blur before shrinking, in HR samples; 0 for none.
    """
    matrix = _shrinking(length, scale) @ _blurring(length, sigma)
    u, s, vt = np.linalg.svd(matrix, full_matrices=False)
    return Axis(matrix, u, s, vt.T)


def _shrinking(length: int, scale: int) -> Floats:
    index, weight = taps(length, length // scale, 1 / scale, True, "mirror")
    return _dense(index, weight, length)


def _blurring(length: int, sigma: float) -> Floats:
    if sigma == 0:
        return np.eye(length)
    radius = math.ceil(REACH * sigma)
    offsets = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    # Beyond the border the image is mirrored, edge samples repeated, as in MATLAB's imresize.
    index = (np.arange(length)[:, None] + offsets) % (2 * length)
    index = np.where(index < length, index, 2 * length - 1 - index)
    weight = np.broadcast_to(kernel / kernel.sum(), index.shape)
    return _dense(index, weight, length)


def _dense(index: NDArray[np.intp], weight: Floats, length: int) -> Floats:
    matrix = np.zeros((len(index), length))
    np.add.at(matrix, (np.arange(len(index))[:, None], index), weight)
    return matrix


@dataclass(frozen=True)
class Observation:
    """A of an image of a size, and its pseudo-inverse.

    Attributes
    ----------
    height, width
        Of HR, multiples of `scale`.
    scale
        Factor of both sides.
    sigma
        Deviation of the Gaussian blur, in HR pixels.

    Examples
    --------
    >>> lr = np.random.default_rng(0).random((10, 12, 3))
    >>> model = Observation(40, 48, scale=4)
    >>> bool(np.abs(model.apply(model.invert(lr)) - lr).max() < 1e-12)
    True
    """

    height: int
    width: int
    scale: int
    sigma: float = 0.0

    def __post_init__(self) -> None:
        """Raises OptionError for sizes that are no multiples of the scale."""
        if self.height % self.scale or self.width % self.scale or self.sigma < 0:
            raise OptionError(
                f"HR sides are multiples of {self.scale} and sigma is not negative, not "
                f"{self.height}x{self.width} and {self.sigma}"
            )

    @property
    def rows(self) -> Axis:
        """The map along the height."""
        return axis(self.height, self.scale, self.sigma)

    @property
    def columns(self) -> Axis:
        """The map along the width."""
        return axis(self.width, self.scale, self.sigma)

    def apply(self, hr: NDArray[np.floating]) -> Floats:
        """Blur and shrink: ``(s*H, s*W, C)`` to ``(H, W, C)``."""
        return _both(self.rows.matrix, self.columns.matrix, hr)

    def invert(self, lr: NDArray[np.floating], damping: float = 0.0) -> Floats:
        """A⁺y: ``(H, W, C)`` to ``(s*H, s*W, C)``.

        Parameters
        ----------
        lr
            The observed image.
        damping
            λ of the damped inverse S/(S² + λ), S being the singular values of A, in which
            rounding errors of `lr` grow less. With 0 it is exact: A gives `lr` again.
        """
        a, b = self.rows, self.columns
        singular = np.multiply.outer(a.s, b.s)
        found = _both(a.u.T, b.u.T, lr) * (singular / (singular**2 + damping))[..., None]
        return _both(a.v, b.v, found)

    def project(
        self, made: NDArray[np.floating], lr: NDArray[np.floating], damping: float = 0.0
    ) -> Floats:
        """(I - A⁺A) f + A⁺y: what was made, with what is known of it put right.

        Parameters
        ----------
        made
            f, ``(s*H, s*W, C)``.
        lr
            y, ``(H, W, C)``.
        damping
            See `invert`.
        """
        return made + self.invert(lr - self.apply(made), damping)


def _both(rows: Floats, columns: Floats, image: NDArray[np.floating]) -> Floats:
    """``rows @ plane @ columns.T`` of each channel."""
    across: Floats = np.einsum("ij,hjc->hic", columns, image, optimize=True)
    made: Floats = np.einsum("ij,jwc->iwc", rows, across, optimize=True)
    return made
