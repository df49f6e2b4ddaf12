"""ESPCN: three convolutions at low resolution and a pixel shuffle.

Figure 1 of Shi et al., "Real-Time Single Image and Video Super-Resolution Using an
Efficient Sub-Pixel Convolutional Neural Network", CVPR 2016 (arXiv:1609.05158).

Hidden layers are rectified, as in the TensorFlow program whose graphs are in wide use
(github.com/fannymonori/TF-ESPCN); the paper's are tanh.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn import functional


class ESPCN(nn.Module):
    """Luma to luma; 21,284, 22,729 and 24,752 parameters at x2, x3 and x4.

    Parameters
    ----------
    scale
        At least 2.

    Examples
    --------
    >>> [sum(p.numel() for p in ESPCN(scale).parameters()) for scale in (2, 3, 4)]
    [21284, 22729, 24752]
    """

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.conv1 = nn.Conv2d(1, 64, 5, padding=2)
        self.conv2 = nn.Conv2d(64, 32, 3, padding=1)
        self.conv3 = nn.Conv2d(32, scale**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(scale)

    def forward(self, luma: Tensor) -> Tensor:
        """``(N, 1, H, W)`` in [0, 1] to ``(N, 1, s*H, s*W)``."""
        deep = functional.relu(self.conv2(functional.relu(self.conv1(luma))))
        return cast(Tensor, self.shuffle(self.conv3(deep)))
