"""Which convolutions of a network compute in 8 bits, found out on pictures."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from srkit.adapters.pytorch.generated import forget_source
from srkit.adapters.pytorch.runtime.int8 import LEVELS, Int8Conv2d, fits, has_middle
from srkit.errors import WeightsError
from srkit.imaging.resize import imresize

# LR pixels of the sides of each picture; what they show comes with scikit-image.
SIDE = 48
PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")
# Of what a layer is given, to find its range by.
BINS = 1024
# A layer that is given nothing on the pictures may be given something on others.
LEAST_RANGE = 1e-20
# The largest weight of a channel against their root mean square: from here on the others have few
# steps, and what channels hand on to themselves is taken out.
MOST_PEAK = 10.0
# PSNR of results in [0, 1] to those in float32, in dB. Where the network does not reach it, layers
# go back to float32, those first that lose most.
LEAST = 47.0
# Of all multiplications, how many have to be in 8 bits: of a sixth nothing is gained.
LEAST_SHARE = 0.25


class CannotQuantise(Exception):  # noqa: N818 -- a finding, which the caller puts into words
    """A network gains nothing by 8 bits, or loses too much; the message says why."""


@dataclass(frozen=True)
class Seen:
    """What a layer was given, and how much it computed.

    Attributes
    ----------
    low, high
        The range of what it was given that 8 bits serve best.
    products
        Multiplications.
    """

    low: float
    high: float
    products: int


class _Watch(fx.Interpreter):
    """Runs a traced network, and notes what convolutions are given."""

    def __init__(self, traced: fx.GraphModule) -> None:
        super().__init__(traced, garbage_collect_values=True)
        self.seen: dict[str, Seen] = {}

    def call_module(self, target: Any, args: Any, kwargs: Any) -> Any:
        made: Tensor = super().call_module(target, args, kwargs)
        layer = self.fetch_attr(target)
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            places = args[0] if isinstance(layer, nn.ConvTranspose2d) else made
            products = places.shape[-2:].numel() * layer.weight.numel()
            before = self.seen.get(str(target), Seen(0.0, 0.0, 0))
            low, high = best_range(args[0]) if fits(layer) else (0.0, 0.0)
            self.seen[str(target)] = Seen(
                min(before.low, low), max(before.high, high), before.products + products
            )
        return made


def best_range(values: Tensor) -> tuple[float, float]:
    """The range around 0 in which 8 bits are nearest to some values, by mean square.

    Steps grow with the range, and beyond it values are cut off: of a few that are far out it is
    better to lose some.

    Examples
    --------
    >>> best_range(torch.tensor([-1.0, 0.0, 2.0]))
    (-1.0, 2.0)
    """
    low, high = (float(end) for end in values.aminmax())
    low, high = min(low, 0.0), max(high, 0.0)
    if not (math.isfinite(high - low) and high > low):
        return low, high
    counts = torch.histc(values.float(), BINS, low, high).double()
    at = torch.linspace(low, high, BINS, dtype=torch.float64)
    shares = torch.linspace(1, 0, 20, dtype=torch.float64)[:-1]
    below = (((low * shares)[:, None] - at).clamp_min(0).square() * counts).sum(1)
    above = ((at - (high * shares)[:, None]).clamp_min(0).square() * counts).sum(1)
    steps = ((high * shares)[None] - (low * shares)[:, None]) / LEVELS
    lost = below[:, None] + above[None] + steps.square() / 12 * counts.sum()
    row, column = divmod(int(lost.argmin()), len(shares))
    return low * float(shares[row]), high * float(shares[column])


@torch.inference_mode()
def quantise(traced: fx.GraphModule, pictures: Tensor) -> None:
    """Put 8-bit convolutions in the place of a network's, where that hardly changes pictures.

    Parameters
    ----------
    traced
        A network in float32 on the CPU, as `trace` gives it. It is changed; its layers are not.
    pictures
        ``(N, C, H, W)``, as the network takes them.

    Raises
    ------
    CannotQuantise
        If too little of it can be in 8 bits with results near those in float32.
    WeightsError
        If they are no numbers in float32 already.
    """
    watch = _Watch(traced)
    wanted = watch.run(pictures)
    if not wanted.isfinite().all():
        raise WeightsError("it makes values that are not numbers: its weights are damaged")
    layers = {name: traced.get_submodule(name) for name in watch.seen}
    shuffled = _shuffled(traced)
    made = {
        name: _quantised(layer, watch.seen[name], name in shuffled)
        for name, layer in layers.items()
        if isinstance(layer, nn.Conv2d)
        and fits(layer)
        and watch.seen[name].high - watch.seen[name].low > LEAST_RANGE
    }
    _place(traced, layers | made)
    if nearness(traced(pictures), wanted) < LEAST:
        made = _without_worst(traced, pictures, wanted, layers, made)
    products = sum(seen.products for seen in watch.seen.values())
    share = sum(watch.seen[name].products for name in made) / max(1, products)
    if share < LEAST_SHARE:
        raise CannotQuantise(
            f"only {100 * share:.0f} % of its multiplications can be in 8 bits, those of "
            "convolutions with many channels that lose little by it, so it would not be faster"
        )
    traced.recompile()
    forget_source(traced)


def nearness(made: Tensor, wanted: Tensor) -> float:
    """PSNR in dB between results in [0, 1], as they are shown.

    Examples
    --------
    >>> nearness(torch.full((1, 1, 4, 4), 0.5), torch.full((1, 1, 4, 4), 0.51))
    40.0
    """
    error = float((made.clamp(0, 1) - wanted.clamp(0, 1)).double().square().mean())
    return round(-10 * math.log10(error), 3) if error else math.inf


def _quantised(layer: nn.Conv2d, seen: Seen, shuffled: bool) -> Int8Conv2d:
    exact = ""
    if has_middle(layer):
        # What a pixel shuffle takes apart is the picture itself, on its way to its places.
        if shuffled:
            exact = "middle"
        elif layer.in_channels == layer.out_channels and _peak(layer.weight) > MOST_PEAK:
            exact = "diagonal"
    return Int8Conv2d(layer, seen.low, seen.high, exact)


def _peak(weight: Tensor) -> float:
    """The largest weight against the root mean square, of the channel where that is most."""
    flat = weight.flatten(1)
    mean = flat.square().mean(1).sqrt().clamp_min(1e-30)
    return float((flat.abs().amax(1) / mean).max())


def _shuffled(traced: fx.GraphModule) -> set[str]:
    """Names of the layers whose results pixel shuffles take apart."""
    return {
        str(node.args[0].target)
        for node in traced.graph.nodes
        if node.op == "call_module"
        and isinstance(traced.get_submodule(str(node.target)), nn.PixelShuffle)
        and isinstance(node.args[0], fx.Node)
    }


def _without_worst(
    traced: fx.GraphModule,
    pictures: Tensor,
    wanted: Tensor,
    layers: Mapping[str, nn.Module],
    made: Mapping[str, Int8Conv2d],
) -> dict[str, Int8Conv2d]:
    """The layers that are left in 8 bits once those that lose most are in float32 again."""
    alone = {}
    for name, layer in made.items():
        _place(traced, {**layers, name: layer})
        alone[name] = nearness(traced(pictures), wanted)
    left = sorted(made, key=alone.__getitem__, reverse=True)
    while left:
        # Errors add up, as those of one layer know nothing of another's.
        while left and sum(10 ** (-alone[name] / 10) for name in left) > 10 ** (-LEAST / 10):
            left.pop()
        _place(traced, {**layers, **{name: made[name] for name in left}})
        if nearness(traced(pictures), wanted) >= LEAST:
            break
        left = left[:-1]
    return {name: made[name] for name in left}


def _place(traced: fx.GraphModule, layers: Mapping[str, nn.Module]) -> None:
    for name, layer in layers.items():
        above, _, own = name.rpartition(".")
        setattr(traced.get_submodule(above), own, layer)


def _plate() -> NDArray[np.uint8]:
    """What photos seldom show: even colours of all kinds beside each other, lines and a ramp.

    It is small beside them: a range that holds the strongest of edges has steps that are seen.
    """
    levels = np.array([0, 128, 255], np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(27, 3)
    tiles = np.zeros((6, 6, 3), np.uint8)
    tiles.reshape(36, 3)[:27] = colours
    plate = tiles.repeat(3, 0).repeat(3, 1)
    plate[-2:] = np.linspace(0, 255, len(plate)).astype(np.uint8)[:, None]
    plate[-4:-2, ::2] = 255
    return plate


@functools.cache
def pictures_of(channels: int, side: int) -> NDArray[np.float32]:
    """Pictures to find ranges on: photos, and negatives of two; ``(6, H, W, C)``.

    Parameters
    ----------
    channels
        3, or 1 for their mean.
    side
        Pixels of their sides.

    Examples
    --------
    >>> pictures_of(3, 48).shape
    (6, 48, 48, 3)
    """
    # Here, since it takes a second that other precisions need not spend.
    from skimage import data

    photos = [imresize(getattr(data, name)()[..., :3], size=(side, side)) for name in PHOTOS]
    shown = np.stack([*photos, *(255 - photo for photo in photos[:2])])
    plate = _plate()
    shown[-1, : len(plate), : len(plate)] = plate
    planes: NDArray[np.float32] = np.divide(shown, 255, dtype=np.float32)
    return planes if channels == 3 else planes.mean(-1, keepdims=True, dtype=np.float32)
