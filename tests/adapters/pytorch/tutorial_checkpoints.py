"""Writes checkpoints as the SRGAN tutorial's train scripts do.

The tutorial (github.com/sgrvinod/a-PyTorch-Tutorial-to-Super-Resolution) pickles whole
modules of a module named ``models``. That module is made here, anew and small, with the
same class and attribute names, and exists only while a checkpoint is written.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import torch

MODELS = """
from torch import nn

ACTIVATIONS = {"prelu": nn.PReLU, "leaky": lambda: nn.LeakyReLU(0.2), "tanh": nn.Tanh}


class ConvolutionalBlock(nn.Module):
    def __init__(self, c_in, c_out, kernel, stride=1, norm=False, activation=None):
        super().__init__()
        norms = [nn.BatchNorm2d(c_out)] if norm else []
        ends = [ACTIVATIONS[activation]()] if activation else []
        conv = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2)
        self.conv_block = nn.Sequential(conv, *norms, *ends)


class SubPixelConvolutionalBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(width, 4 * width, 3, padding=1)
        self.pixel_shuffle = nn.PixelShuffle(2)
        self.prelu = nn.PReLU()


class ResidualBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv_block1 = ConvolutionalBlock(width, width, 3, 1, True, "prelu")
        self.conv_block2 = ConvolutionalBlock(width, width, 3, 1, True)


class SRResNet(nn.Module):
    def __init__(self, width, blocks):
        super().__init__()
        self.conv_block1 = ConvolutionalBlock(3, width, 9, activation="prelu")
        self.residual_blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
        self.conv_block2 = ConvolutionalBlock(width, width, 3, norm=True)
        self.subpixel_convolutional_blocks = nn.Sequential(
            *(SubPixelConvolutionalBlock(width) for _ in range(2))
        )
        self.conv_block3 = ConvolutionalBlock(width, 3, 9, activation="tanh")


class Generator(nn.Module):
    def __init__(self, width, blocks):
        super().__init__()
        self.net = SRResNet(width, blocks)


class Discriminator(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.conv_blocks = nn.Sequential(
            ConvolutionalBlock(3, width, 3, activation="leaky"),
            ConvolutionalBlock(width, width, 3, 2, True, "leaky"),
        )
        self.adaptive_pool = nn.AdaptiveAvgPool2d((6, 6))
        self.fc1 = nn.Linear(width * 36, hidden)
        self.leaky_relu = nn.LeakyReLU(0.2)
        self.fc2 = nn.Linear(hidden, 1)
"""


@contextlib.contextmanager
def tutorial_models(folder: Path) -> Iterator[ModuleType]:
    """The module ``models``, importable (and its source readable) inside the with block."""
    source = folder / "models.py"
    source.write_text(MODELS)
    spec = importlib.util.spec_from_file_location("models", source)
    assert spec is not None
    assert spec.loader is not None
    models = importlib.util.module_from_spec(spec)
    sys.modules["models"] = models
    try:
        spec.loader.exec_module(models)
        yield models
    finally:
        del sys.modules["models"]


def save(value: object, path: Path, *, stream: bool = False, cuda: bool = False) -> None:
    """``torch.save``; with `cuda`, as on a machine with a GPU."""
    tag = mock.patch("torch.serialization.location_tag", return_value="cuda:0")
    with tag if cuda else contextlib.nullcontext():
        torch.save(value, path, _use_new_zipfile_serialization=not stream)


def trained(module: torch.nn.Module) -> torch.optim.Adam:
    """One step of Adam, so that the optimizer holds its moments."""
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)
    for number, parameter in enumerate(module.parameters()):
        parameter.grad = torch.full_like(parameter, number + 1.0)
    optimizer.step()
    return optimizer


def save_srresnet(path: Path, **how: bool) -> dict[str, Any]:
    """``checkpoint_srresnet.pth.tar``; returns the state dict that torch reads back."""
    with tutorial_models(path.parent) as models:
        torch.manual_seed(1)
        model = models.SRResNet(4, 2)
        save({"epoch": 7, "model": model, "optimizer": trained(model)}, path, **how)
        return reference(path, "model")


def save_srgan(
    path: Path, *, parallel: bool = False, hidden: int = 8, width: int = 4, **how: bool
) -> dict[str, Any]:
    """``checkpoint_srgan.pth.tar``; returns the state dict of the generator's net."""
    with tutorial_models(path.parent) as models:
        torch.manual_seed(2)
        generator, discriminator = models.Generator(width, 2), models.Discriminator(width, hidden)
        optimizers = trained(generator), trained(discriminator)
        if parallel:
            generator = torch.nn.DataParallel(generator)
            discriminator = torch.nn.DataParallel(discriminator)
        keys = ("epoch", "generator", "discriminator", "optimizer_g", "optimizer_d")
        values = (7, generator, discriminator, *optimizers)
        save(dict(zip(keys, values, strict=True)), path, **how)
        return reference(path, "generator", "module.net." if parallel else "net.")


def reference(path: Path, key: str, prefix: str = "") -> dict[str, Any]:
    """What torch itself loads, names cut."""
    loaded = torch.load(path, map_location="cpu", weights_only=False)[key]
    return {n.removeprefix(prefix): t for n, t in loaded.state_dict().items()}


def assert_same(tensors: Any, expected: Any) -> None:
    """Equal names in equal order, equal dtypes, shapes and values."""
    assert list(tensors) == list(expected)
    for name, tensor in expected.items():
        assert tensors[name].dtype == tensor.dtype, name
        assert tensors[name].shape == tensor.shape, name
        assert tensors[name].device.type == "cpu"
        assert not tensors[name].requires_grad
        # Compared as numbers: float8 has no comparison, NaN equals nothing.
        wide = torch.complex128 if tensor.is_complex() else torch.float64
        torch.testing.assert_close(
            tensors[name].to(wide), tensor.detach().to(wide), rtol=0, atol=0, equal_nan=True
        )
