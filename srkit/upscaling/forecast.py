"""How long work is going to take: told before it, where it is long."""

from __future__ import annotations

import logging
import time
import weakref
from collections.abc import Sequence

import numpy as np

from srkit.upscaling.model import Model

log = logging.getLogger(__name__)

clock = time.perf_counter

# Work of no more seconds is not worth a word.
SHORT = 20.0
# Multiplications that the slowest machine does in that time. A network multiplies each of its
# numbers about once for each LR pixel, so work below this is short, and nothing is measured.
LITTLE = 4e11
# Side of the tile that is timed.
PROBE = 32

# Models of which the log has told: once is enough for a folder of photos.
_TOLD: weakref.WeakSet[Model] = weakref.WeakSet()


def foretell(
    models: Sequence[Model], pixels: int, shape: tuple[int, int], *, seamless: bool
) -> None:
    """Say in the log, at level INFO, how long models are going to work in all, if it is long.

    It is told once for each model, after a small tile was timed.

    Parameters
    ----------
    models
        The models that are going to work, one after the other, all by one factor. Those that do
        not tell their size are left out.
    pixels
        LR pixels that each will be given.
    shape
        Rows and columns of the picture, for the message.
    seamless
        Whether they see each pixel once. Tiles have halos, and take longer than their pixels.
    """
    ahead = [model for model in models if model.parameters and model not in _TOLD]
    if pixels * sum(model.parameters or 0 for model in ahead) < LITTLE:
        return
    _TOLD.update(ahead)
    seconds = pixels * sum(map(seconds_per_pixel, ahead))
    if seconds > SHORT:
        log.info(
            "%s x%d: %s %s for %dx%d on this machine",
            ", ".join(model.card.name for model in ahead),
            ahead[0].scale,
            "about" if seamless else "at least",
            in_words(seconds),
            shape[1],
            shape[0],
        )


def seconds_per_pixel(model: Model) -> float:
    """How long a model takes for an LR pixel, by a small tile.

    Examples
    --------
    >>> import srkit
    >>> 0 < seconds_per_pixel(srkit.load("bilinear", scale=2)) < 1
    True
    """
    multiple = model.card.multiple
    side = -(-PROBE // multiple) * multiple
    frames = (model.window,) if model.window > 1 else ()
    channels = 1 if model.card.colour == "luma" else 3
    tile = np.full((1, *frames, side, side, channels), 0.5, np.float32)
    model.run(tile)  # the first of a shape takes longer
    begun = clock()
    model.run(tile)
    return (clock() - begun) / side**2


def in_words(seconds: float) -> str:
    """A length of time, as exactly as a forecast is.

    Examples
    --------
    >>> in_words(43.2), in_words(70), in_words(250), in_words(10_000)
    ('40 seconds', '1 minute', '4 minutes', '3 hours')
    """
    if seconds < 55:
        return f"{max(1, round(seconds / 10)) * 10} seconds"
    minutes = round(seconds / 60)
    count, unit = (minutes, "minute") if minutes < 90 else (round(seconds / 3600), "hour")
    return f"{count} {unit}{'' if count == 1 else 's'}"
