"""What a model is measured on: folders of HR images, or of HR and LR images in pairs."""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from srkit.errors import OptionError
from srkit.imaging.files.formats import READ_SUFFIXES

logger = logging.getLogger(__name__)

# Folders of originals: everybody's, and BasicSR's.
_ORIGINALS = ("HR", "GTmod12")
# As SelfExSR's sets have them (Set14, Urban100): img_001_SRF_4_HR.png, and LR and others' results.
_HR_BESIDE_LR = re.compile(r"(.+_SRF_\d)_(?!HR$).+")


@dataclass(frozen=True)
class Pair:
    """An image to measure on.

    Attributes
    ----------
    hr
        The original.
    lr
        What the model is given; None where it is made from the original.
    """

    hr: Path
    lr: Path | None = None


@dataclass(frozen=True)
class Dataset:
    """A name, and images in the order of their names; `listed` if each was named by the caller."""

    name: str
    pairs: tuple[Pair, ...]
    listed: bool = False


def open_dataset(dataset: str | Path | Sequence[str | Path], scale: int) -> Dataset:
    """Find a dataset's images.

    Parameters
    ----------
    dataset
        A list of paths; or a folder of HR images, of which subfolders are not read;
        or a folder with a subfolder ``HR`` and one of LR images: ``LR/x4``,
        ``LR_bicubic/x4``, ``LRx4``, ``x4`` or ``LR`` for x4, with a small or a large x, or
        BasicSR's ``GTmod12`` and ``LRbicx4``. A pair has one name, to which LR may add ``x4`` or
        ``_x4``. Of files such as ``img_001_SRF_4_HR.png`` and ``img_001_SRF_4_LR.png`` in one
        folder the former are the originals, and the others are left out, and told.

    Raises
    ------
    OptionError
        If it is neither, there are no images, or an HR image has no LR one.
    FileNotFoundError
        If there is no such folder, or no file that is listed.
    """
    if not isinstance(dataset, Iterable | Path):
        raise OptionError(f"a dataset is a folder, or a list of paths, not {dataset!r}")
    if not isinstance(dataset, str | Path):
        pairs = tuple(Pair(_path(path, n)) for n, path in enumerate(dataset))
        if not pairs:
            raise OptionError("the dataset is an empty list; give paths of images or a folder")
        return Dataset("images", pairs, listed=True)
    folder = Path(dataset)
    if folder.is_file():
        raise OptionError(f"{folder} is a file; a dataset is a folder, or a list of paths")
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    name = folder.resolve().name
    originals = _subfolder(folder, _ORIGINALS)
    if originals is None:
        return Dataset(name, tuple(Pair(path) for path in _originals(folder)))
    return Dataset(name, tuple(_paired(folder, originals, scale)))


def _path(given: object, number: int) -> Path:
    if isinstance(given, str | Path):
        if not (path := Path(given)).exists():
            raise FileNotFoundError(f"dataset[{number}]: there is no file {path}")
        return path
    raise OptionError(
        f"dataset[{number}] is a {type(given).__name__}; give paths, or save "
        'pictures to a folder first: srkit.Image(pixels).save("originals/one.png")'
    )


def _paired(folder: Path, originals: Path, scale: int) -> list[Pair]:
    wanted = (
        *(f"LR/x{scale}", f"LR_bicubic/x{scale}", f"LRx{scale}", f"LRbicx{scale}", f"x{scale}"),
        "LR",
    )
    small = _subfolder(folder, wanted)
    if small is None or not any(path.is_file() for path in small.iterdir()):
        raise OptionError(f"{folder} holds HR, but no LR for x{scale}: {', '.join(wanted)}")
    found = {path.stem: path for path in _images(small)}
    pairs = []
    for hr in _images(originals):
        names = (hr.stem, f"{hr.stem}x{scale}", f"{hr.stem}_x{scale}")
        lr = next((found[name] for name in names if name in found), None)
        if lr is None:
            near = difflib.get_close_matches(hr.stem, found, 1)
            hint = f"; {found[near[0]].name} has another name" if near else ""
            raise OptionError(f"{hr} has no LR image in {small}{hint}")
        pairs.append(Pair(hr, lr))
    return pairs


def _subfolder(folder: Path, names: Sequence[str]) -> Path | None:
    """The first of some subfolders that is there, in whatever case it is written."""
    for name in names:
        places = [folder]
        for part in name.split("/"):
            places = [
                child
                for place in places
                for child in sorted(place.iterdir())
                if child.is_dir() and child.name.lower() == part.lower()
            ]
        if places:
            return places[0]
    return None


def _originals(folder: Path) -> list[Path]:
    """The images of a folder but for those that stand beside an original of their name."""
    found = _images(folder)
    names = {path.stem for path in found}
    beside = [
        path
        for path in found
        if (match := _HR_BESIDE_LR.fullmatch(path.stem)) and f"{match[1]}_HR" in names
    ]
    if beside:
        logger.warning(
            "%s: %d files such as %s are no originals, and stand beside *_HR; LR is made of those",
            *(folder, len(beside), beside[0].name),
        )
    return [path for path in found if path not in beside]


def _images(folder: Path) -> list[Path]:
    found = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in READ_SUFFIXES and not path.name.startswith(".")
    )
    if not found:
        raise OptionError(f"{folder} holds no images ({', '.join(READ_SUFFIXES)})")
    return found
