"""Noise and JPEG quality of pictures, of which both are known."""

import io

import numpy as np
import pytest
from images import noisy
from PIL import Image as PILImage
from skimage import data

from srkit import imresize, read_image
from srkit.imaging.files.jpeg_quality import quality_of
from srkit.imaging.noise import estimate_noise

# Photos that have little noise of their own, of scikit-image.
PHOTOS = {
    "cat": data.chelsea(),
    "rocket": data.rocket(),
    "smaller cat": imresize(data.chelsea(), 0.5),
    "smaller astronaut": imresize(data.astronaut(), 0.5),
}


@pytest.mark.parametrize("sigma", [2, 5, 10, 20])
@pytest.mark.parametrize("name", PHOTOS)
def test_noise_that_was_added_is_recovered(name, sigma):
    assert estimate_noise(noisy(PHOTOS[name], sigma)) == pytest.approx(sigma, rel=0.15)


def render():
    """A sphere on a slope of brightness with a hard edge, as a program draws it: no noise."""
    y, x = np.mgrid[-1:1:300j, -1.5:1.5:450j]
    inside = np.clip(1 - 1.6 * (x**2 + y**2), 0, None)
    levels = np.where(inside > 0, 60 + 150 * np.sqrt(inside), 90 + 40 * y)
    return np.rint(levels)[..., None].repeat(3, axis=2).astype(np.uint8)


def drawing():
    """Areas of even colours, black and white among them, and lines between them."""
    picture = np.full((256, 320, 3), 255, np.uint8)
    picture[:100, :150], picture[120:, 60:200], picture[:, 250:] = (200, 30, 60), 128, 0
    picture[::40] = (20, 20, 90)
    return picture


@pytest.mark.parametrize("picture", [render(), drawing(), np.full((64, 64), 77, np.uint8)])
def test_a_clean_picture_has_no_noise(picture):
    assert estimate_noise(picture) < 0.5


def test_white_and_black_areas_tell_nothing_of_the_noise_beside_them():
    photo = noisy(np.full((256, 256, 3), 120.0), 10)
    photo[:, :160] = noisy(np.full((256, 160, 3), 254.0), 10)
    photo[:, 160:200] = 0
    assert estimate_noise(photo) == pytest.approx(10, rel=0.15)
    assert estimate_noise(np.full((64, 64, 3), 255, np.uint8)) == 0


def test_noise_is_told_in_levels_of_255_whatever_the_depth():
    photo = noisy(PHOTOS["cat"], 5)
    levels = estimate_noise(photo)
    assert estimate_noise(photo.astype(np.uint16) * 257) == pytest.approx(levels)
    assert estimate_noise((photo / 255).astype(np.float32)) == pytest.approx(levels)
    assert estimate_noise(photo.astype(np.float32), 255) == pytest.approx(levels)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (5, 5, 3), (33, 31, 3)])
def test_small_pictures_are_no_errors(shape):
    assert estimate_noise(np.full(shape, 0.5)) == 0


def test_no_more_than_a_megapixel_is_looked_at():
    seen = []

    class Huge:
        shape, dtype = (50_000, 80_000, 3), np.dtype(np.uint8)

        def __getitem__(self, part):
            size = [p.stop - p.start for p in part]
            seen.append(size[0] * size[1])
            return np.full((*size, 3), 9, np.uint8)

    assert estimate_noise(Huge()) == 0
    assert sum(seen) <= 1 << 20


# --- JPEG ---------------------------------------------------------------------------------


@pytest.mark.parametrize("quality", [1, 30, 49, 50, 51, 75, 95, 100])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_the_quality_that_pillow_wrote_is_recovered(tmp_path, quality, mode):
    path = tmp_path / "a.jpg"
    PILImage.fromarray(data.chelsea()[:64, :64]).convert(mode).save(path, quality=quality)
    assert read_image(path).metadata.jpeg_quality == quality


def test_tables_of_others_tell_the_nearest_quality():
    file = io.BytesIO()
    photo = PILImage.fromarray(data.chelsea()[:64, :64])
    photo.save(file, "JPEG", quality=70)
    tables = {n: list(table) for n, table in PILImage.open(file).quantization.items()}
    tables[0][0] += 1
    photo.save(other := io.BytesIO(), "JPEG", qtables=tables)
    assert quality_of(PILImage.open(other).quantization) == 70


def test_what_is_no_jpeg_has_no_quality(tmp_path):
    PILImage.fromarray(data.chelsea()[:64, :64]).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").metadata.jpeg_quality is None


@pytest.mark.parametrize("level", [16, 240])
def test_a_frame_around_a_picture_tells_nothing_of_its_noise(level):
    framed = np.full((400, 451, 3), level, np.uint8)
    framed[50:350] = noisy(data.chelsea(), 10)
    assert estimate_noise(framed) == pytest.approx(10, rel=0.15)


@pytest.mark.parametrize("side", [48, 60, 80, 100])
@pytest.mark.parametrize("photo", ["astronaut", "chelsea", "coffee", "rocket"])
def test_small_pictures_are_told_from_noisy_ones(photo, side):
    """Of which one large window is hardly ever smooth: 5 to 9 levels were found in clean ones."""
    large = PILImage.fromarray(getattr(data, photo)())
    clean = np.asarray(large.resize((side, side), PILImage.Resampling.BICUBIC))
    noisy = clean + np.random.default_rng(0).normal(0, 6, clean.shape)
    noisy = noisy.clip(0, 255).round().astype(np.uint8)
    assert estimate_noise(clean) < 4.5 < estimate_noise(noisy) < 10
