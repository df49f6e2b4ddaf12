"""Functions of users as models: `FunctionUpscaler`, and what is asked of what they return."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srkit.card import ModelCard
from srkit.errors import BrokenPluginError, WeightsError
from srkit.upscaling.canvas import told_scale
from srkit.upscaling.model import LONGEST_SIDE
from srkit.upscaling.upscaler import Upscaler

# What overshoots lies near [0, 1]. What is larger than this is on another scale, such as 255.
FARTHEST = 16.0


class FunctionUpscaler(Upscaler):
    """Runs a function ``(N, H, W, C) -> (N, scale*H, scale*W, C)``, both in [0, 1].

    Without a radius it is given whole pictures, since how far it sees is not known.

    Parameters
    ----------
    card, scale
        The model's facts, and its factor.
    function
        Given a copy, which it may write to.

    Examples
    --------
    >>> card = ModelCard(name="fours", summary="", adapter="mine:fours", framework="numpy",
    ...                  scales=(2,), default_scale=2, border="zero")
    >>> fours = FunctionUpscaler(card, 2, lambda tiles: tiles.repeat(2, axis=1).repeat(2, axis=2))
    >>> fours.upscale(np.zeros((4, 6, 3), np.uint8)).shape
    (8, 12, 3)
    """

    def __init__(
        self, card: ModelCard, scale: int, function: Callable[[NDArray[np.float32]], Any]
    ) -> None:
        self.card, self.scale = card, scale
        self._function = function

    @property
    def radius(self) -> int:
        """The card's, or as far as any picture is wide."""
        stated = self.card.radius_at(self.scale)
        return LONGEST_SIDE if stated is None else stated

    def run(self, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Upscaler.run`.

        Raises
        ------
        BrokenPluginError, WeightsError
            See `check_result`. What the function itself raises comes out as it is.
        """
        made = self._function(tiles.copy())
        return check_result(made, tiles.shape, self.scale, self.card.name)


def check_result(
    made: Any,
    given: tuple[int, ...],
    scale: int,
    name: str,
    shown: Callable[[tuple[int, ...]], tuple[int, ...]] = tuple,
) -> NDArray[np.float32]:
    """What a model of a user's made of tiles ``(N, H, W, C)``, in float32.

    Parameters
    ----------
    given
        Shape of the tiles.
    name
        Of the model, for messages.
    shown
        How messages show a shape, where the model itself has its axes in another order.

    Raises
    ------
    BrokenPluginError
        If it is no array of floats of the right shape, or far beyond [0, 1].
    WeightsError
        If it holds values that are not numbers.

    Examples
    --------
    >>> check_result(np.zeros((1, 4, 4, 3)), (1, 2, 2, 3), scale=2, name="mine").dtype
    dtype('float32')
    >>> check_result(np.zeros((1, 6, 6, 3)), (1, 2, 2, 3), scale=2, name="mine")
    Traceback (most recent call last):
    srkit.errors.BrokenPluginError: mine made (1, 6, 6, 3) of (1, 2, 2, 3), which is x3; \
(1, 4, 4, 3) was expected, as its scale is 2
    """
    if not isinstance(made, np.ndarray):
        raise BrokenPluginError(
            f"{name} made {type(made).__name__}; a numpy array (N, H, W, C) of floats in [0, 1] "
            "was expected"
        )
    count, height, width, channels = given
    wanted = count, scale * height, scale * width, channels
    if made.shape != wanted:
        raise BrokenPluginError(
            f"{name} made {shown(made.shape)} of {shown(given)}{told_scale(made.shape, given)}; "
            f"{shown(wanted)} was expected, as its scale is {scale}"
        )
    if made.dtype.kind != "f":
        raise BrokenPluginError(
            f"{name} made {made.dtype}; floats in [0, 1] were expected: levels of 255 are to be "
            "divided by 255"
        )
    farthest = max(-float(made.min()), float(made.max()))
    if not np.isfinite(farthest):
        raise WeightsError(f"{name} made values that are not numbers (NaN or infinite)")
    if farthest > FARTHEST:
        raise BrokenPluginError(
            f"{name} made values up to {farthest:g}; floats in [0, 1] were expected, of tiles in "
            "[0, 1]"
        )
    return made.astype(np.float32, copy=False)
