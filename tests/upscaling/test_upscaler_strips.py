"""`Upscaler` with models that stream: strips, what they take, and memory that runs out."""

import numpy as np
import pytest
from dummies import Nearest, Streaming, heard, noise


class Strips(Streaming):
    """Notes the strips it gets; memory runs out at one of them."""

    bytes_per_pixel = 1.0
    quick_strip_bytes = float("inf")

    def __init__(self, failing=None):
        self.heights, self.tiles, self.failing = [], 0, failing

    def run_rows(self, strips):
        def watched():
            for strip in strips:
                if len(self.heights) == self.failing:
                    raise MemoryError
                self.heights.append(strip.shape[1])
                yield strip

        return super().run_rows(watched())

    def run(self, tiles):
        self.tiles += 1
        return super().run(tiles)


@pytest.mark.parametrize("shape", [(1, 1, 3), (67, 5, 3), (129, 3), (2, 70, 4, 3)])
def test_streamed_rows_are_the_picture(shape):
    image = noise(shape, "uint8")
    np.testing.assert_array_equal(Streaming().upscale(image), Nearest().upscale(image))


def test_strips_keep_to_the_memory_given_and_a_sensible_height():
    model = Strips()
    model.upscale(noise((30, 10, 3)), memory=70)
    assert model.heights == [7, 7, 7, 7, 2]
    model = Strips()
    model.upscale(noise((130, 10, 3)))
    assert model.heights == [64, 64, 2]


@pytest.mark.parametrize(
    ("quick", "memory", "heights"),
    [(300, None, [30, 30, 30, 30, 10]), (20, None, [16] * 8 + [2]), (20, 50, [5] * 26)],
    ids=["as high as is quick", "but not too low", "or lower where memory is short"],
)
def test_strips_are_no_higher_than_is_quick(quick, memory, heights):
    model = Strips()
    model.quick_strip_bytes = quick
    image = noise((130, 10, 3))
    np.testing.assert_array_equal(model.upscale(image, memory=memory), Nearest().upscale(image))
    assert model.heights == heights


@pytest.mark.parametrize(("height", "heights"), [(60, [60]), (61, [30, 30, 1])])
def test_a_picture_runs_whole_where_the_model_says_so(height, heights):
    class Whole(Strips):
        quick_strip_bytes, quick_whole_bytes = 300.0, 600.0

    model = Whole()
    model.upscale(noise((height, 10, 3)))
    assert model.heights == heights


# With strips of seven rows, some rows of the result come out as halves of an LR row.
@pytest.mark.parametrize("heights", [[10, 10, 10, 10, 1], [7, 7, 7, 7, 7, 6]])
@pytest.mark.parametrize("failing", range(7))
def test_memory_that_runs_out_in_mid_stream_is_made_good_by_tiles(heights, failing):
    # Another picture each time: memory left by the last one must not help.
    image, model = noise((41, 10, 3), seed=heights[0] * 10 + failing), Strips(failing)
    result = model.upscale(image, memory=10 * heights[0])
    np.testing.assert_array_equal(result, Nearest().upscale(image))
    assert model.heights == heights[:failing]
    calls = heard(Strips(failing), image, memory=10 * heights[0])
    assert calls[-1] == (410, 410)


@pytest.mark.parametrize(("bearable", "failed"), [(5, [10]), (1, [10, 5, 2]), (0, [10, 5, 2, 1])])
def test_strips_that_were_too_tall_are_not_tried_again(bearable, failed):
    class Scarce(Strips):
        def run_rows(self, strips):
            for strip in strips:
                self.heights.append(strip.shape[1])
                if strip.shape[1] > bearable:
                    raise MemoryError
                yield from Streaming.run_rows(self, [strip])

    image, model = noise((6, 41, 10, 3)), Scarce()
    np.testing.assert_array_equal(model.upscale(image, memory=100), Nearest().upscale(image))
    assert [height for height in model.heights if height > bearable] == failed


def test_self_ensemble_cannot_stream():
    model, image = Strips(), noise((20, 9, 3))
    result = model.upscale(image, self_ensemble=True)
    np.testing.assert_allclose(result, Nearest().upscale(image), atol=1e-6)
    assert model.heights == []
