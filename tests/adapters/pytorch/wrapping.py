"""Small networks as upscalers."""

from torch import nn

from srkit.adapters.pytorch.runtime.upscaler import TorchUpscaler
from srkit.card import ModelCard


def wrapped(net, scale=2, precision="float32", **facts):
    """A network on the CPU, with facts of its card."""
    card = ModelCard(
        name="net",
        summary="A network for tests.",
        adapter="srkit.adapters.pytorch.runtime.upscaler:TorchUpscaler",
        framework="torch",
        scales=(1, 2),
        default_scale=2,
        **facts,
    )
    return TorchUpscaler(card, scale, net, device="cpu", precision=precision)


def doubling(*layers):
    """A network of twice the size, from layers that give 8 channels."""
    return nn.Sequential(*layers, nn.Conv2d(8, 12, 3, padding=1), nn.PixelShuffle(2))
