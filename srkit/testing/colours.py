"""What a model makes of even colours: which come back, and by how much others change."""

from __future__ import annotations

import itertools
import logging
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from srkit.testing.harness import Factory, check, require, rim_of
from srkit.upscaling.upscaler import Upscaler

log = logging.getLogger(__name__)

# Levels of 255 by which an even colour may change where the card says that it keeps them.
WITHIN = 1

# Of each of red, green and blue; and greys where networks are most often wrong, near white.
LEVELS = (0, 85, 170, 255)
GREYS = range(240, 255)
# Pixels along a picture as the model sees it, its rim included, and along what of it counts as
# away from borders.
SIDE, MIDDLE = 24, 4


class ColourShift(NamedTuple):
    """By how many levels of 255 even colours change.

    Attributes
    ----------
    largest
        Of any colour, anywhere in the picture.
    within
        Of any colour, away from borders.

    Examples
    --------
    >>> ColourShift(largest=3, within=1).largest
    3
    """

    largest: int
    within: int


def even_colours() -> NDArray[np.uint8]:
    """The 79 colours that are measured, ``(79, 3)``.

    Examples
    --------
    >>> even_colours()[[1, 63, 64, 78]].tolist()
    [[0, 0, 85], [255, 255, 255], [240, 240, 240], [254, 254, 254]]
    """
    greys = [(grey,) * 3 for grey in GREYS]
    return np.array([*itertools.product(LEVELS, repeat=3), *greys], np.uint8)


def colour_shift(upscaler: Upscaler) -> ColourShift:
    """How even colours come back: 64 of all hues, and the greys 240 to 254.

    They are one batch of small pictures, of which a network as large as SRResNet makes
    2/3 of a megapixel.

    Parameters
    ----------
    upscaler
        A loaded model.

    Returns
    -------
    ColourShift
        In levels of 255.

    Examples
    --------
    >>> import srkit
    >>> colour_shift(srkit.load("bicubic", scale=2))
    ColourShift(largest=0, within=0)
    """
    colours = even_colours()
    pictures, side = _pictures(upscaler, colours)
    made = upscaler.upscale(pictures).astype(int)
    apart = np.abs(made - colours[:, None, None])
    edge = (side - MIDDLE) // 2 * upscaler.scale
    within = apart[:, edge : made.shape[1] - edge, edge : made.shape[2] - edge]
    return ColourShift(int(apart.max()), int(within.max()))


def _pictures(upscaler: Upscaler, colours: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int]:
    """A batch of even pictures, and their sides."""
    side = max(2 * MIDDLE, SIDE - 2 * rim_of(upscaler))
    return np.broadcast_to(colours[:, None, None], (len(colours), side, side, 3)), side


@check
def check_red_and_blue(factory: Factory) -> None:
    """Red does not come back as blue, nor blue as red: many programs have channels the other way.

    Random weights owe nothing.

    Examples
    --------
    >>> import srkit
    >>> def faulty():
    ...     model = srkit.load("nearest", scale=2)
    ...     sound = model.run
    ...     model.run = lambda tiles: sound(tiles)[..., ::-1]  # as OpenCV has it
    ...     return model
    >>> check_red_and_blue(faulty)
    Traceback (most recent call last):
    AssertionError: check_red_and_blue: an even (255, 0, 0) comes back as (0, 0, 255): \
red and blue are swapped; run takes and gives R, G, B
    """
    upscaler = factory()
    colours = np.array([[255, 0, 0], [0, 0, 255]], np.uint8)
    pictures, _ = _pictures(upscaler, colours)
    for colour, made in zip(colours, upscaler.upscale(pictures), strict=True):
        found = made.reshape(-1, 3).mean(axis=0).round().astype(int)
        red, _, blue = found if colour[0] else found[::-1]
        require(
            red >= blue,
            f"an even {tuple(colour.tolist())} comes back as {tuple(found.tolist())}: red and blue "
            "are swapped; run takes and gives R, G, B",
        )


@check
def check_even_colours(factory: Factory) -> None:
    """An even colour comes back within 1 level of 255, where the card says so.

    Elsewhere the figure is told in the log. Random weights owe nothing.

    Examples
    --------
    >>> from dataclasses import replace
    >>> import srkit
    >>> def faulty():
    ...     model = srkit.load("nearest", scale=2)
    ...     model.card = replace(model.card, even_colours=True)
    ...     sound = model.run
    ...     model.run = lambda tiles: sound(tiles) * np.float32(0.98)
    ...     return model
    >>> check_even_colours(faulty)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    AssertionError: check_even_colours: even colours change by up to 5 levels, ...
    """
    upscaler = factory()
    found = colour_shift(upscaler)
    told = f"even colours change by up to {found.largest} levels, {found.within} inside"
    log.info("%s x%d: %s", upscaler.card.name, upscaler.scale, told)
    if upscaler.card.even_colours:
        require(found.largest <= WITHIN, f"{told}; the card says {WITHIN}")
