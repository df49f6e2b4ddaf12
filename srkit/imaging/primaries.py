"""Linear light of other primaries, such as those of films and cinemas, as light of sRGB's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from srkit.imaging.light import MOST
from srkit.imaging.profiles import Primaries, columns

_SRGB: Primaries = ((0.3127, 0.3290), (0.640, 0.330), (0.300, 0.600), (0.150, 0.060))
_SAME = 1e-4  # what of a matrix rounded chromaticities may change


def matrix_of(primaries: Primaries) -> NDArray[np.float64] | None:
    """What brings light of some primaries to sRGB's white and primaries.

    Their white becomes white, by Bradford's adaptation.

    Parameters
    ----------
    primaries
        White, red, green and blue by their chromaticities x and y.

    Returns
    -------
    NDArray or None
        ``(3, 3)``, for columns of red, green and blue; None where the primaries span no colours.

    Examples
    --------
    >>> p3 = (0.3127, 0.3290), (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)
    >>> (matrix_of(p3) @ [0, 1, 0]).round(3)
    array([-0.225,  1.042, -0.079])
    """
    try:
        matrix = np.linalg.solve(columns(_SRGB), columns(primaries)).astype(np.float64)
    except (ZeroDivisionError, np.linalg.LinAlgError):
        return None
    return matrix if np.isfinite(matrix).all() else None


# XYZ, of which the white of equal energy becomes white.
XYZ = (np.linalg.inv(columns(_SRGB)) @ np.diag([0.9642, 1.0, 0.8249])).astype(np.float64)


def in_srgb(light: NDArray[Any], matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    """Light ``(H, W, 3)`` by such a matrix; values below 0 are of colours that sRGB lacks."""
    if np.abs(matrix - np.eye(3)).max() < _SAME:
        return light.astype(np.float32, copy=False)
    # Of infinite light, as the sun has in halves, sums would be no numbers.
    finite = np.clip(light.astype(np.float32), -MOST, MOST)
    brought: NDArray[np.float32] = finite @ matrix.T.astype(np.float32)
    return brought
