"""Whether a video looks drawn, by a few of its frames; a model of ours is made for such.

Drawings are flat between sharp lines, and flat again right beside these, in several colours.
What photographs show in front of a sky is sharp, too, but of fine parts that lie close together;
and screens are grey.

The limits below are from frames that H.264 had compressed (crf 18 to 32; some were MPEG-4, or GIF
with dither), 320 to 1280 pixels wide. Of 60 frames of cartoons, with shades and without, 58 are
found. Of 97 photographs at two or three widths, two thirds of them chosen because they are mostly
flat, none is taken for a drawing, nor are frames of a 3D render and of a screen.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from srkit.advice import advise
from srkit.errors import SrkitError
from srkit.imaging.pil import as_uint8
from srkit.upscaling.upscaler import Upscaler
from srkit.video.colour import ToRGB
from srkit.video.pictures import AnySource, Opaque, Pictures

log = logging.getLogger(__name__)

# The model that is made for drawings.
MODEL = "realesr-animevideo"
# Places in the video that are looked at.
_PLACES = (Fraction(1, 6), Fraction(1, 2), Fraction(5, 6))
# Levels of 255 between neighbours that are flat, and that are a line.
_FLAT, _LINE = 3, 24
# Shares of flat pixels, of lines among the others, and of flat pixels around lines.
_LEAST_FLAT, _LEAST_LINES, _LEAST_AROUND = 0.65, 0.35, 0.26
# Pixels that are around one, to each side.
_AROUND = 4
# Levels between channels of what is grey, as most of a screen is, and the share that is not.
_GREY, _LEAST_COLOURED = 32, 0.3
# Colours, each of a hundredth of all pixels, and so many levels of a channel apart.
_LEAST_COLOURS, _SHARE, _APART = 3, 0.01, 48
# Pixels of the smaller side that a frame has at least.
_SMALLEST = 32


def looks_drawn(frames: Iterable[NDArray[np.uint8]]) -> bool:
    """Whether most of some frames, ``(H, W, 3)``, look drawn.

    Examples
    --------
    >>> noise = np.random.default_rng(0).integers(0, 256, (90, 160, 3)).astype(np.uint8)
    >>> looks_drawn([noise])
    False
    """
    found = [_is_drawn(frame) for frame in frames]
    return bool(found) and 2 * sum(found) > len(found)


def _is_drawn(frame: NDArray[np.uint8]) -> bool:
    height, width = frame.shape[:2]
    if min(height, width) < _SMALLEST:
        return False
    # At half the size, what codecs leave around lines is gone, and dither.
    half = PILImage.fromarray(frame).resize((width // 2, height // 2), PILImage.Resampling.BILINEAR)
    pixels = np.asarray(half).astype(np.int32)
    return _has_lines(pixels) and _is_coloured(pixels)


def _has_lines(pixels: NDArray[np.int32]) -> bool:
    """Whether a frame is flat between lines, and right beside them."""
    luma = pixels @ np.array([77, 150, 29]) >> 8
    across, down = np.abs(np.diff(luma, axis=1))[:-1], np.abs(np.diff(luma, axis=0))[:, :-1]
    steps = np.maximum(across, down)
    flat, lines = steps <= _FLAT, steps > _LINE
    share = float(flat.mean())
    if share < _LEAST_FLAT or float(lines.mean()) <= _LEAST_LINES * (1 - share):
        return False
    return float(_mean_around(flat)[lines].mean()) >= _LEAST_AROUND


def _mean_around(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The share of a mask that is set in the square around each pixel."""
    side = 2 * _AROUND + 1
    sums = np.pad(mask, ((_AROUND + 1, _AROUND), (_AROUND + 1, _AROUND)), mode="edge")
    sums = sums.astype(np.float64).cumsum(axis=0).cumsum(axis=1)
    square = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return square / side**2


def _is_coloured(pixels: NDArray[np.int32]) -> bool:
    """Whether a frame has several colours, and is not mostly grey."""
    span = pixels.max(axis=-1) - pixels.min(axis=-1)
    if float((span > _GREY).mean()) < _LEAST_COLOURED:
        return False
    # Of 16 levels a channel, the most frequent first.
    red, green, blue = np.moveaxis(pixels >> 4, -1, 0)
    counts = np.bincount((red * 256 + green * 16 + blue).ravel())
    frequent = np.flatnonzero(counts >= _SHARE * span.size)
    found = list[NDArray[np.int64]]()
    for one in frequent[np.argsort(-counts[frequent], kind="stable")]:
        colour = 16 * np.array([one >> 8, one >> 4 & 15, one & 15])
        if all(int(np.abs(colour - other).max()) >= _APART for other in found):
            found.append(colour)
    return len(found) >= _LEAST_COLOURS


def offer(source: AnySource, upscaler: Upscaler) -> bool:
    """Say in the log, at level INFO, that a video looks drawn; True where it does.

    Nothing is said where a model for drawings is at work.
    """
    name = upscaler.card.name
    if "anime" in name or not looks_drawn(_samples(source)):
        return False
    how = advise(f'model="{MODEL}"', f"-m {MODEL}")
    log.info("%s looks drawn: %s is made for that", source.path, how)
    return True


def _samples(source: AnySource) -> list[NDArray[np.uint8]]:
    """A few frames of the part, as arrays; of what cannot be decoded none."""
    duration = source.facts.frames / source.facts.rate
    to_image: Any = ToRGB(source.facts.colour)
    if isinstance(source, Pictures):
        to_image = Opaque()
    found = list[NDArray[np.uint8]]()
    for place in _PLACES:
        with suppress(SrkitError, av.error.FFmpegError):
            frame = source.frame_at(source.cut.start + place * duration)
            if frame is not None:
                found.append(as_uint8(to_image(frame.picture)))
    return found
