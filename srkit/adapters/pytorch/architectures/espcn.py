"""ESPCN, which sees brightness alone."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from srkit.adapters.pytorch.architectures.base import Architecture
from srkit.adapters.pytorch.architectures.fitting import fitted
from srkit.adapters.pytorch.architectures.training import Training, last_apart, later
from srkit.adapters.pytorch.nets.espcn import ESPCN
from srkit.adapters.readers.luma_weights import espcn_scale, looks_like_espcn
from srkit.errors import WeightsError


def build_espcn(tensors: Mapping[str, Tensor], scale: int | None = None) -> ESPCN:
    """ESPCN with the weights of a state dict.

    Raises
    ------
    WeightsError
        If they do not fit, or are for another scale.
    """
    found = espcn_scale(tensors)
    if scale not in (None, found):
        raise WeightsError(f"these weights of ESPCN are for x{found}, not x{scale}")
    return fitted("ESPCN", lambda: ESPCN(found), tensors)


ARCHITECTURE = Architecture(
    name="ESPCN",
    fits=looks_like_espcn,
    scale=espcn_scale,
    build=build_espcn,
    colour="luma",
    training={
        "espcn": Training(
            scales=(2, 3, 4),
            build=ESPCN,
            start=later("srkit.training.starts.luma:start_espcn"),
            groups=last_apart(lambda net: net.conv3),
            revive=later("srkit.training.starts.reviving:revive_espcn"),
        )
    },
)
