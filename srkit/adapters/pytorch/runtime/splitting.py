"""Wide convolutions to few channels, as two that a processor is quick at."""

from __future__ import annotations

import copy
from typing import cast

import torch
from torch import nn

# CPUs compute sixteen channels at once, in vectors; of fewer, most of a vector is idle.
FEW, MANY, WIDE = 4, 32, 5


class Sums(nn.Conv2d):
    """A convolution whose weights are ones and zeros: it adds, and multiplies nothing."""


class _Split(nn.Sequential):
    """A convolution as its columns and their sum."""

    def joined(self) -> nn.Conv2d:
        """The convolution that it was."""
        columns, total = cast(tuple[nn.Conv2d, Sums], tuple(self))
        few, wide = total.out_channels, total.kernel_size[1]
        high, many = columns.kernel_size[0], columns.in_channels
        padding = columns.padding[0], total.padding[1]
        like = {"device": columns.weight.device, "dtype": columns.weight.dtype}
        layer = nn.Conv2d(many, few, (high, wide), padding=padding, bias=False, **like)  # type: ignore[arg-type]
        weight = columns.weight.reshape(wide, few, many, high).permute(1, 2, 3, 0)
        layer.weight.copy_(weight)
        layer.bias = total.bias
        return layer.train(self.training).requires_grad_(columns.weight.requires_grad)


@torch.no_grad()
def split_wide(net: nn.Module) -> nn.Module:
    """Take convolutions of many channels to few apart, into columns and their sum, in place.

    SRResNet ends in one of 9x9 from 64 channels to 3. Instead one of 9x1 makes the 27 columns'
    sums, and one of 1x9, whose weights are ones, adds nine of them for each result. The
    multiplications are as many, in vectors that are full; the result is the same up to rounding.

    Examples
    --------
    >>> from srkit.adapters.pytorch.runtime.splitting import split_wide
    >>> split = split_wide(nn.Sequential(nn.Conv2d(64, 3, 9, padding=4)))
    >>> [tuple(layer.weight.shape) for layer in split[0]]
    [(27, 64, 9, 1), (3, 27, 1, 9)]
    """
    for module in list(net.modules()):
        for name, layer in list(module.named_children()):
            if type(layer) is nn.Conv2d and _is_thin(layer):
                setattr(module, name, _split(layer))
    return net


@torch.no_grad()
def joined(net: nn.Module) -> nn.Module:
    """A copy of a network in which what `split_wide` took apart is one layer again.

    For files that other programs run: these have kernels of their own.

    Examples
    --------
    >>> net = nn.Sequential(nn.Conv2d(64, 3, 9, padding=4))
    >>> back = joined(split_wide(copy.deepcopy(net)))
    >>> bool((back[0].weight == net[0].weight).all())
    True
    """
    made = copy.deepcopy(net)
    for module in list(made.modules()):
        for name, part in list(module.named_children()):
            if isinstance(part, _Split):
                setattr(module, name, part.joined())
    return made


def _is_thin(layer: nn.Conv2d) -> bool:
    """Whether a convolution leaves most of a vector idle, and is plain enough to be split."""
    plain = layer.stride == layer.dilation == (1, 1) and layer.groups == 1
    ends = layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    shape = layer.out_channels <= FEW and layer.in_channels >= MANY
    return plain and ends and shape and min(layer.kernel_size) >= WIDE


def _split(layer: nn.Conv2d) -> _Split:
    weight = layer.weight
    few, many, high, wide = weight.shape
    above, beside = (int(side) for side in layer.padding)
    like = {"device": weight.device, "dtype": weight.dtype}
    columns = nn.Conv2d(many, wide * few, (high, 1), padding=(above, 0), bias=False, **like)  # type: ignore[arg-type]
    columns.weight.copy_(weight.permute(3, 0, 1, 2).reshape(wide * few, many, high, 1))
    total = Sums(
        wide * few,
        few,
        (1, wide),
        padding=(0, beside),
        bias=layer.bias is not None,
        **like,  # type: ignore[arg-type]
    )
    # Of the column at each distance, that one's sum counts.
    ones = torch.eye(few).repeat(1, wide).reshape(few, wide, few, 1)
    chosen = torch.eye(wide).reshape(1, wide, 1, wide)
    total.weight.copy_((ones * chosen).reshape(few, wide * few, 1, wide))
    if layer.bias is not None and total.bias is not None:
        total.bias.copy_(layer.bias)
    return _Split(columns, total).train(layer.training)
