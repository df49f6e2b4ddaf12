"""neural-enhance's degradation of photos, against Pillow called by hand."""

import io

import numpy as np
import pytest
from neural_enhance_original.degradation import Degradation, crops, degrade
from PIL import Image, ImageFilter
from skimage import data

from srkit import ImageError, OptionError

PHOTO = data.astronaut()[:128, 150:278]
LANCZOS = Image.Resampling.LANCZOS


def rng(seed=0):
    return np.random.default_rng(seed)


def test_pictures_are_blurred_then_shrunk_then_compressed():
    how = Degradation(batch_shape=32, train_blur=1, train_jpeg=(30, 2))
    expected = {}
    for radius in range(3):
        for quality in range(28, 32):
            file = io.BytesIO()
            blurred = Image.fromarray(PHOTO).filter(ImageFilter.GaussianBlur(radius))
            blurred.resize((64, 64), LANCZOS).save(file, "JPEG", quality=quality)
            expected[np.asarray(Image.open(file)).tobytes()] = radius, quality
    drawn = set()
    for seed in range(80):
        large, small = degrade(PHOTO, how, rng(seed))
        drawn.add(expected[small.astype(np.uint8).tobytes()])
        np.testing.assert_array_equal(large, PHOTO)
    assert drawn == set(expected.values())


def test_noise_is_grey_and_comes_last():
    how = Degradation(batch_shape=32, train_noise=3.0)
    white = np.full((128, 128, 3), 255, np.uint8)
    for photo in (PHOTO, white):
        _, clean = degrade(photo, Degradation(batch_shape=32), rng())
        noise = degrade(photo, how, rng())[1] - clean
        np.testing.assert_allclose(noise, noise[..., :1].repeat(3, axis=2), atol=1e-4)
        assert noise.std() == pytest.approx(3, rel=0.05)
        assert abs(noise.mean()) < 0.2
    assert degrade(white, how, rng())[1].max() > 256


def test_photos_are_halved_as_long_as_a_crop_fits():
    photo = Image.fromarray(PHOTO)
    sizes = set()
    for seed in range(20):
        large, small = degrade(photo, Degradation(batch_shape=48, train_scales=2), rng(seed))
        assert large.shape[0] == 2 * small.shape[0]
        sizes.add(len(large))
        if len(large) == 64:
            np.testing.assert_array_equal(large, np.asarray(photo.resize((64, 64), LANCZOS)))
    assert sizes == {128, 64}


def test_repair_keeps_the_size():
    large, small = degrade(PHOTO, Degradation(zoom=1, batch_shape=32), rng())
    np.testing.assert_array_equal(large, small)


def test_crops_are_of_the_same_places():
    large = rng().random((64, 96, 3), np.float32) * 255
    how = Degradation(batch_shape=32, buffer_fraction=2)
    pairs = list(crops(large, large[::2, ::2], how, rng()))
    assert len(pairs) == 32 * 48 // (2 * 16**2)
    for photo, small in pairs:
        assert photo.shape == (3, 32, 32)
        np.testing.assert_array_equal(photo[:, ::2, ::2], small)
        assert -0.5 <= photo.min() < -0.4
        assert 0.4 < photo.max() <= 0.5


def test_degradations_that_make_no_sense():
    with pytest.raises(ImageError, match="too small for crops of 192 x 192"):
        degrade(PHOTO, Degradation(), rng())
    with pytest.raises(ImageError, match=r"uint8, not .* float32"):
        degrade(PHOTO.astype(np.float32), Degradation(batch_shape=32), rng())
    with pytest.raises(ImageError, match="8 bits a channel, not I;16"):
        degrade(Image.new("I;16", (64, 64)), Degradation(batch_shape=32), rng())
    with pytest.raises(OptionError, match="train_noise is at least 0, not -1"):
        Degradation(train_noise=-1)
    with pytest.raises(OptionError, match="no multiple of 4"):
        Degradation(zoom=4, batch_shape=30)
    with pytest.raises(OptionError, match="quality from 1 to 100"):
        Degradation(train_jpeg=(0, 15))
