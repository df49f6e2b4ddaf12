"""Spandrel, where torchvision is or is not, and small networks of it with random weights.

Spandrel imports torchvision for two of its networks, which srkit refuses. A torch for CPUs alone
has no torchvision beside it from the same place, so where there is none a stand-in takes its
place while spandrel is imported, and is gone afterwards.
"""

import contextlib
import sys
import types
from importlib.util import find_spec

import torch


@contextlib.contextmanager
def torchvision_or_a_stand_in():
    if find_spec("torchvision") is not None:
        yield
        return
    functional = types.ModuleType("torchvision.transforms.functional")
    for name in ("InterpolationMode", "rotate", "normalize"):
        setattr(functional, name, None)
    stand_ins = {
        "torchvision": types.ModuleType("torchvision"),
        "torchvision.transforms": types.ModuleType("torchvision.transforms"),
        "torchvision.transforms.functional": functional,
    }
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name in stand_ins:
            del sys.modules[name]


with torchvision_or_a_stand_in():
    import spandrel
    from spandrel.architectures.Compact import Compact
    from spandrel.architectures.DnCNN import DnCNN
    from spandrel.architectures.ESRGAN import ESRGAN
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
    return spandrel.ModelLoader("cpu").load_from_state_dict(dict(state))
