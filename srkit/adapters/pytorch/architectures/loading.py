"""The adapter of every card whose weights are of a network of srkit's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from srkit.adapters.pytorch.architectures.base import NetworkUpscaler, Tensors
from srkit.adapters.pytorch.architectures.dials import between, check_denoise, sibling_of
from srkit.adapters.pytorch.architectures.table import ARCHITECTURES, architecture_of, network_of
from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.adapters.readers.luma_weights import stated_scale
from srkit.card import ModelCard
from srkit.errors import WeightsError
from srkit.models.options import check_options
from srkit.models.weights import are_here, weights_path

# Of the network that takes noise away, which a card's weights are: as it is.
ALL = 1.0


class NetworkAdapter:
    """Loads the network that weights are of, whichever it is; `load_network` is the one there is.

    So all cards have the same adapter, and the weights of one card may be of one network at one
    scale and of another at the next.

    A card whose weights have one companion, those of a sibling that keeps noise and grain, has the
    option `denoise`: see `srkit.adapters.pytorch.architectures.dials.between`. Its default is the
    card's, see `srkit.ModelCard.defaults`.
    """

    def __call__(
        self,
        card: ModelCard,
        scale: int,
        weights: Path | Mapping[str, Tensor],
        *,
        device: str = "auto",
        precision: str = "auto",
        runtime: str = "auto",
        **options: Any,
    ) -> NetworkUpscaler:
        """An upscaler of a card.

        Parameters
        ----------
        card, scale
            The model and its factor.
        weights
            A checkpoint or a ``.safetensors`` file, or its tensors.
        device, precision, runtime
            See `NetworkUpscaler`.
        options
            `denoise`, and those of the network: see `Architecture.options`.

        Raises
        ------
        OptionError
            If the model has no such option, or a value makes no sense.
        WeightsError
            If weights are of no network of srkit's, do not fit it, are for another scale or, with
            `denoise`, of two networks.
        """
        self.check_values(**options)
        tensors = _tensors(card, scale, weights) if isinstance(weights, Path) else weights
        known = [*self._common(card, scale), *_own_options(tensors)]
        check_options(known, options, card.name)
        denoise = options.pop("denoise", card.defaults.get("denoise", ALL))
        options |= {"device": device, "precision": precision, "runtime": runtime}

        def make(tensors: Tensors) -> NetworkUpscaler:
            return network_of(card, scale, tensors, **options)

        if (sibling := sibling_of(card, scale)) is None:
            return make(tensors)
        return between(make, read_checkpoint(weights_path(sibling)).tensors, tensors, denoise)

    def option_names(self, card: ModelCard, scale: int) -> list[str]:
        """Options of a model, by its weights; where these are still to be downloaded, of any.

        `__call__` then refuses those of other networks.
        """
        weights = card.weights.get(scale)
        if weights and are_here(weights):
            own = _own_options(read_checkpoint(weights_path(weights)).tensors)
        else:
            own = tuple(name for known in ARCHITECTURES for name in known.options)
        return [*self._common(card, scale), *own]

    @staticmethod
    def check_values(*, denoise: float | str = ALL, **others: object) -> None:
        """Refuse a dial beyond its ends; `srkit.load` asks before it downloads the weights.

        Raises
        ------
        OptionError
            If `denoise` is neither from 0 to 1 nor ``"auto"``.
        """
        check_denoise(denoise)

    @staticmethod
    def _common(card: ModelCard, scale: int) -> list[str]:
        dial = ["denoise"] if sibling_of(card, scale) else []
        return ["device", "precision", *dial]


def _tensors(card: ModelCard, scale: int, path: Path) -> Tensors:
    checkpoint = read_checkpoint(path)
    # Not all networks tell their scale, but headers do.
    if (stated := stated_scale(checkpoint.metadata, least=1)) not in (None, scale):
        raise WeightsError(f"the weights of {card.name} are for x{stated}, not x{scale}")
    return checkpoint.tensors


def _own_options(tensors: Tensors) -> tuple[str, ...]:
    found = architecture_of(tensors)
    return found.options if found else ()


load_network = NetworkAdapter()
