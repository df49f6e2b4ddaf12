"""The quality of the JPEG that pixels once were, against what Pillow was told to write."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from srkit.imaging.jpeg_traces import estimate_jpeg_quality

PHOTOS = {"astronaut": data.astronaut(), "cat": data.chelsea(), "camera": data.camera()}


def through_jpeg(photo: NDArray[np.uint8], quality: int, **options: Any) -> NDArray[np.uint8]:
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=quality, **options)
    return np.asarray(Image.open(file))


def halved(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A photo without traces of the file that it came in."""
    small = Image.fromarray(photo).reduce(2)
    return np.asarray(small)


@pytest.mark.parametrize("quality", [20, 35, 50, 63, 75, 82, 90])
@pytest.mark.parametrize("name", sorted(PHOTOS))
def test_the_quality_that_was_written_is_found(name: str, quality: int) -> None:
    found = estimate_jpeg_quality(through_jpeg(halved(PHOTOS[name]), quality))
    # Of neighbours the first ten steps are often the same.
    assert found == pytest.approx(quality, abs=1)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_halved_colours_leave_luma(subsampling: str) -> None:
    was = through_jpeg(halved(PHOTOS["cat"]), 70, subsampling=subsampling)
    assert estimate_jpeg_quality(was) == pytest.approx(70, abs=1)


def test_of_other_depths_as_of_eight_bits() -> None:
    was = through_jpeg(halved(PHOTOS["astronaut"]), 60)
    assert estimate_jpeg_quality(was) == pytest.approx(60, abs=1)
    assert estimate_jpeg_quality(was.astype(np.uint16) * 257) == estimate_jpeg_quality(was)
    assert estimate_jpeg_quality((was / 255).astype(np.float32)) == estimate_jpeg_quality(was)
    assert estimate_jpeg_quality(was.astype(np.float32), 255) == estimate_jpeg_quality(was)


@pytest.mark.parametrize("name", sorted(PHOTOS))
def test_what_was_no_jpeg_is_none(name: str) -> None:
    photo = halved(PHOTOS[name])
    noise = np.random.default_rng(0).normal(0, 12, photo.shape)
    assert estimate_jpeg_quality(photo) is None
    assert estimate_jpeg_quality(np.clip(photo + noise, 0, 255).astype(np.uint8)) is None
    blurred = Image.fromarray(photo).resize(photo.shape[1::-1], Image.Resampling.BICUBIC, None, 3)
    assert estimate_jpeg_quality(np.asarray(blurred)) is None


def test_what_was_changed_since_is_none() -> None:
    was = through_jpeg(PHOTOS["cat"], 60)
    assert estimate_jpeg_quality(was[3:, 5:]) is None
    assert estimate_jpeg_quality(halved(was)) is None


@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (8, 8, 3), (64, 64, 3), (40, 9, 1)])
@pytest.mark.parametrize("level", [0, 90, 255])
def test_small_and_even_pictures_tell_nothing(shape: tuple[int, ...], level: int) -> None:
    assert estimate_jpeg_quality(np.full(shape, level, np.uint8)) is None


def test_a_drawing_with_few_colours_is_none() -> None:
    squares = np.random.default_rng(0).choice([40, 120, 200], (16, 16)).astype(np.uint8)
    assert estimate_jpeg_quality(np.kron(squares, np.ones((20, 20), np.uint8))) is None
    assert estimate_jpeg_quality(np.kron(squares, np.ones((16, 16), np.uint8))) is None
