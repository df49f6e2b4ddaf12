"""Averaged weights, and batch norm without batch statistics."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from srkit.training.expansion import collapsed


def freeze_norms(net: nn.Module) -> None:
    """Put every batch norm in inference mode: a learned scale and shift, no statistics.

    Networks for super-resolution do better without batch statistics (Lim et al.,
    EDSR, 2017); the layers stay, so that weights keep the published form.
    """
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


class Average:
    """Exponential moving average of a network's weights, quick to follow at first."""

    def __init__(self, net: nn.Module, decay: float) -> None:
        self._decay = decay
        self.weights = {k: v.detach().clone() for k, v in collapsed(net).items()}

    @torch.no_grad()
    def update(self, net: nn.Module, step: int) -> None:
        """Take one more step's weights in."""
        decay = min(self._decay, (step + 1) / (step + 10))
        ours: list[Tensor] = []
        theirs: list[Tensor] = []
        for key, value in collapsed(net).items():
            if value.is_floating_point():
                ours.append(self.weights[key])
                theirs.append(value)
            else:
                self.weights[key].copy_(value)
        torch._foreach_lerp_(ours, theirs, 1 - decay)
