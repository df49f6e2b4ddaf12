"""What both training loops share: photos, schedule, averages, states on disk."""

from __future__ import annotations

import argparse
import csv
import dataclasses
import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from srkit.errors import OptionError
from srkit.imaging.atomic import replacing
from srkit.imaging.files import SUFFIXES
from srkit.training.photos import Crops, PhotoCrops, pack

log = logging.getLogger(__name__)

# Side of the LR crops that are kept for checks, and how many there are.
CHECK_SIZE, CHECK_CROPS = 64, 12


def find_photos(folder: Path) -> list[Path]:
    """All pictures below `folder`, sorted by path.

    Raises
    ------
    OptionError
        If there are fewer than two: one to learn from and one to check on.
    """
    photos = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    if len(photos) < 2:
        raise OptionError(f"{folder} holds {len(photos)} photos; training needs two at least")
    return photos


def prepare(
    photos: Path, cache: Path, scale: int, crop: int, held_out: int, flat: float = 0.0
) -> tuple[PhotoCrops, list[Crops]]:
    """Crops to train on, and fixed crops of photos that training never sees."""
    paths = find_photos(photos)
    count = max(1, min(held_out, len(paths) // 2))
    held = paths[:: len(paths) // count][:count]
    kept = sorted(set(paths) - set(held))
    train = PhotoCrops(pack(kept, cache / "train", scale), scale, crop, flat)
    check = PhotoCrops(pack(held, cache / "held", scale), scale, CHECK_SIZE)
    rng = np.random.default_rng(1)
    return train, [check.crop(rng) for _ in range(CHECK_CROPS)]


def to_tensor(batch: NDArray[np.uint8]) -> Tensor:
    """uint8 ``(N, H, W, C)`` to float ``(N, C, H, W)`` in [0, 1], channels-last."""
    return torch.from_numpy(batch).permute(0, 3, 1, 2).float().div_(255)


def freeze_norms(net: nn.Module) -> None:
    """Put every batch norm in inference mode: a learned scale and shift, no statistics.

    Networks for super-resolution do better without batch statistics (Lim et al.,
    EDSR, 2017); the layers stay, so that weights keep the published form.
    """
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def rate_at(step: int, steps: int, warmup: int, rate: float) -> float:
    """Learning rate: a linear warm-up, then a cosine to zero.

    Examples
    --------
    >>> [rate_at(step, 110, 10, 1.0) for step in (0, 10, 60, 110)]
    [0.1, 1.0, 0.5, 0.0]
    """
    if step < warmup:
        return rate * (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return rate * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


class Average:
    """Exponential moving average of a network's weights, quick to follow at first."""

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {k: v.detach().clone() for k, v in net.state_dict().items()}

    @torch.no_grad()
    def update(self, net: nn.Module, step: int) -> None:
        """Take one more step's weights in."""
        decay = min(self.decay, (step + 1) / (step + 10))
        for key, value in net.state_dict().items():
            if value.is_floating_point():
                self.weights[key].lerp_(value, 1 - decay)


def save_whole(state: object, path: Path) -> None:
    """`torch.save` into a file that appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        torch.save(state, file)


class Log:
    """Figures of a run, one row at a time into a CSV file and the logger."""

    def __init__(self, path: Path, columns: tuple[str, ...]) -> None:
        self._path, self._columns = path, columns
        self._begun = time.monotonic()
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            self._write(("step", *columns, "seconds"))

    def row(self, step: int, figures: Mapping[str, float]) -> None:
        """Write the figures of a step."""
        seconds = time.monotonic() - self._begun
        values = [f"{figures[name]:.5g}" for name in self._columns]
        self._write((str(step), *values, f"{seconds:.0f}"))
        shown = " ".join(f"{n} {v}" for n, v in zip(self._columns, values, strict=True))
        log.info("step %d: %s (%.0f s)", step, shown, seconds)

    def _write(self, cells: tuple[str, ...]) -> None:
        with self._path.open("a", newline="") as file:
            csv.writer(file).writerow(cells)


R = TypeVar("R")


def parse_run(recipe: type[R], doc: str | None, *paths: str) -> tuple[dict[str, Path], R]:
    """Command line of a training module: paths, a cache folder, and a recipe's fields."""
    parser = argparse.ArgumentParser(description=doc)
    for name in paths:
        parser.add_argument(name, type=Path)
    parser.add_argument("--cache", type=Path, help="keep decoded photos here")
    fields: Any = recipe
    for field in dataclasses.fields(fields):
        flag = f"--{field.name.replace('_', '-')}"
        parser.add_argument(flag, type=type(field.default), default=field.default)
    given = vars(parser.parse_args())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    where = {name: given.pop(name) for name in (*paths, "cache")}
    return where, recipe(**given)
