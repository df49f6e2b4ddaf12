"""Users' own weights files: which network they are of, and a card for them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from srkit.adapters.pytorch.architectures.avsr import NAME as AVSR
from srkit.adapters.pytorch.architectures.avsr import AVSRUpscaler, avsr_scale, looks_like_avsr
from srkit.adapters.pytorch.architectures.compact import NAME as COMPACT
from srkit.adapters.pytorch.architectures.compact import (
    CompactUpscaler,
    compact_scale,
    looks_like_compact,
)
from srkit.adapters.pytorch.architectures.enhance import TorchEnhance, enhance_scale
from srkit.adapters.pytorch.architectures.luma import LumaUpscaler
from srkit.adapters.pytorch.architectures.srresnet import (
    SRResNetUpscaler,
    looks_like_srresnet,
    scale_of,
)
from srkit.adapters.pytorch.architectures.unet import NAME as UNET
from srkit.adapters.pytorch.architectures.unet import UNetUpscaler, looks_like_unet
from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.adapters.pytorch.graphs.opening import run_frozen
from srkit.adapters.pytorch.runtime.upscaler import TorchUpscaler
from srkit.adapters.readers.enhance.tensors import looks_like_enhance
from srkit.adapters.readers.enhance.upscaler import Tiling
from srkit.adapters.readers.graphdef.frozen import Colour, choose
from srkit.adapters.readers.graphdef.portable import ARCHITECTURE, OPERATIONS, unpacked
from srkit.adapters.readers.luma_weights import (
    espcn_scale,
    looks_like_espcn,
    looks_like_fsrcnn,
    stated_scale,
)
from srkit.card import ModelCard
from srkit.errors import MissingDependencyError, OptionError, WeightsError
from srkit.extras import install_line, missing_packages
from srkit.upscaling.upscaler import Upscaler

Tensors = Mapping[str, Tensor]
MOST = 16  # the largest scale


@dataclass(frozen=True)
class Architecture:
    """A network that can be told from the names of its tensors."""

    name: str
    fits: Callable[[Tensors], bool]
    scale: Callable[[Tensors], int] | None  # None where tensors do not tell
    upscaler: Callable[..., TorchUpscaler]
    colour: Literal["rgb", "luma"] = "rgb"
    least: int = 2  # the smallest scale that a header may state
    # What files that srkit did not write see beyond the image, as in the programs they are from.
    foreign_border: Literal["reflect", "zero"] = "reflect"


ARCHITECTURES = (
    Architecture(
        "SRResNet",
        looks_like_srresnet,
        scale_of,
        SRResNetUpscaler,
    ),
    Architecture("ESPCN", looks_like_espcn, espcn_scale, LumaUpscaler, "luma"),
    Architecture("FSRCNN", looks_like_fsrcnn, None, LumaUpscaler, "luma"),
    Architecture("neural-enhance", looks_like_enhance, enhance_scale, TorchEnhance, least=1),
    Architecture(AVSR, looks_like_avsr, avsr_scale, AVSRUpscaler, "luma"),
    Architecture(UNET, looks_like_unet, None, UNetUpscaler, least=1),
    Architecture(
        COMPACT, looks_like_compact, compact_scale, CompactUpscaler, least=1, foreign_border="zero"
    ),
)


def open_checkpoint(
    path: Path,
    *,
    scale: int | None = None,
    color: Colour | None = None,
    output: str | None = None,
    tiling: Tiling | None = None,
    tile: int | None = None,
    overlap: int | None = None,
    match_histograms: bool | None = None,
    device: str = "auto",
    precision: str = "auto",
) -> Upscaler:
    """An upscaler from a ``.pth``, ``.pth.tar`` or ``.safetensors`` file.

    Parameters
    ----------
    path
        The file. What it holds is read as data; nothing in it is run.
    scale
        The factor expected; by default the one the weights are for.
    color, output
        Of frozen graphs that were converted; see `graphs.opening.open_graph`.
    tiling, tile, overlap, match_histograms
        Of neural-enhance's network; see `architectures.enhance.TorchEnhance`.
    device, precision
        See `TorchUpscaler`.

    Raises
    ------
    UnsafeFileError, CorruptFileError
        See `srkit.adapters.pytorch.checkpoints.read_checkpoint`.
    WeightsError
        If the weights are of no network that srkit has, or spandrel, where that is installed.
    MissingDependencyError
        If spandrel is installed, and cannot be imported.
    OptionError
        If they are for another scale, or their network has not the options given.
    """
    checkpoint = read_checkpoint(path)
    tensors, header = checkpoint.tensors, checkpoint.metadata
    options: dict[str, Any] = {"device": device, "precision": precision}
    of_graphs = _given(color=color, output=output)
    of_enhance = _given(
        tiling=tiling, tile=tile, overlap=overlap, match_histograms=match_histograms
    )
    if header.get("architecture") == ARCHITECTURE:
        _refuse(of_enhance, path, ARCHITECTURE)
        graph = unpacked(_constants(tensors), header.get(OPERATIONS, ""))
        frozen = choose(graph, path, scale, output, color or "opencv", "torch")
        return run_frozen(frozen, **options)
    for kind in ARCHITECTURES:
        if kind.fits(tensors):
            break
    else:
        opened = _community(path, tensors)
        _refuse(of_graphs | of_enhance, path, "a network of spandrel's")
        return opened(path, tensors, scale=scale, **options)
    found = kind.scale(tensors) if kind.scale else stated_scale(header, kind.least) or scale
    if found is None:
        raise OptionError(f"{path} does not tell for which scale its weights are; give scale=")
    if not kind.least <= found <= MOST:
        raise OptionError(f"scale is {kind.least} to {MOST}, not {found}")
    if scale not in (None, found):
        raise OptionError(f"{path} holds weights for x{found}, not x{scale}")
    _refuse(of_graphs, path, kind.name)
    if kind.upscaler is TorchEnhance:
        options |= of_enhance
    else:
        _refuse(of_enhance, path, kind.name)
    border = "reflect" if "srkit" in header else kind.foreign_border
    return kind.upscaler(_card(path, kind, found, border), found, tensors, **options)


def _community(path: Path, tensors: Tensors) -> Callable[..., Upscaler]:
    """What opens weights of networks that srkit does not have.

    Raises
    ------
    WeightsError
        If spandrel is not installed: whether it has the network is not known then.
    MissingDependencyError
        If it is, and cannot be imported.
    """
    if missing_packages("spandrel"):
        names = ", ".join(kind.name for kind in ARCHITECTURES)
        first = ", ".join(list(tensors)[:5])
        raise WeightsError(
            f"{path} holds weights of a network that srkit does not have (it has {names}); "
            f"its first tensors are {first}. Some forty more come with spandrel: "
            f"{install_line('spandrel')}"
        )
    try:
        opening = importlib.import_module("srkit.adapters.spandrel.opening")
    except Exception as error:
        # A package that does not fit torch fails in ways of its own.
        raise MissingDependencyError(
            f"spandrel cannot be imported ({type(error).__name__}: {error}); it needs einops and "
            f"safetensors: {install_line('spandrel')}"
        ) from error
    opener: Callable[..., Upscaler] = opening.open_tensors
    return opener


def _given(**options: object) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _refuse(options: Mapping[str, Any], path: Path, network: str) -> None:
    if options:
        raise OptionError(f"{path} holds {network}, which has no option {next(iter(options))}")


def _constants(tensors: Tensors) -> dict[str, NDArray[np.generic]]:
    try:
        return {name: value.numpy() for name, value in tensors.items()}
    except TypeError as error:
        raise WeightsError(f"a constant is of no type that numpy has: {error}") from error


def _card(
    path: Path, kind: Architecture, scale: int, border: Literal["reflect", "zero"]
) -> ModelCard:
    return ModelCard(
        name=path.name.split(".")[0],
        summary=f"{kind.name} weights from {path.name}.",
        adapter="srkit.adapters.pytorch.opening:open_checkpoint",
        framework="torch",
        scales=(scale,),
        default_scale=scale,
        colour=kind.colour,
        border=border,
    )
