"""What values of pixels stand for: the level of white by dtype, and floats that have another."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from srkit.advice import advise
from srkit.errors import ImageError

# How far rounding may carry a float beyond its range; such values are later clipped. An array may
# have been of half precision, and a quarter of a level of 8 bits is not seen. Pillow has no halves.
_TOLERANCE, _OF_HALVES = 1e-5, 1e-3
# Between these, values are light of which 1 is white; below noise, and beyond levels.
_LEAST_LIGHT, _MOST_LIGHT = 1.1, 32.0
_TOPS = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0, "float64": 1.0}
_ADVICE = {
    "float16": "image.astype(numpy.float32)",
    "bool": "image.astype(numpy.uint8) * 255",
}


def top_of(dtype: np.dtype[Any]) -> float:
    """The value that stands for 1.0 in an array of a dtype.

    Raises
    ------
    ImageError
        If images have no such dtype.
    """
    if (top := _TOPS.get(dtype.name)) is None:
        advice = _ADVICE.get(
            dtype.name,
            "scale it to 0-255 as numpy.uint8, to 0-65535 as numpy.uint16, "
            "or to [0, 1] as numpy.float32",
        )
        raise ImageError(
            f"an array must be uint8, uint16, float32 or float64, not {dtype}; convert it: {advice}"
        )
    return top


# How far filters that resize and sharpen reach beyond black and white, about.
_OVERSHOOT = 0.1


def check_range(pixels: NDArray[Any], top: float) -> None:
    """Refuse floats that are not finite, or beyond [0, `top`]."""
    low, high = float(pixels.min()), float(pixels.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        how = advise(", e.g. with numpy.nan_to_num", " in the program that made it")
        raise ImageError(f"the image holds NaN or infinity; replace them first{how}")
    slack = _OF_HALVES if top == 1.0 else _TOLERANCE * top
    if low >= -slack and high <= top + slack:
        return
    if top != 1.0:
        raise ImageError(
            f"a Pillow image of mode 'F' must be within 0-{top:g}, but this one spans "
            f"{low:g} to {high:g}; rescale it"
        )
    advice = "rescale it, or clip it" + advise(" with numpy.clip(image, 0, 1)", "")
    if low >= -slack:
        white = 255.0 if high <= 255 else 65535.0 if high <= 65535 else high
        advice = f"divide by {white:g} if that is its white, or clip it"
        if _LEAST_LIGHT < high <= _MOST_LIGHT:
            exposed = advise(
                "srkit.read_image(path, exposure='auto')", "srkit upscale --exposure auto"
            )
            advice = (
                f"what is above 1 is brighter than white (HDR): expose it, of a file by {exposed}; "
                f"or tone-map it, or divide it by its peak, {high:g}, where it was made, or clip it"
            )
    elif low >= -1 - slack and high <= 1 + slack:
        half = advise("(image + 1) / 2", "half of it and a half")
        advice = f"bring [-1, 1] to it with {half}, or clip it"
    if low >= -_OVERSHOOT and high <= 1 + _OVERSHOOT:
        how = advise(" with numpy.clip(image, 0, 1)", "")
        advice = f"clip it{how}: so little beyond is what resizing and sharpening leave"
    raise ImageError(
        f"a float image must be within [0, 1], but this one spans {low:g} to {high:g}; {advice}"
    )
