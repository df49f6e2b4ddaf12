"""How much memory a network takes for each pixel, measured by running it once."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor, fx

# Side of the tile that is run; small, since the figure is one per pixel.
PROBE = 16
# What kernels take past the tensors themselves (layout copies, scratch), found by
# comparing with the peak memory of whole processes on CPUs.
HEADROOM = 1.4


class _Watch(fx.Interpreter):
    """Runs a traced network and keeps the largest sum of tensors alive at once."""

    peak = 0

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        alive = {v.untyped_storage().data_ptr(): v for v in self.env.values() if _is_plane(v)}
        if _is_plane(result):
            alive[result.untyped_storage().data_ptr()] = result
        total = sum(v.untyped_storage().nbytes() for v in alive.values())
        self.peak = max(self.peak, total)
        return result


def _is_plane(value: object) -> bool:
    """Constants are a handful of numbers; only tensors as large as the tile count."""
    return isinstance(value, Tensor) and value.numel() >= PROBE**2


@torch.inference_mode()
def bytes_per_pixel(traced: fx.GraphModule, channels: int, multiple: int = 1) -> float:
    """Working memory of a network in bytes for each LR pixel of its input.

    Parameters
    ----------
    traced
        A network on its device, in its precision, as `trace` gives it.
    channels
        Channels of its input.
    multiple
        Of which its sides are multiples.
    """
    # A network without parameters, as some graphs are, runs anywhere.
    like = next(itertools.chain(traced.parameters(), traced.buffers()), torch.zeros(()))
    dtype = like.dtype if like.is_floating_point() else torch.float32
    side = -(-PROBE // multiple) * multiple
    tile = torch.zeros(1, channels, side, side, device=like.device, dtype=dtype)
    watch = _Watch(traced, garbage_collect_values=True)
    watch.run(tile)
    return HEADROOM * watch.peak / side**2
