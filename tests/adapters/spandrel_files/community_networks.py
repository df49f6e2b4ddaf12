"""Small networks of spandrel's with random weights.

Spandrel is imported by srkit first, which can do so without torchvision.
"""

from __future__ import annotations

import torch

from srkit.adapters.spandrel.reading import ModelLoader

# isort: split
from spandrel.architectures.Compact import Compact
from spandrel.architectures.DAT import DAT
from spandrel.architectures.DnCNN import DnCNN
from spandrel.architectures.ESRGAN import ESRGAN
from spandrel.architectures.HAT import HAT
from spandrel.architectures.SPAN import SPAN
from spandrel.architectures.SwinIR import SwinIR


def compact(scale=4, channels=3):
    return Compact(num_in_ch=channels, num_out_ch=channels, num_feat=8, num_conv=2, upscale=scale)


def esrgan(scale=4):
    return ESRGAN(num_filters=8, num_blocks=1, scale=scale)


def esrgan_of_shuffled_pixels():
    """As Real-ESRGAN's network for x2: four channels of each, and then x4."""
    return ESRGAN(in_nc=12, num_filters=8, num_blocks=1, scale=4, shuffle_factor=2)


def swinir(scale=2):
    return SwinIR(
        img_size=16, embed_dim=12, depths=[2, 2], num_heads=[2, 2], window_size=4, mlp_ratio=2,
        upscale=scale, upsampler="pixelshuffledirect",
    )  # fmt: skip


def dat(scale=2):
    return DAT(
        img_size=16, embed_dim=32, split_size=[4, 8], depth=[2], num_heads=[2], expansion_factor=2,
        upscale=scale, resi_connection="1conv", upsampler="pixelshuffledirect",
    )  # fmt: skip


def hat(scale=2):
    return HAT(
        img_size=16, embed_dim=12, depths=[2, 2], num_heads=[2, 2], window_size=4, mlp_ratio=2,
        compress_ratio=3, squeeze_factor=6, overlap_ratio=0.5, upscale=scale,
    )  # fmt: skip


def span(scale=2):
    net = SPAN(num_in_ch=3, num_out_ch=3, feature_channels=8, upscale=scale)
    # It works on levels of 255, and training is what brings them back to [0, 1].
    net.upsampler[0].weight.data.div_(255)
    return net


def span_without_norm():
    return SPAN(num_in_ch=3, num_out_ch=3, feature_channels=8, upscale=4, norm=False)


def fdncnn():
    """Takes noise away; spandrel's call gives it the strength of the noise as one more channel."""
    return DnCNN(in_nc=4, out_nc=3, nc=8, nb=8, act_mode="R", mode="FDnCNN")


def state_of(build, **options):
    """A state dict of random weights, the same each time, with some contrast in what they make."""
    torch.manual_seed(0)
    net = build(**options)
    with torch.no_grad():
        for p in net.parameters():
            p.mul_(1.5)
    return net.state_dict()


def descriptor(state):
    """What spandrel itself makes of a state dict."""
    return ModelLoader("cpu").load_from_state_dict(dict(state))
