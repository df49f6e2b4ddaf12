"""New U-Nets, which begin as what they are given: images that were resized before."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from srkit.adapters.pytorch.architectures.fitting import fitted
from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.adapters.pytorch.nets.resnet import RESNET34, Form, ResNet, form_of
from srkit.adapters.pytorch.nets.unet import UNet
from srkit.errors import OptionError

# Encoders that start at random; srkit's own weights have the small one.
FORMS = {"small": Form((48, 64, 96, 128), (2, 2, 2, 2)), "resnet34": RESNET34}
# Factors on the last layer's random weights, and on what residual blocks add.
NOISE, RESIDUE = 0.02, 0.1


def new_unet(scale: int, encoder: str = "") -> UNet:
    """A U-Net of random weights, but for those of its encoder that a file holds.

    Parameters
    ----------
    encoder
        ``"small"`` (the default) or ``"resnet34"``, both from scratch; or the path of a
        state dict of torchvision's ``resnet34`` or ``resnet18``.

    Raises
    ------
    OptionError
        If there is no such file.
    UnsafeFileError, CorruptFileError, WeightsError
        If it cannot be read, or is of another network.
    """
    if (form := FORMS.get(encoder or "small")) is not None:
        net = UNet(scale, form)
        _calm(net)
        return net
    path = Path(encoder).expanduser()
    if not path.is_file():
        raise OptionError(
            f"encoder is {', '.join(FORMS)} or a file of torchvision's resnet34, not {encoder!r}"
        )
    trained = read_encoder(read_checkpoint(path).tensors)
    net = UNet(scale, trained.form)
    net.encoder = trained
    return net


def read_encoder(tensors: Mapping[str, Tensor]) -> ResNet:
    """An encoder with a classifier's weights, such as torchvision's ``resnet34`` on ImageNet.

    Raises
    ------
    WeightsError
        If they are of another network: a ResNet of 50 layers and more has other blocks.
    """
    kept = {k: v for k, v in tensors.items() if not k.startswith("fc.")}
    # Old files lack the counts of batches, which nothing here uses.
    for name in list(kept):
        if name.endswith("running_mean"):
            kept.setdefault(name.replace("running_mean", "num_batches_tracked"), torch.tensor(0))
    form = form_of(kept)
    return fitted("ResNet-18 or 34", lambda: ResNet(form), kept)


@torch.no_grad()
def _calm(net: UNet) -> None:
    """Let each block of the encoder add little to its shortcut.

    Batch norm is used without statistics of batches: values would double with each block.
    """
    for stage in net.encoder.stages:
        for block in cast(nn.Sequential, stage):
            cast(nn.Conv2d, block.conv2).weight.mul_(RESIDUE)


@torch.no_grad()
def start_unet(net: UNet) -> None:
    """Set weights of the last layers so that `net` returns its input, nearly."""
    cast(nn.Conv2d, net.cross[2]).weight.mul_(RESIDUE)
    net.out.weight.mul_(NOISE)
    cast(Tensor, net.out.bias).zero_()
    for colour in range(3):
        # Of what the last layer sees, the image itself comes last.
        net.out.weight[colour, colour - 3] = 1
