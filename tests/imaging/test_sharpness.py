"""Sharpness: what it is of edges that are known, and what photos have."""

import numpy as np
import pytest
from scipy.special import ndtr
from skimage import data, filters

import srkit
from srkit.imaging.sharpness import estimate_sharpness

PERIOD = 20


def stripes(sigma):
    """Of ten pixels each, in grey, blurred by a Gaussian of so many pixels."""
    x = np.arange(4 * PERIOD)
    far = np.abs((x + 0.5) % PERIOD - PERIOD / 2) - PERIOD / 4
    return np.tile(0.2 + 0.6 * ndtr(far / sigma), (64, 1))


@pytest.mark.parametrize("sigma", [0.05, 0.5, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("turned", [False, True])
def test_of_a_blurred_step_it_is_the_ratio_of_its_differences(sigma, turned):
    """The normal distribution's, at the places of pixels beside an edge."""
    x = np.arange(-8, 8) + 0.5
    step = ndtr(x / sigma)
    wanted = np.abs(np.diff(step, 2)).max() / np.abs(step[2:] - step[:-2]).max()
    picture = stripes(sigma).T if turned else stripes(sigma)
    assert estimate_sharpness(picture) == pytest.approx(wanted, rel=0.05)


@pytest.mark.parametrize("photo", ["astronaut", "coffee", "chelsea", "rocket"])
def test_photos_are_sharp_and_out_of_focus_or_enlarged_they_are_not(photo):
    sharp = np.ascontiguousarray(getattr(data, photo)()[: 4 * 75, : 4 * 100])
    small = srkit.imresize(sharp, 1 / 4)
    blurred = (255 * filters.gaussian(small, 1.5, channel_axis=2)).round().astype(np.uint8)
    assert estimate_sharpness(small) > 0.65
    assert estimate_sharpness(blurred) < 0.55
    assert estimate_sharpness(srkit.upscale(small, "bicubic", scale=2)) < 0.65


def test_depth_and_grey_change_nothing():
    grey = stripes(1.0)
    wanted = estimate_sharpness(grey)
    deep, narrow = (65535 * grey).round().astype(np.uint16), grey.astype(np.float32)
    for other in (deep, narrow, grey[..., None], grey[..., None].repeat(3, axis=2)):
        assert estimate_sharpness(other) == pytest.approx(wanted, abs=1e-3)
    assert estimate_sharpness(255 * grey, top=255.0) == pytest.approx(wanted)


@pytest.mark.parametrize("shape", [(1, 1), (2, 40), (64, 64, 3)])
def test_where_no_edge_is_there_is_nothing_to_tell(shape):
    assert estimate_sharpness(np.full(shape, 0.5)) is None


def test_faint_edges_tell_nothing():
    steps = np.tile(np.arange(64) // 4 % 2 / 255, (64, 1))
    assert estimate_sharpness(4 * steps) is None
    assert estimate_sharpness(40 * steps) == pytest.approx(1)


def test_few_pixels_tell_nothing():
    assert estimate_sharpness(np.random.default_rng(0).random((1, 3))) is None


def test_a_sharp_face_before_a_soft_background_is_sharp():
    picture = data.astronaut() / 255
    background = filters.gaussian(picture, 6, channel_axis=2)
    background[0:150, 150:300] = picture[0:150, 150:300]
    assert estimate_sharpness(background) > 0.65
    assert estimate_sharpness(filters.gaussian(picture, 1.5, channel_axis=2)) < 0.55
