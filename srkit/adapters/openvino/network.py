"""A torch network as OpenVINO runs it on the CPU: tiles, strips with a halo, and what they cost."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import math
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from srkit.adapters.pytorch.runtime.network import Network
from srkit.adapters.pytorch.runtime.receptive import receptive_radius
from srkit.adapters.pytorch.runtime.streaming import Cost
from srkit.card import Footprint
from srkit.errors import SrkitError

log = logging.getLogger(__name__)

Floats = NDArray[np.float32]

# LR pixels, of all pictures together, that torch runs first. To import and to build OpenVINO takes
# about a second; for ESPCN, the one network that `auto` takes it for, it then saves a second for
# each of so many.
TORCH_FIRST = 14_000_000


class OpenVINONetwork(Network):
    """A network in float32 on OpenVINO, and on torch where OpenVINO cannot take it.

    It is compiled when that pays: torch runs the first `TORCH_FIRST` pixels, and the picture in
    which they end. OpenVINO remembers nothing between two strips, so strips get a halo, which is
    computed twice: this pays where the receptive field is small.

    Parameters
    ----------
    net
        The network. It belongs to this object from here on.
    channels, multiple, scale
        Channels of its input, of what the sides of that are multiples, and its factor.
    footprint, radius
        See `Network`, and how far it sees in LR pixels, where that is known.
    at_once
        Whether it is compiled when it first runs, whether it pays or not.
    """

    def __init__(
        self,
        net: nn.Module,
        channels: int,
        multiple: int,
        scale: int,
        *,
        footprint: Footprint | None = None,
        radius: int | None = None,
        at_once: bool = True,
    ) -> None:
        super().__init__(net, torch.device("cpu"), torch.float32, channels, multiple, footprint)
        self._scale, self._radius = scale, radius
        # It allocates by itself, and low windows are all halo.
        self.quick_strip_bytes = math.inf
        # Pixels to come that torch runs.
        self._left = 0 if at_once else TORCH_FIRST
        self._lock = threading.Lock()
        # Threads that compute at the moment.
        self._inside = 0

    @functools.cached_property
    def _halo(self) -> int:
        radius = receptive_radius(self.graph) if self._radius is None else self._radius
        return -(-radius // self._multiple) * self._multiple

    @functools.cached_property
    def _compiled(self) -> Any:
        """OpenVINO's form of it, for any size; None, with a line in the log, if there is none."""
        # Here, since to import them takes as long as a picture.
        import openvino

        from srkit.adapters.onnx.writing import network

        try:
            written = network(self.graph, self._channels, self._scale, {})
            core = openvino.Core()
            model = core.read_model(io.BytesIO(written.SerializeToString()))
            hints = {
                "INFERENCE_NUM_THREADS": torch.get_num_threads(),
                # Else bfloat16 on CPUs that have units for it.
                "INFERENCE_PRECISION_HINT": "f32",
            }
            return core.compile_model(model, "CPU", hints)
        except (SrkitError, RuntimeError, ImportError) as error:
            log.warning("OpenVINO cannot take the network, which runs on torch: %s", error)
            return None

    @functools.cached_property
    def cost(self) -> Cost:
        """Memory that strips take, whichever of the two runs them."""
        on_torch = super().cost
        # Torch's figure is more than twice what OpenVINO took of ESPCN, whose layers it fuses.
        pixel = self.bytes_per_pixel
        return Cost(
            column=max(on_torch.column, 2 * self._halo * pixel), pixel=max(on_torch.pixel, pixel)
        )

    def _on_torch(self, pixels: int = 0) -> bool:
        """Whether torch runs what comes next; so many pixels of it are told of."""
        left, self._left = self._left, self._left - pixels
        return left > 0 or self._compiled is None

    def run(self, tiles: Floats) -> Floats:
        """See `Network.run`."""
        if self._on_torch(math.prod(tiles.shape[:3])):
            return super().run(tiles)
        with self._running():
            return self._made(tiles)

    def _made(self, tiles: Floats) -> Floats:
        request = self._compiled.create_infer_request()
        try:
            request.infer([np.ascontiguousarray(tiles.transpose(0, 3, 1, 2))], share_inputs=True)
        except RuntimeError as error:
            if "alloc" not in str(error).lower():
                raise
            message = str(error).splitlines()[0]
        else:
            made: Floats = request.get_output_tensor().data.transpose(0, 2, 3, 1).copy()
            return made
        # Raised outside the handler, whose traceback would keep arrays alive.
        raise MemoryError(message)

    def rows(self, strips: Iterable[Floats], height: int | None = None) -> Iterator[Floats]:
        """See `Network.rows`."""
        if self._on_torch():
            yield from super().rows(self._counted(strips), height)
            return
        with self._running():
            yield from self._rows_with_halo(strips)

    def _counted(self, strips: Iterable[Floats]) -> Iterator[Floats]:
        """The strips, whose pixels count as ones that torch runs."""
        for strip in strips:
            self._left -= math.prod(strip.shape[:3])
            yield strip

    @contextlib.contextmanager
    def _running(self) -> Iterator[None]:
        """Let go of OpenVINO's memory when the last of the threads inside leaves.

        Else it keeps the memory of the largest tile; and it refuses to let go while it computes.
        """
        with self._lock:
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    self._compiled.release_memory()

    def _rows_with_halo(self, strips: Iterable[Floats]) -> Iterator[Floats]:
        window: Floats = np.empty(0, np.float32)
        # Rows of the window whose result was given.
        done = 0
        for strip, last in _and_whether_last(strips):
            window = np.concatenate([window, strip], axis=1) if window.size else strip
            known = max(done, window.shape[1] - (0 if last else self._halo))
            if known > done:
                yield self._made(window)[:, self._scale * done : self._scale * known]
            above = max(0, known - self._halo)
            window, done = window[:, above:].copy(), known - above


def _and_whether_last(strips: Iterable[Floats]) -> Iterator[tuple[Floats, bool]]:
    """Each strip, and whether it is the last.

    Examples
    --------
    >>> [last for _, last in _and_whether_last([np.zeros(1, np.float32)] * 3)]
    [False, False, True]
    """
    strips = iter(strips)
    held = next(strips, None)
    while held is not None:
        following = next(strips, None)
        yield held, following is None
        held = following
