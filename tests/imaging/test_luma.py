"""OpenCV's rule of colour, worked out by hand from its formulas."""

import numpy as np

from srkit.imaging.luma import OpenCVColour

# Black beside red: OpenCV's YCrCb has (0, 128, 128) and (76, 255, 85) for them.
PAIR = np.array([[[0, 0, 0], [255, 0, 0]]], np.uint8)


def test_luma_is_that_of_8_bit_ycrcb():
    made = OpenCVColour().luma((PAIR / 255).astype(np.float32), 255.0)
    np.testing.assert_allclose(made[0, :, 0] * 255, [0, 76], atol=1e-5)


def test_chroma_is_interpolated_linearly_between_pixel_centres():
    luma = np.full((1, 4, 1), 128 / 255, np.float32)
    made = OpenCVColour().colour(luma, PAIR, 255.0, (1, 4), slice(0, 1), slice(0, 4))
    # Cr is 128, 160, 223 and 255, Cb 128, 117, 96 and 85; R = Y + 1.403 (Cr - 128),
    # G = Y - 0.714 (Cr - 128) - 0.344 (Cb - 128), B = Y + 1.773 (Cb - 128), in 14 bits.
    wanted = [[128, 128, 128], [173, 109, 108], [255, 71, 71]]
    np.testing.assert_allclose(made[0, :3] * 255, wanted, atol=1e-4)


def test_a_part_of_the_result_is_that_part_of_the_whole():
    rng = np.random.default_rng(0)
    source = rng.integers(0, 256, (7, 9, 3), np.uint8)
    luma = rng.random((21, 27, 1), np.float32)
    rule, size = OpenCVColour(), (21, 27)
    whole = rule.colour(luma, source, 255.0, size, slice(0, 21), slice(0, 27))
    part = rule.colour(luma[5:11, 8:20], source, 255.0, size, slice(5, 11), slice(8, 20))
    np.testing.assert_array_equal(part, whole[5:11, 8:20])


def test_other_depths_are_not_rounded_to_8_bits():
    luma = np.full((1, 4, 1), 0.5, np.float32)
    made = OpenCVColour().colour(luma, PAIR / 255, 1.0, (1, 4), slice(0, 1), slice(0, 4))
    # A quarter of the way: Cr is 0.5 + 0.25 * 0.5.
    np.testing.assert_allclose(made[0, 1, 0], 0.5 + 1.403 * 0.125, atol=1e-3)
