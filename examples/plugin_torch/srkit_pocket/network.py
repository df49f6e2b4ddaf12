"""The network: two convolutions and a shuffle, added to bicubic interpolation."""

from torch import nn
from torch.nn import functional


class Pocket(nn.Module):
    """Planes (N, 3, H, W) in [0, 1] to planes (N, 3, scale*H, scale*W)."""

    def __init__(self, scale, channels=16):
        super().__init__()
        self.scale = scale
        self.first = nn.Conv2d(3, channels, 5, padding=2)
        self.middle = nn.Conv2d(channels, channels, 3, padding=1)
        self.last = nn.Conv2d(channels, 3 * scale**2, 3, padding=1)

    def forward(self, x):
        deep = functional.leaky_relu(self.first(x), 0.1)
        deep = functional.leaky_relu(self.middle(deep), 0.1)
        detail = functional.pixel_shuffle(self.last(deep), self.scale)
        return detail + functional.interpolate(x, scale_factor=self.scale, mode="bicubic")
