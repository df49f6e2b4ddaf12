"""The models neural-enhance and neural-enhance-repair, and users' files of them, on torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from srkit.adapters.enhance.config import Config
from srkit.adapters.enhance.files import read_weights
from srkit.adapters.enhance.upscaler import EnhanceUpscaler, Tiling
from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.adapters.pytorch.fitting import fitted
from srkit.adapters.pytorch.nets.enhance import EnhanceNet, from_layers
from srkit.adapters.pytorch.upscaler import TorchUpscaler
from srkit.card import ModelCard
from srkit.errors import OptionError, WeightsError

FIRST = "stages.0.conv.weight"


class TorchEnhance(EnhanceUpscaler, TorchUpscaler):
    """neural-enhance's generator.

    Parameters
    ----------
    card, scale
        The model and its factor.
    weights
        A ``.safetensors`` file or a checkpoint, its tensors, or a network.
    tiling
        ``"exact"``: srkit's own tiles, without seams, and nothing is cropped.
        ``"original"``: as the original program cuts images, to the pixel.
    tile, overlap, match_histograms
        Of the original: its options rendering-tile, rendering-overlap and
        rendering-histogram.
    device, precision
        See `TorchUpscaler`.
    """

    def __init__(
        self,
        card: ModelCard,
        scale: int,
        weights: Path | Mapping[str, Tensor] | EnhanceNet,
        *,
        tiling: Tiling = "exact",
        tile: int = 80,
        overlap: int = 24,
        match_histograms: bool = False,
        device: str = "auto",
        precision: str = "auto",
    ) -> None:
        if isinstance(weights, Path):
            weights = read_checkpoint(weights).tensors
        net = weights if isinstance(weights, EnhanceNet) else build_enhance(weights)
        if net.scale != scale:
            raise WeightsError(f"the weights of {card.name} are for x{net.scale}, not x{scale}")
        self.config = net.config
        self.choose_tiling(tiling, tile, overlap, match_histograms=match_histograms)
        # Of users' files only the network tells which sides it takes.
        card = dataclasses.replace(card, multiple=net.config.multiple)
        TorchUpscaler.__init__(self, card, scale, net, device=device, precision=precision)


def open_pickle(
    path: Path,
    *,
    scale: int | None = None,
    tiling: Tiling = "exact",
    tile: int = 80,
    overlap: int = 24,
    match_histograms: bool = False,
    device: str = "auto",
    precision: str = "auto",
) -> TorchEnhance:
    """An upscaler from a ``.pkl.bz2`` of neural-enhance; nothing in the file is run.

    Parameters
    ----------
    path
        The file.
    scale
        The factor expected; by default the one of the file.
    tiling, tile, overlap, match_histograms, device, precision
        See `TorchEnhance`.

    Raises
    ------
    UnsafeFileError, CorruptFileError, WeightsError
        See `srkit.adapters.enhance.files.read_weights`.
    OptionError
        If the file is for another scale, or an option makes no sense.
    """
    weights = read_weights(path)
    options: dict[str, Any] = {
        "tiling": tiling,
        "tile": tile,
        "overlap": overlap,
        "match_histograms": match_histograms,
    }
    card = card_of_file(path, weights.config, scale, "torch")
    net = from_layers(weights)
    return TorchEnhance(card, net.scale, net, **options, device=device, precision=precision)


def card_of_file(path: Path, config: Config, scale: int | None, framework: str) -> ModelCard:
    """The card of a user's file.

    Raises
    ------
    OptionError
        If it is for another scale than the one wanted.
    """
    if scale not in (None, config.scale):
        raise OptionError(f"{path} holds weights for x{config.scale}, not x{scale}")
    return ModelCard(
        name=path.name.split(".")[0],
        summary=f"neural-enhance weights from {path.name}.",
        adapter="srkit.adapters.pytorch.enhance:open_pickle",
        framework=framework,
        scales=(config.scale,),
        default_scale=config.scale,
        multiple=config.multiple,
    )


def looks_like_enhance(tensors: Mapping[str, Tensor]) -> bool:
    """Whether a state dict is of the form that `build_enhance` takes."""
    return {FIRST, "stages.0.act.weight", "out.weight"} <= tensors.keys()


def config_of(tensors: Mapping[str, Tensor]) -> Config:
    """The shape of the network that a state dict is of, worked out from its kernels.

    Raises
    ------
    WeightsError
        If they are of no such network.
    """
    count = sum(name.endswith(".conv.weight") for name in tensors)
    names = [*(f"stages.{n}.conv.weight" for n in range(count)), "out.weight"]
    shapes = [tuple(tensors[name].shape) for name in names if name in tensors]
    if len(shapes) != count + 1 or any(len(shape) != 4 for shape in shapes):
        raise WeightsError("these are no weights of neural-enhance: its kernels are not in order")
    first, *inner, _ = shapes
    following = [shape[1] for shape in shapes[1:]]
    kinds = [
        "down" if kernel == 4 else "up" if given * 4 == made else "plain"
        for (made, _, kernel, _), given in zip(shapes[:-1], following, strict=True)
    ]
    plain = [shape[0] for shape, kind in zip(inner, kinds[1:], strict=True) if kind == "plain"]
    downs = [shape[0] for shape, kind in zip(inner, kinds[1:], strict=True) if kind == "down"]
    ups = [shape[0] // 4 for shape, kind in zip(inner, kinds[1:], strict=True) if kind == "up"]
    width = plain[0] if plain else (downs or [first[0]])[-1]
    filters = [first[0], *downs, width, *ups]
    while len(filters) > 1 and filters[-1] == filters[-2]:
        filters.pop()  # the last number repeats
    return Config(len(ups), len(downs), len(plain), tuple(filters))


def enhance_scale(tensors: Mapping[str, Tensor]) -> int:
    """The factor that a state dict is for."""
    return config_of(tensors).scale


def build_enhance(tensors: Mapping[str, Tensor]) -> EnhanceNet:
    """The network of a state dict.

    Raises
    ------
    WeightsError
        If tensors are missing, left over or of the wrong shape.
    """
    if not looks_like_enhance(tensors):
        raise WeightsError("these are no weights of neural-enhance: its layers are not among them")
    config = config_of(tensors)
    return fitted("neural-enhance", lambda: EnhanceNet(config), tensors)
