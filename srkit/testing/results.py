"""Checks of what the result is: constant, repeatable, thread-safe, finite, made offline."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from unittest import mock

import numpy as np

from srkit.errors import WeightsError
from srkit.testing.harness import (
    Factory,
    Floats,
    check,
    hook,
    noise,
    require,
    require_raises,
    require_same,
    rim_of,
)

# Levels of 255 by which a constant image may change.
CONSTANT = 3
THREADS = 4
# What any connection or look-up of a name goes through.
NETWORK = ("connect", "connect_ex", "sendto")


@check
def check_constant(factory: Factory) -> None:
    """A grey area stays the grey it is, within 3 levels of 255, away from borders.

    Asked of interpolation and of trained networks; random weights owe nothing.

    Examples
    --------
    >>> import srkit
    >>> def faulty():
    ...     model = srkit.load("nearest", scale=2)
    ...     sound = model.run
    ...     model.run = lambda tiles: sound(tiles) + np.float32(0.02)
    ...     return model
    >>> check_constant(faulty)
    Traceback (most recent call last):
    AssertionError: check_constant: a constant 0 is changed by up to 5 levels
    """
    upscaler = factory()
    margin = min(upscaler.radius, 12)
    side, inner = 2 * margin + 8, slice(margin * upscaler.scale, -margin * upscaler.scale or None)
    for level in (0, 40, 128, 200, 255):
        result = upscaler.upscale(np.full((side, side, 3), level, np.uint8))[inner, inner]
        worst = np.abs(result.astype(int) - level).max()
        require(worst <= CONSTANT, f"a constant {level} is changed by up to {worst} levels")


@check
def check_deterministic(factory: Factory) -> None:
    """The same image gives the same bits, by one upscaler and by another of its kind.

    Examples
    --------
    >>> import srkit
    >>> def faulty():
    ...     model, chance = srkit.load("nearest", scale=2), np.random.default_rng(0)
    ...     sound = model.run
    ...     model.run = lambda tiles: sound(tiles) * np.float32(chance.uniform(0.9, 1.0))
    ...     return model
    >>> check_deterministic(faulty)
    Traceback (most recent call last):
    AssertionError: check_deterministic: the same upscaler gives another result for the same image
    """
    upscaler, image = factory(), noise((9, 7, 3))
    first = upscaler.upscale(image)
    for again, whose in ((upscaler, "the same upscaler"), (factory(), "another upscaler")):
        same = np.array_equal(again.upscale(image), first)
        hint = "" if again is upscaler else "; of random weights the factory has to seed them"
        require(same, f"{whose} gives another result for the same image{hint}")


@check
def check_threads(factory: Factory) -> None:
    """Threads that share an upscaler get what each would get alone.

    Examples
    --------
    >>> import srkit
    >>> check_threads(lambda: srkit.load("nearest", scale=2))
    """
    upscaler = factory()
    images = [noise((6 + n, 9, 3), seed=n) for n in range(THREADS)]
    alone = [upscaler.upscale(image) for image in images]
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in range(2):
            for got, wanted in zip(pool.map(upscaler.upscale, images), alone, strict=True):
                require_same(got, wanted, f"{THREADS} threads at once")


@check
def check_self_ensemble(factory: Factory) -> None:
    """`self_ensemble` is the mean over all eight flips and quarter turns.

    Examples
    --------
    >>> import srkit
    >>> check_self_ensemble(lambda: srkit.load("nearest", scale=2))
    """
    upscaler = factory()
    hook(upscaler, after=_shrunk)
    # Sides to which nothing is added, to reach a multiple or the least that the model takes:
    # turned, it would be elsewhere.
    least = max(upscaler.least_sides)
    sides = (least, least + 3) if least > 1 else (6, 9)
    height, width = (n + -(n + 2 * rim_of(upscaler)) % upscaler.card.multiple for n in sides)
    image = (0.4 + noise((height, width, 3)) / 5).astype(np.float32)
    made = []
    for turns in range(4):
        for flip in (False, True):
            turned = np.rot90(image[:, ::-1] if flip else image, turns)
            back = np.rot90(upscaler.upscale(turned), -turns)
            made.append(back[:, ::-1] if flip else back)
    got = upscaler.upscale(image, self_ensemble=True)
    require_same(got, np.stack(made).mean(axis=0), "self_ensemble")


def _shrunk(made: Floats) -> Floats:
    """Values nearer to the middle, so that clipping changes none."""
    return (0.5 + (made - 0.5) / 4).astype(np.float32)


@check
def check_invalid_output(factory: Factory) -> None:
    """Values that are not numbers never reach the result: `WeightsError` is raised.

    Examples
    --------
    >>> import srkit
    >>> check_invalid_output(lambda: srkit.load("nearest", scale=2))
    """
    for value in (np.nan, np.inf):

        def spoil(made: Floats, value: float = value) -> Floats:
            # Everywhere, as only part of what is made for so small an image is kept.
            return np.full_like(made, value)

        upscaler = factory()
        hook(upscaler, after=spoil)
        require_raises(
            WeightsError,
            partial(upscaler.upscale, noise((5, 5, 3))),
            f"a model that gives {value}",
        )


@check
def check_offline(factory: Factory) -> None:
    """Neither loading nor running needs the network.

    Weights that are downloaded on first use have to be in the cache beforehand.

    Examples
    --------
    >>> import srkit
    >>> def faulty():
    ...     socket.create_connection(("example.org", 443))
    >>> check_offline(faulty)
    Traceback (most recent call last):
    AssertionError: check_offline: it asks for the network
    """
    refuse = mock.Mock(side_effect=AssertionError("it asks for the network"))
    with ExitStack() as stack:
        for name in NETWORK:
            stack.enter_context(mock.patch.object(socket.socket, name, refuse))
        stack.enter_context(mock.patch.object(socket, "getaddrinfo", refuse))
        factory().upscale(noise((4, 4, 3)))
    # An adapter may have swallowed the error.
    require(not refuse.called, "it asks for the network")
