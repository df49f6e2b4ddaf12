"""`SpandrelUpscaler`: a network that is run as it is, since nobody can look into it."""

from __future__ import annotations

import functools
import threading
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from srkit.adapters.pytorch.runtime.device import (
    exact_kernels,
    free_on,
    memory_errors,
    pick_device,
    pick_precision,
)
from srkit.adapters.pytorch.runtime.footprint import HEADROOM
from srkit.adapters.spandrel.allocations import Allocations
from srkit.card import ModelCard
from srkit.errors import OptionError
from srkit.upscaling.upscaler import LONGEST_SIDE, Upscaler

Floats = NDArray[np.float32]

# LR pixels that a blended tile sees beyond where it counts alone, and fades in a third of: four
# windows of 8 pixels are left, which is what most networks with attention look through.
HALO = 48
# Side of the tile that memory is measured on: several windows of attention.
PROBE = 64


class SpandrelUpscaler(Upscaler):
    """Runs spandrel's own call, on whole pictures while they fit in memory.

    How far such a network sees is not known, so it is taken to see all of the picture. Where
    that does not fit, tiles are blended, which is not exact; see `Upscaler.short_halo`.

    Parameters
    ----------
    card
        The model's facts.
    model
        Spandrel's descriptor. It belongs to the upscaler from here on.
    obstacle
        Why srkit cannot follow the network layer by layer, for messages.
    device
        See `TorchUpscaler`.
    precision
        ``"float32"``, or ``"auto"``, which is the same. Networks that spandrel calls able to do
        with less make tables in float32 while they run, and then fail.

    Raises
    ------
    OptionError
        If the device or the precision cannot be had.
    """

    short_halo = HALO
    runtime = "torch"

    def __init__(
        self, card: ModelCard, model: Any, obstacle: str, *, device: str, precision: str
    ) -> None:
        self.card, self.scale, self.obstacle = card, card.default_scale, obstacle
        self._device = pick_device(device)
        if pick_precision(precision, self._device, ()) != torch.float32:
            raise OptionError(f"{card.name} runs in float32 alone, since srkit cannot look into it")
        self.device = str(self._device)
        self._model = model.to(self._device)
        # Some networks write to themselves while they run.
        self._lock = threading.Lock()

    @property
    def radius(self) -> int:
        """As far as any picture is wide."""
        return LONGEST_SIDE

    def run(self, tiles: Floats) -> Floats:
        """See `Upscaler.run`; one tile after another, as spandrel's call asks for it."""
        with self._lock, memory_errors(), exact_kernels(self._device):
            return np.concatenate([own_call(self._model, tile[None]) for tile in tiles])

    @functools.cached_property
    def _measured(self) -> float:
        needs = self._model.size_requirements
        side = -(-max(PROBE, needs.minimum) // needs.multiple_of) * needs.multiple_of
        tile = np.full((1, side, side, self._model.input_channels), 0.5, np.float32)
        with self._lock, memory_errors(), Allocations() as watched:
            own_call(self._model, tile)
        return float(HEADROOM * watched.peak / side**2)

    @property
    def bytes_per_pixel(self) -> float:
        """Measured once on a small tile, with headroom; as if memory grew with the pixels."""
        return self._measured

    @property
    def parameters(self) -> int:
        """Numbers that were trained."""
        return sum(p.numel() for p in self._model.model.parameters())

    def available_memory(self) -> int:
        """On a GPU most of what is free there, else as for every model."""
        free = free_on(self._device)
        return super().available_memory() if free is None else free


def own_call(model: Any, tile: Floats) -> Floats:
    """What spandrel's call makes of a tile ``(1, H, W, C)``, in [0, 1].

    It pads to what the network takes, and cuts off what came of that.
    """
    # A copy: networks may write to their input.
    given = torch.tensor(tile.transpose(0, 3, 1, 2)).to(model.device, model.dtype)
    made: Floats = model(given).permute(0, 2, 3, 1).float().cpu().numpy()
    return made
