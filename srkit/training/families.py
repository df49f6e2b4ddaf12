"""The networks that can be trained, and what the trainer has to know of each."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor, nn

from srkit.adapters.pytorch.architectures.avsr import NAME as AVSR_NAME
from srkit.adapters.pytorch.architectures.avsr import build_avsr
from srkit.adapters.pytorch.architectures.compact import NAME as COMPACT_NAME
from srkit.adapters.pytorch.architectures.compact import build_compact
from srkit.adapters.pytorch.architectures.enhance import build_enhance
from srkit.adapters.pytorch.architectures.luma import build_espcn, build_fsrcnn
from srkit.adapters.pytorch.architectures.srresnet import UnitRange, build_srresnet
from srkit.adapters.pytorch.architectures.unet import NAME, Interpolated, build_unet, multiple_of
from srkit.adapters.pytorch.nets import compact
from srkit.adapters.pytorch.nets.avsr import AVSR, Size
from srkit.adapters.pytorch.nets.compact import Compact
from srkit.adapters.pytorch.nets.enhance import EnhanceNet
from srkit.adapters.pytorch.nets.espcn import ESPCN
from srkit.adapters.pytorch.nets.fsrcnn import FSRCNN
from srkit.adapters.pytorch.nets.srresnet import SRResNet
from srkit.adapters.pytorch.nets.unet import add_weight_norm
from srkit.adapters.readers.enhance.config import Config
from srkit.training.data.crops import to_luma, to_planes
from srkit.training.data.motion import Projected, start_avsr
from srkit.training.starts.compact import deepen_compact, halve_compact, start_compact
from srkit.training.starts.enhance import start_enhance
from srkit.training.starts.growing import grow_avsr
from srkit.training.starts.luma import start_espcn, start_fsrcnn
from srkit.training.starts.rescaling import halve_scale
from srkit.training.starts.srresnet import start_bicubic
from srkit.training.starts.unet import new_unet, start_unet


@dataclass(frozen=True)
class Family:
    """A kind of network.

    Attributes
    ----------
    architecture
        Its name in the header of weights.
    colour
        What it takes and gives: RGB, or luma alone.
    scales
        Scales for which `start` exists.
    build
        A network of random weights for a scale.
    start
        Sets weights so that the network begins as bicubic interpolation.
    read
        A network with the weights of a state dict, for a scale.
    planes
        The network between planes in [0, 1].
    groups
        Its layers in groups, which may learn at different rates.
    shares
        The rate of each group by default, as a share of the highest.
    rescale
        A network for a scale from the state dict of one for another, by both scales:
        ``(from, to)``.
    encoded
        For networks on an encoder: one of random weights for a scale, on an encoder that
        a recipe names.
    sized
        For networks whose size is free: one of random weights for a scale, of the size that
        a recipe states, see `srkit.training.recipe.SIZES`.
    tells_scale
        Whether a state dict tells its scale.
    weight_norm
        Trains the network's convolutions as direction and length, where it can be.
    window
        Frames that it sees; 1 for networks of single images.
    multiple
        LR pixels of which sides are multiples.
    grow
        A network of the family's size, or of what a recipe states of it, from a smaller one to
        start from.
    """

    architecture: str
    colour: Literal["rgb", "luma"]
    scales: tuple[int, ...]
    build: Callable[[int], nn.Module]
    start: Callable[[Any], None]
    read: Callable[[Mapping[str, Tensor], int], nn.Module]
    planes: Callable[[Any], nn.Module]
    groups: Callable[[Any], Sequence[Sequence[nn.Module]]]
    shares: tuple[float, ...] = (1.0, 0.1)
    rescale: Mapping[tuple[int, int], Callable[[Mapping[str, Tensor]], nn.Module]] = field(
        default_factory=dict
    )
    encoded: Callable[[int, str], nn.Module] | None = None
    sized: Callable[[int, Mapping[str, int]], nn.Module] | None = None
    tells_scale: bool = True
    window: int = 1
    weight_norm: Callable[[Any], None] | None = None
    multiple: Callable[[Any], int] = lambda net: 1
    grow: Callable[[Any, Mapping[str, int]], nn.Module] = lambda net, stated: net

    def ready(self, batch: Tensor) -> Tensor:
        """A uint8 batch ``(N, H, W, C)`` as the planes that the network takes or gives.

        Windows of frames are luma already.
        """
        planes = to_planes(batch)
        return to_luma(planes) if self.colour == "luma" and self.window == 1 else planes


def _last_apart(last: Callable[[Any], nn.Module]) -> Callable[[Any], list[list[nn.Module]]]:
    """All but one layer, and that one: by default the last learns ten times slower.

    Shi et al., 2016, Section 3.2.
    """

    def groups(net: nn.Module) -> list[list[nn.Module]]:
        return [[net], [last(net)]]

    return groups


def _itself(net: nn.Module) -> nn.Module:
    return net


def _avsr(size: Size) -> Family:
    return Family(
        AVSR_NAME,
        "luma",
        (2, 3, 4),
        lambda scale: AVSR(scale, size=size),
        start_avsr,
        lambda tensors, scale: build_avsr(tensors),
        Projected,
        _last_apart(lambda net: net.out),
        window=5,
        grow=lambda net, stated: grow_avsr(net, size),
    )


# The original's default size. At x1 the original halves the sides twice, so that its image takes
# 48 of the channels along; to leave them whole learns faster.
ENHANCE = {
    1: Config(upscale=0, downscale=0, blocks=6, filters=(32,)),
    2: Config(upscale=1, downscale=0, blocks=4, filters=(64,)),
    4: Config(upscale=2, downscale=0, blocks=4, filters=(64,)),
}

FAMILIES: Mapping[str, Family] = {
    "srresnet": Family(
        "SRResNet",
        "rgb",
        (2, 4),
        SRResNet,
        start_bicubic,
        lambda tensors, scale: build_srresnet(tensors),
        UnitRange,
        _last_apart(lambda net: net.conv_block3),
        rescale={(4, 2): halve_scale},
    ),
    "espcn": Family(
        "ESPCN",
        "luma",
        (2, 3, 4),
        ESPCN,
        start_espcn,
        build_espcn,
        _itself,
        _last_apart(lambda net: net.conv3),
    ),
    "fsrcnn": Family(
        "FSRCNN",
        "luma",
        (2, 3, 4),
        FSRCNN,
        start_fsrcnn,
        build_fsrcnn,
        _itself,
        _last_apart(lambda net: net.deconv),
    ),
    "neural-enhance": Family(
        "neural-enhance",
        "rgb",
        (1, 2, 4),
        lambda scale: EnhanceNet(ENHANCE[scale]),
        start_enhance,
        lambda tensors, scale: build_enhance(tensors),
        _itself,
        _last_apart(lambda net: net.out),
    ),
    "compact": Family(
        COMPACT_NAME,
        "rgb",
        (1, 2, 3, 4),
        Compact,
        start_compact,
        lambda tensors, scale: build_compact(tensors),
        _itself,
        _last_apart(lambda net: net.last),
        (1.0, 1.0),
        rescale={(4, 2): halve_compact, (2, 1): halve_compact},
        sized=lambda scale, size: Compact(scale, compact.Size(**size)),
        multiple=lambda net: net.size.unshuffle,
        grow=lambda net, stated: deepen_compact(net, dataclasses.replace(net.size, **stated)),
    ),
    "vsr": _avsr(Size()),
    "vsr-small": _avsr(Size(width=24, encoder=16, low=8, high=1)),
    "unet": Family(
        NAME,
        "rgb",
        (1, 2, 4),
        new_unet,
        start_unet,
        build_unet,
        Interpolated,
        lambda net: net.groups,
        (0.1, 0.1, 1.0),
        # The network keeps sizes: its weights know of no scale.
        {
            (old, new): functools.partial(build_unet, scale=new)
            for old, new in itertools.permutations((1, 2, 4), 2)
        },
        encoded=new_unet,
        tells_scale=False,
        weight_norm=add_weight_norm,
        multiple=lambda net: multiple_of(net.form, net.scale),
    ),
}
