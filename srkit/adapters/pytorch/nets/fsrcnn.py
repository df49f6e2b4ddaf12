"""FSRCNN: shrink, map, expand, then one transposed convolution.

Figure 2 of Dong et al., "Accelerating the Super-Resolution Convolutional Neural
Network", ECCV 2016 (arXiv:1608.00367), in the form FSRCNN(56, 12, 4).
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn


class FSRCNN(nn.Module):
    """Luma to luma; 12,809 parameters, one PReLU slope a channel.

    Parameters
    ----------
    scale
        2 to 4: the last kernel, 9 wide, reaches no further.
    features, shrunk, layers
        The paper's d, s and m.

    Examples
    --------
    >>> sum(p.numel() for p in FSRCNN(2).parameters())
    12809
    """

    def __init__(self, scale: int, features: int = 56, shrunk: int = 12, layers: int = 4) -> None:
        super().__init__()
        self.scale = scale
        self.extract = nn.Sequential(nn.Conv2d(1, features, 5, padding=2), nn.PReLU(features))
        self.shrink = nn.Sequential(nn.Conv2d(features, shrunk, 1), nn.PReLU(shrunk))
        mapping: list[nn.Module] = []
        for _ in range(layers):
            mapping += [nn.Conv2d(shrunk, shrunk, 3, padding=1), nn.PReLU(shrunk)]
        self.map = nn.Sequential(*mapping)
        self.expand = nn.Sequential(nn.Conv2d(shrunk, features, 1), nn.PReLU(features))
        self.deconv = nn.ConvTranspose2d(
            features, 1, 9, stride=scale, padding=4, output_padding=scale - 1
        )

    def forward(self, luma: Tensor) -> Tensor:
        """``(N, 1, H, W)`` in [0, 1] to ``(N, 1, s*H, s*W)``."""
        deep = self.expand(self.map(self.shrink(self.extract(luma))))
        return cast(Tensor, self.deconv(deep))
