"""Users' own weights files: which network they are of, and a card for them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from srkit.adapters.pytorch.architectures.base import Architecture, Tensors
from srkit.adapters.pytorch.architectures.table import ARCHITECTURES, architecture_of, network_of
from srkit.adapters.pytorch.checkpoints import Checkpoint, read_checkpoint
from srkit.adapters.pytorch.graphs.opening import run_frozen
from srkit.adapters.readers.graphdef.frozen import Colour, Frozen, choose
from srkit.adapters.readers.graphdef.portable import ARCHITECTURE as FROZEN
from srkit.adapters.readers.graphdef.portable import OPERATIONS, unpacked
from srkit.adapters.readers.luma_weights import stated_scale
from srkit.card import ModelCard
from srkit.errors import MissingDependencyError, OptionError, WeightsError
from srkit.extras import install_line, missing_packages
from srkit.upscaling.upscaler import Upscaler

MOST = 16  # the largest scale
# Options of frozen graphs that were converted.
OF_GRAPHS = "color", "output"


class CheckpointOpener:
    """Opens users' files of weights; `open_checkpoint` is the one there is."""

    def __call__(
        self,
        path: Path,
        *,
        scale: int | None = None,
        device: str = "auto",
        precision: str = "auto",
        **options: Any,
    ) -> Upscaler:
        """An upscaler from a ``.pth``, ``.pth.tar`` or ``.safetensors`` file.

        Parameters
        ----------
        path
            The file. What it holds is read as data; nothing in it is run.
        scale
            The factor expected; by default the one the weights are for.
        device, precision
            See `TorchUpscaler`.
        options
            Of the network, see `Architecture.options`, or of a frozen graph that was converted,
            see `graphs.opening.open_graph`. None stands for the default.

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
        given = {name: value for name, value in options.items() if value is not None}
        common = {"device": device, "precision": precision}
        if header.get("architecture") == FROZEN:
            _refuse(given, OF_GRAPHS, path, FROZEN)
            return run_frozen(_graph(path, checkpoint, scale, **given), **common)
        if (kind := architecture_of(tensors)) is None:
            opened = _community(path, tensors)
            _refuse(given, (), path, "a network of spandrel's")
            return opened(path, tensors, scale=scale, **common)
        factor = _scale(path, kind, checkpoint, scale)
        _refuse(given, kind.options, path, kind.name)
        border = "reflect" if "srkit" in header else kind.foreign_border
        return network_of(_card(path, kind, factor, border), factor, tensors, **common, **given)

    def option_names(self) -> list[str]:
        """Options of all that such files hold; which of them it has is seen when it is read."""
        own = (name for kind in ARCHITECTURES for name in kind.options)
        return ["device", "precision", *OF_GRAPHS, *own]


open_checkpoint = CheckpointOpener()


def _graph(
    path: Path,
    checkpoint: Checkpoint,
    scale: int | None,
    *,
    color: Colour = "opencv",
    output: str | None = None,
) -> Frozen:
    operations = checkpoint.metadata.get(OPERATIONS, "")
    graph = unpacked(_constants(checkpoint.tensors), operations)
    return choose(graph, path, scale, output, color, "torch")


def _scale(path: Path, kind: Architecture, checkpoint: Checkpoint, asked: int | None) -> int:
    """The factor that weights are for: told by themselves, by a header, or by who opens them."""
    if kind.scale:
        found: int | None = kind.scale(checkpoint.tensors)
    else:
        found = stated_scale(checkpoint.metadata, kind.least) or asked
    if found is None:
        raise OptionError(f"{path} does not tell for which scale its weights are; give scale=")
    if not kind.least <= found <= MOST:
        raise OptionError(f"scale is {kind.least} to {MOST}, not {found}")
    if asked not in (None, found):
        raise OptionError(f"{path} holds weights for x{found}, not x{asked}")
    return found


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


def _refuse(options: Mapping[str, Any], known: Sequence[str], path: Path, network: str) -> None:
    if unknown := [name for name in options if name not in known]:
        raise OptionError(f"{path} holds {network}, which has no option {unknown[0]}")


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
