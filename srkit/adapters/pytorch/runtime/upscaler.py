"""`TorchUpscaler`: any network that takes and gives planes in [0, 1]."""

from __future__ import annotations

import copy
import functools
import itertools
import logging
from collections.abc import Iterable, Iterator
from typing import Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from srkit.adapters.pytorch.runtime.complexity import multiply_adds
from srkit.adapters.pytorch.runtime.device import (
    WHOLE_BYTES,
    free_on,
    meeting_bytes,
    pick_device,
    pick_precision,
)
from srkit.adapters.pytorch.runtime.network import Network, Overflow, Trail
from srkit.adapters.pytorch.runtime.quantising import CannotQuantise
from srkit.adapters.pytorch.runtime.receptive import fold_batch_norm, receptive_radius
from srkit.adapters.pytorch.runtime.splitting import split_wide
from srkit.adapters.pytorch.runtime.streaming import CannotStream
from srkit.card import Footprint, ModelCard
from srkit.errors import OptionError, WeightsError
from srkit.upscaling.upscaler import Upscaler

T = TypeVar("T")

log = logging.getLogger(__name__)

# Parameters for each byte of memory a pixel. ESPCN has 30, for whose layers to clear fresh pages is
# a third of the time, and SRResNet 135.
HEAVY = 60
ADVICE = (
    "state a radius= that is known, or run the network as it is, by ClosedUpscaler of "
    "srkit.adapters.pytorch.runtime.closed"
)


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
        ``"float32"``, ``"bfloat16"``, ``"float16"``, or ``"auto"``: the fastest of them on the
        device that the card knows to change no picture, see `ModelCard.precisions`. ``"int8"``,
        which ``"auto"`` never takes, is for CPUs with VNNI: see `quantise`.
    radius
        Receptive-field radius in LR pixels, where what made the network knows it; by default it
        is worked out from the layers.

    Raises
    ------
    OptionError
        If device or precision cannot be had, or the network cannot do with 8 bits.
    WeightsError
        If torch.fx cannot follow the network, or how far a layer sees is not known.

    Examples
    --------
    >>> class Mine(TorchUpscaler):
    ...     def __init__(self, card, scale, weights=None):
    ...         net = nn.Sequential(nn.Conv2d(3, 12, 5, padding=2), nn.PixelShuffle(2))
    ...         super().__init__(card, scale, net)
    >>> card = ModelCard(name="mine", summary="One layer.", adapter="mine:Mine",
    ...                  framework="torch", scales=(2,), default_scale=2)
    >>> upscaler = Mine(card, 2)
    >>> upscaler.radius, upscaler.streams, upscaler.upscale(np.zeros((4, 6, 3), np.uint8)).shape
    (2, True, (8, 12, 3))
    """

    def __init__(
        self,
        card: ModelCard,
        scale: int,
        net: nn.Module,
        *,
        device: str = "auto",
        precision: str = "auto",
        radius: int | None = None,
    ) -> None:
        self.card, self.scale = card, scale
        self._device = pick_device(device)
        dtype = pick_precision(precision, self._device, card.precisions.get(scale, ()))
        self._parameters = sum(p.numel() for p in net.parameters())
        net = fold_batch_norm(net.eval())
        if self._device.type == "cpu":
            net = split_wide(net)
        net.requires_grad_(False)
        # In 8 bits the network itself stays as it is.
        shared = dtype in (torch.float32, torch.int8)
        reduced = net if shared else copy.deepcopy(net)
        self._full = self._fast = self._network(net, torch.float32)
        if dtype != torch.float32:
            self._fast = self._network(reduced, dtype)
        if dtype == torch.int8:
            self._quantise()
        stated = card.radius_at(scale) if self._footprint else None
        self._radius = self._traced_radius(radius) if stated is None else stated
        self._told = False

    def _quantise(self) -> None:
        """Find out now, and not on a picture, whether the network can do with 8 bits."""
        try:
            if self._channels not in (1, 3):
                raise CannotQuantise("it is given more than the planes of a picture")
            _ = self._fast.graph
        except CannotQuantise as error:
            raise OptionError(
                f"{self.card.name} x{self.scale} does not run in int8: {error}; "
                "choose precision='auto' or 'float32'"
            ) from error

    def _traced_radius(self, known: int | None) -> int:
        """How far the network sees; a network that nobody has measured must be traceable."""
        try:
            graph = self._full.graph
            return receptive_radius(graph) if known is None else known
        except WeightsError as error:
            raise WeightsError(f"{error}; {ADVICE}") from error

    @property
    def _footprint(self) -> Footprint | None:
        """What the card knows of this network; None for one that has to be measured."""
        return None

    def _network(self, net: nn.Module, dtype: torch.dtype) -> Network:
        return Network(
            net, self._device, dtype, self._channels, self.card.multiple, self._footprint
        )

    runtime = "torch"

    @functools.cached_property
    def device(self) -> str:
        """``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``; what ``"auto"`` chose."""
        return str(self._device)

    @property
    def radius(self) -> int:
        """Receptive-field radius in LR pixels."""
        return self._radius

    @property
    def net(self) -> nn.Module:
        """The network as it runs: folded, on its device, in its precision.

        Examples
        --------
        >>> import srkit
        >>> model = srkit.load("espcn", scale=2, precision="float32")
        >>> sum(numbers.numel() for numbers in model.net.parameters())
        21284
        """
        return self._fast.net

    @property
    def precision(self) -> str:
        """``"float32"``, ``"bfloat16"``, ``"float16"`` or ``"int8"``; what ``"auto"`` chose."""
        return str(self._fast.dtype).removeprefix("torch.")

    def in_float32(self) -> Self:
        """The same upscaler in float32, with the same weights.

        Examples
        --------
        >>> import srkit
        >>> srkit.load("srresnet", precision="bfloat16").in_float32().precision
        'float32'
        """
        made = copy.copy(self)
        made._fast, made.origin = made._full, None
        return made

    def run(self, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Upscaler.run`. What a reduced precision spoils is run again in float32."""
        if self._fast is not self._full:
            try:
                return self._fast.run(tiles)
            except Overflow:
                self._tell()
        return self._full.run(tiles)

    def run_rows(
        self, strips: Iterable[NDArray[np.float32]], *, height: int | None = None
    ) -> Iterator[NDArray[np.float32]]:
        """See `Upscaler.run_rows`. From where a reduced precision spoils rows on, in float32.

        A network that wants to know the height and is not told is run on all rows at once.
        """
        if not self._can_stream:
            raise NotImplementedError(f"{self.card.name} does not stream")
        strips = iter(strips)
        ahead = list(itertools.islice(strips, 2))
        if self.wants_height and height is None:
            ahead = [np.concatenate([*ahead, *strips], axis=1)]
        if len(ahead) == 1:
            # A whole image in one strip: nothing has to be remembered.
            yield self.run(ahead[0])
            return
        given = self.inputs(_released(ahead, strips))
        if self._fast is self._full:
            yield from self._full.rows(given, height)
        else:
            yield from self._rows_in_reduced(given, height)

    def _rows_in_reduced(
        self, given: Iterator[NDArray[np.float32]], height: int | None
    ) -> Iterator[NDArray[np.float32]]:
        trail = Trail(given, scale=self.scale, radius=self._radius, multiple=self.card.multiple)
        try:
            for made in self._fast.rows(trail, height):
                yield made
                trail.advance(made.shape[1])
            return
        except Overflow:
            self._tell()
        # Outside the handler, whose traceback would keep what the stream held.
        known = trail.repeated
        for made in self._full.rows(trail.again(), height):
            known, rows = max(0, known - made.shape[1]), made[:, known:]
            if rows.size:
                yield rows

    def _tell(self) -> None:
        """Say it once: it may happen to every tile."""
        if not self._told:
            self._told = True
            log.warning(
                "%s: values overflow in %s; what they spoil is run again in float32",
                self.card.name,
                self.precision,
            )

    def inputs(self, strips: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """What the network is given for the strips of an image, ``(1, h, W, C)`` each.

        Examples
        --------
        >>> import srkit
        >>> strips = [np.zeros((1, 4, 6, 1), np.float32)]
        >>> [given.shape for given in srkit.load("espcn", scale=2).inputs(strips)]
        [(1, 4, 6, 1)]
        """
        yield from strips

    @functools.cached_property
    def _can_stream(self) -> bool:
        """Whether the network streams, with a line in the log if it does not."""
        try:
            return bool(self._footprint or (self._fast.plan and self._full.plan))
        except CannotStream as error:
            log.info("%s runs in tiles: %s cannot be streamed", self.card.name, error)
            return False

    @property
    def streams(self) -> bool:
        """Whether every layer of the network can do with strips of rows."""
        return self._can_stream

    @property
    def wants_height(self) -> bool:
        """Whether a layer brings a plane to the size of another."""
        return self.streams and not self._footprint and self._full.plan.wants_height

    def strip_bytes(self, rows: int, width: int) -> float:
        """Measured once on a narrow image, with headroom, and a strip that is read ahead.

        In float32, which may have to go on for a reduced precision.
        """
        kept = rows
        if self._fast is not self._full:
            # What it would begin with again, while it is copied.
            kept += 2 * (2 * self._radius + rows + self.card.multiple)
        most = self._full.cost.bytes(rows, width) + 4 * self._channels * kept * width
        return max(most, super().strip_bytes(rows, width))

    @property
    def quick_strip_bytes(self) -> float:
        """See `Upscaler.quick_strip_bytes`: what the allocator keeps between two, on a CPU.

        More, if the network computes so much that fresh memory does not count.
        """
        quick = self._full.quick_strip_bytes
        return max(quick, meeting_bytes()) if self._meets else quick

    @property
    def quick_whole_bytes(self) -> float:
        """See `Upscaler.quick_whole_bytes`: of few strips, what they remember is a large part."""
        quick = self.quick_strip_bytes
        return max(quick, WHOLE_BYTES) if self._meets else quick

    @property
    def _meets(self) -> bool:
        """Whether it costs more that threads meet than to ask for fresh memory."""
        heavy = self._parameters > HEAVY * self.bytes_per_pixel
        return heavy and torch.get_num_threads() > 1

    @property
    def bytes_per_pixel(self) -> float:
        """Measured once on a small tile in float32, with headroom."""
        return self._full.bytes_per_pixel

    @property
    def parameters(self) -> int:
        """Numbers that were trained, before batch norm was folded."""
        return self._parameters

    @property
    def multiply_adds(self) -> float:
        """Multiplications of the convolutions for one LR pixel."""
        return multiply_adds(self._full.graph, self._channels, self.card.multiple)

    @property
    def _channels(self) -> int:
        return 1 if self.card.colour == "luma" else 3

    def available_memory(self) -> int:
        """On a GPU most of what is free there, else as for every model."""
        free = free_on(self._device)
        return super().available_memory() if free is None else free


def _released(ahead: list[T], rest: Iterable[T]) -> Iterator[T]:
    """All of both, without keeping what was given."""
    while ahead:
        yield ahead.pop(0)
    yield from rest
