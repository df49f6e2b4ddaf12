"""Modules of users as models: looked into where that can be done, else run as they are."""

from __future__ import annotations

import copy
import logging
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from srkit.adapters.functions import check_result
from srkit.adapters.pytorch.runtime.closed import ClosedUpscaler
from srkit.adapters.pytorch.runtime.device import memory_errors
from srkit.adapters.pytorch.runtime.upscaler import TorchUpscaler
from srkit.card import ModelCard
from srkit.errors import BrokenPluginError, OptionError, WeightsError
from srkit.upscaling.upscaler import Upscaler

log = logging.getLogger(__name__)

Floats = NDArray[np.float32]

# What a traced network may differ by from the module's own call, in [0, 1].
TOLERANCE = 1e-4
# Sides of the tile that is compared, in multiples of what the network takes, at least.
TILE = (16, 21)
# Sides that are tried of a network that takes no tile of one pixel, as one that mirrors borders.
LEAST = (1, 2, 4, 8, 16)


def wrapped(
    net: nn.Module,
    card: ModelCard,
    *,
    colour: str | None,
    device: str,
    precision: str,
) -> Upscaler:
    """An upscaler that runs a copy of a module.

    Parameters
    ----------
    net
        ``(N, C, H, W) -> (N, C, scale*H, scale*W)``. It is left as it is.
    card
        Of one scale; its `radius` is taken for true where it states one.
    colour
        See `ModelCard`; by default what the module takes.
    device, precision
        See `TorchUpscaler`.

    Raises
    ------
    BrokenPluginError, WeightsError
        If what it makes of a small tile is not what it should be.
    OptionError
        If it takes no such tile, or device or precision cannot be had.
    """
    own = _copied(_Held(net) if isinstance(net, torch.jit.ScriptModule) else net, card.name)
    card, tile, plain = _tried(own, card, colour)
    least = _least_side(own, card)
    try:
        made: Upscaler = _traced(own, card, tile, plain, device=device, precision=precision)
    except (OptionError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 networks of others can fail to be traced in any way
        # Of what `TorchUpscaler` says, without its advice.
        obstacle = str(error.__cause__ or error).partition("\n")[0] or repr(error)
        how = "with the radius that is stated" if card.radius is not None else "on whole pictures"
        log.warning(
            "%s runs as it is, %s: %s%s",
            card.name,
            how,
            obstacle,
            "" if card.radius is not None else "; state radius=, in LR pixels, for exact tiles",
        )
        radius = card.radius_at(card.default_scale)
        made = ClosedUpscaler(
            card,
            card.default_scale,
            own,
            obstacle,
            device=device,
            precision=precision,
            radius=radius,
        )
    made.least_sides = least, least
    return made


class _Held(nn.Module):
    """A module of TorchScript's, which lacks some methods that others have."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Any:
        """As it is."""
        return self.net(x)


def _copied(net: nn.Module, name: str) -> nn.Module:
    """A copy to keep, on the CPU, in float32: the module may be trained on."""
    try:
        with torch.no_grad():
            own: nn.Module = copy.deepcopy(net).to("cpu", torch.float32)
    except Exception as error:
        raise OptionError(
            f"{name} cannot be copied, which wrap does, so that it may be trained on: "
            f"{type(error).__name__}: {error}"
        ) from error
    return own.eval().requires_grad_(False)


def _tried(net: nn.Module, card: ModelCard, colour: str | None) -> tuple[ModelCard, Floats, Floats]:
    """The card with the colour that the module takes; a tile, and what is made of it."""
    multiple, scale = card.multiple, card.default_scale
    height, width = (-(-side // multiple) * multiple for side in TILE)
    failure: Exception | None = None
    for chosen in ("rgb", "luma") if colour is None else (colour,):
        shape = (1, height, width, 1 if chosen == "luma" else 3)
        tile = np.random.default_rng(0).random(shape, np.float32)
        try:
            made = _called(net, tile)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 of a module that is not ours
            failure = failure or error
            continue
        if not isinstance(made, Tensor):
            raise BrokenPluginError(
                f"{card.name} made {type(made).__name__}; one tensor (N, C, H, W) was expected"
            )
        if made.ndim == 4:
            made = made.permute(0, 2, 3, 1)
        if made.dtype == torch.bfloat16:  # which numpy has not
            made = made.float()
        array = made.detach().cpu().numpy()
        checked = check_result(array, shape, scale, card.name, shown=_planar)
        if chosen != card.colour:
            log.info("%s takes one channel: it is given brightness alone, as luma", card.name)
        return replace(card, colour=chosen), tile, checked
    asked = 1, 1 if colour == "luma" else 3, height, width
    raise OptionError(
        f"{card.name} takes no planes {asked}: {type(failure).__name__}: {failure}; if their "
        "sides have to be multiples of a number, state multiple="
    ) from failure


def _planar(shape: tuple[int, ...]) -> tuple[int, ...]:
    """``(N, H, W, C)`` as the module itself has it."""
    return (shape[0], shape[3], *shape[1:3]) if len(shape) == 4 else shape


def _called(net: nn.Module, tile: Floats) -> Any:
    with memory_errors(), torch.inference_mode():
        # A copy: networks may write to their input.
        return net(torch.tensor(tile.transpose(0, 3, 1, 2)))


def _least_side(net: nn.Module, card: ModelCard) -> int:
    """The smallest side of `LEAST` that the module takes, in multiples of what it has to be."""
    sides = [-(-side // card.multiple) * card.multiple for side in LEAST]
    return next((side for side in sides[:-1] if _takes(net, card, side)), sides[-1])


def _takes(net: nn.Module, card: ModelCard, side: int) -> bool:
    """Whether the module makes what it should of so small a square."""
    channels = 1 if card.colour == "luma" else 3
    try:
        made = _called(net, np.full((1, side, side, channels), 0.5, np.float32))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 of a module that is not ours
        return False
    if not isinstance(made, Tensor):
        return False
    return tuple(made.shape) == (1, channels, *(side * card.default_scale,) * 2)


def _traced(
    net: nn.Module, card: ModelCard, tile: Floats, plain: Floats, **where: Any
) -> TorchUpscaler:
    """The module as srkit runs its own; raises, whatever it is, where that cannot be done."""
    scale = card.default_scale
    made = TorchUpscaler(card, scale, copy.deepcopy(net), radius=card.radius_at(scale), **where)
    apart = np.abs(np.clip(made.in_float32().run(tile), 0, 1) - np.clip(plain, 0, 1)).max()
    if not apart <= TOLERANCE:
        raise WeightsError(f"traced, it gives values that are {apart:.3g} off")
    return made
