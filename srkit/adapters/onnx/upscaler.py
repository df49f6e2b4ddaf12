"""`OnnxUpscaler`: a judged network on ONNX Runtime."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from srkit.adapters.onnx.facts import Facts
from srkit.adapters.onnx.footprint import bytes_per_pixel
from srkit.adapters.onnx.session import run_session
from srkit.adapters.readers.graphdef.frozen import RULES
from srkit.card import ModelCard
from srkit.upscaling.model import RIM
from srkit.upscaling.upscaler import Upscaler


class OnnxUpscaler(Upscaler):
    """Runs a network ``(N, C, H, W) -> (N, C, scale*H, scale*W)``, both in [0, 1].

    Parameters
    ----------
    card
        The model's facts.
    model
        A judged ``onnx.ModelProto``.
    session
        ONNX Runtime's session of it.
    device
        See `srkit.adapters.onnx.session.make_session`.
    stated
        What a file that srkit wrote says of itself.
    batches
        Whether the network takes several tiles at once.
    """

    def __init__(
        self,
        card: ModelCard,
        model: Any,
        session: Any,
        *,
        device: str,
        stated: Facts | None,
        batches: bool,
    ) -> None:
        self.card, self.scale = card, card.default_scale
        self._model, self._session, self._device = model, session, device
        self._batches = batches
        self.rim = RIM if stated is None else stated.rim
        if stated is not None:
            self.luma_rule = RULES[stated.luma]
            self.short_halo = stated.short_halo

    def run(self, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Upscaler.run`."""
        if self._batches or len(tiles) == 1:
            return run_session(self._session, tiles)
        return np.concatenate([run_session(self._session, tile[None]) for tile in tiles])

    @functools.cached_property
    def _measured(self) -> float:
        channels = 1 if self.card.colour == "luma" else 3
        return bytes_per_pixel(self._model, channels, self.card.multiple, self._device)

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
            for tensor in self._model.graph.initializer
            if tensor.data_type in floats
        )
