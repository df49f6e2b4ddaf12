"""What depends on how large a picture is: one plane at the size of another."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

# HR pixels that a tile of a network with such a layer sees beyond its core, where memory is too
# little for the whole picture.
COARSE_HALO = 192


class ResizedLike(nn.Module):
    """One plane at the size of another, by bilinear interpolation.

    Where a small plane's pixels come to lie depends on both sizes, and so on the size of the
    whole picture: a part of it, run alone, is not a part of the result. It is a layer of its own
    so that what follows a network layer by layer sees it.
    """

    def forward(self, small: Tensor, like: Tensor) -> Tensor:
        """``(N, C, h, w)`` and ``(N, D, H, W)`` to ``(N, C, H, W)``."""
        size = like.shape[-2:]
        return functional.interpolate(small, size, mode="bilinear", align_corners=False)
