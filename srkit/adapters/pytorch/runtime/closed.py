"""`ClosedUpscaler`: a network that is run as it is, since nobody can look into it."""

from __future__ import annotations

import functools
import threading
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from srkit.adapters.pytorch.runtime.allocations import Allocations
from srkit.adapters.pytorch.runtime.device import (
    exact_kernels,
    free_on,
    memory_errors,
    pick_device,
    pick_precision,
)
from srkit.adapters.pytorch.runtime.footprint import HEADROOM
from srkit.card import ModelCard
from srkit.errors import OptionError
from srkit.upscaling.model import LONGEST_SIDE
from srkit.upscaling.upscaler import Upscaler

Floats = NDArray[np.float32]

# LR pixels that a blended tile sees beyond where it counts alone, and fades in a third of: four
# windows of 8 pixels are left, which is what most networks with attention look through.
HALO = 48
# Side of the tile that memory is measured on: several windows of attention.
PROBE = 64


class _OwnLock:
    """A lock that stays where it is: who is copied with it, or pickled, gets a new one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def __reduce__(self) -> tuple[Any, ...]:
        return _OwnLock, ()


class ClosedUpscaler(Upscaler):
    """Runs a network as it is, on whole pictures while they fit in memory.

    How far such a network sees is not known, so it is taken to see all of the picture. Where
    that does not fit, tiles are blended, which is not exact; see `Upscaler.short_halo`. With a
    radius that is stated, tiles are exact.

    Parameters
    ----------
    card, scale
        The model's facts, and its factor.
    net
        The network. It belongs to the upscaler from here on.
    obstacle
        Why srkit cannot follow the network layer by layer, for messages; by default, that it
        was not asked to.
    device
        See `TorchUpscaler`.
    precision
        ``"float32"``, or ``"auto"``, which is the same. What looks able to do with less may make
        tables in float32 while it runs, and then fail.
    radius
        Receptive-field radius in LR pixels, where it is known.

    Raises
    ------
    OptionError
        If the device or the precision cannot be had.

    Examples
    --------
    >>> class Mine(ClosedUpscaler):
    ...     def __init__(self, card, scale, weights=None, *, device="auto", precision="auto"):
    ...         net = nn.Sequential(nn.InstanceNorm2d(3), nn.Upsample(scale_factor=scale))
    ...         super().__init__(card, scale, net, device=device, precision=precision)
    >>> card = ModelCard(name="mine", summary="", adapter="mine:Mine", framework="torch",
    ...                  scales=(2,), default_scale=2, border="zero")
    >>> Mine(card, 2, device="cpu").upscale(np.zeros((4, 6, 3), np.uint8)).shape
    (8, 12, 3)
    """

    short_halo: int | None = HALO
    runtime = "torch"

    def __init__(
        self,
        card: ModelCard,
        scale: int,
        net: nn.Module,
        obstacle: str = "it is run as it is",
        *,
        device: str = "auto",
        precision: str = "auto",
        radius: int | None = None,
    ) -> None:
        self.card, self.scale, self.obstacle = card, scale, obstacle
        self._device = pick_device(device)
        self.device = str(self._device)
        if pick_precision(precision, self._device, ()) != torch.float32:
            raise OptionError(f"{card.name} runs in float32 alone, since srkit cannot look into it")
        self._radius = LONGEST_SIDE if radius is None else radius
        if radius is not None:
            self.short_halo = None
        self._parameters = sum(p.numel() for p in net.parameters())
        self._net = net.eval().requires_grad_(False).to(self._device)
        # Some networks write to themselves while they run.
        self._lock = _OwnLock()

    def compute(self, tile: Floats) -> Floats:
        """What the network makes of one tile ``(1, H, W, C)``, in the same layout.

        Examples
        --------
        >>> from srkit import ModelCard
        >>> card = ModelCard(name="mine", summary="Twice.", adapter="mine:Mine",
        ...                  framework="torch", scales=(2,), default_scale=2)
        >>> mine = ClosedUpscaler(card, 2, nn.Upsample(scale_factor=2))
        >>> mine.compute(np.zeros((1, 4, 6, 3), np.float32)).shape
        (1, 8, 12, 3)
        """
        # A copy: networks may write to their input.
        given = torch.tensor(tile.transpose(0, 3, 1, 2)).to(self._device)
        made: Floats = self._net(given).permute(0, 2, 3, 1).float().cpu().numpy()
        return made

    def run(self, tiles: Floats) -> Floats:
        """See `Upscaler.run`; one tile after another, as some networks take no more."""
        with self._lock, memory_errors(), exact_kernels(self._device), torch.inference_mode():
            return np.concatenate([self.compute(tile[None]) for tile in tiles])

    @property
    def radius(self) -> int:
        """What was stated, or as far as any picture is wide."""
        return self._radius

    @property
    def probe_side(self) -> int:
        """Side of the tile that memory is measured on.

        Examples
        --------
        >>> from srkit import ModelCard
        >>> card = ModelCard(name="mine", summary="Twice.", adapter="mine:Mine",
        ...                  framework="torch", scales=(2,), default_scale=2)
        >>> mine = ClosedUpscaler(card, 2, nn.Upsample(scale_factor=2))
        >>> mine.probe_side
        64
        """
        return -(-PROBE // self.card.multiple) * self.card.multiple

    @functools.cached_property
    def _measured(self) -> float:
        channels = 1 if self.card.colour == "luma" else 3
        side = self.probe_side
        tile = np.full((1, side, side, channels), 0.5, np.float32)
        with self._lock, memory_errors(), Allocations() as watched, torch.no_grad():
            self.compute(tile)
        return float(HEADROOM * watched.peak / side**2)

    @property
    def bytes_per_pixel(self) -> float:
        """Measured once on a small tile, with headroom; as if memory grew with the pixels."""
        return self._measured

    @property
    def parameters(self) -> int:
        """Numbers that were trained."""
        return self._parameters

    def available_memory(self) -> int:
        """On a GPU most of what is free there, else as for every model."""
        free = free_on(self._device)
        return super().available_memory() if free is None else free
