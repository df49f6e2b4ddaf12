"""Luma and chroma agree with hand-computed values, with Pillow and with each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image as PILImage

from srkit.errors import ImageError
from srkit.imaging.color import rgb_to_ycbcr, studio_luma, ycbcr_to_rgb

PRIMARIES = np.eye(3)


def test_primaries_give_the_coefficients_of_jfif():
    # JFIF 1.02: Y, then -0.1687 R - 0.3313 G + 0.5 B, then 0.5 R - 0.4187 G - 0.0813 B.
    wanted = [
        [0.299, 0.5 - 0.168736, 1.0],
        [0.587, 0.5 - 0.331264, 0.5 - 0.418688],
        [0.114, 1.0, 0.5 - 0.081312],
    ]
    np.testing.assert_allclose(rgb_to_ycbcr(PRIMARIES), wanted, atol=1e-6)


def test_agrees_with_pillow_within_a_level():
    rgb = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    theirs = np.asarray(PILImage.fromarray(rgb).convert("YCbCr")).astype(float)
    ours = rgb_to_ycbcr(rgb / 255.0) * 255
    ours[..., 1:] += 0.5  # 8-bit chroma is centred on 128, ours on 127.5
    assert np.abs(ours - theirs).max() <= 1


@given(hnp.arrays(np.float64, (3, 4, 3), elements=st.floats(0, 1)))
def test_there_and_back_is_the_identity(rgb):
    np.testing.assert_allclose(ycbcr_to_rgb(rgb_to_ycbcr(rgb)), rgb, atol=1e-12)


@pytest.mark.parametrize("function", [rgb_to_ycbcr, ycbcr_to_rgb, studio_luma])
def test_float32_stays_float32_and_the_input_is_untouched(function):
    values = np.full((2, 2, 3), 0.25, np.float32)
    assert function(values).dtype == np.float32
    assert (values == 0.25).all()


def test_studio_luma_of_hand_values():
    assert studio_luma(np.array([255, 255, 255], np.uint8)) == pytest.approx(235)
    assert studio_luma(np.array([0, 0, 0], np.uint8)) == pytest.approx(16)
    # 16 + (65.481 * 10 + 128.553 * 20 + 24.966 * 30) / 255
    assert studio_luma(np.array([10, 20, 30], np.uint8)) == pytest.approx(16 + 3974.85 / 255)


@given(hnp.arrays(np.uint8, (2, 3, 3)))
def test_studio_luma_is_the_same_for_bytes_and_floats(rgb):
    np.testing.assert_allclose(studio_luma(rgb), studio_luma(rgb / 255.0), atol=1e-9)
    assert studio_luma(rgb).shape == (2, 3)


@pytest.mark.parametrize("function", [rgb_to_ycbcr, ycbcr_to_rgb, studio_luma])
@pytest.mark.parametrize("bad", [np.zeros((4, 4)), np.zeros((4, 3), np.int32), np.float32(1)])
def test_wrong_shape_or_dtype_is_refused(function, bad):
    with pytest.raises(ImageError, match=function.__name__):
        function(bad)


@pytest.mark.parametrize("function", [rgb_to_ycbcr, ycbcr_to_rgb])
def test_bytes_are_refused_where_floats_are_meant(function):
    with pytest.raises(ImageError, match="uint8"):
        function(np.zeros((2, 2, 3), np.uint8))
