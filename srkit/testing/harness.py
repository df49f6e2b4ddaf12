"""What the checks share: samples, comparisons, and hooks around a model's `run`."""

from __future__ import annotations

import copy
import functools
import logging
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

from srkit.upscaling import tiling
from srkit.upscaling.findings import Findings
from srkit.upscaling.model import Model
from srkit.upscaling.tiling import grid_of
from srkit.upscaling.upscaler import LONGEST_SIDE, Upscaler
from srkit.upscaling.video import VideoUpscaler

Factory = Callable[[], Upscaler]
Check = Callable[[Factory], None]
Floats = NDArray[np.float32]

# Floats in [0, 1] that are equal in exact arithmetic may differ by rounding.
TOLERANCE = 1e-5
# Rounded to integers, one value in so many may then fall to the other side.
RARE = 1e-5
# A picture such as models decide their options for: some noise, and no JPEG.
POOR = Findings(noise=3.0)


def check(function: Check) -> Check:
    """Decorate a check so that whatever it raises is an `AssertionError` with its name.

    Examples
    --------
    >>> @check
    ... def check_scale(factory):
    ...     require(factory().scale > 1, "the scale is 1")
    >>> from types import SimpleNamespace
    >>> check_scale(lambda: SimpleNamespace(scale=1))
    Traceback (most recent call last):
    AssertionError: check_scale: the scale is 1
    """

    @functools.wraps(function)
    def named(factory: Factory) -> None:
        try:
            function(_settled(factory))
        except AssertionError as error:
            raise AssertionError(f"{function.__name__}: {error}") from error
        except Exception as error:
            text = f"{function.__name__}: {type(error).__name__}: {error}"
            raise AssertionError(text) from error

    return named


def _settled(factory: Factory) -> Factory:
    """Models as they are for one picture: samples would each be upscaled by another network."""
    require(
        not isinstance(factory, Upscaler),
        "give a function that makes the model anew, such as lambda: srkit.load('mine'); "
        "this is one model",
    )

    def settled() -> Upscaler:
        upscaler = factory()
        if isinstance(upscaler, Model) and upscaler.decides:
            return cast(Upscaler, upscaler.for_picture(POOR))
        return upscaler

    return settled


