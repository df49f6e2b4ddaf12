"""A folder of photos, decoded once into patches in memory-mapped files."""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import math
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from srkit.atomic import replacing
from srkit.errors import OptionError, SrkitError
from srkit.guard import reading
from srkit.imaging import folders
from srkit.imaging.files.formats import READ_SUFFIXES
from srkit.imaging.files.reading import read_image
from srkit.imaging.pil import as_uint8
from srkit.imaging.planes import read_planes
from srkit.imaging.resize import imresize
from srkit.places import claimed
from srkit.training.data.reserved import is_reserved

log = logging.getLogger(__name__)

Pixels = NDArray[np.uint8]

# Side of the HR patches: a multiple of every scale. Photos have a side of LEAST at least.
PATCH, LEAST = 240, 48
# Most bytes of HR patches; of larger collections those with most detail are kept.
LIMIT = 4 << 30
INDEX, DIGEST = "index.json", "sha256.txt"
# Bytes of each photo by which it is known again: enough of one, and soon read of thousands.
PIECE = 1 << 16


def find_photos(folder: Path, avoid: Path | None = None) -> list[Path]:
    """All pictures below `folder`, sorted by path.

    Links to folders are followed, to each folder once. A link that leads nowhere, a folder that
    may not be read and the like are left out with a warning. Hidden files and folders are left
    out, and what lies below `avoid`: results of the run itself, say. So are the photos that
    figures are measured on, wherever they lie: see `srkit.training.data.reserved`.

    Raises
    ------
    OptionError
        If there are fewer than two: one to learn from and one to check on.
    """
    if not folder.is_dir():
        raise OptionError(f"there is no folder of photos {folder}")

    def unreadable(error: OSError) -> None:
        log.warning("left out %s: %s", error.filename, error.strerror)

    away = avoid and Path(folders.identity(avoid))
    pictures = []
    for path in sorted(folders.walk(folder, READ_SUFFIXES, unreadable)):
        if away and Path(folders.identity(path)).is_relative_to(away):
            continue
        if told := folders.why_not(path):
            log.warning("left out %s: %s", path, told)
        else:
            pictures.append(path)
    photos = [path for path in pictures if not is_reserved(path)]
    if reserved := len(pictures) - len(photos):
        log.info("%d photos are left out: figures are measured on them", reserved)
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
    folder
        Where they lie in memory-mapped files, or None.
    """

    hr: Pixels
    lr: Pixels
    detail: NDArray[np.float64]
    folder: Path | None = None

    @property
    def digest(self) -> str:
        """What tells them from others, by their pixels: photos may have been moved, or copied."""
        known = self.folder and self.folder / DIGEST
        if known and known.is_file():
            return known.read_text()
        pixels = hashlib.sha256()
        for patch in self.hr:
            pixels.update(patch)
        if known:
            # Some seconds for each gigabyte, which no later run has to wait for.
            with replacing(known) as file:
                file.write(pixels.hexdigest().encode())
        return pixels.hexdigest()

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process opens the files again: pickled, they would be copied whole."""
        if self.folder is None:
            return Patches, (np.array(self.hr), np.array(self.lr), self.detail)
        return _open, (self.folder,)


def fingerprint(photos: Sequence[Path]) -> str:
    """What tells the photos of a run from others: names, sizes, and a piece of each.

    Neither where they lie nor their times: a folder that was copied, moved or mounted anew
    holds the same photos, and its run goes on. The piece, from the middle, tells uncompressed
    pictures of one size apart, whose names may only be numbers. One that cannot be opened is
    known by its name: that it is left out is told where it would be decoded.
    """
    digest = hashlib.sha256()
    for path in photos:
        # A photo of the format Zarr is a folder.
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if not file.is_dir():
                digest.update(_piece(file, file.relative_to(path.parent).as_posix()))
    return digest.hexdigest()[:16]


def _piece(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - PIECE) // 2)
            return f"{name} {size} ".encode() + file.read(PIECE)
    except OSError:
        return f"{name} ".encode()


def list_photos(photos: Sequence[Path], path: Path) -> None:
    """Write where they lie into a file, which is left as it is where it says so already."""
    told = "".join(f"{photo.resolve()}\n" for photo in photos).encode()
    if not path.is_file() or path.read_bytes() != told:
        with replacing(path) as file:
            file.write(told)


