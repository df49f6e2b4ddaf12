"""What perceptual distances on networks share: images as tensors, and torchvision's networks."""

from __future__ import annotations

from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from srkit.errors import ImageError, MissingDependencyError, WeightsError
from srkit.extras import extra_line
from srkit.metrics import read_pair

Stock = Literal["alexnet", "vgg16"]  # torchvision's names of the networks that are used

# By ImageNet, as torchvision's networks were trained.
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def as_tensors(
    reference: ArrayLike, test: ArrayLike, *, crop: int, smallest: int, name: str
) -> tuple[Tensor, Tensor]:
    """Two images as ``(1, 3, H, W)`` of float32 in [0, 1]; grey is repeated to RGB.

    Raises
    ------
    ImageError, OptionError
        As `read_pair`, or if a side is below `smallest`.
    """
    pair = read_pair(reference, test, crop=crop)
    shape = pair.reference.shape[:2]
    if min(shape) < smallest:
        raise ImageError(
            f"{name} needs {smallest} pixels a side; after crop={crop} the images have {shape}"
        )
    return _tensor(pair.reference / pair.peak), _tensor(pair.test / pair.peak)


def _tensor(image: NDArray[np.float64]) -> Tensor:
    rgb = image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)
    planes = np.ascontiguousarray(rgb.transpose(2, 0, 1)[None], dtype=np.float32)
    return torch.from_numpy(planes)


def weighted_difference(a: Tensor, b: Tensor, head: Tensor) -> Tensor:
    """Mean over the image of the channels' squared differences, weighted by the head."""
    return nn.functional.conv2d((_unit(a) - _unit(b)).square(), head).mean()


def _unit(features: Tensor) -> Tensor:
    """Features of each pixel scaled to length one."""
    # The inner constant keeps the root's slope finite where all features are zero.
    length = (features.square().sum(dim=1, keepdim=True) + 1e-20).sqrt()
    return features / (length + 1e-10)


def torchvision_layers(name: Stock) -> nn.Sequential:
    """The convolutional layers of torchvision's network, by ImageNet.

    torchvision downloads their weights once, into torch's own cache.

    Raises
    ------
    MissingDependencyError
        If torchvision is not there, or was built for another torch.
    WeightsError
        If the weights are not in the cache and cannot be downloaded.
    """
    try:
        import torchvision
    except (ImportError, RuntimeError, OSError) as error:
        raise MissingDependencyError(
            f"{name} comes with torchvision, which cannot be imported ({error}): "
            f"{extra_line('lpips')}; where it is installed, it was made for another torch than "
            f"{torch.__version__}: pip install --force-reinstall --no-deps torchvision, from the "
            "--extra-index-url that torch came from, if any"
        ) from error
    models: Any = torchvision.models
    try:
        layers = getattr(models, name)(weights="IMAGENET1K_V1").features
    except (OSError, RuntimeError) as error:
        raise WeightsError(
            f"torchvision could not get its weights of {name}: {error}; once with a network, "
            f"torchvision.models.{name}(weights='IMAGENET1K_V1') keeps them"
        ) from error
    # What works in place would change features that are kept.
    for layer in layers:
        if isinstance(layer, nn.ReLU):
            layer.inplace = False
    return cast(nn.Sequential, layers.eval().requires_grad_(False))
