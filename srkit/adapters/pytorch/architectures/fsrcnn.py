"""FSRCNN, which sees brightness alone."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from srkit.adapters.pytorch.architectures.base import Architecture
from srkit.adapters.pytorch.architectures.fitting import fitted
from srkit.adapters.pytorch.architectures.training import Training, last_apart, later
from srkit.adapters.pytorch.nets.fsrcnn import FSRCNN
from srkit.adapters.readers.luma_weights import looks_like_fsrcnn
from srkit.errors import WeightsError


def build_fsrcnn(tensors: Mapping[str, Tensor], scale: int | None = None) -> FSRCNN:
    """FSRCNN of the size that a state dict tells, with its weights.

    Parameters
    ----------
    scale
        Has to be known: the weights are of the same shapes at every scale.

    Raises
    ------
    WeightsError
        If they do not fit.
    """
    if not looks_like_fsrcnn(tensors):
        raise WeightsError("these are no weights of FSRCNN: its layers are not among them")
    if scale is None:
        raise WeightsError("weights of FSRCNN do not tell their scale; give scale=")
    first, shrunk = tensors["extract.0.weight"], tensors.get("shrink.0.weight")
    if shrunk is None or first.ndim != 4 or shrunk.ndim != 4:
        raise WeightsError("these are no weights of FSRCNN: its first tensors are no kernels")
    layers = sum(name.startswith("map.") and name.endswith(".bias") for name in tensors)
    return fitted("FSRCNN", lambda: FSRCNN(scale, first.shape[0], shrunk.shape[0], layers), tensors)


ARCHITECTURE = Architecture(
    name="FSRCNN",
    fits=looks_like_fsrcnn,
    scale=None,
    build=build_fsrcnn,
    colour="luma",
    training={
        "fsrcnn": Training(
            scales=(2, 3, 4),
            build=FSRCNN,
            start=later("srkit.training.starts.luma:start_fsrcnn"),
            groups=last_apart(lambda net: net.deconv),
        )
    },
)
