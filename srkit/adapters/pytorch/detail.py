"""Fine detail of a picture, put back where a network drew over it.

A network that was trained against an adversary draws detail, and with it specks of colour that were
not there. What its result lacks of the picture, when it is shrunk again, is known; this is one step
of back-projection (Irani and Peleg, "Improving Resolution by Image Registration", 1991), by layers
that stream.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from srkit.adapters.pytorch.colours import Fixed, shrinking
from srkit.imaging.resize import keys_cubic

# Pixels on each side that cubic interpolation takes.
TAPS = 2


class PutsDetailBack(nn.Module):
    """A network whose result keeps a share of the detail that it would lose.

    x + s E(y - S x) for a result x of a picture y: S is the mean within an LR pixel, E cubic
    interpolation and s the share. Grain is detail, too: with a share of 1 it stays.

    Parameters
    ----------
    net
        ``(N, 3, H, W)`` in [0, 1] to ``(N, 3, scale*H, scale*W)``.
    scale
        Its factor.
    share
        From 0 to 1.
    """

    def __init__(self, net: nn.Module, scale: int, share: float) -> None:
        super().__init__()
        self.net = net
        self.shrink = shrinking(scale)
        # What is lacking beyond the border is taken for nothing.
        self.enlarge = Fixed(share * _cubic(scale).repeat(3, 1, 1, 1), 3, padding=(TAPS, TAPS))
        self.shuffle = nn.PixelShuffle(scale)

    def forward(self, rgb: Tensor) -> Tensor:
        """What the network makes, with detail put back."""
        # The network comes first, as its first convolution is looked for by reduced precisions.
        made = self.net(rgb)
        return cast(Tensor, made + self.shuffle(self.enlarge(rgb - self.shrink(made))))


def _cubic(scale: int) -> Tensor:
    """Kernels ``(scale², 1, 5, 5)`` of all places within a pixel."""
    place = (np.arange(scale) + 0.5) / scale - 0.5
    line = keys_cubic(place[:, None] - np.arange(-TAPS, TAPS + 1))
    kernels = np.einsum("ik,jl->ijkl", line, line)
    return torch.from_numpy(kernels).reshape(scale**2, 1, 2 * TAPS + 1, 2 * TAPS + 1)
