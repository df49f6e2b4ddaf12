"""Linear light, as cameras and renderers give it, exposed and brought to levels of sRGB."""

from __future__ import annotations

import math
from collections.abc import Iterator
from numbers import Real
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from srkit.advice import advise
from srkit.errors import OptionError
from srkit.imaging.notes import tell

# Stops (EV), of which one doubles the light; or what brings the 99.9th percentile to white.
Exposure: TypeAlias = float | Literal["auto"]

_BRIGHTEST = 99.9  # percentile of pixels, by their brightest channel, that becomes white
_MOST_STOPS = 64  # either way: more than float16 and Radiance tell apart
MOST = np.float32(2.0**60)  # of light: exposed, it is still a number
_STRIP = 1 << 20  # values that are worked on at a time
_HALF_A_LEVEL = 0.5 / 65535
_DARK = 0.5  # what light is multiplied by


def check_exposure(exposure: object) -> None:
    """Refuse what is no exposure.

    Raises
    ------
    OptionError
    """
    if exposure is None or exposure == "auto":
        return
    is_number = isinstance(exposure, Real) and not isinstance(exposure, bool)
    if not (is_number and abs(float(exposure)) <= _MOST_STOPS):  # type: ignore[arg-type]
        raise OptionError(
            f"exposure is 'auto', or stops (EV) from -{_MOST_STOPS} to {_MOST_STOPS}, such as 1.5, "
            f"which brightens, and -1; not {exposure!r}"
        )


def expose(light: NDArray[Any], exposure: Exposure, *, alpha: bool) -> NDArray[np.uint16]:
    """Levels of sRGB, of 16 bits, for linear light.

    What is brighter than white is clipped, and so is what is darker than black, a colour that
    sRGB does not have. Which share of the pixels that was is told, and the exposure that was found.

    Parameters
    ----------
    light
        ``(H, W)`` or ``(H, W, C)``, of sRGB's primaries: floats of which 1 is white, or uint16.
        NaN becomes black; that is told, too.
    exposure
        Stops (EV), which multiply by 2 to their power; or ``"auto"``.
    alpha
        Whether the last channel is one, to which nothing but rounding is done. Fully transparent
        pixels are not counted.

    Examples
    --------
    >>> expose(np.array([[0.0, 0.0031308, 0.5, 1.0, 9.0]]), 0, alpha=False).tolist()
    [[0, 2651, 48192, 65535, 65535]]
    >>> expose(np.array([[0.25, 0.5]]), 1, alpha=False).tolist()
    [[48192, 65535]]
    """
    pixels = light if light.ndim == 3 else light[..., None]
    peaks = _peaks(pixels, alpha=alpha)
    factor = _factor(peaks, exposure)
    levels = np.empty(pixels.shape, np.uint16)
    negative, colours = 0, pixels.shape[2] - alpha
    for rows in _strips(pixels):
        part = _as_floats(pixels[rows])
        colour = part[..., :colours] * np.float32(factor)
        negative += int(np.count_nonzero((colour < -_HALF_A_LEVEL).any(axis=2)))
        levels[rows, :, :colours] = _rounded(srgb_of(np.clip(colour, 0, 1)))
        levels[rows, :, colours:] = _rounded(np.clip(part[..., colours:], 0, 1))
    _tell(peaks, factor, negative / (pixels.shape[0] * pixels.shape[1]), found=exposure == "auto")
    return levels.reshape(light.shape)


def srgb_of(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Light in [0, 1] by the curve of sRGB (IEC 61966-2-1, 5.2)."""
    curved: NDArray[np.float32] = np.where(
        light <= np.float32(0.0031308),
        light * np.float32(12.92),
        np.float32(1.055) * np.power(light, np.float32(1 / 2.4)) - np.float32(0.055),
    )
    return curved


def light_of(levels: NDArray[Any]) -> NDArray[np.float32]:
    """The light of levels of sRGB, uint8 or uint16; the inverse of the curve."""
    values = levels.astype(np.float32) / np.float32(np.iinfo(levels.dtype).max)
    linear: NDArray[np.float32] = np.where(
        values <= np.float32(0.04045),
        values / np.float32(12.92),
        np.power((values + np.float32(0.055)) / np.float32(1.055), np.float32(2.4)),
    )
    return linear


def _strips(pixels: NDArray[Any]) -> Iterator[slice]:
    height = max(1, _STRIP // (pixels.shape[1] * pixels.shape[2]))
    for start in range(0, len(pixels), height):
        yield slice(start, start + height)


def _as_floats(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Floats of which 1 is white, without NaN."""
    if pixels.dtype == np.uint16:
        return pixels.astype(np.float32) / np.float32(65535)
    return np.nan_to_num(pixels.astype(np.float32), nan=0).clip(-MOST, MOST)


def _peaks(pixels: NDArray[Any], *, alpha: bool) -> NDArray[np.float32]:
    """The brightest channel of each pixel that is seen."""
    peaks, missing = [], 0
    for rows in _strips(pixels):
        part = pixels[rows]
        if part.dtype != np.uint16:
            missing += int(np.count_nonzero(np.isnan(part).any(axis=2)))
        part = _as_floats(part)
        brightest = part[..., : part.shape[2] - alpha].max(axis=2)
        peaks.append(brightest[part[..., -1] > 0] if alpha else brightest.ravel())
    if missing:
        share = _percent(missing / (pixels.shape[0] * pixels.shape[1]))
        tell(f"{share} of the pixels hold NaN, which became black")
    return np.concatenate(peaks)


def _factor(peaks: NDArray[np.float32], exposure: Exposure) -> float:
    if exposure != "auto":
        return float(2.0 ** float(exposure))
    white = float(np.percentile(peaks, _BRIGHTEST)) if peaks.size else 0.0
    # Of a black picture nothing says how bright it should be.
    return min(max(1 / white, 2.0**-_MOST_STOPS), 2.0**_MOST_STOPS) if white > 0 else 1.0


def _rounded(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    rounded: NDArray[np.uint16] = np.rint(values * np.float32(65535)).astype(np.uint16)
    return rounded


def _tell(peaks: NDArray[np.float32], factor: float, negative: float, *, found: bool) -> None:
    """Say which exposure was found, and what did not fit."""
    said = []
    if found:
        said.append(f"light was exposed by {math.log2(factor):+.2f} EV")
    over = np.count_nonzero(peaks > (1 + _HALF_A_LEVEL) / factor) / max(1, peaks.size)
    if over:
        said.append(f"{_percent(over)} of the pixels were brighter than white and clipped")
    if negative:
        said.append(f"{_percent(negative)} had colours beyond sRGB's, which were clipped")
    if said:
        # A lamp or a window that is a hundredth of a picture makes all else nearly black.
        dark = found and factor < _DARK
        tell(", ".join(said) + (f"; if that is too dark, {_brighter()}" if dark else ""))


def _brighter() -> str:
    return advise(
        "exposure=0 leaves the numbers as they are", "--exposure 0 leaves the numbers as they are"
    )


def _percent(share: float) -> str:
    """A share as texts name it.

    Examples
    --------
    >>> _percent(0.5), _percent(0.001), _percent(1e-6)
    ('50 %', '0.1 %', 'less than 0.01 %')
    """
    return f"{100 * share:.3g} %" if share >= 1e-4 else "less than 0.01 %"
