"""Train convolutions as products of two larger matrices, and ship their product.

A linear layer that is the product of two learns faster than the layer itself, and is
the same layer once they are multiplied (Arora et al., "On the Optimization of Deep
Networks: Implicit Acceleration by Overparameterization", 2018; for super-resolution
Bhardwaj et al., "Collapsible Linear Blocks for Super-Efficient Super Resolution",
2022). The product is taken of the weights, not of the layers, so it costs next to
nothing in time.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

# Size of the product's entries at the start, against those of a usual start.
SPREAD = 0.3


class _Product(nn.Module):
    """A weight plus a product of two matrices, less what the product was at the start."""

    start: Tensor

    def __init__(self, weight: Tensor, factor: int, generator: torch.Generator) -> None:
        super().__init__()
        rows, columns = weight.shape[0], weight[0].numel()
        inner = factor * rows
        first = torch.randn(inner, columns, generator=generator) * (SPREAD / columns**0.5)
        second = torch.randn(rows, inner, generator=generator) * (SPREAD / inner**0.5)
        self.first, self.second = nn.Parameter(first), nn.Parameter(second)
        self.register_buffer("start", (second @ first).view_as(weight))

    def forward(self, weight: Tensor) -> Tensor:
        # In full precision, as the result is multiplied out.
        with torch.autocast(weight.device.type, enabled=False):
            product = (self.second @ self.first).view_as(self.start)
        return weight + product - self.start


def expand(net: nn.Module, factor: int, seed: int) -> None:
    """Make every convolution of a network a product, in place; it computes the same.

    Parameters
    ----------
    factor
        Size of the products' inner dimension, for each channel on the weight's first axis:
        output channels, or input channels of a transposed convolution.
    seed
        Of the random start of the products.
    """
    generator = torch.Generator().manual_seed(seed)
    layers = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    for layer in layers:
        product = _Product(layer.weight.data, factor, generator)
        parametrize.register_parametrization(layer, "weight", product)


@torch.no_grad()
def collapsed(net: nn.Module) -> dict[str, Tensor]:
    """The state dict of a network, with each product multiplied out.

    It is that of the network before `expand`.
    """
    state = {k: v for k, v in net.state_dict().items() if ".parametrizations." not in f".{k}"}
    for name, module in net.named_modules():
        if parametrize.is_parametrized(module, "weight"):
            state[f"{name}.weight"] = cast(Tensor, module.weight).detach()
    return state