class _Once(logging.Filter):
    """Lets each thing that srkit tells its log through once."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[tuple[str, str]] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        told = (record.name, record.getMessage())
        known = told in self._seen and record.name.startswith("srkit.")
        self._seen.add(told)
        return not known


@contextmanager
def said_once() -> Iterator[None]:
    """Within this, each thing is told to a log once, though each check makes a model anew.

    Examples
    --------
    >>> with said_once():
    ...     logging.getLogger("srkit.example").warning("this is seen once")
    ...     logging.getLogger("srkit.example").warning("this is seen once")
    """
    last = [logging.lastResort] if logging.lastResort else []
    handlers = [*logging.root.handlers, *logging.getLogger("srkit").handlers, *last]
    filters = [(handler, _Once()) for handler in handlers]
    for handler, once in filters:
        handler.addFilter(once)
    try:
        yield
    finally:
        for handler, once in filters:
            handler.removeFilter(once)


def require(condition: object, message: str) -> None:
    """Raise `AssertionError` unless the condition holds.

    Examples
    --------
    >>> require(1 + 1 == 2, "arithmetic is broken")
    """
    if not condition:
        raise AssertionError(message)


def require_raises(kind: type[Exception], call: Callable[[], object], what: str) -> None:
    """Require that a call raises an exception of a kind.

    Examples
    --------
    >>> require_raises(ZeroDivisionError, lambda: 1 / 0, "a division by zero")
    """
    try:
        call()
    except kind:
        return
    except Exception as error:
        text = f"{what} raised {type(error).__name__} ({error}), not {kind.__name__}"
        raise AssertionError(text) from error
    raise AssertionError(f"{what} raised nothing; {kind.__name__} was expected")


def require_same(got: NDArray[Any], wanted: NDArray[Any], what: str) -> None:
    """Require results that are equal in exact arithmetic to be equal up to rounding.

    Floats may differ by 1e-5; integers by one level, in one of 100,000 values (and,
    since samples are small, in five values at any rate: where kernels are picked by shape,
    sums of trained weights differ by some 1e-7, and about one value of 26,000 flips).

    Examples
    --------
    >>> require_same(np.array([0.5]), np.array([0.500001]), "half")
    """
    require(
        (got.shape, got.dtype) == (wanted.shape, wanted.dtype),
        f"{what}: {got.dtype} {got.shape} is not {wanted.dtype} {wanted.shape}",
    )
    difference = np.abs(got.astype(np.float64) - wanted)
    if got.dtype.kind == "f":
        worst = float(difference.max())
        require(worst <= TOLERANCE, f"{what}: values differ by up to {worst:.3g}")
        return
    require(difference.max() <= 1, f"{what}: values differ by up to {difference.max():g} levels")
    many = np.count_nonzero(difference)
    require(many <= max(5, RARE * got.size), f"{what}: {many} of {got.size} values differ")


def noise(shape: tuple[int, ...], dtype: DTypeLike = np.float32, seed: int = 0) -> NDArray[Any]:
    """Random pixels over the whole range of a dtype, the same at every call.

    Examples
    --------
    >>> noise((1, 3), np.uint8).tolist()
    [[163, 69, 10]]
    """
    values = np.random.default_rng(seed).random(shape)
    if np.issubdtype(dtype, np.integer):
        return (values * (np.iinfo(np.dtype(dtype)).max + 1)).astype(dtype)
    return values.astype(dtype)


def channels_of(upscaler: Upscaler) -> int:
    """Channels that `run` takes.

    Examples
    --------
    >>> import srkit
    >>> channels_of(srkit.load("bicubic"))
    3
    """
    return 1 if upscaler.card.colour == "luma" else 3


def shape_of(upscaler: Upscaler, count: int, height: int, width: int) -> tuple[int, ...]:
    """Shape of tiles that `run` takes, of at least that size.

    Examples
    --------
    >>> import srkit
    >>> shape_of(srkit.load("bicubic"), 2, 5, 7)
    (2, 5, 7, 3)
    """
    frames = (upscaler.window,) if isinstance(upscaler, VideoUpscaler) else ()
    sides = zip((height, width), upscaler.least_sides, strict=True)
    size = (aligned(max(side, least), upscaler) for side, least in sides)
    return count, *frames, *size, channels_of(upscaler)


def aligned(length: int, upscaler: Upscaler) -> int:
    """Least length that is no shorter and that `run` takes.

    Examples
    --------
    >>> import srkit
    >>> aligned(7, srkit.load("bicubic"))
    7
    """
    multiple = upscaler.card.multiple
    return -(-max(length, *upscaler.least_sides) // multiple) * multiple


def sees_all(upscaler: Upscaler) -> bool:
    """Whether a result depends on all of a picture, so that no part of it is exact.

    Examples
    --------
    >>> import srkit
    >>> sees_all(srkit.load("bicubic"))
    False
    """
    return upscaler.radius >= LONGEST_SIDE


def rim_of(upscaler: Upscaler) -> int:
    """Pixels of the border rule that the model sees around an image.

    Examples
    --------
    >>> import srkit
    >>> rim_of(srkit.load("bicubic"))
    2
    """
    return 0 if upscaler.card.border == "zero" else tiling.rim_of(upscaler)


def least_memory(upscaler: Upscaler, height: int, width: int) -> int:
    """The fewest bytes in which `Upscaler.upscale` takes on an image of that size."""
    return math.ceil(grid_of(upscaler, height, width).least * upscaler.bytes_per_pixel)


def memory_for(upscaler: Upscaler, height: int, width: int) -> int:
    """Bytes in which a core of so many pixels fits, with its halo, but not much more.

    Examples
    --------
    >>> import srkit
    >>> nearest = srkit.load("nearest", scale=2)
    >>> memory_for(nearest, 8, 10) / nearest.bytes_per_pixel
    80.0
    """
    radius, spare = upscaler.radius, 2 * (upscaler.card.multiple - 1)
    rows = height + 2 * radius + spare
    if height < 2 * upscaler.rim:
        # Along a short side the window is all that the network sees of the image.
        rows = grid_of(upscaler, height, width).rows.extended
    columns = width + 2 * radius + spare
    return math.ceil(rows * columns * upscaler.bytes_per_pixel)


def hook(
    upscaler: Upscaler,
    *,
    before: Callable[[Floats], None] = lambda tiles: None,
    after: Callable[[Floats], Floats] = lambda made: made,
) -> None:
    """Put functions around `run`, and around the strips of `run_rows`, of one object.

    Parameters
    ----------
    upscaler
        Changed from here on.
    before
        Sees tiles, or a strip, before the model does; what it raises, memory
        running out for instance, is as if the model had raised it.
    after
        Changes what the model made.

    Examples
    --------
    >>> import srkit
    >>> nearest = srkit.load("nearest", scale=2)
    >>> hook(nearest, after=lambda made: 1 - made)
    >>> nearest.upscale(np.array([[0, 255]], np.uint8)).tolist()
    [[255, 255, 0, 0], [255, 255, 0, 0]]
    """
    # Of a copy, so that a `run_rows` that calls `run` does not pass the functions twice.
    plain = copy.copy(upscaler)
    run, run_rows = plain.run, cast(Callable[..., Iterator[Floats]], plain.run_rows)

    def hooked(tiles: Floats) -> Floats:
        before(tiles)
        return after(run(tiles))

    def hooked_rows(strips: Iterable[Floats], **told: int) -> Iterator[Floats]:
        def watched() -> Iterator[Floats]:
            for strip in strips:
                before(strip)
                yield strip

        return map(after, run_rows(watched(), **told))

    vars(upscaler).update(run=hooked, run_rows=hooked_rows)


def exact(upscaler: Upscaler) -> Upscaler:
    """The same upscaler, which never takes blended tiles from here on.

    Examples
    --------
    >>> import srkit
    >>> exact(srkit.load("bicubic")).short_halo is None
    True
    """
    upscaler.short_halo = None
    return upscaler


def in_tiles(upscaler: Upscaler) -> Upscaler:
    """The same upscaler, which is never given strips from here on.

    Examples
    --------
    >>> import srkit
    >>> in_tiles(srkit.load("bicubic")).streams
    False
    """
    kind = type(upscaler)
    upscaler.__class__ = type(kind.__name__, (kind,), {"streams": False})
    return upscaler


def remember(upscaler: Upscaler) -> None:
    """Let `run` compute equal tiles once only; for checks that repeat an image often.

    Examples
    --------
    >>> import srkit
    >>> nearest = srkit.load("nearest", scale=2)
    >>> remember(nearest)
    >>> nearest.upscale(np.zeros((2, 2))).shape
    (4, 4)
    """
    run, known = copy.copy(upscaler).run, dict[tuple[tuple[int, ...], bytes], Floats]()

    def remembering(tiles: Floats) -> Floats:
        key = tiles.shape, tiles.tobytes()
        if key not in known:
            known[key] = run(tiles)
        return known[key]

    vars(upscaler).update(run=remembering)
