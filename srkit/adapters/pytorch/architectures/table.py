"""The networks that srkit has, and an upscaler of whichever of them weights are of."""

from __future__ import annotations

from typing import Any

from srkit.adapters.pytorch.architectures import (
    avsr,
    compact,
    enhance,
    espcn,
    fsrcnn,
    plainusr,
    rfdn,
    rlfn,
    span,
    spanf,
    srresnet,
    unet,
)
from srkit.adapters.pytorch.architectures.base import Architecture, NetworkUpscaler, Tensors
from srkit.card import ModelCard
from srkit.errors import WeightsError

# The first that fits is taken.
ARCHITECTURES = (
    srresnet.ARCHITECTURE,
    espcn.ARCHITECTURE,
    fsrcnn.ARCHITECTURE,
    enhance.ARCHITECTURE,
    avsr.ARCHITECTURE,
    unet.ARCHITECTURE,
    span.ARCHITECTURE,
    spanf.ARCHITECTURE,
    compact.ARCHITECTURE,
    rlfn.ARCHITECTURE,
    rfdn.ARCHITECTURE,
    plainusr.ARCHITECTURE,
)


def architecture_of(tensors: Tensors) -> Architecture | None:
    """The network that tensors are of, or None if it is none of srkit's."""
    return next((known for known in ARCHITECTURES if known.fits(tensors)), None)


def network_of(card: ModelCard, scale: int, tensors: Tensors, **options: Any) -> NetworkUpscaler:
    """An upscaler of the network that tensors are of.

    Raises
    ------
    WeightsError
        If that is none of srkit's, or its weights do not fit it or are for another scale.
    """
    if (architecture := architecture_of(tensors)) is None:
        raise WeightsError(f"the weights of {card.name} are of no network that srkit has")
    return architecture.upscaler(
        card, scale, architecture, architecture.build(tensors, scale), **options
    )
