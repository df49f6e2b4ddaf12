"""Lists of degradations that make poor photos as there are.

`TWO_STAGE` is Real-ESRGAN's (Wang et al., 2021, arXiv:2107.10833, Section 3, with the ranges of
its published training options, but for resizing, which averages as programs for photos
do). A photo is blurred, resized, made noisy and compressed; then all of it happens once more, as
when a picture was passed on.
"""

from __future__ import annotations

import math
from typing import Literal

from srkit.training.data.degradations import (
    Blur,
    Degradation,
    Downsample,
    Jpeg,
    Noise,
    OneOf,
    Shuffled,
)
from srkit.training.data.ranges import Range
from srkit.training.data.steps import KernelBlur, Poisson, Resize, Sinc

# --- parts ------------------------------------------------------------------------------------

# Kernels of 13 and more may cut off more. Of the sides from 7 to 21 three are smaller.
_SINC = OneOf(
    shares=(3 / 8, 5 / 8),
    lists=(
        (Sinc(cutoff=(math.pi / 3, math.pi), side=(7, 11)),),
        (Sinc(cutoff=(math.pi / 5, math.pi), side=(13, 21)),),
    ),
)


def _blur(sigma: Range) -> OneOf:
    """A ringing low pass in one picture of ten, else a bell of some shape."""
    generalised, plateau = (0.5, 4.0), (1.0, 2.0)
    bells = (
        (0.45, KernelBlur(sigma=sigma)),
        (0.25, KernelBlur(sigma=sigma, slanted=True)),
        (0.12, KernelBlur(shape="generalised", sigma=sigma, beta=generalised)),
        (0.03, KernelBlur(shape="generalised", slanted=True, sigma=sigma, beta=generalised)),
        (0.12, KernelBlur(shape="plateau", sigma=sigma, beta=plateau)),
        (0.03, KernelBlur(shape="plateau", slanted=True, sigma=sigma, beta=plateau)),
    )
    return OneOf(
        shares=(0.1, *(0.9 * share for share, _ in bells)),
        lists=((_SINC,), *((bell,) for _, bell in bells)),
    )


def _noise(sigma: Range, strength: Range) -> OneOf:
    return OneOf(
        shares=(0.5, 0.5),
        lists=((Noise(sigma=sigma, grey=0.4),), (Poisson(strength=strength, grey=0.4),)),
    )


_KERNELS: tuple[Literal["area", "bilinear", "bicubic"], ...] = ("area", "bilinear", "bicubic")
_TO_LR = OneOf(
    shares=(1 / 3, 1 / 3, 1 / 3),
    lists=tuple((Downsample(kernel=kernel),) for kernel in _KERNELS),
)
_RINGS = OneOf(shares=(0.8,), lists=((Sinc(),),))
_JPEG = Jpeg(quality=(30.0, 95.0))

# --- lists ------------------------------------------------------------------------------------

TWO_STAGE: tuple[Degradation, ...] = (
    _blur((0.2, 3.0)),
    OneOf(
        shares=(0.2, 0.7),
        lists=((Resize(factor=(1.0, 1.5)),), (Resize(factor=(0.15, 1.0)),)),
    ),
    _noise((1.0, 30.0), (0.05, 3.0)),
    _JPEG,
    OneOf(shares=(0.8,), lists=((_blur((0.2, 1.5)),),)),
    # Of LR's size, also where neither up nor down is drawn.
    OneOf(
        shares=(0.3, 0.4, 0.3),
        lists=tuple((Resize(factor=f, of="lr"),) for f in ((1.0, 1.2), (0.3, 1.0), (1.0, 1.0))),
    ),
    _noise((1.0, 25.0), (0.05, 2.5)),
    OneOf(shares=(0.5, 0.5), lists=((_TO_LR, _RINGS, _JPEG), (_JPEG, _TO_LR, _RINGS))),
)

# Little of each, as most photos on the web have it.
LIGHT: tuple[Degradation, ...] = (
    Blur(sigma=(0.0, 1.5)),
    _TO_LR,
    Jpeg(quality=(60.0, 95.0)),
)

# Photos of all kinds: two thirds in two stages, and some that are clean but for shrinking, so that
# a network learns to leave them alone.
MIXED: tuple[Degradation, ...] = (
    OneOf(shares=(0.65, 0.25, 0.1), lists=(TWO_STAGE, LIGHT, (Downsample(),))),
)

# Blur, noise and JPEG of one time, in any order, before or after shrinking.
POOR_PHOTO: tuple[Degradation, ...] = (
    Shuffled((Blur(sigma=(0.0, 1.5)), Downsample(kernel="bicubic"), Noise(sigma=(0.0, 10.0)))),
    Jpeg(quality=(40.0, 95.0)),
)

# What people upscale is milder on the whole than what two stages make.
EVERYDAY: tuple[Degradation, ...] = (
    OneOf(
        shares=(0.45, 0.35, 0.12, 0.08),
        lists=(TWO_STAGE, POOR_PHOTO, LIGHT, (Downsample(),)),
    ),
)
