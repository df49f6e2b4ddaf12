"""RLFN, as its authors' files hold it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from srkit.adapters.pytorch.architectures.base import Architecture
from srkit.adapters.pytorch.architectures.fitting import fitted
from srkit.adapters.pytorch.architectures.levels import Levels
from srkit.adapters.pytorch.architectures.shapes import kernel, numbered, shuffled_scale
from srkit.adapters.pytorch.nets.esa import LEAST_SIDE
from srkit.adapters.pytorch.nets.resizing import COARSE_HALO
from srkit.adapters.pytorch.nets.rlfn import RLFN, Size

NAME = "RLFN"


def looks_like_rlfn(tensors: Mapping[str, Tensor]) -> bool:
    """Whether a state dict is of the form that `build_rlfn` takes."""
    return "block_1.c1_r.weight" in tensors and "block_1.esa.conv_f.weight" in tensors


def rlfn_scale(tensors: Mapping[str, Tensor]) -> int:
    """The factor that a state dict of RLFN is for.

    Raises
    ------
    WeightsError
        If its layers do not tell one.
    """
    return shuffled_scale(NAME, tensors, "upsampler.0.weight")


def build_rlfn(tensors: Mapping[str, Tensor]) -> RLFN:
    """RLFN of the size that a state dict tells, with its weights.

    Raises
    ------
    WeightsError
        If tensors are missing, left over or of the wrong shape.
    """
    middle, features = kernel(NAME, tensors, "block_1.c1_r.weight")
    attention = kernel(NAME, tensors, "block_1.esa.conv1.weight")[0]
    size = Size(features, numbered(tensors, "block_"), middle, attention)
    scale = rlfn_scale(tensors)
    return fitted(NAME, lambda: RLFN(scale, size), tensors)


ARCHITECTURE = Architecture(
    name=NAME,
    fits=looks_like_rlfn,
    scale=rlfn_scale,
    build=lambda tensors, scale: build_rlfn(tensors),
    planes=Levels,
    least=1,
    foreign_border="zero",
    least_side=lambda net: LEAST_SIDE,
    short_halo=COARSE_HALO,
)
