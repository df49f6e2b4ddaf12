"""The models neural-enhance and neural-enhance-repair, and users' files of them, on torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from srkit.adapters.pytorch.architectures.base import Architecture, NetworkUpscaler
from srkit.adapters.pytorch.architectures.fitting import fitted
from srkit.adapters.pytorch.architectures.training import Training, last_apart, later
from srkit.adapters.pytorch.nets.enhance import EnhanceNet, from_layers
from srkit.adapters.readers.enhance.config import Config
from srkit.adapters.readers.enhance.files import read_weights
from srkit.adapters.readers.enhance.tensors import config_of, looks_like_enhance
from srkit.adapters.readers.enhance.upscaler import EnhanceUpscaler, Tiling, card_of_file
from srkit.card import ModelCard
from srkit.errors import WeightsError


class TorchEnhance(EnhanceUpscaler, NetworkUpscaler):
    """neural-enhance's generator.

    Parameters
    ----------
    card, scale, architecture, net, device, precision, runtime
        See `NetworkUpscaler`.
    tiling
        ``"exact"``: srkit's own tiles, without seams, and nothing is cropped.
        ``"original"``: as the original program cuts images, to the pixel.
    tile, overlap, match_histograms
        Of the original: its options rendering-tile, rendering-overlap and
        rendering-histogram.
    """

    def __init__(
        self,
        card: ModelCard,
        scale: int,
        architecture: Architecture,
        net: EnhanceNet,
        *,
        tiling: Tiling = "exact",
        tile: int = 80,
        overlap: int = 24,
        match_histograms: bool = False,
        device: str = "auto",
        precision: str = "auto",
        runtime: str = "auto",
    ) -> None:
        self.config = net.config
        self.choose_tiling(tiling, tile, overlap, match_histograms=match_histograms)
        super().__init__(
            card, scale, architecture, net, device=device, precision=precision, runtime=runtime
        )

    @property
    def streams(self) -> bool:
        """Not as the original program cuts images."""
        return self._original is None and super().streams


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
        See `srkit.adapters.readers.enhance.files.read_weights`.
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
    return TorchEnhance(
        card, net.scale, ARCHITECTURE, net, **options, device=device, precision=precision
    )


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


# The original's default size. At x1 the original halves the sides twice, so that its image takes
# 48 of the channels along; to leave them whole learns faster.
CONFIGS = {
    1: Config(upscale=0, downscale=0, blocks=6, filters=(32,)),
    2: Config(upscale=1, downscale=0, blocks=4, filters=(64,)),
    4: Config(upscale=2, downscale=0, blocks=4, filters=(64,)),
}

ARCHITECTURE = Architecture(
    name="neural-enhance",
    fits=looks_like_enhance,
    scale=enhance_scale,
    build=lambda tensors, scale: build_enhance(tensors),
    least=1,
    multiple=lambda net: net.config.multiple,
    upscaler=TorchEnhance,
    training={
        "neural-enhance": Training(
            scales=tuple(CONFIGS),
            build=lambda scale: EnhanceNet(CONFIGS[scale]),
            start=later("srkit.training.starts.enhance:start_enhance"),
            groups=last_apart(lambda net: net.out),
        )
    },
)
