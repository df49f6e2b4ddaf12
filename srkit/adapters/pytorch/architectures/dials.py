"""Dials: networks between two networks, by a share that is given or decided for each picture."""

from __future__ import annotations

import functools
from collections.abc import Callable
from numbers import Real
from pathlib import Path

from srkit.adapters.pytorch.architectures.base import NetworkUpscaler, Tensors
from srkit.adapters.pytorch.architectures.interpolation import interpolate
from srkit.adapters.pytorch.architectures.table import network_of
from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.card import ModelCard, WeightsFile
from srkit.errors import OptionError
from srkit.models.builtin import SRRESNET
from srkit.models.weights import weights_path
from srkit.upscaling.decisions import AUTO

# Of the dial, for what is asked of a model apart from a picture, such as its memory.
MIDDLE = 0.5
# Networks of some MB that are kept for pictures to come.
KEPT = 4


def sibling_of(card: ModelCard, scale: int) -> WeightsFile | None:
    """Weights that keep noise, where a card has them beside its own: the end of ``denoise=``."""
    weights = card.weights.get(scale)
    return weights.companions[0] if weights and len(weights.companions) == 1 else None


def check_denoise(denoise: float | str) -> None:
    """Refuse a dial beyond its ends.

    Raises
    ------
    OptionError
        If `denoise` is neither from 0 to 1 nor ``"auto"``.
    """
    if denoise != AUTO and not _is_share(denoise):
        raise OptionError(
            f"denoise is from 0 (keeps noise) to 1 (takes it away), or {AUTO!r}, not {denoise!r}"
        )


def _is_share(given: object) -> bool:
    """Whether it is a number from 0 to 1; ``True`` is none, though Python counts it as 1."""
    return isinstance(given, Real) and not isinstance(given, bool) and 0 <= float(given) <= 1


def between(
    make: Callable[[Tensors], NetworkUpscaler],
    keeps: Tensors,
    takes: Tensors,
    denoise: float | str,
) -> NetworkUpscaler:
    """A network between one that keeps noise and grain, and one that takes them away.

    Parameters
    ----------
    make
        The upscaler of tensors.
    denoise
        0 is the first and 1 the second; weights are mixed as Real-ESRGAN's program does for
        ``-dn``. ``"auto"`` decides for each picture, by its noise, JPEG and sharpness; see
        `srkit.upscaling.decisions.automatic_denoise`.
    """
    if denoise != AUTO:
        return make(interpolate(keeps, takes, float(denoise)))

    def decided(share: float) -> NetworkUpscaler:
        made = make(interpolate(keeps, takes, share))
        made.decided = (("denoise", share),)
        return made

    upscaler = make(interpolate(keeps, takes, MIDDLE))
    # Weights of both are kept for as long as there is something to mix.
    upscaler.between = functools.lru_cache(KEPT)(decided)
    return upscaler


def load_srgan(
    card: ModelCard,
    scale: int,
    weights: Path,
    *,
    perception: float = 1.0,
    device: str = "auto",
    precision: str = "auto",
) -> NetworkUpscaler:
    """SRGAN, or any network on the way from SRResNet to it.

    Parameters
    ----------
    card, scale, weights, device, precision
        See `srkit.adapters.pytorch.architectures.loading.NetworkAdapter`.
    perception
        0 is `srresnet`, 1 is SRGAN; between them lie networks that trade fidelity for sharpness
        (Wang et al., "ESRGAN", 2018, Section 3.4). By as much the result is made to agree with
        the picture: what an adversary adds is detail, and specks of colour that were not there.

    Notes
    -----
    Weights may be mixed as long as both ends go back to one network, and neither is far from it:
    `srgan` learned on from halfway between `srresnet` and the `srgan` of 2025.
    """
    if not _is_share(perception):
        raise OptionError(f"perception is from 0 (srresnet) to 1 (srgan), not {perception!r}")
    tensors: Tensors = read_checkpoint(weights).tensors
    if perception < 1:
        if scale not in SRRESNET.weights:
            raise OptionError(f"perception below 1 needs srresnet, which has no x{scale}")
        faithful = read_checkpoint(weights_path(SRRESNET.weights[scale])).tensors
        tensors = interpolate(faithful, tensors, float(perception))
        # The card tells of SRGAN itself.
        precision = "float32" if precision == "auto" else precision
    options = {"device": device, "precision": precision, "detail": float(perception)}
    return network_of(card, scale, tensors, **options)
