"""Whether a video looks drawn, by a few of its frames; a model of ours is made for such.

Drawings are flat between sharp lines, in several colours. Photographs have grain or soft shades
where they are not flat; what they show in silhouette is flat and sharp, but of few colours, and
screens are so, too, but grey.
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
_FLAT, _LINE = 2, 24
# Shares of flat pixels, and of lines among the others; colours of nine tenths of all pixels.
_LEAST_FLAT, _LEAST_LINES, _LEAST_COLOURS = 0.75, 0.35, 10
# Levels between channels of what is grey, as most of a screen is, and the share that is not.
_GREY, _LEAST_COLOURED = 32, 0.25


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
    if min(frame.shape[:2]) < 2:
        return False
    luma = frame.astype(np.int32) @ np.array([77, 150, 29]) >> 8
    across, down = np.abs(np.diff(luma, axis=1))[:-1], np.abs(np.diff(luma, axis=0))[:, :-1]
    steps = np.maximum(across, down)
    flat, lines = float((steps <= _FLAT).mean()), float((steps > _LINE).mean())
    if flat < _LEAST_FLAT or lines < _LEAST_LINES * (1 - flat):
        return False
    span = frame.max(axis=-1).astype(np.int32) - frame.min(axis=-1)
    if float((span > _GREY).mean()) < _LEAST_COLOURED:
        return False
    # Of 16 levels a channel.
    red, green, blue = np.moveaxis(frame >> 4, -1, 0).astype(np.int32)
    counts = np.sort(np.bincount((red * 256 + green * 16 + blue).ravel()))[::-1]
    return int((np.cumsum(counts) < 0.9 * luma.size).sum()) + 1 >= _LEAST_COLOURS


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
