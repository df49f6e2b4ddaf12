"""Photos decoded once into a memory-mapped file, and random crops of them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from srkit.errors import OptionError, SrkitError
from srkit.imaging.atomic import replacing
from srkit.imaging.files import read_image
from srkit.imaging.resize import imresize

log = logging.getLogger(__name__)

Crops = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def pack(photos: Sequence[Path], folder: Path, scale: int) -> Path:
    """Decode `photos` into ``folder/hr.u8``, shrink them into ``folder/lr_x{scale}.u8``.

    LR is MATLAB's antialiased bicubic, rounded to 8 bits. A photo that cannot be
    read is skipped with a warning. The index is written last, so that a pack
    with an index is whole.

    Returns
    -------
    Path
        The index, a JSON file.
    """
    index = folder / f"index_x{scale}.json"
    names = [str(path.resolve()) for path in photos]
    if index.exists() and json.loads(index.read_text())["names"] == names:
        return index
    folder.mkdir(parents=True, exist_ok=True)
    # While pixels are being replaced, no old index may vouch for them.
    index.unlink(missing_ok=True)
    shapes: list[tuple[int, int]] = []
    hr_path, lr_path = folder / f"hr_x{scale}.u8", folder / f"lr_x{scale}.u8"
    with hr_path.open("wb") as hr_file, lr_path.open("wb") as lr_file:
        for path in photos:
            try:
                hr = np.asarray(read_image(path).to_pil().convert("RGB"))
            except (OSError, SrkitError) as error:
                log.warning("skipped %s: %s", path, error)
                continue
            h, w = (n - n % scale for n in hr.shape[:2])
            if not h or not w:
                log.warning("skipped %s: it is smaller than %d pixels", path, scale)
                continue
            hr = hr[:h, :w]
            hr_file.write(np.ascontiguousarray(hr).tobytes())
            lr_file.write(imresize(hr, 1 / scale).tobytes())
            shapes.append((h, w))
    with replacing(index) as file:
        file.write(json.dumps({"names": names, "shapes": shapes}).encode())
    return index


@dataclass
class PhotoCrops:
    """Random aligned (LR, HR) crops of packed photos.

    Attributes
    ----------
    index
        The index that `pack` wrote.
    scale
        LR pixels are this many times larger than HR pixels.
    size
        Side of the LR crops.
    flat
        Share of crops that are one plain colour, black and white among them: crops
        picked for detail never teach a network to leave an even area alone.
    """

    index: Path
    scale: int
    size: int
    flat: float = 0.0

    def __post_init__(self) -> None:
        shapes = [tuple(s) for s in json.loads(self.index.read_text())["shapes"]]
        folder, s = self.index.parent, self.scale
        hr = np.memmap(folder / f"hr_x{s}.u8", np.uint8, "r")
        lr = np.memmap(folder / f"lr_x{s}.u8", np.uint8, "r")
        self._pairs: list[Crops] = []
        at_hr = at_lr = 0
        for h, w in shapes:
            n_hr, n_lr = 3 * h * w, 3 * (h // s) * (w // s)
            self._pairs.append(
                (
                    lr[at_lr : at_lr + n_lr].reshape(h // s, w // s, 3),
                    hr[at_hr : at_hr + n_hr].reshape(h, w, 3),
                )
            )
            at_hr, at_lr = at_hr + n_hr, at_lr + n_lr
        self._pairs = [p for p in self._pairs if min(p[0].shape[:2]) >= self.size]
        if not self._pairs:
            raise OptionError(f"no photo is at least {self.size * s} pixels on its short side")
        areas = np.array([p[1].size for p in self._pairs], float)
        self._chance = areas / areas.sum()

    def crop(self, rng: np.random.Generator) -> Crops:
        """One crop, from each photo in proportion to its area, flipped and turned.

        The one with the most detail of three candidates is taken: sky and walls
        teach a network nothing.
        """
        if self.flat and rng.random() < self.flat:
            return self._flat(rng)
        lr, hr = max((self._candidate(rng) for _ in range(3)), key=_detail)
        turns, flip = int(rng.integers(4)), bool(rng.integers(2))
        lr, hr = (np.rot90(a[:, ::-1] if flip else a, turns).copy() for a in (lr, hr))
        return lr, hr

    def _flat(self, rng: np.random.Generator) -> Crops:
        """Crops of one colour; every second is grey, black or white."""
        greys = np.array([[0] * 3, [255] * 3, [int(rng.integers(256))] * 3])
        plain = rng.choice(greys) if rng.random() < 0.5 else rng.integers(0, 256, 3)
        lr = np.broadcast_to(plain.astype(np.uint8), (self.size, self.size, 3))
        side = self.scale * self.size
        return lr, np.broadcast_to(lr[0, 0], (side, side, 3))

    def _candidate(self, rng: np.random.Generator) -> Crops:
        """A crop at a random place of a random photo."""
        lr, hr = self._pairs[rng.choice(len(self._pairs), p=self._chance)]
        y = int(rng.integers(lr.shape[0] - self.size + 1))
        x = int(rng.integers(lr.shape[1] - self.size + 1))
        s, n = self.scale, self.size
        return lr[y : y + n, x : x + n], hr[s * y : s * (y + n), s * x : s * (x + n)]

    def batches(self, count: int, rng: np.random.Generator) -> Iterator[Crops]:
        """Endless batches ``(count, size, size, 3)`` and ``(count, s*size, s*size, 3)``."""
        while True:
            crops = [self.crop(rng) for _ in range(count)]
            yield np.stack([c[0] for c in crops]), np.stack([c[1] for c in crops])


def _detail(crop: Crops) -> float:
    """Mean vertical difference of green: how much there is to learn."""
    return float(np.abs(np.diff(crop[1][..., 1].astype(np.int16), axis=0)).mean())
