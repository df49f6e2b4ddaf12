"""The model does all that srkit asks of a model, and what its method promises."""

import numpy as np
import pytest

import srkit
from srkit.testing import CHECKS, parametrize


@parametrize(CHECKS, "back-projection")
def test_back_projection_conforms(check, factory):
    check(factory)


def shrunk(image, scale):
    """Mean of each square of pixels, one after another."""
    height, width = (n // scale for n in image.shape)
    squares = [
        image[y * scale : (y + 1) * scale, x * scale : (x + 1) * scale].mean()
        for y in range(height)
        for x in range(width)
    ]
    return np.reshape(squares, (height, width))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_result_shrinks_to_the_picture_it_was_made_of(scale):
    # In the middle of the range, where nothing is clipped.
    picture = 0.4 + 0.2 * np.random.default_rng(0).random((20, 24))
    lacking = {
        name: np.abs(shrunk(srkit.load(name, scale=scale).upscale(picture), scale) - picture).max()
        for name in ("bicubic", "back-projection")
    }
    assert lacking["back-projection"] < lacking["bicubic"] / 8
