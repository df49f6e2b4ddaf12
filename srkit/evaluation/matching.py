"""The part of an original that upscaled images show, where sides are no multiples of the scale."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from srkit.advice import advise
from srkit.errors import ImageError


def common_sides(reference: NDArray[Any], small: NDArray[Any], scale: int) -> tuple[int, int]:
    """Height and width of what an original and upscaled images have in common, at the top left.

    Who shrinks an original whose sides are no multiples of the scale rounds them up, as `imresize`
    does, or down: the upscaled image then has up to ``scale - 1`` pixels more or fewer a side.
    The others lie where they lay, as both begin at the same corner.

    Parameters
    ----------
    reference, small
        ``(H, W)`` or ``(H, W, C)``.

    Raises
    ------
    ImageError
        If a side differs by more, or one of the two is grey and the other is not.

    Examples
    --------
    >>> import numpy as np
    >>> common_sides(np.zeros((300, 451, 3)), np.zeros((75, 113, 3)), 4)
    (300, 451)
    """
    (height, width), (high, wide) = reference.shape[:2], (scale * n for n in small.shape[:2])
    if max(abs(height - high), abs(width - wide)) >= scale:
        raise ImageError(
            f"the reference is {width}x{height} pixels, but x{scale} of the image is "
            f"{wide}x{high}; a side may differ by {scale - 1} at most: give the picture that the "
            "image was made from"
            + advise(f", as by srkit.imresize(reference, 1 / {scale})", ", or --downscale")
        )
    if reference.ndim != small.ndim:
        kinds = ("grey", "colour") if reference.ndim == 2 else ("colour", "grey")
        raise ImageError(f"the reference is {kinds[0]}, but the image is {kinds[1]}")
    return min(height, high), min(width, wide)
