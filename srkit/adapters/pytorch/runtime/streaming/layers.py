"""What each layer becomes when its input comes strip by strip: stages, one after another."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any, cast

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.utils import _pair as pair

from srkit.adapters.pytorch.runtime.int8 import Int8Conv2d
from srkit.adapters.pytorch.runtime.receptive import POINTWISE
from srkit.adapters.pytorch.runtime.streaming.resizing import Resize
from srkit.adapters.pytorch.runtime.streaming.rows import Crop, Each, Machine, Pad, Spread, Window

# Rows that an interpolated row depends on, above and below the one that it lies in.
REACH = {"bilinear": 1, "bicubic": 2}


class CannotStream(Exception):  # noqa: N818 -- a finding, which every caller acts on
    """A network needs more than some rows at a time; the message names the operation."""


def kept(*heights: int) -> int:
    """The height of what keeps that of its inputs, which is one."""
    return heights[0]


@dataclass(frozen=True)
class Stage:
    """A step of a network, as a plan holds it.

    Attributes
    ----------
    make
        A machine for one image.
    rate
        Rows that come out for each that goes in.
    owes
        Rows that come out when the image ends, about.
    height
        Rows that come out in all, of those that go in: of each input, where there are several.
    sized
        Whether `make` has to be told how many rows go in, in all, of each input.
    """

    make: Callable[..., Machine]
    rate: Fraction = Fraction(1)
    owes: int = 0
    height: Callable[..., int] = kept
    sized: bool = False


def each(apply: Callable[[Tensor], Tensor], rate: int = 1) -> Stage:
    """A stage that does the same with every row."""
    return Stage(partial(Each, apply), Fraction(rate), height=lambda rows: rate * rows)


def window(apply: Callable[[Tensor], Tensor], span: int, stride: int, finer: int = 1) -> Stage:
    """A stage that slides a window down, with `finer` rows for each of its places."""

    def height(rows: int) -> int:
        return finer * max(0, (rows - span) // stride + 1)

    return Stage(partial(Window, apply, span, stride), Fraction(finer, stride), height=height)


def resized(rate: Fraction) -> Stage:
    """A stage that brings a plane to the size of another, with so many rows for each of its own."""
    return Stage(Resize, rate, owes=math.ceil(rate), height=lambda small, like: like, sized=True)


def padding(
    left: int,
    right: int,
    top: int = 0,
    bottom: int = 0,
    *,
    mode: str = "constant",
    value: float | None = None,
) -> list[Stage]:
    """Stages that do as `torch.nn.functional.pad`, crops included."""
    if mode == "circular" and (top or bottom):
        raise CannotStream("circular padding of rows")
    if mode != "constant" and min(top, bottom) < 0:
        raise CannotStream(f"{mode} padding by a negative number of rows")
    stages = []
    more_above, more_below = max(0, top), max(0, bottom)
    # Padding comes first: of an image whose rows are all cropped nothing would be left to pad.
    if more_above or more_below or left or right:
        make = partial(Pad, more_above, more_below, (left, right), mode, value or 0.0)
        around = more_above + more_below
        stages.append(Stage(make, owes=more_below, height=lambda rows: rows + around))
    if min(top, bottom) < 0:
        off = max(0, -top) + max(0, -bottom)
        make_crop = partial(Crop, max(0, -top), max(0, -bottom))
        stages.append(Stage(make_crop, height=lambda rows: max(0, rows - off)))
    return stages


def _sides(layer: nn.Conv2d) -> tuple[int, int, int, int]:
    """Padding of a convolution: left, right, top, bottom."""
    if layer.padding == "valid":
        return 0, 0, 0, 0
    if layer.padding == "same":
        spare = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
        # An odd row or column of padding goes after the image, as torch does it.
        (top, left), (bottom, right) = [n // 2 for n in spare], [n - n // 2 for n in spare]
        return left, right, top, bottom
    rows, columns = pair(layer.padding)
    return int(columns), int(columns), int(rows), int(rows)


def _convolution(layer: nn.Conv2d) -> list[Stage]:
    left, right, top, bottom = _sides(layer)
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    within = 0
    if mode == "constant" and left == right:
        # The convolution pads columns by itself, without a copy.
        within, left, right = left, 0, 0

    def apply(rows: Tensor) -> Tensor:
        if isinstance(layer, Int8Conv2d):
            return layer.convolved(rows, (0, within))
        return functional.conv2d(
            rows,
            layer.weight,
            layer.bias,
            layer.stride,
            (0, within),
            layer.dilation,
            layer.groups,
        )

    span = int(layer.dilation[0]) * (int(layer.kernel_size[0]) - 1) + 1
    return [
        *padding(left, right, top, bottom, mode=mode),
        window(apply, span, int(layer.stride[0])),
    ]


def _transposed(layer: nn.ConvTranspose2d) -> list[Stage]:
    rows_off, columns_off = (int(n) for n in pair(layer.padding))
    rows_more, columns_more = (int(n) for n in pair(layer.output_padding))

    def apply(rows: Tensor) -> Tensor:
        return functional.conv_transpose2d(
            rows,
            layer.weight,
            None,
            layer.stride,
            (0, columns_off),
            (0, columns_more),
            layer.groups,
            layer.dilation,
        )

    span = int(layer.dilation[0]) * (int(layer.kernel_size[0]) - 1) + 1
    stride = int(layer.stride[0])
    spread = partial(Spread, apply, span, stride)
    stages = [
        Stage(
            spread,
            Fraction(stride),
            max(0, span - stride),
            lambda rows: (rows - 1) * stride + span if rows else 0,
        )
    ]
    stages += padding(0, 0, -rows_off, rows_more - rows_off)
    bias = layer.bias
    if bias is not None:
        # Once for each row of the result, some of which are sums of several strips' shares.
        stages.append(each(lambda rows: rows + bias.view(-1, 1, 1)))
    return stages


def _pool(layer: nn.MaxPool2d | nn.AvgPool2d) -> list[Stage]:
    (tall, wide), (down, across) = pair(layer.kernel_size), pair(layer.stride)
    rows, columns = pair(layer.padding)
    if layer.ceil_mode:
        raise CannotStream(f"{type(layer).__name__} with ceil_mode")
    if isinstance(layer, nn.AvgPool2d):
        if (rows or columns) and not layer.count_include_pad:
            raise CannotStream("AvgPool2d that does not count its padding")
        divisor = layer.divisor_override

        def mean(rows: Tensor) -> Tensor:
            return functional.avg_pool2d(
                rows, (tall, wide), (down, across), (0, columns), divisor_override=divisor
            )

        return [*padding(0, 0, rows, rows), window(mean, tall, down)]
    if layer.return_indices:
        raise CannotStream("MaxPool2d with return_indices")
    dilation = pair(layer.dilation)

    def most(rows: Tensor) -> Tensor:
        return functional.max_pool2d(rows, (tall, wide), (down, across), (0, columns), dilation)

    span = dilation[0] * (tall - 1) + 1
    return [*padding(0, 0, rows, rows, value=float("-inf")), window(most, span, down)]


def _pad_layer(layer: Any) -> list[Stage]:
    modes = {"Replication": "replicate", "Reflection": "reflect", "Circular": "circular"}
    mode = modes.get(type(layer).__name__.removesuffix("Pad2d"), "constant")
    return padding(*layer.padding, mode=mode, value=getattr(layer, "value", None))


def _padded(pad: Sequence[int], mode: str = "constant", value: float | None = None) -> list[Stage]:
    if len(pad) not in (2, 4):
        raise CannotStream("padding of channels")
    return padding(*pad, mode=mode, value=value)


def shuffled(upscale_factor: int) -> list[Stage]:
    """Stages of a pixel shuffle."""
    shuffle = partial(functional.pixel_shuffle, upscale_factor=upscale_factor)
    return [each(shuffle, upscale_factor)]


def unshuffled(downscale_factor: int) -> list[Stage]:
    """Stages of its inverse."""
    unshuffle = partial(functional.pixel_unshuffle, downscale_factor=downscale_factor)
    return [window(unshuffle, downscale_factor, downscale_factor)]


def interpolation(
    size: object = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> list[Stage]:
    """Stages of `torch.nn.functional.interpolate` by whole factors."""
    factors = pair(scale_factor)
    whole = all(isinstance(n, int | float) and n >= 1 and n == int(n) for n in factors)
    if size is not None or not whole or align_corners or antialias:
        raise CannotStream(
            "interpolation to a fixed size, by corners, antialiased, or not by a whole factor"
        )
    rows, columns = (int(n) for n in factors)
    if mode in ("nearest", "nearest-exact"):
        return [each(partial(functional.interpolate, scale_factor=(rows, columns)), rows)]
    if mode not in REACH:
        raise CannotStream(f"{mode} interpolation")
    reach = REACH[mode]

    def apply(strip: Tensor) -> Tensor:
        made = functional.interpolate(
            strip, scale_factor=(rows, columns), mode=mode, align_corners=False
        )
        return made[:, :, reach * rows : made.shape[2] - reach * rows]

    # Beyond the image interpolation sees its border's pixels again.
    around = padding(0, 0, reach, reach, mode="replicate")
    return [*around, window(apply, 2 * reach + 1, 1, rows)]


def _upsample(layer: nn.Upsample) -> list[Stage]:
    return interpolation(layer.size, layer.scale_factor, layer.mode, layer.align_corners)


_PADS = (
    nn.ZeroPad2d, nn.ConstantPad2d, nn.ReplicationPad2d, nn.ReflectionPad2d, nn.CircularPad2d,
)  # fmt: skip

_LAYERS: Mapping[Any, Callable[[Any], list[Stage]]] = {
    nn.ConvTranspose2d: _transposed,
    nn.Conv2d: _convolution,
    (nn.MaxPool2d, nn.AvgPool2d): _pool,
    _PADS: _pad_layer,
    nn.PixelShuffle: lambda layer: shuffled(layer.upscale_factor),
    nn.PixelUnshuffle: lambda layer: unshuffled(layer.downscale_factor),
    nn.Upsample: _upsample,
}

# Functions of one image and numbers, by name.
FUNCTIONS: Mapping[str, Callable[..., list[Stage]]] = {
    "interpolate": interpolation,
    "pad": _padded,
    "pixel_shuffle": shuffled,
    "pixel_unshuffle": unshuffled,
}


def stages_of(layer: nn.Module) -> list[Stage]:
    """The stages of a layer with one input.

    Raises
    ------
    CannotStream
        If it is not known here, or sees more of the image than some rows.
    """
    for kind, make in _LAYERS.items():
        if isinstance(layer, kind):
            return make(layer)
    name = type(layer).__name__
    if not isinstance(layer, POINTWISE):
        raise CannotStream(name)
    if isinstance(layer, nn.BatchNorm2d | nn.Dropout | nn.Dropout2d) and layer.training:
        raise CannotStream(f"{name} in training")
    if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is None:
        raise CannotStream(f"{name} without running statistics")
    return [each(_out_of_place(layer))]


def _out_of_place(layer: nn.Module) -> Callable[[Tensor], Tensor]:
    """The layer, or what it does without writing to its input, which others may hold."""
    if not getattr(layer, "inplace", False):
        return layer
    twin: Any = copy.copy(layer)
    twin.inplace = False
    return cast(Callable[[Tensor], Tensor], twin)
