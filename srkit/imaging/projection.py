"""Back-projection: make an upscaled image agree with the image it was made from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from srkit.imaging.resize import imresize

MOST_ROUNDS = 20
# In [0, 1]: what is left of a difference where float images are done with.
CLOSE = 1e-4


def back_project(upscaled: NDArray[np.float32], image: NDArray[Any], top: float) -> None:
    """Change an upscaled image, in place and little, so that it shrinks to its original.

    Rounds of x + U(y - Ax), where A is MATLAB's antialiased bicubic and U its transpose
    times the squared scale, which is bicubic upscaling (Irani and Peleg, 1991; Haris et
    al., 2018). They end at the nearest image with Ax = y. Whole numbers are known to
    half a level only, so differences up to that are no differences: to follow them
    would turn rounding into noise.

    Parameters
    ----------
    upscaled
        ``(s*H, s*W, C)``; clipped to [0, 1].
    image
        What it was made from, ``(H, W, C)`` in [0, `top`].
    top
        The value of `image` that stands for 1.0.

    Examples
    --------
    >>> image = np.random.default_rng(0).random((24, 20, 1), np.float32)
    >>> made = imresize(image, 2)
    >>> back_project(made, image, 1.0)
    >>> bool(abs(imresize(made, 1 / 2) - image).mean() < abs(
    ...     imresize(imresize(image, 2), 1 / 2) - image).mean() / 5)
    True
    """
    lr = image.astype(np.float32) / np.float32(top)
    tolerance = np.float32(0.5 / top if np.issubdtype(image.dtype, np.integer) else 0)
    np.clip(upscaled, 0, 1, out=upscaled)
    for _ in range(MOST_ROUNDS):
        apart = lr - imresize(upscaled, size=lr.shape[:2])
        apart -= np.clip(apart, -tolerance, tolerance)
        if np.abs(apart).max() <= CLOSE:
            break
        upscaled += imresize(apart, size=upscaled.shape[:2])
        np.clip(upscaled, 0, 1, out=upscaled)
