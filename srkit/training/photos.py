"""A folder of photos, decoded once into patches in memory-mapped files."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from srkit.errors import OptionError, SrkitError
from srkit.imaging.atomic import replacing
from srkit.imaging.files import SUFFIXES, read_image
from srkit.imaging.resize import imresize

log = logging.getLogger(__name__)

Pixels = NDArray[np.uint8]

# Side of the HR patches: a multiple of every scale. Photos have a side of LEAST at least.
PATCH, LEAST = 240, 48
# Most bytes of HR patches; of larger collections those with most detail are kept.
LIMIT = 4 << 30


def find_photos(folder: Path) -> list[Path]:
    """All pictures below `folder`, sorted by path; hidden ones are left out.

    Raises
    ------
    OptionError
        If there are fewer than two: one to learn from and one to check on.
    """
    if not folder.is_dir():
        raise OptionError(f"there is no folder of photos {folder}")
    photos = sorted(
        p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.name[0] != "."
    )
    if len(photos) < 2:
        raise OptionError(f"{folder} holds {len(photos)} photos; training needs two at least")
    return photos


def split(photos: Sequence[Path], held_out: int) -> tuple[list[Path], list[Path]]:
    """Photos to train on, and up to `held_out` evenly picked ones to check on.

    Examples
    --------
    >>> kept, held = split([Path(name) for name in "abcdef"], 2)
    >>> [path.name for path in held]
    ['a', 'd']
    """
    count = max(1, min(held_out, len(photos) // 2))
    held = list(photos[:: len(photos) // count][:count])
    return [p for p in photos if p not in set(held)], held


@dataclass(frozen=True)
class Patches:
    """Aligned patches of photos.

    Attributes
    ----------
    hr
        ``(N, PATCH, PATCH, 3)``, uint8.
    lr
        The same places of the shrunk photos, ``(N, PATCH/scale, PATCH/scale, 3)``.
    detail
        Mean difference of neighbouring pixels, ``(N,)``: how much there is to learn.
    """

    hr: Pixels
    lr: Pixels
    detail: NDArray[np.float64]


def pack(
    photos: Sequence[Path], cache: Path, scale: int, *, workers: int = 0, limit: int = LIMIT
) -> Patches:
    """Decode photos into a folder below `cache`, or use what an earlier call put there.

    LR is MATLAB's antialiased bicubic of the whole photo, rounded to 8 bits. A photo
    that cannot be read, or is tiny, is skipped with a warning.

    Parameters
    ----------
    workers
        Processes that decode.
    limit
        Most bytes of HR; of each photo as many patches are kept, those with most
        detail.

    Raises
    ------
    OptionError
        If no photo is left.
    """
    stamps = [(str(p.resolve()), p.stat().st_size, p.stat().st_mtime_ns) for p in photos]
    key = hashlib.sha256(repr((stamps, scale, limit, PATCH)).encode()).hexdigest()[:16]
    folder = cache / f"x{scale}-{key}"
    if not (folder / "index.json").exists():
        most = max(1, limit // (3 * PATCH**2 * len(photos)))
        _write(photos, folder, scale, most, workers)
    index = json.loads((folder / "index.json").read_text())
    if skipped := index["skipped"]:
        log.warning("%d of %d photos were skipped", skipped, len(photos))
    count, side = len(index["detail"]), PATCH // scale
    if not count:
        raise OptionError(
            f"none of {len(photos)} photos can be used: they need {LEAST} pixels a side at least"
        )
    return Patches(
        np.memmap(folder / "hr.u8", np.uint8, "r", shape=(count, PATCH, PATCH, 3)),
        np.memmap(folder / "lr.u8", np.uint8, "r", shape=(count, side, side, 3)),
        np.array(index["detail"]),
    )


def _write(photos: Sequence[Path], folder: Path, scale: int, most: int, workers: int) -> None:
    """Decode into the folder; the index comes last, so that a pack with one is whole."""
    from tqdm import tqdm

    folder.mkdir(parents=True, exist_ok=True)
    # Photos are decoded one by one and kept in their order, however many processes.
    loader: DataLoader[Patches | str] = DataLoader(
        _Decoded(photos, scale, most),
        batch_size=None,
        num_workers=workers,
        collate_fn=_as_it_is,
    )
    detail: list[float] = []
    skipped = 0
    with (folder / "hr.u8").open("wb") as hr, (folder / "lr.u8").open("wb") as lr:
        for made in tqdm(loader, desc="decoding", unit="photo", disable=None):
            if isinstance(made, str):
                log.warning("skipped %s", made)
                skipped += 1
                continue
            hr.write(made.hr.tobytes())
            lr.write(made.lr.tobytes())
            detail += made.detail.tolist()
    with replacing(folder / "index.json") as file:
        file.write(json.dumps({"skipped": skipped, "detail": detail}).encode())


def _as_it_is(made: Any) -> Any:
    return made


class _Decoded(Dataset["Patches | str"]):
    """Each photo's patches, or why there are none."""

    def __init__(self, photos: Sequence[Path], scale: int, most: int) -> None:
        self._photos, self._scale, self._most = photos, scale, most

    def __len__(self) -> int:
        return len(self._photos)

    def __getitem__(self, n: int) -> Patches | str:
        path = self._photos[n]
        try:
            photo = np.asarray(read_image(path).to_pil().convert("RGB"))
        except (OSError, SrkitError) as error:
            return f"{path}: {error}".replace(f"{path}: {path}", str(path))
        if min(photo.shape[:2]) < LEAST:
            return f"{path}: it is smaller than {LEAST} pixels a side"
        return cut(photo, self._scale, self._most)


def cut(photo: Pixels, scale: int, most: int) -> Patches:
    """The `most` patches of a photo that have most detail, in their order."""
    # What a small photo lacks is mirrored.
    lacks = [(0, max(0, PATCH - n)) for n in photo.shape[:2]]
    if any(after for _, after in lacks):
        photo = np.pad(photo, (*lacks, (0, 0)), mode="symmetric")
    height, width = (n - n % PATCH for n in photo.shape[:2])
    top, left = ((n - m) // 2 for n, m in zip(photo.shape[:2], (height, width), strict=True))
    hr = np.ascontiguousarray(photo[top : top + height, left : left + width])
    lr = imresize(hr, 1 / scale)
    grid = math.prod((height // PATCH, width // PATCH))
    hr_patches, lr_patches = _tiled(hr, PATCH), _tiled(lr, PATCH // scale)
    detail = np.array([_detail(patch) for patch in hr_patches])
    kept = np.sort(np.argsort(-detail, kind="stable")[: min(most, grid)])
    return Patches(hr_patches[kept], lr_patches[kept], detail[kept])


def _tiled(image: Pixels, side: int) -> Pixels:
    rows, columns = image.shape[0] // side, image.shape[1] // side
    tiles = image.reshape(rows, side, columns, side, 3).swapaxes(1, 2)
    return tiles.reshape(rows * columns, side, side, 3)


def _detail(patch: Pixels) -> float:
    """Mean difference of vertical neighbours in green, in grey levels."""
    return float(np.abs(np.diff(patch[..., 1].astype(np.int16), axis=0)).mean())


def spread(patches: Patches, count: int) -> Iterator[int]:
    """Numbers of `count` patches, evenly spread over those with detail above the median."""
    rich = np.flatnonzero(patches.detail >= np.median(patches.detail))
    for n in range(count):
        yield int(rich[n * len(rich) // count])
