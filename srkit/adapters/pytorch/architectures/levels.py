"""Networks that take and give levels of 255, as planes in [0, 1]."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

TOP = 255.0


class Levels(nn.Module):
    """A network between levels of 255, between planes in [0, 1]."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, rgb: Tensor) -> Tensor:
        """RGB ``(N, 3, H, W)`` in [0, 1] to the same at the network's scale."""
        return cast(Tensor, self.net(rgb * TOP) / TOP)
