"""An upscaler for a network that spandrel knows."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from srkit.adapters.pytorch.runtime.upscaler import TorchUpscaler
from srkit.adapters.spandrel.reading import read_model
from srkit.adapters.spandrel.upscaler import HALO, SpandrelUpscaler, own_call
from srkit.card import ModelCard
from srkit.errors import OptionError, WeightsError
from srkit.upscaling.upscaler import Upscaler

log = logging.getLogger(__name__)

# What a traced network may differ by from spandrel's own call, in [0, 1].
TOLERANCE = 1e-4
# Sides of the tile that is compared, before what the network asks of them.
TILE = (16, 21)


def open_tensors(
    path: Path,
    tensors: Mapping[str, Tensor],
    *,
    scale: int | None = None,
    device: str = "auto",
    precision: str = "auto",
) -> Upscaler:
    """An upscaler from a state dict of any network that spandrel has.

    A network of convolutions becomes a `TorchUpscaler`: exact tiles, and strips. Any other,
    such as one with attention, becomes a `SpandrelUpscaler`: whole pictures, or blended tiles.

    Parameters
    ----------
    path
        Where the tensors are from.
    tensors
        As `srkit.adapters.pytorch.checkpoints.read_checkpoint` gives them.
    scale
        The factor expected; by default the one of the weights.
    device, precision
        See `TorchUpscaler`.

    Raises
    ------
    WeightsError
        See `srkit.adapters.spandrel.reading.read_model`.
    OptionError
        If the weights are for another scale, or the device or the precision cannot be had.
    """
    model = read_model(path, tensors)
    if scale not in (None, model.scale):
        raise OptionError(f"{path} holds weights for x{model.scale}, not x{scale}")
    card = _card(path, model)
    try:
        return _traced(card, model, device, precision)
    except OptionError:
        raise
    except Exception as error:  # noqa: BLE001 networks of others can fail to be traced in any way
        obstacle = _first_cause(error)
    log.info("%s is run as a whole: %s", card.name, obstacle)
    return SpandrelUpscaler(card, model, obstacle, device=device, precision=precision)


def _first_cause(error: BaseException) -> str:
    """What an error is because of, in a line: torch's word, rather than advice of srkit's."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _traced(card: ModelCard, model: Any, device: str, precision: str) -> TorchUpscaler:
    """The network as srkit runs its own; raises, whatever it is, where that cannot be done."""
    net = _without_padding(copy.deepcopy(model.model))
    made = TorchUpscaler(card, model.scale, net, device=device, precision=precision)
    multiple = card.multiple
    height, width = (-(-side // multiple) * multiple for side in TILE)
    tile = np.random.default_rng(0).random((1, height, width, model.input_channels), np.float32)
    plain = made.in_float32()
    # The smallest tile there is: beyond its padding to a multiple srkit adds none.
    plain.run(tile[:, :multiple, :multiple])
    apart = np.abs(np.clip(plain.run(tile), 0, 1) - own_call(model, tile)).max()
    if not apart <= TOLERANCE:
        raise WeightsError(f"traced, it gives values that are {apart:.3g} off")
    if made.radius > 2 * HALO:
        # Where strips do not fit, exact tiles would be little but halo.
        made.short_halo = HALO
    return made


def _without_padding(net: nn.Module) -> nn.Module:
    """ESRGAN on shuffled pixels (Real-ESRGAN x2) without the padding that tiles do not need."""
    factor, body = getattr(net, "shuffle_factor", None), getattr(net, "model", None)
    if isinstance(factor, int) and isinstance(body, nn.Module):
        return nn.Sequential(nn.PixelUnshuffle(factor), body)
    return net


def _card(path: Path, model: Any) -> ModelCard:
    name = model.architecture.name
    return ModelCard(
        name=path.name.split(".")[0],
        summary=f"{name} weights from {path.name}, by spandrel.",
        adapter="srkit.adapters.pytorch.opening:open_checkpoint",
        framework="torch",
        scales=(model.scale,),
        default_scale=model.scale,
        colour="luma" if model.input_channels == 1 else "rgb",
        # The borders are the network's own business, as in the programs it was made for.
        border="zero",
        multiple=model.size_requirements.multiple_of,
    )
