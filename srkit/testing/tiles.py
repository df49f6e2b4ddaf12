"""Checks of tiling: seamless, and steady when memory runs out anywhere."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from srkit.testing.harness import (
    Factory,
    Floats,
    check,
    exact,
    hook,
    in_tiles,
    least_memory,
    memory_for,
    noise,
    remember,
    require,
    require_raises,
    require_same,
    sees_all,
)
from srkit.upscaling.blending import Blend
from srkit.upscaling.tiling import grid_of

# Bytes in which every image here is one tile.
PLENTY = 1 << 40
# Levels of 255 by which blended tiles may differ from the whole image.
BLENDED = 8
# A model that is called more often than this is going round in circles.
MOST_CALLS = 2000


@check
def check_tiles(factory: Factory) -> None:
    """Any number of tiles gives the pixels of the whole image, unless all of it is seen.

    Examples
    --------
    >>> from dataclasses import replace
    >>> import srkit
    >>> def faulty():
    ...     model = srkit.load("lanczos", scale=2)
    ...     model.card = replace(model.card, radius=0)  # so that tiles get no halo
    ...     return model
    >>> check_tiles(faulty)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    AssertionError: check_tiles: 5x43 in 4 tiles: values differ by ...
    """
    upscaler = factory()
    if sees_all(upscaler):
        return
    wide = upscaler.short_halo is not None
    upscaler, calls = in_tiles(exact(upscaler)), _Calls()
    remember(upscaler)
    hook(upscaler, before=calls.count)
    long = 2 * (upscaler.radius + upscaler.card.multiple) + 41
    cases = (
        (5, long, memory_for(upscaler, 5, 13)),
        (long, 5, memory_for(upscaler, 5, 29)),
        # The smallest tiles that are planned: of models with a wide field, never.
        *([] if wide else [(17, long, least_memory(upscaler, 17, long))]),
    )
    for height, width, memory in cases:
        levels = noise((height, width, 3), np.uint8)
        # The model sees the same pixels twice, and needs to compute them once.
        for image in (levels, levels / np.float32(255)):
            whole = upscaler.upscale(image, memory=PLENTY)
            calls.made = 0
            tiled = upscaler.upscale(image, memory=memory)
            require(calls.made > 1, "the kit's memory is enough for the whole image")
            require_same(tiled, whole, f"{height}x{width} in {calls.made} tiles")


@check
def check_memory_failures(factory: Factory) -> None:
    """Memory that runs out on any tile, each in turn, leaves no trace in the result.

    A tiler that then starts again in mid-image writes wrong pixels. Models that see all of a
    picture are not asked: they then go on by blended tiles.

    Examples
    --------
    >>> import srkit
    >>> check_memory_failures(lambda: srkit.load("nearest", scale=2))
    """
    if sees_all(upscaler := exact(factory())):
        return
    remember(upscaler)
    calls = _Calls()
    hook(upscaler, before=calls.fail)
    image = noise((9, max(80, 2 * (upscaler.radius + upscaler.card.multiple) + 32), 3))
    wanted = upscaler.upscale(image, memory=PLENTY)
    memory = memory_for(upscaler, 9, 24)
    for failing in range(1, MOST_CALLS):
        calls.made, calls.failing = 0, failing
        got = upscaler.upscale(image, memory=memory)
        if calls.made < failing:
            require(failing > 2, "the kit's memory is enough for the whole image")
            return
        require_same(got, wanted, f"memory ran out in call {failing}, and the result")
    raise AssertionError("the model is called without end")


@check
def check_memory_limit(factory: Factory) -> None:
    """Where tiles beyond some size never fit, smaller ones are found by themselves.

    Models that see all of a picture are not asked, as in `check_memory_failures`.

    Examples
    --------
    >>> import srkit
    >>> check_memory_limit(lambda: srkit.load("nearest", scale=2))
    """
    if sees_all(upscaler := exact(factory())):
        return
    image = noise((15, 2 * upscaler.radius + 30, 3))
    wanted = upscaler.upscale(image, memory=PLENTY)
    calls = _Calls()
    hook(upscaler, before=calls.limit)
    calls.most = int(memory_for(upscaler, 15, 20) / upscaler.bytes_per_pixel)
    got = upscaler.upscale(image, memory=PLENTY)
    require_same(got, wanted, f"tiles of at most {calls.most} pixels fit, and the result")


@check
def check_blending(factory: Factory) -> None:
    """Tiles with too short a halo, for models that bear it, give a whole picture without seams.

    Not the exact one: on noise the worst value is at most 8 levels of 255 off.

    Examples
    --------
    >>> import srkit
    >>> check_blending(lambda: srkit.load("nearest", scale=2))
    """
    upscaler = in_tiles(factory())
    if upscaler.short_halo is None:
        return
    least = Blend.of(grid_of(upscaler, 9, 9), upscaler.short_halo, upscaler.scale).least
    # Several rows of tiles, and several in each.
    height, width = 3 * least, 6 * least
    image = noise((height, width, 3), np.uint8)
    whole = upscaler.upscale(image, memory=PLENTY)
    calls = _Calls()
    hook(upscaler, before=calls.count)
    blend = Blend.of(grid_of(upscaler, height, width), upscaler.short_halo, upscaler.scale)
    memory = math.ceil(blend.memory(blend.least, upscaler.bytes_per_pixel))
    got = upscaler.upscale(image, memory=memory)
    require(calls.made > 1, "the kit's memory is enough for the whole image")
    worst = np.abs(got.astype(int) - whole).max()
    require(worst <= BLENDED, f"blended tiles are up to {worst} levels off")


@check
def check_memory_never_enough(factory: Factory) -> None:
    """Where not even the smallest tile fits, `MemoryError` reaches the caller.

    Examples
    --------
    >>> import srkit
    >>> check_memory_never_enough(lambda: srkit.load("nearest", scale=2))
    """
    upscaler = factory()
    calls = _Calls()
    hook(upscaler, before=calls.limit)
    for ensemble in (False, True):
        for image in (noise((20, 30, 3)), noise((3, 5, 5, 3))):
            calls.made = 0
            require_raises(
                MemoryError,
                partial(upscaler.upscale, image, self_ensemble=ensemble),
                "a model for which memory never suffices",
            )
            require(calls.made < MOST_CALLS, "hundreds of tiles were tried in vain")


class _Calls:
    """Counts calls of a model, and lets memory run out.

    Attributes
    ----------
    made
        Calls so far.
    failing
        The call that `fail` fails on.
    most
        Pixels of the largest tile that `limit` lets pass.
    """

    made = 0
    failing: float = math.inf
    most = 0

    def count(self, tiles: Floats) -> None:
        self.made += 1

    def fail(self, tiles: Floats) -> None:
        self.count(tiles)
        if self.made == self.failing:
            raise MemoryError("the kit lets memory run out")

    def limit(self, tiles: Floats) -> None:
        self.count(tiles)
        if len(tiles) * tiles.shape[-3] * tiles.shape[-2] > self.most:
            raise MemoryError("the kit lets memory run out")
