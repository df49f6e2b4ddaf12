"""LPIPS and DISTS on torchvision's networks.

R. Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR
2018; K. Ding et al., "Image Quality Assessment: Unifying Structure and Texture Similarity", TPAMI
2022. What was trained on people's answers comes with the package `torchmetrics` (Apache-2.0; the
files BSD-2-Clause and MIT), of which only the files are read.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from srkit.adapters.pytorch.distances import (
    DEVIATION,
    MEAN,
    Stock,
    as_tensors,
    torchvision_layers,
    weighted_difference,
)
from srkit.errors import MissingDependencyError, OptionError, WeightsError
from srkit.extras import extra_line, file_of
from srkit.metrics import Backbone

# For each network: torchvision's name, the layers whose outputs are compared (each the ReLU
# before a pooling, of AlexNet the last ReLUs too), and the least side.
_LPIPS: Mapping[Backbone, tuple[Stock, tuple[int, ...], int]] = {
    "alex": ("alexnet", (1, 4, 7, 9, 11), 31),
    "vgg": ("vgg16", (3, 8, 15, 22, 29), 16),
}
# LPIPS' own mean and deviation, of colours in [-1, 1].
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
_CHANNELS = [3, 64, 128, 256, 512, 512]
_SMALL = 1e-6  # both constants of DISTS


class Lpips:
    """LPIPS, version 0.1.

    Parameters
    ----------
    backbone
        ``"alex"`` or ``"vgg"``.

    Raises
    ------
    MissingDependencyError, WeightsError
        If torchvision or the heads are not there, or damaged.
    OptionError
        If `backbone` is unknown.
    """

    def __init__(self, backbone: Backbone = "alex") -> None:
        if backbone not in _LPIPS:
            raise OptionError(f"backbone is 'alex' or 'vgg', not {backbone!r}")
        name, self._places, self._smallest = _LPIPS[backbone]
        state = _read(f"lpips_models/{backbone}.pth")
        try:
            self._heads = [state[f"lin{k}.model.1.weight"] for k in range(5)]
        except KeyError as error:
            raise WeightsError(f"torchmetrics' heads of {backbone} lack {error}") from error
        self._layers = torchvision_layers(name)

    def distance(self, reference: ArrayLike, test: ArrayLike, *, crop: int = 0) -> float:
        """Sum over five layers of the weighted differences of features: eq. 1."""
        pair = as_tensors(
            reference, test, crop=crop, smallest=self._smallest, name="LPIPS of this network"
        )
        with torch.inference_mode():
            mean, deviation = _colours(_SHIFT), _colours(_SCALE)
            a, b = (
                _outputs(self._layers, self._places, (2 * x - 1 - mean) / deviation) for x in pair
            )
            levels = zip(a, b, self._heads, strict=True)
            return float(sum(float(weighted_difference(*level)) for level in levels))


class Dists:
    """DISTS, on VGG-16 whose poolings are Hann windows of squares.

    Raises
    ------
    MissingDependencyError, WeightsError
        If torchvision or the weights are not there, or damaged.
    """

    def __init__(self) -> None:
        state = _read("dists_models/weights.pt")
        try:
            alpha, beta = state["alpha"], state["beta"]
            whole = alpha.sum() + beta.sum()
            self._weights = [
                part
                for weights in (alpha, beta)
                for part in torch.split(weights / whole, _CHANNELS, dim=1)
            ]
        except (KeyError, RuntimeError) as error:
            raise WeightsError(f"torchmetrics' weights of DISTS do not fit: {error}") from error
        layers = torchvision_layers("vgg16")
        self._layers = nn.Sequential(
            *(_HannPool() if isinstance(layer, nn.MaxPool2d) else layer for layer in layers)
        )

    def distance(self, reference: ArrayLike, test: ArrayLike, *, crop: int = 0) -> float:
        """What similarities of means and of structure lack of one, weighted: eq. 7 to 9."""
        pair = as_tensors(reference, test, crop=crop, smallest=16, name="DISTS")
        with torch.inference_mode():
            a, b = ([x, *self._features(x)] for x in pair)
            similar = [_means(*both) for both in zip(a, b, strict=True)]
            similar += [_structures(*both) for both in zip(a, b, strict=True)]
            weighed = zip(self._weights, similar, strict=True)
            return float(sum(float((weight * (1 - one)).sum()) for weight, one in weighed))

    def _features(self, x: Tensor) -> Iterator[Tensor]:
        normal = (x - _colours(MEAN)) / _colours(DEVIATION)
        return _outputs(self._layers, _LPIPS["vgg"][1], normal)


class _HannPool(nn.Module):
    """Root of the mean of squares under a 3x3 Hann window, at every other pixel."""

    def forward(self, x: Tensor) -> Tensor:
        """See `nn.Module`."""
        side = torch.tensor([0.25, 0.5, 0.25])
        window = torch.outer(side, side).expand(x.shape[1], 1, 3, 3)
        squares = nn.functional.conv2d(x.square(), window, stride=2, padding=1, groups=x.shape[1])
        return (squares + 1e-12).sqrt()


def _outputs(layers: nn.Sequential, places: Sequence[int], x: Tensor) -> Iterator[Tensor]:
    for number, layer in enumerate(layers):
        x = layer(x)
        if number in places:
            yield x
        if number == places[-1]:
            return


def _means(a: Tensor, b: Tensor) -> Tensor:
    a, b = (x.mean(dim=(2, 3), keepdim=True) for x in (a, b))
    return (2 * a * b + _SMALL) / (a.square() + b.square() + _SMALL)


def _structures(a: Tensor, b: Tensor) -> Tensor:
    a, b = (x - x.mean(dim=(2, 3), keepdim=True) for x in (a, b))
    covariance, variance_a, variance_b = (
        product.mean(dim=(2, 3), keepdim=True) for product in (a * b, a * a, b * b)
    )
    return (2 * covariance + _SMALL) / (variance_a + variance_b + _SMALL)


def _colours(values: Sequence[float]) -> Tensor:
    return torch.tensor(values).view(1, 3, 1, 1)


def _read(name: str) -> dict[str, Tensor]:
    """A file of torchmetrics."""
    path = file_of("torchmetrics", f"functional/image/{name}")
    if path is None:
        raise MissingDependencyError(
            f"LPIPS and DISTS need {Path(name).name} of torchmetrics 1.9, which is not installed: "
            f"{extra_line('lpips')}"
        )
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, pickle.UnpicklingError, EOFError, RuntimeError) as error:
        raise WeightsError(f"{path.name} of torchmetrics is damaged: {error}") from error
    if not isinstance(state, dict):
        raise WeightsError(f"{path.name} holds a {type(state).__name__}, not a state dict")
    return state