def _pack_key(photos: Sequence[Path], scale: int, limit: int) -> str:
    """What tells a pack of photos from others: their places, sizes and times."""
    stamps = [(str(p.resolve()), p.stat().st_size, p.stat().st_mtime_ns) for p in photos]
    key = repr((stamps, scale, limit, PATCH, "covering, detail of both axes"))
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def pack(
    photos: Sequence[Path], cache: Path, scale: int, *, workers: int = 0, limit: int = LIMIT
) -> Patches:
    """Decode photos into a folder below `cache`, or use what an earlier call put there.

    LR is MATLAB's antialiased bicubic of the whole photo, rounded to 8 bits; patches
    cover it, overlapping where they must. A photo that cannot be read, or is tiny, is
    skipped with a warning.

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
    folder = cache / f"x{scale}-{_pack_key(photos, scale, limit)}"
    if not (folder / INDEX).exists():
        fit = max(1, limit // (3 * PATCH**2))
        if fit < len(photos):
            log.warning("of %d photos %d are used, which %d bytes hold", len(photos), fit, limit)
            photos = [photos[n * len(photos) // fit] for n in range(fit)]
        _write(photos, folder, scale, fit // len(photos), workers)
    patches = _open(folder)
    if not len(patches.detail):
        raise OptionError(
            f"none of {len(photos)} photos can be used: they need {LEAST} pixels a side at least"
        )
    return patches


def _open(folder: Path) -> Patches:
    with reading(folder / INDEX, "list of patches"):
        index = json.loads((folder / INDEX).read_text())
        if skipped := index["skipped"]:
            log.warning("photos that were skipped: %d", skipped)
        count, side = len(index["detail"]), PATCH // index["scale"]
        if not count:
            none = np.empty((0, 0, 0, 3), np.uint8)
            return Patches(none, none, np.empty(0), folder)
        return Patches(
            np.memmap(folder / "hr.u8", np.uint8, "r", shape=(count, PATCH, PATCH, 3)),
            np.memmap(folder / "lr.u8", np.uint8, "r", shape=(count, side, side, 3)),
            np.array(index["detail"]),
            folder,
        )


def _write(photos: Sequence[Path], folder: Path, scale: int, most: int, workers: int) -> None:
    """Decode into a folder that appears whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with claimed(folder, folder=True) as place:
        try:
            _fill(place.path, photos, scale, most, workers)
            if folder.exists() and not (folder / INDEX).exists():
                shutil.rmtree(folder)
            place.path.rename(folder)
        except BaseException as error:
            shutil.rmtree(place.path, ignore_errors=True)
            # Another run may have been faster, and made the same.
            if not (isinstance(error, OSError) and (folder / INDEX).exists()):
                raise


def _fill(part: Path, photos: Sequence[Path], scale: int, most: int, workers: int) -> None:
    from tqdm import tqdm

    # Photos are decoded one by one and kept in their order, however many processes.
    loader: DataLoader[Patches | str] = DataLoader(
        _Decoded(photos, scale, most),
        batch_size=None,
        num_workers=workers,
        collate_fn=_as_it_is,
    )
    detail: list[float] = []
    skipped = 0
    with (part / "hr.u8").open("wb") as hr, (part / "lr.u8").open("wb") as lr:
        for made in tqdm(loader, desc="decoding", unit="photo", disable=None):
            if isinstance(made, str):
                log.warning("skipped %s", made)
                skipped += 1
                continue
            hr.write(made.hr.tobytes())
            lr.write(made.lr.tobytes())
            detail += made.detail.tolist()
    index = {"scale": scale, "skipped": skipped, "detail": detail}
    (part / INDEX).write_text(json.dumps(index))


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
            photo = decode(path)
        except (OSError, SrkitError) as error:
            return f"{path}: {error}".replace(f"{path}: {path}", str(path))
        if min(photo.shape[:2]) < LEAST:
            return f"{path}: it is smaller than {LEAST} pixels a side"
        return cut(photo, self._scale, self._most)


def decode(path: Path) -> Pixels:
    """A photo as 8-bit RGB, ``(H, W, 3)``.

    Raises
    ------
    CorruptFileError, ImageError, OSError
        If it cannot be read, or holds floats beyond [0, 1].
    """
    image = read_image(path)
    # Checks the values; and Pillow's own way from 16-bit grey to RGB cuts off at 255.
    read_planes(image)
    image = image.with_pixels(as_uint8(image.pixels))
    return np.asarray(image.to_pil().convert("RGB"))


def cut(photo: Pixels, scale: int, most: int) -> Patches:
    """The `most` patches of a photo that have most detail, in their order."""
    # What a small photo lacks is mirrored.
    lacks = [(0, max(0, PATCH - n)) for n in photo.shape[:2]]
    if any(after for _, after in lacks):
        photo = np.pad(photo, (*lacks, (0, 0)), mode="symmetric")
    height, width = (n - n % scale for n in photo.shape[:2])
    hr = np.ascontiguousarray(photo[:height, :width])
    lr = imresize(hr, 1 / scale)
    side = PATCH // scale
    places = list(itertools.product(*(_starts(n, side) for n in lr.shape[:2])))
    s = scale
    large = [hr[s * y : s * y + PATCH, s * x : s * x + PATCH] for y, x in places]
    detail = np.array([_detail(patch) for patch in large])
    kept = np.sort(np.argsort(-detail, kind="stable")[:most])
    small = [lr[y : y + side, x : x + side] for y, x in places]
    return Patches(
        np.stack([large[n] for n in kept]), np.stack([small[n] for n in kept]), detail[kept]
    )


def _starts(length: int, side: int) -> list[int]:
    """Where patches begin that cover a line, overlapping as little as need be.

    Examples
    --------
    >>> _starts(60, 60), _starts(100, 60), _starts(180, 60)
    ([0], [0, 40], [0, 60, 120])
    """
    count = math.ceil(length / side)
    return [round(n * (length - side) / max(1, count - 1)) for n in range(count)]


def _detail(patch: Pixels) -> float:
    """Mean difference of neighbours in green along both axes, in grey levels."""
    green = patch[..., 1].astype(np.int16)
    return float(np.mean([np.abs(np.diff(green, axis=axis)).mean() for axis in (0, 1)]))


def spread(patches: Patches, count: int) -> Iterator[int]:
    """Numbers of up to `count` patches, evenly spread over those with detail above the median."""
    rich = np.flatnonzero(patches.detail >= np.median(patches.detail))
    count = min(count, len(rich))
    for n in range(count):
        yield int(rich[n * len(rich) // count])
