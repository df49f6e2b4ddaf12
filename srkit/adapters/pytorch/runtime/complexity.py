"""How many multiplications a network takes."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor, fx, nn

from srkit.adapters.pytorch.runtime.splitting import Sums
from srkit.adapters.pytorch.runtime.tracing import resizes

SIDE = 8
# For networks that look at a coarse plane, whose share is then near that of whole pictures.
SIZED_SIDE = 64


class _Counter(fx.Interpreter):
    """Runs a traced network and counts the multiplications of its convolutions."""

    total = 0

    def call_module(self, target: Any, args: Any, kwargs: Any) -> Any:
        result: Tensor = super().call_module(target, args, kwargs)
        layer = self.fetch_attr(target)
        if isinstance(layer, nn.ConvTranspose2d):
            # Each input pixel is spread by the whole kernel.
            self.total += args[0].shape[-2:].numel() * layer.weight.numel()
        elif isinstance(layer, nn.Conv2d) and not isinstance(layer, Sums):
            self.total += result.shape[-2:].numel() * layer.weight.numel()
        return result


@torch.inference_mode()
def multiply_adds(traced: fx.GraphModule, channels: int, multiple: int = 1) -> float:
    """Multiplications (each with an addition) of all convolutions for one LR pixel.

    Parameters
    ----------
    traced
        A network as `trace` gives it.
    channels
        Channels of its input.
    multiple
        Of which its sides are multiples.
    """
    # A network without parameters, as interpolation is, runs anywhere.
    like = next(itertools.chain(traced.parameters(), traced.buffers()), torch.zeros(()))
    dtype = like.dtype if like.is_floating_point() else torch.float32
    counter = _Counter(traced, garbage_collect_values=True)
    least = SIZED_SIDE if resizes(traced) else SIDE
    side = -(-least // multiple) * multiple
    counter.run(torch.zeros(1, channels, side, side, device=like.device, dtype=dtype))
    return counter.total / side**2
