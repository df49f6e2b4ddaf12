"""ncnn models on torch: rebuilt layer by layer as a graph, and opened."""

from __future__ import annotations

from pathlib import Path

from srkit.adapters.pytorch.graphs.rebuilding import rebuild
from srkit.adapters.pytorch.runtime.upscaler import TorchUpscaler
from srkit.adapters.readers.ncnn.files import read_network
from srkit.adapters.readers.ncnn.network import Network
from srkit.card import ModelCard
from srkit.errors import OptionError, SrkitError, WeightsError
from srkit.models.formats import ncnn_pair
from srkit.upscaling.upscaler import Upscaler

# LR pixels that a blended tile sees beyond where it counts alone, for networks that see much
# farther: where strips do not fit, exact tiles would be little but halo.
HALO = 48


class NcnnModel(TorchUpscaler):
    """A model with a card of its own, whose weights are a pair of ncnn files.

    Parameters
    ----------
    card, scale
        As for every adapter.
    weights
        The .param or the .bin file; the other lies beside it.
    device, precision
        See `TorchUpscaler`.

    Raises
    ------
    UnsafeFileError, CorruptFileError, WeightsError
        If the files are refused, see `open_ncnn`, or hold a network that is not as the card
        says.
    """

    def __init__(
        self,
        card: ModelCard,
        scale: int,
        weights: Path,
        *,
        device: str = "auto",
        precision: str = "auto",
    ) -> None:
        network = read_network(weights)
        found = _scale(network, weights)
        colour = "luma" if network.channels == 1 else "rgb"
        if (found, colour) != (scale, card.colour) or card.multiple % network.multiple:
            raise WeightsError(
                f"{weights} holds a network x{found} of {colour} and sides of multiples of "
                f"{network.multiple}, which the card of {card.name} does not say"
            )
        super().__init__(
            card, scale, rebuild(network), device=device, precision=precision, radius=network.radius
        )
        self.short_halo = _short_halo(network)


def open_ncnn(
    path: Path, *, scale: int | None = None, device: str = "auto", precision: str = "auto"
) -> Upscaler:
    """An upscaler from a pair of ncnn files; the package ncnn is not needed.

    Parameters
    ----------
    path
        The .param or the .bin file. What they hold is judged before anything is made of it.
    scale
        The factor expected; by default the one of the network.
    device, precision
        See `TorchUpscaler`.

    Raises
    ------
    UnsafeFileError
        If a layer is not among those that only compute, or something is out of proportion.
    CorruptFileError
        If a file is damaged.
    WeightsError
        If half of the pair is missing, or the network is none that enlarges images by itself.
    OptionError
        If it is for another scale.
    """
    network = read_network(path)
    found = _scale(network, path)
    if scale not in (None, found):
        raise OptionError(f"{path} holds a network for x{found}, not x{scale}")
    made = TorchUpscaler(
        _card(path, network, found),
        found,
        rebuild(network),
        device=device,
        precision=precision,
        radius=network.radius,
    )
    made.short_halo = _short_halo(network)
    return made


def _short_halo(network: Network) -> int | None:
    return HALO if network.radius > 2 * HALO else None


def _scale(network: Network, path: Path) -> int:
    try:
        return network.scale
    except SrkitError as error:
        raise type(error)(f"{path}: {error}") from error


def _card(path: Path, network: Network, scale: int) -> ModelCard:
    param, weights = ncnn_pair(path)
    return ModelCard(
        name=param.stem,
        summary=f"ncnn network from {param.name} and {weights.name}.",
        adapter="srkit.adapters.pytorch.graphs.ncnn:open_ncnn",
        framework="torch",
        scales=(scale,),
        default_scale=scale,
        colour="luma" if network.channels == 1 else "rgb",
        # The programs that such files are for leave the borders to the network.
        border="zero",
        multiple=network.multiple,
    )
