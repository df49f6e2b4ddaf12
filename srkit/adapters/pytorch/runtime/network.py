"""A network on a device, in one precision: tiles, strips, and what they cost."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from srkit.adapters.pytorch.generated import forget_source
from srkit.adapters.pytorch.runtime.device import (
    KEPT_BYTES,
    bound_kernels,
    exact_kernels,
    keep_freed_memory,
    memory_errors,
)
from srkit.adapters.pytorch.runtime.footprint import bytes_per_pixel
from srkit.adapters.pytorch.runtime.mixed import keep_in_float32
from srkit.adapters.pytorch.runtime.quantising import SIDE, pictures_of, quantise
from srkit.adapters.pytorch.runtime.streaming import Cost, Plan, Stream, cost_of, plan
from srkit.adapters.pytorch.runtime.streaming.rows import Pad, Rows
from srkit.adapters.pytorch.runtime.tracing import trace
from srkit.card import Footprint
from srkit.memory import large_blocks

Floats = NDArray[np.float32]

# Precisions in which the traced network is another one than the network.
TRACED = (torch.bfloat16, torch.int8)


class Overflow(Exception):  # noqa: N818 -- a finding, which every caller acts on
    """In a reduced precision some value became infinite, or no number."""


class Network:
    """A network as it runs: on its device, channels-last, in one precision.

    In bfloat16 it takes float32, and its results are checked. In float16, which ends at 65504,
    what each layer gives is checked as well: where a value overflows in the middle, the next
    layer may make a number of it again, and black of the picture.

    int8 is float32 but for those convolutions that can do with 8 bits: see `quantise`.

    Parameters
    ----------
    net
        The network. It belongs to this object from here on.
    channels, multiple
        Channels of its input, and of what the sides of that are multiples.
    footprint
        Memory that it takes in float32, where that is known. Else it is measured when asked for.
    """

    def __init__(
        self,
        net: nn.Module,
        device: torch.device,
        dtype: torch.dtype,
        channels: int,
        multiple: int,
        footprint: Footprint | None = None,
    ) -> None:
        self.dtype, self._device = dtype, device
        self._channels, self._multiple = channels, multiple
        self._footprint = footprint
        held = torch.float32 if dtype == torch.int8 else dtype
        self._net: nn.Module = net.to(device, held, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._taken = torch.float32 if dtype in TRACED else dtype
        # A GPU wants strips that fill it.
        self.quick_strip_bytes = KEPT_BYTES if device.type == "cpu" else math.inf
        self._settle()

    def _settle(self) -> None:
        """What a process has to be told where the network is new to it."""
        traced = [self.graph] if "graph" in vars(self) else []
        for whole in (self._net, *traced):
            for part in whole.modules():
                if isinstance(part, fx.GraphModule):  # copied, which generates it anew
                    forget_source(part)
        if self._device.type == "cpu":
            bound_kernels()
            keep_freed_memory()

    def __getstate__(self) -> dict[str, Any]:
        """All but the plan, whose steps are functions: it is made anew where it is wanted."""
        return {name: value for name, value in vars(self).items() if name != "plan"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._settle()

    @functools.cached_property
    def graph(self) -> fx.GraphModule:
        """The network, traced when that is first asked for."""
        made = trace(self._net)
        if self.dtype == torch.bfloat16:
            keep_in_float32(made, strided=self._device.type == "cpu")
        if self.dtype == torch.int8:
            side = -(-SIDE // self._multiple) * self._multiple
            quantise(made, self._given(pictures_of(self._channels, side)))
        return made

    @property
    def net(self) -> nn.Module:
        """The network as it runs."""
        return self.graph if self.dtype in TRACED else self._net

    @functools.cached_property
    def plan(self) -> Plan:
        """How it streams; raises `CannotStream` if it does not."""
        return plan(self.graph)

    @functools.cached_property
    def cost(self) -> Cost:
        """Memory that strips take."""
        if self._footprint:
            return Cost(self._footprint.column, self._footprint.pixel)
        return cost_of(self.graph, self._channels, self._multiple)

    @functools.cached_property
    def bytes_per_pixel(self) -> float:
        """Memory that tiles take."""
        if self._footprint:
            return self._footprint.tile
        return bytes_per_pixel(self.graph, self._channels, self._multiple)

    def run(self, tiles: Floats) -> Floats:
        """Upscale tiles ``(N, H, W, C)``.

        Raises
        ------
        Overflow
            Not in float32.
        """
        if self.dtype != torch.float16:
            with large_blocks():
                return self._computed(lambda: self.net(self._given(tiles)))
        sums = _Sums()
        checked = _CheckedRun(self.graph, sums)
        return self._computed(lambda: checked.run(self._given(tiles)), sums)

    def rows(self, strips: Iterable[Floats], height: int | None = None) -> Iterator[Floats]:
        """Upscale strips ``(1, h, W, C)`` of one image; gives rows as they become known.

        `height` is how many rows there are in all, for a plan that wants to know.

        Raises
        ------
        Overflow
            Not in float32. What was given until then is sound.
        """
        sums = _Sums() if self.dtype == torch.float16 else None
        stream = _CheckedStream(self.plan, height, sums) if sums else self.plan.start(height)
        for rows in strips:
            made = self._computed(lambda rows=rows: stream.push(self._given(rows)), sums)  # type: ignore[misc]
            if made.size:
                yield made
        ends = stream.finish()
        while (made := self._computed(lambda: next(ends, None), sums)).size:
            yield made

    def _given(self, planes: Floats) -> Tensor:
        # (N, H, W, C) seen as (N, C, H, W) is channels-last already.
        return torch.from_numpy(planes).permute(0, 3, 1, 2).to(self._device, self._taken)

    def _computed(self, compute: Callable[[], Tensor | None], sums: _Sums | None = None) -> Floats:
        """What torch computes, as ``(N, H, W, C)``; no values for None.

        Nothing of torch's modes is left on between two strips, when others run.
        """
        result: Floats = np.empty(0, np.float32)
        with memory_errors(), torch.inference_mode(), exact_kernels(self._device):
            made = compute()
            if made is not None:
                result = made.permute(0, 2, 3, 1).float().cpu().numpy()
            sound = sums is None or sums.finite
        if self.dtype != torch.float32 and not (sound and np.isfinite(result).all()):
            raise Overflow
        return result


class _Sums:
    """Adds up what layers give: the total is finite if everything was.

    Read once a strip, since a GPU has to be waited for.
    """

    def __init__(self) -> None:
        self._total: Tensor | float = 0.0

    def add(self, values: Tensor) -> None:
        # In float32, which 65504 can be added to 1e33 times.
        self._total = self._total + values.sum(dtype=torch.float32)

    @property
    def finite(self) -> bool:
        return bool(np.isfinite(float(self._total)))


class _CheckedRun(fx.Interpreter):
    """Runs a traced network, and adds up what each layer gives."""

    def __init__(self, traced: fx.GraphModule, sums: _Sums) -> None:
        super().__init__(traced, garbage_collect_values=True)
        self._sums = sums

    def run_node(self, n: fx.Node) -> Any:
        made = super().run_node(n)
        if n.op.startswith("call") and isinstance(made, Tensor):
            self._sums.add(made)
        return made


class _CheckedStream(Stream):
    """Adds up what each step gives."""

    def __init__(self, planned: Plan, height: int | None, sums: _Sums) -> None:
        super().__init__(planned, height)
        self._sums = sums

    def _watch(self, number: int, values: Mapping[int, Rows]) -> None:
        made = values[number]
        # Before a maximum, padding is infinite by right.
        if made is not None and not isinstance(self._machines[number - 1], Pad):
            self._sums.add(made)


class Trail:
    """Passes the strips of an image on, and keeps what it would take to begin again.

    That is all rows that those of the result still to come depend on.

    Parameters
    ----------
    strips
        ``(1, h, W, C)`` each.
    scale, radius, multiple
        Of the network: a row of the result depends on no row farther than `radius`, and what it
        is given begins at multiples of `multiple`.

    Examples
    --------
    >>> strips = (np.full((1, 2, 1, 1), n, np.float32) for n in range(4))
    >>> trail = Trail(strips, scale=3, radius=1, multiple=1)
    >>> rows = iter(trail)
    >>> _ = next(rows), next(rows)
    >>> trail.advance(3 * 2)
    >>> [strip[0, :, 0, 0].tolist() for strip in trail.again()], trail.repeated
    ([[0.0, 1.0], [1.0], [2.0, 2.0], [3.0, 3.0]], 3)
    """

    def __init__(self, strips: Iterator[Floats], *, scale: int, radius: int, multiple: int) -> None:
        self._strips = strips
        self._scale, self._radius, self._multiple = scale, radius, multiple
        self._kept: Floats = np.empty(0, np.float32)
        # The first row that is kept, rows of the result that are known, and the tallest strip.
        self._first = self._known = self._tallest = 0

    def __iter__(self) -> Iterator[Floats]:
        for strip in self._strips:
            self._forget()
            self._tallest = max(self._tallest, strip.shape[1])
            self._kept = np.concatenate([self._kept, strip], axis=1) if self._kept.size else strip
            yield strip

    def advance(self, rows: int) -> None:
        """So many more rows of the result are known, and will not be asked for again."""
        self._known += rows

    @property
    def repeated(self) -> int:
        """Rows of the result, of what `again` gives, that were known before."""
        return self._known - self._start * self._scale

    def again(self) -> Iterator[Floats]:
        """What is kept, in strips no taller than they were, and then the rest of the image."""
        self._forget()
        kept, self._kept = self._kept, np.empty(0, np.float32)
        for top in range(0, kept.shape[1], self._tallest):
            yield kept[:, top : top + self._tallest]
        del kept
        yield from self._strips

    @property
    def _start(self) -> int:
        """The first row that is still needed."""
        least = max(0, self._known // self._scale - self._radius)
        return least // self._multiple * self._multiple

    def _forget(self) -> None:
        if self._start > self._first:
            self._kept = self._kept[:, self._start - self._first :].copy()
            self._first = self._start
