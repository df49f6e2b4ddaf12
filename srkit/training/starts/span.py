"""Start SPAN as bicubic interpolation, and for smaller scales from weights for x4.

The way past all blocks carries LR pixels to the last layer, which weighs them. What the blocks make
is random, awake, and counts for little at first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

import torch
from torch import Tensor, nn

from srkit.adapters.pytorch.architectures.span import build_span
from srkit.adapters.pytorch.nets.span import LEVELS, MEAN, SPAN, Block, centred
from srkit.errors import OptionError
from srkit.training.starts.carrying import pick, places_around, shrunk, weigh

# Factor on the random weights of what joins and of the last layer.
NOISE = 0.1
# Spreads of what each block's layers make of a picture: within the bend of SiLU, and of what a
# block is weighed by beyond the bend of its sigmoid.
INNER, WEIGHING = 1.5, 3.0


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
    _waken(net)
    net.join.weight[:carried] = 0
    net.join.weight[carried:] *= NOISE / 4
    for channel in range(carried):
        net.join.weight[channel, channel] = 1
    weigh(net.last, net.scale, places, noise=NOISE)
    if net.form.centred:
        means = torch.tensor(MEAN).repeat_interleave(net.scale**2)
        cast(Tensor, net.last.bias).copy_(means)


def _waken(net: SPAN) -> None:
    """Scale the random weights of blocks so that what they make does not die away.

    A block weighs its result by a function of that, which is near 0 where the result is. From
    small random weights what six blocks make falls to 1e-14, and so does what they learn from.
    """
    rough = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    picture = nn.functional.interpolate(rough, scale_factor=4, mode="bilinear")
    made = net.first(centred(picture) if net.form.centred else picture)
    for block in cast(Iterable[Block], net.blocks):
        first = block.activation(_scaled(block.conv1, made, INNER))
        found = block.activation(_scaled(block.conv2, first, INNER))
        found = _scaled(block.conv3, found, WEIGHING)
        made = (found + made) * (torch.sigmoid(found) - 0.5)
    _scaled(net.deep, made, INNER)


def _scaled(layer: nn.Conv2d, given: Tensor, spread: float) -> Tensor:
    """What a layer makes, of that spread from now on."""
    layer.weight.mul_(spread / layer(given).std())
    made: Tensor = layer(given)
    return made


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
