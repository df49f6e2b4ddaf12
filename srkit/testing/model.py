"""Checks of the adapter itself: that its card is true, and `run` does what it promises."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from srkit.card import ModelCard
from srkit.models.card_faults import fault_of
from srkit.testing.harness import (
    Factory,
    Floats,
    aligned,
    check,
    noise,
    require,
    require_same,
    sees_all,
    shape_of,
)
from srkit.upscaling.model import rows_of
from srkit.upscaling.upscaler import Upscaler

# Rounding noise between two runs on tiles of one size, in floats of [0, 1].
STILL = 1e-6
# LR pixels on either side of a row, of models that see farther than any picture is wide.
FAR = 1 << 7


@check
def check_card(factory: Factory) -> None:
    """The card is complete, and agrees with the upscaler.

    Examples
    --------
    >>> from dataclasses import replace
    >>> import srkit
    >>> def faulty():
    ...     model = srkit.load("nearest", scale=2)
    ...     model.card = replace(model.card, scales=(3, 4), default_scale=4)
    ...     return model
    >>> check_card(faulty)
    Traceback (most recent call last):
    AssertionError: check_card: x2 is not among the card's scales (3, 4)
    """
    upscaler = factory()
    card, scale = upscaler.card, upscaler.scale
    require(isinstance(card, ModelCard), f"card is a {type(card).__name__}, not a ModelCard")
    require(card.name.strip() == card.name != "", f"the card's name is {card.name!r}")
    require(card.summary.strip(), "the card has no summary")
    module, _, name = card.adapter.partition(":")
    require(module and name, f'the adapter is "module:Class", not {card.adapter!r}')
    require(isinstance(scale, int) and scale >= 1, f"the scale is {scale!r}")
    require(not (fault := fault_of(card)), fault)
    require(scale in card.scales, f"x{scale} is not among the card's scales {card.scales}")
    radius = upscaler.radius
    require(isinstance(radius, int) and radius >= 0, f"the radius is {radius!r}")
    stated = card.radius_at(scale)
    require(stated in (None, radius), f"the card states the radius {stated}, it is {radius}")
    require(upscaler.bytes_per_pixel > 0, "bytes_per_pixel is not positive")


@check
def check_run(factory: Factory) -> None:
    """`run` gives float32 tiles exactly `scale` times as large, and leaves its input be.

    Examples
    --------
    >>> import srkit
    >>> def faulty():
    ...     model = srkit.load("nearest", scale=2)
    ...     model.run = lambda tiles: tiles.repeat(2, axis=1)  # forgets the columns
    ...     return model
    >>> check_run(faulty)
    Traceback (most recent call last):
    AssertionError: check_run: run makes (1, 2, 1, 3) of (1, 1, 1, 3); (1, 2, 2, 3) is x2
    """
    upscaler = factory()
    s = upscaler.scale
    for count, height, width in ((1, 1, 1), (1, 9, 4), (3, 5, 8)):
        shape = shape_of(upscaler, count, height, width)
        tiles = noise(shape)
        before = tiles.copy()
        made = upscaler.run(tiles)
        wanted = (count, shape[-3] * s, shape[-2] * s, shape[-1])
        require(made.shape == wanted, f"run makes {made.shape} of {shape}; {wanted} is x{s}")
        require(made.dtype == np.float32, f"run makes {made.dtype}, not float32")
        require(np.array_equal(tiles, before), "run modifies its tiles")


@check
def check_run_rows(factory: Factory) -> None:
    """`run_rows`, where there is one, gives what `run` gives, however strips are cut.

    Of models that see all of a picture, by one of some hundred rows.

    Examples
    --------
    >>> import srkit
    >>> class Faulty(type(srkit.load("nearest"))):
    ...     def run_rows(self, strips):  # drops the last rows
    ...         return (self.run(strip)[:, :-1] for strip in strips)
    >>> check_run_rows(lambda: Faulty(srkit.card("nearest"), 2))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    AssertionError: check_run_rows: run_rows, in strips of 1 rows,...
    """
    upscaler = factory()
    if not upscaler.streams:
        return
    multiple = upscaler.card.multiple
    height = aligned(2 * min(upscaler.radius, FAR) + 19, upscaler)
    image = noise(shape_of(upscaler, 1, height, 7))
    whole = upscaler.run(image)
    for step in (1, 3, 16, height):

        def strips(step: int = step * multiple) -> Iterator[Floats]:
            for top in range(0, height, step):
                yield image[..., top : top + step, :, :].copy()

        rows = np.concatenate(list(rows_of(upscaler, strips(), height)), axis=1)
        require_same(rows, whole, f"run_rows, in strips of {step * multiple} rows,")


@check
def check_receptive_field(factory: Factory) -> None:
    """No output depends on an input pixel farther away than `radius`: measured.

    A line of pixels is turned into its opposite, in all frames of a window. Tiles would
    show seams if the radius were stated too small. Of models that say that they see all of a
    picture nothing is asked.

    Examples
    --------
    >>> from dataclasses import replace
    >>> import srkit
    >>> def faulty():
    ...     model = srkit.load("bicubic", scale=2)
    ...     model.card = replace(model.card, radius=1)
    ...     return model
    >>> check_receptive_field(faulty)
    Traceback (most recent call last):
    AssertionError: check_receptive_field: a pixel has an effect 2 LR pixels away; the radius is 1
    """
    upscaler = factory()
    if sees_all(upscaler):
        return
    length = aligned(upscaler.radius + 12, upscaler)
    for axis, size in ((1, (length, 17)), (2, (17, length))):
        tiles = noise(shape_of(upscaler, 1, *size)).round()
        plain = upscaler.run(tiles)
        near = range(min(upscaler.card.multiple + 1, 5))
        for line in (*near, *(length - 1 - n for n in near)):
            place = (..., line, slice(None), slice(None)) if axis == 1 else (..., line, slice(None))
            changed = tiles.copy()
            changed[place] = 1 - changed[place]
            moved = _moved(upscaler, plain, changed, axis)
            require(line in moved, f"pixel {line} of {length} has no effect on its own place")
            reach = int(np.abs(moved - line).max())
            require(
                reach <= upscaler.radius,
                f"a pixel has an effect {reach} LR pixels away; the radius is {upscaler.radius}",
            )


def _moved(
    upscaler: Upscaler, plain: Floats, changed: Floats, axis: int
) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """LR positions along an axis at which the output is no longer `plain`."""
    difference = np.abs(upscaler.run(changed) - plain)
    lines = difference.max(axis=tuple(n for n in range(4) if n != axis))
    return np.unique(np.flatnonzero(lines > STILL) // upscaler.scale)
