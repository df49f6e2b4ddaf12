"""The models espcn and fsrcnn, which see brightness alone, and users' weights of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from srkit.adapters.pytorch.architectures.fitting import fitted
from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.adapters.pytorch.nets.espcn import ESPCN
from srkit.adapters.pytorch.nets.fsrcnn import FSRCNN
from srkit.adapters.pytorch.runtime.network import Network
from srkit.adapters.pytorch.runtime.upscaler import TorchUpscaler
from srkit.adapters.readers.luma_weights import espcn_scale, looks_like_espcn, looks_like_fsrcnn
from srkit.card import ModelCard
from srkit.errors import OptionError, WeightsError
from srkit.extras import missing_packages


class LumaUpscaler(TorchUpscaler):
    """ESPCN or FSRCNN, whichever the weights are of.

    Parameters
    ----------
    card, scale
        The model and its factor.
    weights
        A checkpoint or a ``.safetensors`` file, or its tensors.
    device, precision
        See `TorchUpscaler`.
    runtime
        ``"torch"``, ``"openvino"``, which runs float32 on a CPU, or ``"auto"``: OpenVINO where it
        is installed and the card names it. Where it cannot take the network, torch runs it.

    Raises
    ------
    OptionError
        If OpenVINO is asked for on another device or in another precision.
    """

    def __init__(
        self,
        card: ModelCard,
        scale: int,
        weights: Path | Mapping[str, Tensor],
        *,
        device: str = "auto",
        precision: str = "auto",
        runtime: str = "auto",
    ) -> None:
        self._asked = runtime
        tensors = read_checkpoint(weights).tensors if isinstance(weights, Path) else weights
        build = build_espcn if looks_like_espcn(tensors) else build_fsrcnn
        net = build(tensors, scale)
        super().__init__(card, scale, net, device=device, precision=precision)
        if runtime == "openvino" and not self._may_take_openvino(self._fast.dtype):
            raise OptionError(
                f"OpenVINO runs float32 on a CPU, not {self.precision} on {self._device}; "
                "choose device='cpu' and precision='float32', or runtime='torch'"
            )

    def _network(self, net: nn.Module, dtype: torch.dtype) -> Network:
        if not self._may_take_openvino(dtype):
            return super()._network(net, dtype)
        # Only where it is wanted: torch alone does without it.
        from srkit.adapters.openvino.network import OpenVINONetwork

        return OpenVINONetwork(net, self._channels, self.card.multiple, self.scale)

    def _may_take_openvino(self, dtype: torch.dtype) -> bool:
        wanted = self._asked == "openvino" or (
            self._asked == "auto"
            and "openvino" in self.card.others
            and not missing_packages("openvino")
        )
        return wanted and self._device.type == "cpu" and dtype == torch.float32


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
