"""`TorchUpscaler`: any network that takes and gives planes in [0, 1]."""

from __future__ import annotations

import functools
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from srkit.adapters.pytorch.complexity import multiply_adds
from srkit.adapters.pytorch.device import exact_kernels, memory_errors, pick_device, pick_precision
from srkit.adapters.pytorch.footprint import bytes_per_pixel
from srkit.adapters.pytorch.receptive import fold_batch_norm, receptive_radius
from srkit.adapters.pytorch.streaming import CannotStream, Cost, Plan, cost_of, plan
from srkit.adapters.pytorch.tracing import trace
from srkit.card import ModelCard
from srkit.upscaler import Upscaler

T = TypeVar("T")

log = logging.getLogger(__name__)


class TorchUpscaler(Upscaler):
    """Runs a network ``(N, C, H, W) -> (N, C, scale*H, scale*W)``, both in [0, 1].

    Batch norm is folded into convolutions, memory is laid out channels-last, and
    gradients are off.

    Parameters
    ----------
    net
        The network. It belongs to the upscaler from here on.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
    precision
        ``"auto"`` (float32), ``"float32"``, ``"bfloat16"`` or ``"float16"``.
    """

    def __init__(
        self, card: ModelCard, scale: int, net: nn.Module, *, device: str, precision: str
    ) -> None:
        self.card, self.scale = card, scale
        self._device = pick_device(device)
        self._dtype = pick_precision(precision)
        self._parameters = sum(p.numel() for p in net.parameters())
        net = fold_batch_norm(net.eval()).requires_grad_(False)
        self._net: nn.Module = net.to(self._device, self._dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._graph = trace(self._net)
        self._radius = receptive_radius(self._graph)

    @property
    def radius(self) -> int:
        """Receptive-field radius in LR pixels, worked out from the layers."""
        return self._radius

    @property
    def net(self) -> nn.Module:
        """The network as it runs: folded, on its device."""
        return self._net

    def run(self, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Upscaler.run`."""
        return self._computed(lambda: self._net(self._given(tiles)))

    def run_rows(self, strips: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """See `Upscaler.run_rows`."""
        if self._plan is None:
            raise NotImplementedError(f"{self.card.name} does not stream")
        strips = iter(strips)
        ahead = list(itertools.islice(strips, 2))
        if len(ahead) == 1:
            # A whole image in one strip: nothing has to be remembered.
            yield self.run(ahead[0])
            return
        stream = self._plan.start()
        for rows in self.inputs(_released(ahead, strips)):
            made = self._computed(lambda rows=rows: stream.push(self._given(rows)))  # type: ignore[misc]
            if made.size:
                yield made
        ends = stream.finish()
        while (made := self._computed(lambda: next(ends, None))).size:
            yield made

    def inputs(self, strips: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """What the network is given for the strips of an image, ``(1, h, W, C)`` each."""
        yield from strips

    def _given(self, planes: NDArray[np.float32]) -> Tensor:
        # (N, H, W, C) seen as (N, C, H, W) is channels-last already.
        return torch.from_numpy(planes).permute(0, 3, 1, 2).to(self._device, self._dtype)

    def _computed(self, compute: Callable[[], Tensor | None]) -> NDArray[np.float32]:
        """What torch computes, as ``(N, H, W, C)``; no values for None.

        Nothing of torch's modes is left on between two strips, when others run.
        """
        with memory_errors(), torch.inference_mode(), exact_kernels(self._device):
            made = compute()
            if made is None:
                return np.empty(0, np.float32)
            result: NDArray[np.float32] = made.permute(0, 2, 3, 1).float().cpu().numpy()
        return result

    @functools.cached_property
    def _plan(self) -> Plan | None:
        """How the network streams; None, with a line in the log, if it does not."""
        try:
            return plan(self._graph)
        except CannotStream as error:
            log.info("%s runs in tiles: %s cannot be streamed", self.card.name, error)
            return None

    @property
    def streams(self) -> bool:
        """Whether every layer of the network can do with strips of rows."""
        return self._plan is not None

    @functools.cached_property
    def _cost(self) -> Cost:
        return cost_of(self._graph, self._channels, self.card.multiple)

    def strip_bytes(self, rows: int, width: int) -> float:
        """Measured once on a narrow image, with headroom, and a strip that is read ahead."""
        ahead = 4 * self._channels * rows * width
        return max(self._cost.bytes(rows, width) + ahead, super().strip_bytes(rows, width))

    @functools.cached_property
    def _measured(self) -> float:
        return bytes_per_pixel(self._graph, self._channels, self.card.multiple)

    @property
    def bytes_per_pixel(self) -> float:
        """Measured once on a small tile, with headroom."""
        return self._measured

    @property
    def parameters(self) -> int:
        """Numbers that were trained, before batch norm was folded."""
        return self._parameters

    @property
    def multiply_adds(self) -> float:
        """Multiplications of the convolutions for one LR pixel."""
        return multiply_adds(self._graph, self._channels, self.card.multiple)

    @property
    def _channels(self) -> int:
        return 1 if self.card.colour == "luma" else 3

    def available_memory(self) -> int:
        """On a GPU most of what is free there, else as for every model."""
        if self._device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(self._device)
            return int(0.8 * free)
        return super().available_memory()


def _released(ahead: list[T], rest: Iterable[T]) -> Iterator[T]:
    """All of both, without keeping what was given."""
    while ahead:
        yield ahead.pop(0)
    yield from rest
