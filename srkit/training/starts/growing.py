"""Start a large MD-AVSR from a small one that is trained, and computes the same.

Channels and blocks are added as by Chen, Goodfellow, Shlens, "Net2Net: Accelerating
Learning via Knowledge Transfer", ICLR 2016, but for new channels being new, not copies:
nothing listens to them at first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from srkit.adapters.pytorch.nets.avsr import AVSR, Residual, Size
from srkit.training.data.motion import start_avsr


@torch.no_grad()
def grow_avsr(small: AVSR, size: Size) -> AVSR:
    """A network of a larger size that makes of every input what the small one does.

    One that is larger in width, encoder or blocks, or has no blocks behind which others could be
    added unheard, is returned as it is.

    Examples
    --------
    >>> small = AVSR(4, size=Size(width=8, encoder=4, low=2, high=1))
    >>> grow_avsr(small, Size(width=16, encoder=8, low=3, high=2)).size
    Size(width=16, encoder=8, low=3, high=2)
    """
    old = small.size
    pairs = (old.width, size.width), (old.encoder, size.encoder)
    larger = any(a > b for a, b in (*pairs, (old.low, size.low), (old.high, size.high)))
    if larger or old == size or not (old.low and old.high):
        return small
    net = AVSR(small.scale, small.window, small.channels, size)
    start_avsr(net)
    trunk, encoder = list(range(old.width)), list(range(old.encoder))
    frames = [n * size.width + i for n in range(small.window) for i in trunk]
    # Sub-pixel convolutions keep the phases of a channel side by side.
    phases = list(range(old.width * small.scale**2))
    colours = list(range(small.channels))
    _widen(net.frames, small.frames, frames, colours)
    _widen(net.merge, small.merge, trunk, frames)
    inputs = colours
    for number in (0, 2, 4):
        _widen(_conv(net.encode[number]), _conv(small.encode[number]), encoder, inputs)
        inputs = encoder
    _widen(net.join, small.join, trunk, [*trunk, *(size.width + i for i in encoder)])
    for new, known in ((net.low, small.low), (net.high, small.high)):
        for number, block in enumerate(new):
            _grow_block(cast(Residual, block), cast(Sequence[Residual], known), number, trunk)
    _widen(net.expand, small.expand, phases, trunk)
    _widen(net.out, small.out, colours, trunk)
    return net


def _conv(module: nn.Module) -> nn.Conv2d:
    return cast(nn.Conv2d, module)


def _grow_block(
    block: Residual, known: Sequence[Residual], number: int, trunk: Sequence[int]
) -> None:
    if number < len(known):
        _widen(block.conv1, known[number].conv1, trunk, trunk)
        _widen(block.conv2, known[number].conv2, trunk, trunk)
    else:
        # A block behind the last adds nothing to the channels that are listened to.
        block.conv2.weight[trunk] = 0
        cast(Tensor, block.conv2.bias)[trunk] = 0


def _widen(new: nn.Conv2d, old: nn.Conv2d, outputs: Sequence[int], inputs: Sequence[int]) -> None:
    """Let some of the channels be those of an old layer, which hear of no other."""
    new.weight[list(outputs)] = 0
    rows = torch.tensor(outputs)[:, None]
    new.weight[rows, torch.tensor(inputs)] = old.weight
    cast(Tensor, new.bias)[list(outputs)] = cast(Tensor, old.bias)
