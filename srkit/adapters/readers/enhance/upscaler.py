"""What neural-enhance's models share on every framework: the original's tiling on request."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from srkit.adapters.readers.enhance.config import Config
from srkit.adapters.readers.enhance.original import OriginalTiling
from srkit.card import ModelCard
from srkit.errors import OptionError, WeightsError
from srkit.imaging.planes import Planes, read_planes
from srkit.progress import Meter
from srkit.upscaling.passes import Request, finish
from srkit.upscaling.upscaler import Progress, Upscaler

Tiling = Literal["exact", "original"]
# The original pads so many pixels by reflection.
RIM = 24


class EnhanceUpscaler(Upscaler):
    """Runs images by srkit's own tiling, or as the original program does, to the pixel.

    Attributes
    ----------
    config
        The network's shape.
    """

    rim = RIM
    config: Config
    _original: OriginalTiling | None

    def choose_tiling(
        self, tiling: Tiling, tile: int, overlap: int, *, match_histograms: bool
    ) -> None:
        """Take the options of the adapters.

        Raises
        ------
        OptionError
            For an unknown tiling, or the original's options without it.
        """
        if tiling not in ("exact", "original"):
            raise OptionError(f"tiling is 'exact' or 'original', not {tiling!r}")
        if not isinstance(match_histograms, bool):
            raise OptionError(f"match_histograms is True or False, not {match_histograms!r}")
        if tiling == "original":
            self._original = OriginalTiling(self.config, tile, overlap, match_histograms)
            return
        if (tile, overlap, match_histograms) != (80, 24, False):
            raise OptionError("tile, overlap and match_histograms go with tiling='original'")
        self._original = None

    @property
    def radius(self) -> int:
        """Radius of the receptive field in LR pixels."""
        return self.config.radius

    def _one(self, image: Any, request: Request) -> Any:
        """Upscale one image.

        With ``tiling="original"`` odd sizes lose some pixels, values are rounded to 256
        levels, and of the options `progress` alone is taken.
        """
        if self._original is None:
            return super()._one(image, request)
        if request != Request(None, None, False, False, request.progress):
            raise OptionError(
                "tiling='original' takes no size, memory, self_ensemble or consistent"
            )
        planes = read_planes(image)
        if planes.layout == "cmyk":
            raise OptionError("tiling='original' takes grey and RGB images, not CMYK")
        return self._as_original(self._original, planes, request.progress)

    def _as_original(self, way: OriginalTiling, planes: Planes, progress: Progress) -> Any:
        top, dtype = planes.top, planes.colour.dtype
        made = []
        pixels = planes.colour.shape[0] * planes.colour.shape[1] * planes.colour.shape[2]
        with Meter(progress, pixels, f"{self.card.name} x{self.scale}") as advance:
            for picture in planes.colour:
                snapped = way.snap(picture)
                unit = snapped.astype(np.float32) / np.float32(top)
                rgb = unit if unit.shape[-1] == 3 else unit.repeat(3, axis=-1)
                levels = way.upscale(self.run, rgb)
                if not np.isfinite(levels).all():
                    raise WeightsError(
                        f"{self.card.name} gave values that are not numbers: its "
                        "weights are damaged"
                    )
                if unit.shape[-1] == 1:
                    levels = np.rint(levels.mean(axis=-1, keepdims=True))
                if dtype != np.uint8:
                    levels = levels * np.float32(top / 255)
                    levels = np.rint(levels) if np.issubdtype(dtype, np.integer) else levels
                made.append(levels.astype(dtype))
                advance(picture.shape[0] * picture.shape[1])
        colour = np.stack(made)
        if planes.alpha is not None:
            alpha = np.stack([way.snap(picture) for picture in planes.alpha])
            planes = replace(planes, alpha=alpha)
        return finish(planes, colour, top, (colour.shape[1], colour.shape[2]), rounded=True)


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
        name=path.name.removesuffix(".pkl.bz2").removesuffix(".safetensors"),
        summary=f"neural-enhance weights from {path.name}.",
        adapter="srkit.adapters.pytorch.architectures.enhance:open_pickle",
        framework=framework,
        scales=(config.scale,),
        default_scale=config.scale,
        multiple=config.multiple,
    )
