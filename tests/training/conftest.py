"""What the tests of training share: three photos, and runs of a few steps."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from short_runs import TINY
from skimage import data

if TYPE_CHECKING:
    from srkit.training.data.photos import Patches


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three photos of one patch each; sorted, the astronaut is the first."""
    folder = tmp_path_factory.mktemp("photos")
    for name in ("astronaut", "coffee", "chelsea"):
        Image.fromarray(getattr(data, name)()[:240, :240]).save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for decoded photos, so that they are decoded once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def patches(photos: Path, cache: Path) -> Patches:
    """Patches of the photos, to ask teachers of."""
    # Here, since this file is also read where torch is not installed.
    from srkit.training.data.photos import find_photos, pack

    return pack(find_photos(photos), cache / "taught", 4)


@pytest.fixture
def tiny() -> dict[str, Any]:
    """Options of `srkit.train` for a run of a moment on the CPU."""
    return {**TINY, "device": "cpu"}


@pytest.fixture
def rows():
    """Reads a run's log.csv, without the column that differs from run to run."""

    def read(out: Path) -> list[dict[str, str]]:
        with (out / "log.csv").open(newline="") as file:
            found = list(csv.DictReader(file))
        for row in found:
            del row["seconds"]
        return found

    return read
