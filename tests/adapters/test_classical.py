"""The classical models are what other programs compute."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PILImage

import srkit
from srkit.errors import OptionError

NAMES = ("nearest", "bilinear", "bicubic", "lanczos")
PILLOW = {
    "nearest": PILImage.Resampling.NEAREST,
    "bilinear": PILImage.Resampling.BILINEAR,
    "bicubic": PILImage.Resampling.BICUBIC,
    "lanczos": PILImage.Resampling.LANCZOS,
}
RADII = {"nearest": 0, "bilinear": 1, "bicubic": 2, "lanczos": 3}


@cache
def load(name, scale):
    return srkit.load(name, scale=scale)


def noise(*shape, low=0.0, high=1.0, seed=0):
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)


@pytest.mark.parametrize("scale", [2, 3, 4, 7])
@pytest.mark.parametrize("name", NAMES)
def test_pillow_computes_the_same_away_from_borders(name, scale):
    # Within the middle of the range nothing is clipped.
    image = noise(14, 17, low=0.4, high=0.6)
    theirs = PILImage.fromarray(image).resize((17 * scale, 14 * scale), PILLOW[name])
    inner = (slice(3 * scale, -3 * scale),) * 2
    ours = load(name, scale=scale).upscale(image)
    np.testing.assert_allclose(ours[inner], np.asarray(theirs)[inner], atol=1e-6)


@pytest.mark.parametrize("scale", [2, 3, 4])
@settings(max_examples=40)
@given(height=st.integers(1, 12), width=st.integers(1, 12), seed=st.integers(0, 99))
def test_bicubic_is_matlabs_imresize_borders_and_all(scale, height, width, seed):
    image = noise(height, width, 3, seed=seed)
    wanted = np.clip(srkit.imresize(image.astype(np.float64), scale), 0, 1)
    ours = load("bicubic", scale=scale).upscale(image)
    np.testing.assert_allclose(ours, wanted, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_borders_are_mirrored(name):
    image = noise(9, 7)
    model = load(name, scale=3)
    wider = model.upscale(np.pad(image, 4, mode="symmetric"))
    np.testing.assert_allclose(model.upscale(image), wider[12:-12, 12:-12], atol=1e-6)


@settings(max_examples=40)
@given(scale=st.integers(2, 16), height=st.integers(1, 5), width=st.integers(1, 5))
def test_nearest_repeats_pixels(scale, height, width):
    image = np.random.default_rng(scale).integers(0, 256, (height, width, 3), np.uint8)
    wanted = image.repeat(scale, axis=0).repeat(scale, axis=1)
    np.testing.assert_array_equal(load("nearest", scale=scale).upscale(image), wanted)


def test_bilinear_by_hand():
    # Output pixels of x2 lie a quarter pixel off: 3/4 of one neighbour, 1/4 of the other.
    row = np.array([[0, 1]], np.float32)
    expected = [[0, 0.25, 0.75, 1]] * 2
    np.testing.assert_allclose(load("bilinear", scale=2).upscale(row), expected, atol=1e-7)


@pytest.mark.parametrize("name", [n for n in NAMES if n != "nearest"])
def test_a_ramp_stays_a_ramp(name):
    ramp = np.tile(np.linspace(0.2, 0.8, 21, dtype=np.float64), (3, 1))
    result = load(name, scale=4).upscale(ramp)[:, 16:-16]
    step = 0.03 / 4
    # Lanczos does not reproduce lines exactly: known to ripple by some per cent of a step.
    atol = 0.3 * step if name == "lanczos" else 1e-6
    np.testing.assert_allclose(np.diff(result, axis=1), step, atol=atol)


@pytest.mark.parametrize("scale", [2, 3, 4, 16])
@pytest.mark.parametrize("name", NAMES)
def test_the_radius_on_the_card_is_the_one_measured(name, scale):
    model = load(name, scale=scale)
    image = np.zeros((1, 15, 15, 1), np.float32)
    image[0, 7, 7] = 1
    touched = np.argwhere(model.run(image)[0, ..., 0] != 0) // scale
    assert np.abs(touched - 7).max() == model.radius == RADII[name]


def test_they_take_no_options_but_those_that_all_models_take():
    with pytest.raises(
        OptionError, match=r"bicubic has no option 'tile'; it has device, precision"
    ):
        srkit.load("bicubic", tile=64)
