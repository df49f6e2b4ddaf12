"""neural-enhance's models on Lasagne and Theano."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import lasagne
import numpy as np
import theano
from lasagne.layers import Conv2DLayer, InputLayer
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from srkit.adapters.lasagne.layers import ParametricRectifierLayer, SubpixelReshuffleLayer
from srkit.adapters.readers.enhance.config import Config
from srkit.adapters.readers.enhance.files import EnhanceWeights, Floats, read_weights
from srkit.adapters.readers.enhance.tensors import layers_of
from srkit.adapters.readers.enhance.upscaler import EnhanceUpscaler, Tiling, card_of_file
from srkit.card import ModelCard
from srkit.errors import CorruptFileError, OptionError, WeightsError
from srkit.models.contents import check_header
from srkit.models.formats import is_bzip2

# Working memory against the widest layer's output. Peak memory of whole processes was 3.3
# times it for x2 (400x400), 2.9 for x4 (300x300), and 6.6 for repair (600x600).
HEADROOM = 7
# Kernels are set once the layers are there; drawing them would move the user's random state.
_TO_COME = lasagne.init.Constant(0)


def generator(config: Config, image: Any) -> dict[str, Any]:
    """The network as Lasagne layers, by the names of its files; ``out`` is the last.

    Parameters
    ----------
    config
        Its shape.
    image
        Theano's variable of ``(N, 3, H, W)`` in [-0.5, 0.5].
    """
    layers: dict[str, Any] = {}
    last: Any = InputLayer((None, 3, None, None), image)
    for stage in config.stages:
        down = stage.kind == "down"
        last = layers[f"{stage.name}x"] = Conv2DLayer(
            last,
            stage.channels,
            stage.kernel,
            stride=2 if down else 1,
            pad=1 if down else stage.kernel // 2,
            W=_TO_COME,
            nonlinearity=None,
        )
        last = layers[f"{stage.name}>"] = ParametricRectifierLayer(last)
        if stage.kind == "up":
            last = SubpixelReshuffleLayer(last, 2)
    layers["out"] = Conv2DLayer(last, 3, 7, pad=3, W=_TO_COME, nonlinearity=None)
    return layers


class LasagneEnhance(EnhanceUpscaler):
    """neural-enhance's generator.

    Parameters
    ----------
    card, scale
        The model and its factor.
    weights
        What a file holds, or a safetensors file in torch's layout.
    tiling, tile, overlap, match_histograms
        See `srkit.adapters.pytorch.architectures.enhance.TorchEnhance`.
    """

    runtime = "theano"

    def __init__(
        self,
        card: ModelCard,
        scale: int,
        weights: EnhanceWeights | Path,
        *,
        tiling: Tiling = "exact",
        tile: int = 80,
        overlap: int = 24,
        match_histograms: bool = False,
    ) -> None:
        if isinstance(weights, Path):
            weights = _read_safetensors(weights)
        if theano.config.floatX == "float16":
            raise OptionError("Theano's flag floatX=float16 is too little: float32 or float64")
        if weights.config.scale != scale:
            raise WeightsError(
                f"the weights of {card.name} are for x{weights.config.scale}, not x{scale}"
            )
        self.card, self.scale, self.config = card, scale, weights.config
        self.choose_tiling(tiling, tile, overlap, match_histograms=match_histograms)
        image = theano.tensor.tensor4()
        layers = generator(weights.config, image)
        for name, arrays in weights.layers.items():
            for parameter, array in zip(layers[name].get_params(), arrays, strict=True):
                parameter.set_value(array)
        self._run = theano.function([image], lasagne.layers.get_output(layers["out"]))
        # A function of Theano keeps what it computes with in one place.
        self._lock = threading.Lock()

    @property
    def bytes_per_pixel(self) -> float:
        """By the widest layer."""
        widest, side = 3.0, 1.0
        for stage in self.config.stages:
            side = side / 2 if stage.kind == "down" else side
            widest = max(widest, stage.channels * side**2)
            side = side * 2 if stage.kind == "up" else side
        return 4.0 * HEADROOM * widest

    @property
    def parameters(self) -> int:
        """Numbers that were trained."""
        return self.config.numbers

    def run(self, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Upscaler.run`."""
        with self._lock:
            made = self._run(tiles.transpose(0, 3, 1, 2) - np.float32(0.5))
        # Of another dtype where the user's flags say so.
        result: NDArray[np.float32] = made.transpose(0, 2, 3, 1).astype(np.float32)
        return result + np.float32(0.5)


def open_weights(
    path: Path,
    *,
    scale: int | None = None,
    tiling: Tiling = "exact",
    tile: int = 80,
    overlap: int = 24,
    match_histograms: bool = False,
) -> LasagneEnhance:
    """An upscaler from a ``.pkl.bz2``, or from safetensors as `srkit train` writes them.

    Parameters
    ----------
    path, scale, tiling, tile, overlap, match_histograms
        See `srkit.adapters.pytorch.architectures.enhance.open_pickle`. Nothing in the file is run.

    Raises
    ------
    UnsafeFileError, CorruptFileError, WeightsError
        See `srkit.adapters.readers.enhance.files.read_weights`. Safetensors of other networks may
        run on torch.
    OptionError
        If the file is for another scale, or an option makes no sense.
    """
    with path.open("rb") as file:
        head = file.read(3)
    weights = read_weights(path) if is_bzip2(head, path) else _read_safetensors(path)
    card = card_of_file(path, weights.config, scale, "theano")
    return LasagneEnhance(
        card,
        card.default_scale,
        weights,
        tiling=tiling,
        tile=tile,
        overlap=overlap,
        match_histograms=match_histograms,
    )


def _read_safetensors(path: Path) -> EnhanceWeights:
    try:
        check_header(path)
        with safe_open(path, framework="np") as file:
            names = list(file.keys())
            tensors: dict[str, Floats] = {
                name: np.asarray(file.get_tensor(name), np.float32) for name in names
            }
    except SafetensorError as error:
        raise CorruptFileError(f"{path}: the safetensors file is damaged: {error}") from error
    except TypeError as error:
        raise WeightsError(
            f"{path} holds a type that numpy lacks ({error}); torch runs it"
        ) from error
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        return layers_of(tensors)
    except WeightsError as error:
        raise WeightsError(f"{path}, on Theano: {error}") from error
