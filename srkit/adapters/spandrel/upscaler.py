"""`SpandrelUpscaler`: spandrel's own call, of a network that nobody can look into."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from srkit.adapters.pytorch.runtime.closed import HALO as HALO
from srkit.adapters.pytorch.runtime.closed import PROBE, ClosedUpscaler
from srkit.card import ModelCard

Floats = NDArray[np.float32]


class SpandrelUpscaler(ClosedUpscaler):
    """Runs spandrel's own call, on whole pictures while they fit in memory.

    Parameters
    ----------
    card
        The model's facts.
    model
        Spandrel's descriptor. It belongs to the upscaler from here on.
    obstacle, device, precision
        See `ClosedUpscaler`. Networks that spandrel calls able to do with less than float32 make
        tables in it while they run, and then fail.

    Raises
    ------
    OptionError
        If the device or the precision cannot be had.
    """

    def __init__(
        self, card: ModelCard, model: Any, obstacle: str, *, device: str, precision: str
    ) -> None:
        scale = card.default_scale
        super().__init__(card, scale, model.model, obstacle, device=device, precision=precision)
        self._model = model.to(self._device)

    def compute(self, tile: Floats) -> Floats:
        """See `ClosedUpscaler.compute`."""
        return own_call(self._model, tile)

    @property
    def probe_side(self) -> int:
        """See `ClosedUpscaler.probe_side`; no less than the network takes."""
        needs = self._model.size_requirements
        return int(-(-max(PROBE, needs.minimum) // needs.multiple_of) * needs.multiple_of)


def own_call(model: Any, tile: Floats) -> Floats:
    """What spandrel's call makes of a tile ``(1, H, W, C)``, in [0, 1].

    It pads to what the network takes, and cuts off what came of that.
    """
    # A copy: networks may write to their input.
    given = torch.tensor(tile.transpose(0, 3, 1, 2)).to(model.device, model.dtype)
    made: Floats = model(given).permute(0, 2, 3, 1).float().cpu().numpy()
    return made
