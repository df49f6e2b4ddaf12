"""One value a network, and the one upscaler that runs them all."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import lcm
from typing import Any, Literal

import torch
from torch import Tensor, nn

from srkit.adapters.pytorch.architectures.training import Training
from srkit.adapters.pytorch.colours import even_colours
from srkit.adapters.pytorch.detail import PutsDetailBack
from srkit.adapters.pytorch.runtime.network import Network
from srkit.adapters.pytorch.runtime.upscaler import TorchUpscaler
from srkit.card import Footprint, ModelCard
from srkit.errors import OptionError, WeightsError
from srkit.extras import import_named, missing_packages
from srkit.upscaling.decisions import automatic_denoise
from srkit.upscaling.findings import Findings
from srkit.upscaling.upscaler import Upscaler

Tensors = Mapping[str, Tensor]

# Keywords that every network takes; `runtime` is of `srkit.load` itself, and `detail` of dials.
COMMON = ("device", "precision", "runtime", "detail")


class NetworkUpscaler(TorchUpscaler):
    """Runs a network of srkit's own, whichever it is.

    Parameters
    ----------
    card, scale
        The model and its factor.
    architecture
        What is known of the network.
    net
        The network with its weights.
    device, precision
        See `TorchUpscaler`.
    runtime
        ``"torch"``, ``"openvino"``, which runs float32 on a CPU, or ``"auto"``: OpenVINO where it
        is installed and the card names it. Where it cannot take the network, torch runs it.
    detail
        Share, from 0 to 1, of the picture's detail that the network loses and that is put back;
        see `srkit.adapters.pytorch.detail.PutsDetailBack`. None has no layers for it.

    Raises
    ------
    WeightsError
        If the weights are for another scale.
    OptionError
        If OpenVINO is asked for on another device or in another precision.
    """

    # The network for a share of a dial, where the share is decided for each picture.
    between: Callable[[float], Upscaler] | None = None

    def __init__(
        self,
        card: ModelCard,
        scale: int,
        architecture: Architecture,
        net: nn.Module,
        *,
        device: str = "auto",
        precision: str = "auto",
        runtime: str = "auto",
        detail: float | None = None,
    ) -> None:
        if net.scale != scale:
            raise WeightsError(f"the weights of {card.name} are for x{net.scale}, not x{scale}")
        self._runtime = runtime
        # Of users' files only the network tells which sides it takes.
        card = replace(card, multiple=lcm(card.multiple, architecture.multiple(net)))
        planes = architecture.planes(net)
        if architecture.restores_colours:
            planes = even_colours(planes, card, scale)
        if detail is not None:
            planes = PutsDetailBack(planes, scale, detail)
        super().__init__(card, scale, planes, device=device, precision=precision)
        if runtime == "openvino" and not self._may_take_openvino(self._fast.dtype):
            raise OptionError(
                f"OpenVINO runs float32 on a CPU, not {self.precision} on {self._device}; "
                "choose device='cpu' and precision='float32', or runtime='torch'"
            )
        if self._may_take_openvino(self._fast.dtype):
            self.runtime = "openvino"
        self.least_sides = (architecture.least_side(net),) * 2
        # A network of a small form may see no farther than that.
        if architecture.short_halo and architecture.short_halo // scale < self.radius:
            self.short_halo = architecture.short_halo // scale

    @property
    def decides(self) -> bool:
        """Whether a dial is set for each picture."""
        return self.between is not None

    def for_picture(self, found: Findings) -> Upscaler:
        """See `Upscaler.for_picture`. The last networks that were mixed are kept."""
        if self.between is None:
            return self
        share = automatic_denoise(found.noise, found.jpeg_quality, found.sharpness)
        return self.between(share)

    @property
    def _footprint(self) -> Footprint | None:
        weights = self.card.weights.get(self.scale)
        stated = weights.footprint if weights else None
        return stated if stated and stated.parameters == self._parameters else None

    def _network(self, net: nn.Module, dtype: torch.dtype) -> Network:
        if not self._may_take_openvino(dtype):
            return super()._network(net, dtype)
        # By name: it is built on this package, and torch alone does without it.
        made: Network = import_named("srkit.adapters.openvino.network:OpenVINONetwork")(
            net,
            self._channels,
            self.card.multiple,
            self.scale,
            footprint=self._footprint,
            radius=self.card.radius_at(self.scale) if self._footprint else None,
            at_once=self._runtime == "openvino",
        )
        return made

    def _may_take_openvino(self, dtype: torch.dtype) -> bool:
        wanted = self._runtime == "openvino" or (
            self._runtime == "auto"
            and "openvino" in self.card.others
            and not missing_packages("openvino")
        )
        return wanted and self._device.type == "cpu" and dtype == torch.float32


def as_it_is(net: nn.Module) -> nn.Module:
    """The `Architecture.planes` of networks that take and give planes in [0, 1]."""
    return net


def any_side(net: nn.Module) -> int:
    """The `multiple` and the `least_side` of networks that take planes of any size."""
    return 1


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A network that can be told from its tensors: how it is built, run and trained.

    Attributes
    ----------
    name
        In messages, and in the header of weights.
    fits
        Whether tensors are of it.
    scale
        The factor that tensors are for; None where they do not tell.
    build
        The network with the weights of tensors, for a scale. It has an attribute ``scale``.
    planes
        The network between planes in [0, 1].
    colour
        What it takes and gives: RGB, or luma alone.
    least
        The smallest scale that a header may state.
    foreign_border
        What files that srkit did not write see beyond the image, as in the programs they are from.
    multiple
        LR pixels of which sides are multiples.
    least_side
        LR pixels that a side has at least; a smaller picture is filled up by its reflection.
    short_halo
        HR pixels that a tile sees beyond its core where memory is too little for the receptive
        field; None where there is nothing shorter.
    restores_colours
        Whether low frequencies are put back where a card states even colours. Others keep them by
        themselves.
    upscaler
        What runs it. Keywords of its own, beyond those of `NetworkUpscaler`, are options of the
        network.
    training
        How it is trained, by the names that recipes have for it.
    """

    name: str
    fits: Callable[[Tensors], bool]
    scale: Callable[[Tensors], int] | None
    build: Callable[[Tensors, int], nn.Module]
    planes: Callable[[Any], nn.Module] = as_it_is
    colour: Literal["rgb", "luma"] = "rgb"
    least: int = 2
    foreign_border: Literal["reflect", "zero"] = "reflect"
    multiple: Callable[[Any], int] = any_side
    least_side: Callable[[Any], int] = any_side
    short_halo: int | None = None
    restores_colours: bool = False
    upscaler: type[NetworkUpscaler] = NetworkUpscaler
    training: Mapping[str, Training] = field(default_factory=dict)

    @property
    def options(self) -> tuple[str, ...]:
        """Options of its own, beyond those that every network takes."""
        return tuple(
            known.name
            for known in inspect.signature(self.upscaler).parameters.values()
            if known.kind is known.KEYWORD_ONLY and known.name not in COMMON
        )
