"""The garbage that a port of neural-enhance wrote, and why srkit's writer cannot.

It passed float32 pixels to Pillow as if they were bytes: each pixel of twelve bytes became
four pixels of three, so that the picture was the top quarter, sheared and in false colours.
"""

import numpy as np
import pytest
from PIL import Image as PILImage
from skimage import data

import srkit

PHOTO = data.astronaut()[:64, 128:192]
# What the network gave there: levels of 255 as float32.
LEVELS = PHOTO.astype(np.float32) + np.float32(0.25)


def garbage():
    """The first bytes of the floats, taken for pixels."""
    height, width, channels = LEVELS.shape
    return np.frombuffer(LEVELS.tobytes(), np.uint8)[: height * width * channels].reshape(
        height, width, channels
    )


def test_the_garbage_is_the_floats_bytes():
    made = garbage()
    # Four displayed rows come from one true row, so a quarter of the picture fills it.
    row = np.frombuffer(LEVELS[3].tobytes(), np.uint8).reshape(4, 64, 3)
    np.testing.assert_array_equal(made[12:16], row)
    # It has nothing of the photo: no better than any other picture would be.
    assert np.abs(made.astype(int) - PHOTO).mean() > 60
    # Pillow shows the same where bytes are given to it as they are.
    shown = PILImage.frombytes("RGB", (64, 64), LEVELS.tobytes()[: 64 * 64 * 3])
    np.testing.assert_array_equal(np.asarray(shown), made)


def test_srkit_converts_floats_and_never_reinterprets_them(tmp_path):
    srkit.Image(LEVELS / np.float32(256)).save(tmp_path / "a.png")
    written = np.asarray(PILImage.open(tmp_path / "a.png"))
    np.testing.assert_array_equal(written, np.rint(LEVELS * 255 / 256).astype(np.uint8))
    assert np.abs(written.astype(int) - PHOTO).max() <= 1


def test_levels_that_are_no_shares_of_one_are_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(srkit.ImageError, match="divide them by their white"):
        srkit.Image(LEVELS).save(tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []
