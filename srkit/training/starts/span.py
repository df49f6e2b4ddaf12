"""Start SPAN as bicubic interpolation, and for smaller scales from weights for x4.

The way past all blocks carries LR pixels to the last layer, which weighs them. What the blocks make
is random, and counts for little at first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor

from srkit.adapters.pytorch.architectures.span import build_span
from srkit.adapters.pytorch.nets.span import LEVELS, MEAN, SPAN
from srkit.errors import OptionError
from srkit.training.starts.carrying import pick, places_around, shrunk, weigh

# Factor on the random weights of what joins and of the last layer.
NOISE = 0.1


@torch.no_grad()
def start_span(net: SPAN) -> None:
    """Set weights so that `net` is bicubic interpolation, nearly; `NOISE` is the rest.

    Raises
    ------
    OptionError
        If the network has too few features to carry what the kernel needs.
    """
    places = places_around()
    carried = 3 * len(places)
    if min(net.join.out_channels, net.form.features) < carried:
        raise OptionError(
            f"SPAN has {carried} features at least, to start from bicubic interpolation, not "
            f"{net.form.features}"
        )
    for name, parameter in net.named_parameters():
        if name.endswith("bias"):
            parameter.zero_()
    level = LEVELS if net.form.centred else 1.0
    net.first.weight.mul_(1 / level)
    pick(net.first, places, 1 / level)
    net.join.weight[:carried] *= NOISE
    net.join.weight[:carried, : net.form.features] = 0
    for channel in range(carried):
        net.join.weight[channel, channel] = 1
    weigh(net.last, net.scale, places, noise=NOISE)
    if net.form.centred:
        means = torch.tensor(MEAN).repeat_interleave(net.scale**2)
        cast(Tensor, net.last.bias).copy_(means)


@torch.no_grad()
def shrink_span(tensors: Mapping[str, Tensor], scale: int) -> SPAN:
    """A network for a smaller scale from a state dict: all but the last layer are the same.

    Its results are those of the large one, shrunk by area.
    """
    large = build_span(tensors)
    net = SPAN(scale, large.form)
    state = dict(large.state_dict())
    for part in ("last.weight", "last.bias"):
        state[part] = shrunk(state[part], scale)
    net.load_state_dict(state)
    return net
