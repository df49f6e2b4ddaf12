"""Each degradation is what its name says, and a list of them happens in its order."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from skimage import data

pytest.importorskip("torch", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("lightning_fabric", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("pydantic", reason="training needs it: pip install 'srkit[train]'")

from srkit import OptionError, imresize
from srkit.training.data.degradations import (
    Blur,
    Downsample,
    Jpeg,
    Noise,
    Shuffled,
    check,
    check_shrinking,
    degrade,
)

PHOTO = data.astronaut()[:96, 160:272]
SHRINK = Downsample(kernel="area")
# Of LR, at x4.
SMALL = (24, 28)


def rng(seed=0):
    return np.random.default_rng(seed)


def floats(picture=PHOTO):
    return picture.astype(np.float32)


def levels(picture):
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def block_means(picture, scale=4):
    h, w = (n // scale for n in picture.shape[:2])
    return picture.reshape(h, scale, w, scale, 3).mean(axis=(1, 3))


def gaussian(sigma):
    """A kernel from the formula, out to four deviations."""
    radius = round(4 * sigma)
    line = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))
    line /= line.sum()
    return np.outer(line, line)


# --- blur -------------------------------------------------------------------------------------


def test_blur_spreads_a_point_by_the_gaussian_of_its_sigma():
    point = np.zeros((41, 41, 3), np.float32)
    point[20, 20] = (255, 100, 0)
    made = Blur(sigma=(1.5, 1.5)).apply(point, SMALL, rng())
    kernel = np.zeros((41, 41))
    kernel[14:27, 14:27] = gaussian(1.5)
    np.testing.assert_allclose(made, kernel[..., None] * point[20, 20], atol=1e-3)


def test_sigmas_are_drawn_from_the_whole_range():
    point = np.zeros((61, 61, 3), np.float32)
    point[30, 30] = 1
    offsets = np.arange(-30, 31)
    found = []
    for seed in range(40):
        spread = Blur(sigma=(1.0, 3.0)).apply(point, SMALL, rng(seed))[..., 0].sum(axis=0)
        found.append(np.sqrt((spread * offsets**2).sum() / spread.sum()))
    assert 0.98 < min(found) < 1.3
    assert 2.7 < max(found) < 3.02


def test_no_sigma_leaves_the_picture_as_it_is():
    np.testing.assert_array_equal(Blur(sigma=(0.0, 0.0)).apply(floats(), SMALL, rng()), PHOTO)


# --- downsampling -----------------------------------------------------------------------------


def test_downsampling_by_area_takes_means_of_blocks():
    made = SHRINK.apply(floats(), SMALL, rng())
    np.testing.assert_allclose(made, block_means(PHOTO), atol=1e-3)


def test_downsampling_as_matlab_is_imresize():
    made = Downsample(kernel="matlab").apply(floats(), SMALL, rng())
    np.testing.assert_allclose(made, imresize(PHOTO.astype(float), 1 / 4), atol=1e-3)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("kernel", ["nearest", "bilinear", "bicubic", "lanczos"])
def test_other_kernels_are_pillows(kernel, scale):
    photo = PHOTO[:96, :108]
    made = degrade(photo, scale, (Downsample(kernel=kernel),), rng())
    size = (108 // scale, 96 // scale)
    wanted = Image.fromarray(photo).resize(size, Image.Resampling[kernel.upper()])
    # Pillow rounds between its two passes where pixels have 8 bits.
    assert np.abs(made.astype(int) - np.asarray(wanted)).max() <= (kernel != "nearest")


# --- noise ------------------------------------------------------------------------------------

GREY = np.full((200, 200, 3), 128, np.float32)


def test_noise_has_the_deviation_asked_for_and_no_mean():
    noise = Noise(sigma=(8.0, 8.0), grey=0.0).apply(GREY, SMALL, rng()) - 128
    count = noise.size
    assert abs(noise.mean()) < 4 * 8 / count**0.5
    assert abs(noise.std() - 8) < 4 * 8 / (2 * count) ** 0.5


def test_noise_of_colours_differs_from_channel_to_channel():
    noise = Noise(sigma=(8.0, 8.0), grey=0.0).apply(GREY, SMALL, rng()) - 128
    apart = np.corrcoef(noise.reshape(-1, 3).T)[np.triu_indices(3, 1)]
    assert np.abs(apart).max() < 4 / 200


def test_grey_noise_is_the_same_in_all_channels():
    made = Noise(sigma=(8.0, 8.0), grey=1.0).apply(GREY, SMALL, rng())
    assert made.std() > 7
    np.testing.assert_array_equal(made, made[..., :1].repeat(3, axis=2))


def test_the_share_of_grey_noise_is_as_asked():
    noise = Noise(sigma=(5.0, 5.0), grey=0.3)
    pictures = [noise.apply(GREY[:4, :4], SMALL, rng(seed)) for seed in range(400)]
    grey = np.mean([np.ptp(made, axis=2).max() == 0 for made in pictures])
    assert abs(grey - 0.3) < 4 * (0.3 * 0.7 / 400) ** 0.5


# --- JPEG -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("halved", "subsampling"), [(1.0, 2), (0.0, 0)])
@pytest.mark.parametrize("quality", [1, 35, 90, 100])
def test_jpeg_is_a_file_of_that_quality_read_again(quality, halved, subsampling):
    file = io.BytesIO()
    Image.fromarray(PHOTO).save(file, "JPEG", quality=quality, subsampling=subsampling)
    step = Jpeg(quality=(quality, quality), halved=halved)
    np.testing.assert_array_equal(step.apply(floats(), SMALL, rng()), np.asarray(Image.open(file)))


def test_jpeg_of_values_that_no_file_can_hold_takes_the_nearest_that_it_can():
    beyond = floats() * 2 - 100
    made = Jpeg(quality=(100.0, 100.0), halved=0.0).apply(beyond, SMALL, rng())
    assert np.abs(made - np.clip(beyond, 0, 255)).max() < 8


def edges_of_blocks(picture, axis):
    """Where blocks of 8 begin: the line modulo 8 that differs most from the one before."""
    lines = tuple({0, 1, 2} - {axis})
    steps = np.abs(np.diff(picture, axis=axis)).mean(axis=lines)
    return int(np.argmax([steps[n::8].mean() for n in range(8)]) + 1) % 8


@pytest.mark.parametrize("axis", [0, 1])
def test_blocks_begin_at_the_corner_or_anywhere(axis):
    def found(shifted):
        step = Jpeg(quality=(3.0, 3.0), halved=0.0, shifted=shifted)
        pictures = [step.apply(floats(), SMALL, np.random.default_rng(n)) for n in range(30)]
        return {edges_of_blocks(picture, axis) for picture in pictures}

    assert found(0.0) == {0}
    assert len(found(1.0)) >= 5


def test_a_shifted_grid_does_not_move_the_picture():
    step = Jpeg(quality=(95.0, 95.0), halved=1.0, shifted=1.0)
    for seed in range(9):
        made = step.apply(floats(), SMALL, np.random.default_rng(seed))
        assert made.shape == PHOTO.shape
        assert np.abs(made - floats()).mean() < 4


# --- lists ------------------------------------------------------------------------------------


def test_degradations_happen_in_the_order_of_the_list():
    blur, nearest = Blur(sigma=(2.0, 2.0)), Downsample(kernel="nearest")
    blurred = ndimage.gaussian_filter(floats(), (2, 2, 0), mode="mirror")
    blurred_first = levels(blurred[2::4, 2::4])
    shrunk_first = levels(ndimage.gaussian_filter(floats()[2::4, 2::4], (2, 2, 0), mode="mirror"))
    assert np.abs(blurred_first.astype(int) - shrunk_first).max() > 20
    np.testing.assert_array_equal(degrade(PHOTO, 4, (blur, nearest), rng()), blurred_first)
    np.testing.assert_array_equal(degrade(PHOTO, 4, (nearest, blur), rng()), shrunk_first)


def test_shuffled_degradations_happen_in_every_order():
    blur, nearest = Blur(sigma=(2.0, 2.0)), Downsample(kernel="nearest")
    orders = [degrade(PHOTO, 4, steps, rng()) for steps in ((blur, nearest), (nearest, blur))]
    counts = [0, 0]
    for seed in range(40):
        made = degrade(PHOTO, 4, (Shuffled((blur, nearest)),), rng(seed))
        same = [np.array_equal(made, wanted) for wanted in orders]
        assert sum(same) == 1
        counts[same.index(True)] += 1
    # Both halves of fair coins: 8 or fewer of 40 come up once in twenty thousand times.
    assert min(counts) > 8


def test_the_result_is_rounded_and_within_8_bits():
    noise = Noise(sigma=(200.0, 200.0))
    made = degrade(PHOTO, 4, (SHRINK, noise), rng())
    assert made.dtype == np.uint8
    assert made.shape == (24, 28, 3)
    wanted = levels(noise.apply(SHRINK.apply(floats(), SMALL, r := rng()), SMALL, r))
    # Draws happen in turn from one generator; the downsampling takes none.
    np.testing.assert_array_equal(made, wanted)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ((Blur(sigma=(2.0, 1.0)), SHRINK), r"blur takes a range within 0 to 50, not \(2.0, 1.0\)"),
        ((Shuffled((Blur(sigma=(-1.0, 1.0)), SHRINK)),), "blur takes a range within 0 to 50"),
        ((SHRINK, Noise(sigma=(0.0, 256.0))), "noise takes a range within 0 to 255"),
        ((SHRINK, Jpeg(quality=(0.0, 90.0))), "jpeg takes a range within 1 to 100"),
        ((SHRINK, Jpeg(halved=1.5)), "a chance of jpeg is from 0 to 1, not 1.5"),
        ((SHRINK, Jpeg(shifted=-0.5)), "a chance of jpeg is from 0 to 1, not -0.5"),
        ((SHRINK, Noise(grey=-0.1)), "a chance of noise is from 0 to 1, not -0.1"),
    ],
)
def test_lists_that_make_no_sense_are_refused(steps, message):
    with pytest.raises(OptionError, match=message):
        check(steps)


def test_lists_shrink_exactly_once():
    for steps in ((Blur(),), (SHRINK, Shuffled((SHRINK,)))):
        with pytest.raises(OptionError, match="need exactly one of kind 'downsample'"):
            check_shrinking(steps, 2)
    check_shrinking((), 2)
    check_shrinking((Shuffled((Blur(), SHRINK)),), 2)
    # At x1 nothing has to shrink.
    check_shrinking((Jpeg(),), 1)
    assert degrade(PHOTO, 1, (Jpeg(quality=(30.0, 30.0)),), rng()).shape == PHOTO.shape
