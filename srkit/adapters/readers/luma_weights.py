"""Weights of ESPCN and FSRCNN, told apart by names and shapes, whatever their framework."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

from srkit.errors import OptionError, WeightsError


class Tensor(Protocol):
    """What arrays of all frameworks have."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the axes."""


def looks_like_espcn(tensors: Mapping[str, Tensor]) -> bool:
    """Whether a state dict has the layers of ESPCN."""
    return {"conv1.weight", "conv2.weight", "conv3.weight"} <= tensors.keys()


def looks_like_fsrcnn(tensors: Mapping[str, Tensor]) -> bool:
    """Whether a state dict has the first and last layer of FSRCNN."""
    return {"extract.0.weight", "deconv.weight"} <= tensors.keys()


def espcn_scale(tensors: Mapping[str, Tensor]) -> int:
    """The factor that a state dict of ESPCN is for: the root of its last layer's channels.

    Raises
    ------
    WeightsError
        If that is no whole number.
    """
    if not looks_like_espcn(tensors):
        raise WeightsError("these are no weights of ESPCN: its layers are not among them")
    shape = tuple(tensors["conv3.weight"].shape)
    scale = math.isqrt(shape[0]) if len(shape) == 4 else 0
    if scale < 2 or scale**2 != shape[0]:
        raise WeightsError(f"no ESPCN has a last layer of shape {shape}")
    return scale


def scale_of_weights(
    tensors: Mapping[str, Tensor], header: Mapping[str, str], wanted: int | None
) -> int:
    """The factor that weights of ESPCN or FSRCNN are for.

    Parameters
    ----------
    header
        Of a safetensors file; it tells FSRCNN's scale, which the shapes do not.
    wanted
        The factor asked for.

    Raises
    ------
    WeightsError
        If they are of neither network, or the header states nonsense.
    OptionError
        If nothing tells the scale, or it is not the one asked for.
    """
    if looks_like_espcn(tensors):
        found: int | None = espcn_scale(tensors)
    elif looks_like_fsrcnn(tensors):
        found = stated_scale(header) or wanted
    else:
        raise WeightsError("these are no weights of ESPCN or FSRCNN as srkit train writes them")
    if found is None:
        raise OptionError("these weights do not tell for which scale they are; give scale=")
    if wanted not in (None, found):
        raise OptionError(f"these weights are for x{found}, not x{wanted}")
    return found


def stated_scale(header: Mapping[str, str], least: int = 2) -> int | None:
    """The scale that a safetensors header states, or None.

    Raises
    ------
    WeightsError
        If it is no factor from `least` to 16.
    """
    if (text := header.get("scale")) is None:
        return None
    if not (text.isdecimal() and len(text) <= 2 and least <= int(text) <= 16):
        raise WeightsError(f"the header states the scale {text[:20]!r}")
    return int(text)
