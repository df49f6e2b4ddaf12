"""Trained networks whose features losses and discriminators compare."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from srkit.adapters.pytorch.nets.srresnet import normalise
from srkit.adapters.pytorch.stlpips import StLpips
from srkit.adapters.readers.enhance.vgg import LAYERS, MEANS, VggWeights, read_vgg
from srkit.errors import MissingDependencyError, OptionError
from srkit.models.weights import sha256

# Features of the first so many blocks of RGB planes in [0, 1], each after its last rectified
# layer: `extract(rgb, last)`.
Extract = Callable[[Tensor, int], list[Tensor]]

NAMES = ("auto", "vgg16", "vgg16_bn", "vgg19", "blurpool")
SUFFIX = ".pkl.bz2"
# Channels of VGG's five blocks (Simonyan and Zisserman, 2015).
WIDTHS = (64, 128, 256, 512, 512)


def check_backbone(name: str) -> None:
    """Refuse what names no backbone.

    Raises
    ------
    OptionError
    """
    if name not in NAMES and not is_file(name):
        raise OptionError(
            f"backbone is one of {', '.join(NAMES)}, or neural-enhance's vgg19_conv{SUFFIX}, "
            f"not {name!r}"
        )


def resolved(name: str, stock: str = "vgg19") -> str:
    """What ``"auto"`` stands for where this runs; other names as they are.

    `stock` is the one of torchvision's that is wanted, where that is installed.
    """
    if name != "auto":
        return name
    return stock if _has_torchvision() else "blurpool"


def is_file(name: str) -> bool:
    """Whether a backbone is a file, not one by name."""
    return isinstance(name, str) and name.lower().endswith(SUFFIX)


def digest(name: str) -> str:
    """SHA-256 of a backbone that is a file."""
    return sha256(Path(name).expanduser())


def extractor(name: str, device: torch.device) -> Extract:
    """The features of a backbone, which is read once for each device.

    Raises
    ------
    MissingDependencyError
        If its package is not installed.
    WeightsError, CorruptFileError, UnsafeFileError
        If a file cannot be read, or holds no VGG-19.
    """
    name = resolved(name)
    if name == "blurpool":
        return stlpips(device).features
    if is_file(name):
        return _from_file(Path(name).expanduser().absolute(), device)
    return _torchvision(name, device)


@functools.lru_cache(maxsize=2)
def stlpips(device: torch.device) -> StLpips:
    """ST-LPIPS on the anti-aliased VGG-16."""
    return StLpips("vgg", device)


@functools.cache
def _has_torchvision() -> bool:
    """Whether torchvision is there and loads: one built for another torch does not."""
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError, OSError):
        return False
    return True


@functools.lru_cache(maxsize=2)
def _torchvision(name: str, device: torch.device) -> Extract:
    """VGG of torchvision."""
    if not _has_torchvision():
        raise MissingDependencyError(
            f"{name} comes with torchvision, which cannot be imported: pip install torchvision, "
            "or choose backbone 'blurpool'"
        )
    import torchvision

    models: Any = torchvision.models
    layers: nn.Sequential = getattr(models, name)(weights="DEFAULT").features
    layers = layers.to(device).eval().requires_grad_(False)

    def extract(rgb: Tensor, last: int) -> list[Tensor]:
        found, x = [], normalise(rgb)
        for layer in layers:
            if isinstance(layer, nn.MaxPool2d):
                found.append(x)
                if len(found) == last:
                    break
            # A layer that works in place would change what was found.
            x = functional.relu(x) if isinstance(layer, nn.ReLU) else cast(Tensor, layer(x))
        return found

    return extract


@functools.lru_cache(maxsize=2)
def _from_file(path: Path, device: torch.device) -> Extract:
    return vgg19(read_vgg(path), device)


def vgg19(weights: VggWeights, device: torch.device) -> Extract:
    """VGG-19 of neural-enhance's file, with its means and the kernels as Lasagne flips them."""
    layers = {
        name: (
            torch.from_numpy(kernel[..., ::-1, ::-1].copy()).to(device),
            torch.from_numpy(bias).to(device),
        )
        for name, (kernel, bias) in weights.items()
    }
    means = torch.tensor(MEANS, device=device).view(1, 3, 1, 1)

    def extract(rgb: Tensor, last: int) -> list[Tensor]:
        found: list[Tensor] = []
        x = 255 * rgb - means
        for name in LAYERS:
            if name.endswith("_1") and name != LAYERS[0]:
                found.append(x)
                if len(found) == last:
                    return found
                x = functional.max_pool2d(x, 2)
            kernel, bias = layers[name]
            x = functional.relu(functional.conv2d(x, kernel, bias, padding=1))
        return [*found, x]

    return extract
