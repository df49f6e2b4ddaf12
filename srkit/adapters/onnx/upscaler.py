"""`OnnxUpscaler`: a judged network on ONNX Runtime."""

from __future__ import annotations

import functools
import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from srkit.adapters.onnx.facts import Facts
from srkit.adapters.onnx.fixed import FixedTiles
from srkit.adapters.onnx.footprint import bytes_of_fixed, bytes_per_pixel
from srkit.adapters.onnx.session import device_of, run_session
from srkit.adapters.readers.graphdef.frozen import RULES
from srkit.card import ModelCard
from srkit.upscaling.model import RIM
from srkit.upscaling.upscaler import LONGEST_SIDE, Upscaler

log = logging.getLogger(__name__)

# LR pixels that a blended tile sees beyond where it counts alone, of networks that see all of the
# picture.
HALO = 48


@dataclass(frozen=True)
class OnnxNetwork:
    """A judged network and how it takes pictures.

    Attributes
    ----------
    model
        An ``onnx.ModelProto``.
    session
        ONNX Runtime's session of it.
    batches
        Whether it takes several tiles at once.
    fixed
        Of a network that takes images of one size, how pictures are cut for it.
    sees_all
        By what it sees all of the picture; empty if it does not.
    """

    model: Any
    session: Any
    batches: bool
    fixed: FixedTiles | None
    sees_all: str


class OnnxUpscaler(Upscaler):
    """Runs a network ``(N, C, H, W) -> (N, C, scale*H, scale*W)``, both in [0, 1].

    Parameters
    ----------
    card
        The model's facts.
    network
        What runs.
    device
        See `srkit.adapters.onnx.session.make_session`.
    stated
        What a file that srkit wrote says of itself.
    """

    runtime = "onnx"

    def __init__(
        self, card: ModelCard, network: OnnxNetwork, *, device: str, stated: Facts | None
    ) -> None:
        self.card, self.scale = card, card.default_scale
        self._network, self._device = network, device
        self.device = device_of(network.session)
        self._told = False
        self.rim = RIM if stated is None else stated.rim
        if network.fixed is not None:
            height, width = network.fixed.sides
            self.least_sides = height or card.multiple, width or card.multiple
        if network.sees_all:
            self.short_halo = max(HALO, card.radius_at(self.scale) or 0)
            log.info("%s is run as a whole: %s sees all of it", card.name, network.sees_all)
        if stated is not None:
            self.luma_rule = RULES[stated.luma]
            self.short_halo = stated.short_halo

    @property
    def radius(self) -> int:
        """The card's; as far as any picture is wide, where the network sees all of it."""
        return LONGEST_SIDE if self._network.sees_all else super().radius

    def run(self, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Upscaler.run`."""
        if self._network.fixed is not None:
            return np.concatenate([self._run_fixed(self._network.fixed, t)[None] for t in tiles])
        return self._run_tiles(tiles)

    def _run_tiles(self, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        session = self._network.session
        if self._network.batches or len(tiles) == 1:
            return run_session(session, tiles)
        return np.concatenate([run_session(session, tile[None]) for tile in tiles])

    def _run_fixed(self, fixed: FixedTiles, tile: NDArray[np.float32]) -> NDArray[np.float32]:
        (height, width), s = tile.shape[:2], self.scale
        lacking = [
            max(0, n - side) for n, side in zip(self.least_sides, (height, width), strict=True)
        ]
        if any(lacking):
            tile = np.pad(tile, ((0, lacking[0]), (0, lacking[1]), (0, 0)), "symmetric")
        several = any(side and side < n for side, n in zip(fixed.sides, tile.shape, strict=False))
        if several and not fixed.exact:
            self._tell(fixed)
        return fixed.run(self._run_tiles, tile)[: height * s, : width * s]

    def _tell(self, fixed: FixedTiles) -> None:
        """Say it once that tiles of the network's size are not exact."""
        if self._told:
            return
        self._told = True
        size = "x".join("any" if side is None else str(side) for side in fixed.sides)
        sight = self._network.sees_all or f"its receptive field of {fixed.halo} pixels"
        log.warning(
            "%s takes images of %s alone, which is too little for %s; tiles of that size are "
            "blended, which is not exact",
            *(self.card.name, size, f"{sight}, which sees all of it" if not fixed.halo else sight),
        )

    @functools.cached_property
    def _measured(self) -> float:
        channels = 1 if self.card.colour == "luma" else 3
        network = self._network
        if network.fixed is None:
            return bytes_per_pixel(network.model, channels, self.card.multiple, self._device)
        return bytes_of_fixed(network.model, channels, self.least_sides, self.scale)

    @property
    def bytes_per_pixel(self) -> float:
        """Measured once on a small tile, with headroom."""
        return self._measured

    @property
    def parameters(self) -> int:
        """Numbers in the constants: kernels, biases, slopes."""
        floats = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
        return sum(
            int(np.prod(tensor.dims))
            for tensor in self._network.model.graph.initializer
            if tensor.data_type in floats
        )
