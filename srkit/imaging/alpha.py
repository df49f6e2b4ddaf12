"""What alpha needs: colour that does not bleed, and colour freed of its alpha."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def bleed(colour: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """Give fully transparent pixels the colour of the nearest visible one.

    What lies under full transparency is arbitrary, often black or white. A
    model would mix it into the visible edge, so it is replaced first.

    Parameters
    ----------
    colour
        ``(N, H, W, C)``, of any dtype.
    alpha
        ``(N, H, W, 1)``; a pixel is visible where it is above zero.

    Returns
    -------
    NDArray
        A changed copy, or `colour` itself where no image has both visible and
        fully transparent pixels.

    Examples
    --------
    >>> import numpy as np
    >>> row = np.array([9, 0, 0, 5]).reshape(1, 1, 4, 1)
    >>> bleed(row, np.array([1, 0, 0, 1]).reshape(1, 1, 4, 1)).ravel().tolist()
    [9, 9, 5, 5]
    """
    hidden = alpha[..., 0] <= 0
    mixed = [n for n in range(len(hidden)) if hidden[n].any() and not hidden[n].all()]
    if not mixed:
        return colour
    # Imported here: it takes long to import and most images have no alpha.
    from scipy import ndimage

    result = colour.copy()
    for n in mixed:
        nearest = ndimage.distance_transform_edt(
            hidden[n], return_distances=False, return_indices=True
        )
        rows, columns = nearest[:, hidden[n]]
        result[n][hidden[n]] = colour[n, rows, columns]
    return result


def unpremultiply(colour: NDArray[Any], alpha: NDArray[Any], top: float) -> NDArray[Any]:
    """Divide colour by the alpha it was multiplied with.

    Parameters
    ----------
    colour
        ``(H, W, C)``, uint16 or float.
    alpha
        ``(H, W, 1)``, of the same dtype.
    top
        The value that stands for full opacity.

    Returns
    -------
    NDArray
        Colour of the same dtype, within [0, `top`]; zero where alpha is zero.
    """
    share = np.where(alpha > 0, alpha, top) / top
    straight = np.clip(np.where(alpha > 0, colour, 0) / share, 0, top)
    if np.issubdtype(colour.dtype, np.integer):
        straight = np.rint(straight)
    return straight.astype(colour.dtype)
