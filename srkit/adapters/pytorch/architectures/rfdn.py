"""RFDN, as its authors' file holds it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from srkit.adapters.pytorch.architectures.base import Architecture
from srkit.adapters.pytorch.architectures.fitting import fitted
from srkit.adapters.pytorch.architectures.levels import Levels
from srkit.adapters.pytorch.architectures.shapes import kernel, numbered, shuffled_scale
from srkit.adapters.pytorch.nets.esa import LEAST_SIDE
from srkit.adapters.pytorch.nets.resizing import COARSE_HALO
from srkit.adapters.pytorch.nets.rfdn import RFDN, Size

NAME = "RFDN"


def looks_like_rfdn(tensors: Mapping[str, Tensor]) -> bool:
    """Whether a state dict is of the form that `build_rfdn` takes."""
    return "B1.c1_d.weight" in tensors and "B1.esa.conv3_.weight" in tensors


def rfdn_scale(tensors: Mapping[str, Tensor]) -> int:
    """The factor that a state dict of RFDN is for.

    Raises
    ------
    WeightsError
        If its layers do not tell one.
    """
    return shuffled_scale(NAME, tensors, "upsampler.0.weight")


def build_rfdn(tensors: Mapping[str, Tensor]) -> RFDN:
    """RFDN of the size that a state dict tells, with its weights.

    Raises
    ------
    WeightsError
        If tensors are missing, left over or of the wrong shape.
    """
    aside, features = kernel(NAME, tensors, "B1.c1_d.weight")
    attention = kernel(NAME, tensors, "B1.esa.conv1.weight")[0]
    size = Size(features, numbered(tensors, "B"), aside, attention)
    scale = rfdn_scale(tensors)
    return fitted(NAME, lambda: RFDN(scale, size), tensors)


ARCHITECTURE = Architecture(
    name=NAME,
    fits=looks_like_rfdn,
    scale=rfdn_scale,
    build=lambda tensors, scale: build_rfdn(tensors),
    planes=Levels,
    least=1,
    foreign_border="zero",
    least_side=lambda net: LEAST_SIDE,
    short_halo=COARSE_HALO,
)
