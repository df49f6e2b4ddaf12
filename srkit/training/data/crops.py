"""Batches of aligned crops, each a function of a seed and its number alone.

Nothing is shuffled or remembered: crop number n is the same in every run, however
often the run was stopped and by however many processes it is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from srkit.errors import OptionError
from srkit.training.data.degradations import Degradation, degrade
from srkit.training.data.photos import PATCH, Patches, Pixels

Pair = tuple[Pixels, Pixels]
# LR and HR, and what teachers make of LR where there are any.
Batch = tuple[Tensor, ...]


@dataclass
class Crops(Dataset["Pair"]):
    """Random (LR, HR) crops.

    Attributes
    ----------
    patches
        Where they are cut from, those with more detail more often.
    scale
        HR pixels for each LR pixel, along a side.
    size
        Side of the LR crops.
    seed
        Crop n is drawn by a generator seeded with (seed, n).
    flat
        Share of crops of one plain colour, black and white among them: crops picked
        for detail never teach a network to leave an even area alone.
    degradations
        How LR is made of HR; none for MATLAB's bicubic of the whole photo.
    """

    patches: Patches
    scale: int
    size: int
    seed: int = 0
    flat: float = 0.0
    degradations: Sequence[Degradation] = ()

    def __post_init__(self) -> None:
        if not 0 < self.size * self.scale <= PATCH:
            raise OptionError(
                f"crop is 1 to {PATCH // self.scale} LR pixels at x{self.scale}, not {self.size}"
            )
        # The root: detail counts, and a few noisy photos do not count for everything.
        chances = np.sqrt(self.patches.detail + 0.5).cumsum()
        self._chances = chances / chances[-1]

    def __getitem__(self, number: int) -> Pair:
        """Crop number `number`: ``(size, size, 3)`` and ``(s*size, s*size, 3)``, uint8."""
        rng = np.random.default_rng((self.seed, number))
        if rng.random() < self.flat:
            lr, hr = plain(self.size, self.scale, rng)
        else:
            lr, hr = self._cut(rng)
        if self.degradations:
            lr = degrade(hr, self.scale, self.degradations, rng)
        return lr, hr

    def _cut(self, rng: np.random.Generator) -> Pair:
        patch = int(np.searchsorted(self._chances, rng.random()))
        s, n = self.scale, self.size
        y, x = rng.integers(PATCH // s - n + 1, size=2)
        lr = self.patches.lr[patch, y : y + n, x : x + n]
        hr = self.patches.hr[patch, s * y : s * (y + n), s * x : s * (x + n)]
        lr, hr = turned((lr, hr), rng)
        return lr, hr


def turned(pictures: Sequence[Pixels], rng: np.random.Generator) -> list[Pixels]:
    """Copies of pictures of one place, all flipped and turned in the same of eight ways."""
    turns, flip = int(rng.integers(4)), bool(rng.integers(2))
    return [np.rot90(a[:, ::-1] if flip else a, turns).copy() for a in pictures]


def plain(size: int, scale: int, rng: np.random.Generator) -> Pair:
    """LR and HR crops of one colour; every second is grey, black or white."""
    greys = np.array([[0] * 3, [255] * 3, [int(rng.integers(256))] * 3])
    colour = rng.choice(greys) if rng.random() < 0.5 else rng.integers(0, 256, 3)
    lr = np.tile(colour.astype(np.uint8), (size, size, 1))
    return lr, np.tile(lr[0, 0], (scale * size, scale * size, 1))


@dataclass(frozen=True)
class _Numbers:
    """Numbers of the crops of each batch, from a step on, for one of several processes."""

    first: int
    last: int
    batch: int
    rank: int
    world: int

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(self.first, self.last):
            start = (step * self.world + self.rank) * self.batch
            yield list(range(start, start + self.batch))

    def __len__(self) -> int:
        return self.last - self.first


def batches(
    crops: Dataset[Any],
    steps: range,
    batch: int,
    *,
    rank: int = 0,
    world: int = 1,
    workers: int = 0,
) -> Iterator[Batch]:
    """Batches of the given steps: ``(N, h, w, 3)`` LR and HR, and answers, uint8.

    Parameters
    ----------
    batch
        Crops a process and step.
    rank, world
        Number of this process among how many.
    workers
        Processes that cut and degrade; 0 for this one.
    """
    numbers = _Numbers(steps.start, steps.stop, batch, rank, world)
    loader: DataLoader[Batch] = DataLoader(
        crops,
        batch_sampler=numbers,
        num_workers=workers,
        collate_fn=collate,
        persistent_workers=False,
    )
    yield from loader


def collate(examples: Sequence[Sequence[Pixels]]) -> Batch:
    """Stack pairs into two batches, triples into three."""
    return tuple(torch.from_numpy(np.stack(part)) for part in zip(*examples, strict=True))


def to_planes(batch: Tensor) -> Tensor:
    """uint8 ``(N, H, W, C)`` to float ``(N, C, H, W)`` in [0, 1], channels-last."""
    return batch.permute(0, 3, 1, 2).float().div_(255)


def to_luma(rgb: Tensor) -> Tensor:
    """Full-range BT.601 luma ``(N, 1, H, W)`` of RGB ``(N, 3, H, W)``."""
    from srkit.imaging.color import KB, KG, KR

    weights = torch.tensor([KR, KG, KB], dtype=rgb.dtype, device=rgb.device)
    return (rgb * weights.view(1, 3, 1, 1)).sum(dim=1, keepdim=True)


def to_pixels(planes: Tensor) -> NDArray[np.uint8]:
    """One picture ``(C, H, W)`` in [0, 1] as uint8 ``(H, W, C)``."""
    return (planes.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
