"""ONNX files of loaded models, each compared with torch before it appears."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from srkit.adapters.onnx.facts import Facts
from srkit.adapters.onnx.files import open_network
from srkit.adapters.onnx.writing import network
from srkit.adapters.pytorch.runtime.closed import ClosedUpscaler
from srkit.adapters.pytorch.runtime.splitting import joined
from srkit.adapters.pytorch.runtime.tracing import trace
from srkit.adapters.pytorch.runtime.upscaler import TorchUpscaler
from srkit.adapters.readers.graphdef.frozen import RULES
from srkit.atomic import replacing
from srkit.errors import OptionError, SrkitError, WeightsError
from srkit.imaging.resize import imresize
from srkit.upscaling.upscaler import Upscaler

# What ONNX Runtime may differ by from torch, in floats of [0, 1].
TOLERANCE = 1e-5
# Batch and sides of the tiles that are compared; sides are rounded up to what the network takes.
TILES = ((1, 24, 33), (3, 9, 6))


def write_compared(model: Upscaler, target: Path) -> float:
    """Write a loaded model; the most that a value differed by from torch, in [0, 1].

    Raises
    ------
    OptionError
        If it does more than run a network of single images on torch, or srkit cannot follow
        that network layer by layer.
    WeightsError
        If a layer cannot be written, or the file does not compute what torch does: then there
        is no file.
    """
    if not isinstance(model, TorchUpscaler):
        raise OptionError(f"{model.card.name} cannot become ONNX: {_hindrance(model)}")
    if model.window > 1:
        raise OptionError(
            f"{model.card.name} makes each frame of {model.window}; an ONNX file that load reads "
            "holds a network of single images"
        )
    if type(model).run is not TorchUpscaler.run or model.refines:
        raise OptionError(
            f"{model.card.name} does more than run a network, which an ONNX file cannot hold"
        )
    model = model.in_float32()
    channels = 1 if model.card.colour == "luma" else 3
    written = network(trace(joined(model.net)), channels, model.scale, _facts(model).header())
    with replacing(target) as file:
        file.write(written.SerializeToString())
        file.flush()
        try:
            difference = _compare(model, Path(file.name), channels)
        except SrkitError as error:
            raise WeightsError(f"{model.card.name} did not become ONNX: {error}") from error
    return difference


def _hindrance(model: Upscaler) -> str:
    """Why there is no network to write."""
    if isinstance(model, ClosedUpscaler):
        return (
            "its network is run as it is, since srkit cannot follow it layer by layer "
            f"({model.obstacle})"
        )
    if model.card.framework == "torch":
        return "it is no TorchUpscaler, whose network is known layer by layer"
    return f"it runs on {model.card.framework}, and only torch's models can"


def _facts(model: TorchUpscaler) -> Facts:
    card = model.card
    rules = {type(rule): name for name, rule in RULES.items()}
    return Facts(
        name=card.name,
        scale=model.scale,
        colour=card.colour,
        border=card.border,
        radius=model.radius,
        rim=model.rim,
        multiple=card.multiple,
        short_halo=model.short_halo,
        luma="opencv" if rules.get(type(model.luma_rule)) == "opencv" else "float",
        licence=card.licence,
        paper=card.paper,
        training_data=card.training_data,
    )


def _compare(model: TorchUpscaler, path: Path, channels: int) -> float:
    """Load the file as a user does, and compare; raises WeightsError if it differs."""
    loaded = open_network(path, scale=model.scale, device="cpu")
    rng, multiple, worst = np.random.default_rng(0), model.card.multiple, 0.0
    for count, *sides in TILES:
        height, width = (-(-side // multiple) * multiple for side in sides)
        tiles = _pictures(rng, count, height, width, channels)
        apart = np.abs(loaded.run(tiles) - model.run(tiles))
        # Not max(), which passes over values that are not numbers.
        worst = float(np.maximum(worst, apart.max()))
    if not worst <= TOLERANCE:
        raise WeightsError(
            f"on ONNX Runtime a value differs by {worst:.3g} from torch, where at most {TOLERANCE} "
            "is rounding"
        )
    return worst


def _pictures(rng: np.random.Generator, count: int, height: int, width: int, channels: int) -> Any:
    """Tiles of random clouds: noise, twice enlarged.

    Noise itself is what no network was trained on. Of it some, as SPAN, make numbers so large on
    their way that float32 is off by a thousandth in the end.
    """
    coarse = rng.random((count, -(-height // 2), -(-width // 2), channels))
    clouds = [imresize(tile, size=(height, width)) for tile in coarse]
    return np.stack(clouds).clip(0, 1).astype(np.float32)
