"""Start SRResNet for x2 from weights for x4.

What the trunk knows of images does not depend on the scale. Its channels still carry the
phases of x4 that `start_bicubic` put there, so the mean of four neighbouring ones is where
the x2 network begins; all else behind the trunk starts as bicubic interpolation does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor

from srkit.adapters.pytorch.architectures.srresnet import build_srresnet
from srkit.adapters.pytorch.nets.srresnet import SRResNet, SubPixelBlock
from srkit.training.starts.srresnet import HINGES, phases, start_bicubic

# What lies behind the trunk, and differs in shape or meaning between scales.
_TAIL = ("subpixel_convolutional_blocks.", "conv_block3.")


@torch.no_grad()
def halve_scale(tensors: Mapping[str, Tensor]) -> SRResNet:
    """A network for x2 from the state dict of one for x4.

    Parameters
    ----------
    tensors
        Of SRResNet for x4, trained from `start_bicubic`.

    Returns
    -------
    SRResNet
        For x2. What it makes is not good yet, but soon learned.
    """
    large = build_srresnet(tensors)
    channels, blocks = large.conv_block1.conv.out_channels, len(large.residual_blocks)
    kernels = large.conv_block1.conv.kernel_size[0], large.conv_block2.conv.kernel_size[0]
    net = SRResNet(2, channels, blocks, *kernels)
    start_bicubic(net)
    state = net.state_dict()
    trunk = {k: v for k, v in large.state_dict().items() if not k.startswith(_TAIL)}
    net.load_state_dict(state | trunk)
    conv = cast(SubPixelBlock, net.subpixel_convolutional_blocks[0]).conv
    middle = conv.kernel_size[0] // 2
    for colour in range(3):
        for hinge, (sign, _) in enumerate(HINGES):
            for place in range(4):
                row = conv.weight[4 * (colour * len(HINGES) + hinge) + place]
                row.zero_()
                for number, (y, x) in enumerate(phases(4)):
                    if divmod(place, 2) == (y // 2, x // 2):
                        # Twice, as in `start_bicubic`, and a quarter of four.
                        row[3 * number + colour, middle, middle] = 2.0 * sign / 4
    return net
