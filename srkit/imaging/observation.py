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
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from srkit.errors import OptionError
from srkit.imaging.resize import taps, taps_matrix
from srkit.memory import kept

if TYPE_CHECKING:
    # Slow to import, and every network's table imports this module: only those who invert wait.
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]
# Gaussian kernels end so many deviations from their middle.
REACH = 4.0


@dataclass(frozen=True)
class Axis:
    """The map of one axis, and what inverts it.

    Attributes
    ----------
    matrix
        ``(m, n)``, sparse.
    gram
        ``matrix @ matrix.T``, which is banded, as `scipy.linalg.solveh_banded` takes it.
    """

    matrix: csr_array
    gram: Floats


def _bytes(made: Axis) -> int:
    matrix = made.matrix
    arrays = matrix.data, matrix.indices, matrix.indptr, made.gram
    return sum(array.nbytes for array in arrays)


@kept(32 << 20, 8, _bytes)
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
    from scipy.sparse import csr_array

    index, weight = taps(length, length // scale, 1 / scale, True, "mirror")
    matrix: csr_array = taps_matrix(index, weight, length)
    if sigma > 0:
        matrix = matrix @ _blurring(length, sigma)
    gram = (matrix @ matrix.T).todia()
    bands = np.zeros((int(gram.offsets.max()) + 1, gram.shape[0]))
    for offset, values in zip(gram.offsets, gram.data, strict=True):
        if offset <= 0:
            # Diagonals below the main one begin at the first column, as LAPACK has them.
            bands[-offset, : len(values)] = values
    return Axis(csr_array(matrix), bands)


def _blurring(length: int, sigma: float) -> csr_array:
    radius = math.ceil(REACH * sigma)
    offsets = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    # Beyond the border the image is mirrored, edge samples repeated, as in MATLAB's imresize.
    index = (np.arange(length)[:, None] + offsets) % (2 * length)
    index = np.where(index < length, index, 2 * length - 1 - index)
    weight = np.broadcast_to(kernel / kernel.sum(), index.shape)
    blurring: csr_array = taps_matrix(index, weight, length)
    return blurring


@kept(64 << 20, 4, lambda made: sum(array.nbytes for array in made))
def singular(length: int, scale: int, sigma: float) -> tuple[Floats, Floats, Floats]:
    """U, S and V of an axis, dense: slow where it is long."""
    u, s, vt = np.linalg.svd(axis(length, scale, sigma).matrix.toarray(), full_matrices=False)
    return u, s, vt.T


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
        return _along(_shrink, self.columns, _along(_shrink, self.rows, hr, 0), 1)

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
        if damping == 0:
            # A⁺ = Aᵀ (A Aᵀ)⁻¹, one axis after the other: rows of A are independent.
            return _along(_invert, self.columns, _along(_invert, self.rows, lr, 0), 1)
        u, s, v = singular(self.height, self.scale, self.sigma)
        ub, sb, vb = singular(self.width, self.scale, self.sigma)
        values = np.multiply.outer(s, sb)
        weight = (values / (values**2 + damping))[..., None]
        inner = np.einsum("ji,jkc,kl->ilc", u, lr, ub, optimize=True) * weight
        damped: Floats = np.einsum("ij,jkc,lk->ilc", v, inner, vb, optimize=True)
        return damped

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


def _shrink(axis: Axis, lines: Floats) -> Floats:
    made: Floats = axis.matrix @ lines
    return made


def _invert(axis: Axis, lines: Floats) -> Floats:
    from scipy.linalg import solveh_banded

    made: Floats = axis.matrix.T @ solveh_banded(axis.gram, lines, lower=True)
    return made


def _along(
    function: Callable[[Axis, Floats], Floats],
    axis: Axis,
    image: NDArray[np.floating],
    number: int,
) -> Floats:
    """A function of lines ``(n, k)`` along one axis of an image ``(H, W, C)``."""
    moved = np.moveaxis(np.asarray(image, np.float64), number, 0)
    made = function(axis, moved.reshape(len(moved), -1))
    return np.moveaxis(made.reshape(len(made), *moved.shape[1:]), 0, number)
