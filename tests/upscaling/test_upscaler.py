"""`upscale`: every kind of image, colour and alpha apart, any size, bounded memory."""

from functools import cache

import numpy as np
import pytest
from dummies import TOPS, Luma, Nearest, Streaming, card, heard, noise
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PILImage

import srkit
from srkit.errors import BrokenPluginError, OptionError
from srkit.imaging.alpha import bleed


class Deciding(Nearest):
    """Decides something for each picture."""

    def for_picture(self, found):
        made = Deciding()
        made.decided = (("denoise", 0.0),)
        return made


some = settings(max_examples=50)
sides = st.integers(1, 12)


@cache
def bicubic(scale=2):
    return srkit.load("bicubic", scale=scale)


def exact(image, scale):
    """Bicubic interpolation in double precision, clipped, not rounded."""
    top = TOPS[image.dtype.name]
    return np.clip(srkit.imresize(image.astype(np.float64) / top, scale), 0, 1) * top


# --- kinds of image -----------------------------------------------------------------------


@some
@given(
    dtype=st.sampled_from(sorted(TOPS)),
    layout=st.sampled_from([(), (1,), (3,), (4,)]),
    height=sides,
    width=sides,
    scale=st.integers(2, 4),
    luma=st.booleans(),
    seed=st.integers(0, 99),
)
def test_every_array_is_interpolated_in_its_own_range(
    dtype, layout, height, width, scale, luma, seed
):
    """A model of brightness alone that interpolates gives colour interpolation too."""
    image = noise((height, width, *layout), dtype, seed)
    if layout == (4,):
        image[..., 3] = TOPS[dtype]
    result = (Luma(scale) if luma else bicubic(scale)).upscale(image)
    assert result.dtype == image.dtype
    # Half a level for rounding, and float32's error in between.
    error = 0.5 + 0.01 if "u" in dtype else 2e-6
    np.testing.assert_allclose(result, exact(image, scale), atol=error)


def test_a_model_of_brightness_never_sees_colour_nor_changes_it():
    class Brighter(Luma):
        def run(self, tiles):
            return super().run(tiles) + np.float32(0.1)

    red = np.full((5, 5, 3), (0.5, 0.2, 0.2))
    # Luma rises by 0.1 at constant chroma: each of R, G and B rises by 0.1.
    np.testing.assert_allclose(Brighter().upscale(red)[4, 4], (0.6, 0.3, 0.3), atol=1e-6)


def test_grey_through_a_colour_model_is_luma():
    class Tint(Nearest):
        def run(self, tiles):
            return super().run(tiles) * np.array([1, 0.5, 0], np.float32)

    # BT.601: 0.299 + 0.5 * 0.587.
    assert Tint().upscale(np.ones((1, 1)))[0, 0] == pytest.approx(0.5925)


def test_cmyk_is_upscaled_by_channel():
    colour = noise((4, 5, 4), "uint8")
    given_ = PILImage.frombytes("CMYK", (5, 4), colour.tobytes())
    result = np.asarray(bicubic().upscale(given_))
    for channel in range(4):
        alone = bicubic().upscale(np.ascontiguousarray(colour[..., channel]))
        np.testing.assert_array_equal(result[..., channel], alone)


def test_deep_pillow_modes_keep_their_depth():
    grey = noise((4, 5), "uint16")
    result = bicubic().upscale(PILImage.fromarray(grey))
    np.testing.assert_array_equal(np.asarray(result), bicubic().upscale(grey))
    share = noise((4, 5))
    result = bicubic().upscale(PILImage.fromarray(share * np.float32(255)))
    np.testing.assert_allclose(np.asarray(result), bicubic().upscale(share) * 255, atol=1e-3)


@some
@given(count=st.integers(1, 4), channels=st.sampled_from([1, 3, 4]), height=sides, width=sides)
def test_a_batch_is_its_pictures(count, channels, height, width):
    batch = noise((count, height, width, channels))
    apart = np.stack([bicubic().upscale(picture) for picture in batch])
    np.testing.assert_array_equal(bicubic().upscale(batch), apart)


# --- alpha --------------------------------------------------------------------------------


def test_colour_under_transparent_pixels_does_not_bleed():
    image = np.zeros((8, 8, 4), np.uint8)
    image[:, :4] = (200, 30, 30, 255)
    image[:, 4:] = (0, 255, 0, 0)
    result = bicubic(4).upscale(image)
    np.testing.assert_array_equal(result[..., :3], np.full((32, 32, 3), (200, 30, 30)))


@some
@given(dtype=st.sampled_from(sorted(TOPS)), height=sides, width=sides, seed=st.integers(0, 99))
def test_alpha_is_apart_from_colour(dtype, height, width, seed):
    image = noise((height, width, 4), dtype, seed)
    image[..., 3][image[..., 3] < TOPS[dtype] / 2] = 0
    result = bicubic(3).upscale(image)
    colour = bleed(image[None, ..., :3], image[None, ..., 3:])[0]
    np.testing.assert_array_equal(result[..., :3], bicubic(3).upscale(colour))
    error = 0.51 if "u" in dtype else 2e-6
    np.testing.assert_allclose(result[..., 3], exact(image[..., 3], 3), atol=error)


def test_alpha_is_interpolated_whatever_the_model():
    alpha = PILImage.fromarray(noise((5, 6), "uint8"))
    image = PILImage.new("LA", (6, 5))
    image.putalpha(alpha)
    result = Nearest().upscale(image)
    np.testing.assert_allclose(
        np.asarray(result.getchannel("A")), exact(np.asarray(alpha), 2), atol=0.51
    )


# --- size ---------------------------------------------------------------------------------


@some
@given(height=st.integers(1, 40), width=st.integers(1, 40), tall=sides, wide=sides)
def test_any_size_is_reached_by_the_model_as_often_as_needed_and_a_resize(
    height, width, tall, wide
):
    image = noise((tall, wide, 3))
    wanted = image
    while wanted.shape[0] < height or wanted.shape[1] < width:
        wanted = bicubic().upscale(wanted)
    wanted = np.clip(srkit.imresize(wanted, size=(height, width)), 0, 1)
    result = bicubic().upscale(image, size=(height, width))
    np.testing.assert_allclose(result, wanted, atol=2e-6)


def test_alpha_takes_one_step_to_its_size():
    image = noise((5, 6, 4))
    image[..., 3] += np.float32(0.01)
    result = bicubic().upscale(np.clip(image, 0.01, 1), size=(17, 23))
    wanted = srkit.imresize(np.clip(image, 0.01, 1)[..., 3], size=(17, 23))
    np.testing.assert_allclose(result[..., 3], np.clip(wanted, 0, 1), atol=2e-6)


@pytest.mark.parametrize("dtype", sorted(TOPS))
def test_the_same_size_is_a_copy(dtype):
    image = noise((5, 6, 3), dtype)
    result = bicubic().upscale(image, size=(5, 6))
    np.testing.assert_allclose(result, image, atol=1e-7 * TOPS[dtype])
    result[:] = 0
    assert image.any()


def test_size_may_be_a_list_of_numpy_integers():
    image = noise((5, 6), "uint8")
    result = bicubic().upscale(image, size=list(np.array([10, 12])))
    np.testing.assert_array_equal(result, bicubic().upscale(image))


@pytest.mark.parametrize(
    "size", [(0, 5), (-1, 3), 5, "ab", (2.5, 3), (1, 2, 3), (1 << 21, 4), (None, 4)]
)
def test_senseless_sizes_are_refused(size):
    with pytest.raises(OptionError, match=r"size is \(height, width\)"):
        bicubic().upscale(noise((2, 2)), size=size)


@pytest.mark.parametrize(
    "memory",
    [0, -1, 0.5, True, float("nan"), [1], "1X", "", "0MB", "-5MB", "1e9", "9" * 400 + "GB"],
)
def test_senseless_memory_is_refused(memory):
    with pytest.raises(OptionError, match="memory is a positive number of bytes"):
        bicubic().upscale(noise((2, 2)), memory=memory)


def test_memory_below_the_smallest_tile_is_refused_with_the_least():
    model, image = bicubic(), noise((50, 60, 3))
    with pytest.raises(OptionError, match=r"give at least \d+ bytes") as caught:
        model.upscale(image, memory=10)
    least = int(str(caught.value).split()[-2])
    with pytest.raises(OptionError, match="too little"):
        model.upscale(image, memory=least - 1)
    np.testing.assert_array_equal(model.upscale(image, memory=least), model.upscale(image))


# --- progress -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "shape", "options", "pixels"),
    [
        (Nearest, (30, 40, 3), {}, 1200),
        (Nearest, (30, 40, 3), {"memory": 16384}, 1200),
        (Nearest, (3, 7, 5, 1), {}, 105),
        (Deciding, (3, 7, 5, 1), {}, 105),
        (Nearest, (30, 40), {"self_ensemble": True, "memory": 16384}, 1200),
        (Streaming, (200, 9, 3), {}, 1800),
        # Two passes: the second has four times the pixels.
        (Nearest, (4, 5), {"size": (13, 16)}, 100),
    ],
)
def test_progress_counts_pixels_up_to_all_of_them(model, shape, options, pixels):
    calls = heard(model(), noise(shape), **options)
    done = [call[0] for call in calls]
    assert {call[1] for call in calls} == {pixels}
    assert done == sorted(done)
    assert done[-1] == pixels
    assert len(calls) > 1 or not options


@pytest.mark.parametrize("progress", [3, "yes", 0.5])
def test_progress_that_is_none_is_refused(progress):
    with pytest.raises(OptionError, match=f"progress is True, False, .*, not {progress!r}"):
        bicubic().upscale(noise((4, 4)), progress=progress)


def test_progress_of_cmyk_counts_four_channels():
    assert heard(Nearest(), PILImage.new("CMYK", (5, 4)))[-1] == (80, 80)


def test_a_bar_is_drawn_on_request_only(capsys):
    bicubic().upscale(noise((4, 4)))
    assert capsys.readouterr() == ("", "")
    bicubic().upscale(noise((4, 4)), progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "bicubic x2: 100%" in captured.err


# --- memory -------------------------------------------------------------------------------


class Watched(Nearest):
    """Notes the sizes of its tiles, and can take only so many pixels at once."""

    bytes_per_pixel = 1.0
    most = float("inf")

    def __init__(self):
        self.seen = []

    def run(self, tiles):
        pixels = tiles.shape[0] * tiles.shape[1] * tiles.shape[2]
        if pixels > self.most:
            raise MemoryError
        self.seen.append(pixels)
        return super().run(tiles)


def test_tiles_keep_to_the_memory_given():
    model = Watched()
    model.upscale(noise((50, 60, 3)), memory=400)
    assert len(model.seen) > 1
    assert max(model.seen) <= 400


def test_small_pictures_share_a_run_within_the_memory():
    model = Watched()
    model.upscale(noise((9, 5, 5, 3)), memory=100)
    assert model.seen == [100, 100, 25]


def test_pictures_that_do_not_fit_together_are_run_one_by_one():
    model, batch = Watched(), noise((5, 6, 6, 3))
    model.most = 36
    np.testing.assert_array_equal(model.upscale(batch), Nearest().upscale(batch))
    assert model.seen == [36] * 5


@pytest.mark.parametrize(("free", "share"), [(2 << 30, 1 << 30), (100 << 30, 4 << 30)])
def test_memory_is_by_default_half_of_what_is_free_up_to_4_gib(monkeypatch, free, share):
    monkeypatch.setattr("srkit.upscaling.model.free_memory", lambda: free)
    assert bicubic().available_memory() == share


# --- plugins that break their promise -----------------------------------------------------


def test_tiles_of_a_wrong_shape_are_the_plugins_fault():
    class Wrong(Nearest):
        def run(self, tiles):
            return tiles

    with pytest.raises(BrokenPluginError, match=r"run of dummy made \(1, 4, 5, 3\) .* is x1; "):
        Wrong().upscale(noise((4, 5, 3)))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda rows: rows[:, :, :-1], r"gave rows of shape \(1, \d+, 9, 3\)"),
        (lambda rows: rows[..., :1], r"gave rows of shape \(1, \d+, 10, 1\)"),
        (lambda rows: rows[0], "gave rows of shape"),
        (lambda rows: rows.repeat(2, axis=2), "for 5 columns, which is x4; .* its scale is 2"),
        (lambda rows: rows[:, :0], "gave 0 rows; 8 were expected"),
        (lambda rows: rows.repeat(2, axis=1), "gave 16 rows; 8 were expected"),
    ],
)
def test_rows_of_a_wrong_shape_are_the_plugins_fault(spoil, message):
    class Wrong(Streaming):
        def run_rows(self, strips):
            return map(spoil, super().run_rows(strips))

    with pytest.raises(BrokenPluginError, match=f"run_rows of dummy .*{message}"):
        Wrong().upscale(noise((4, 5, 3)))


def test_a_card_without_a_radius_needs_an_upscaler_that_knows_it():
    class Unknown(Nearest):
        card = card(radius=None)

    with pytest.raises(OptionError, match="states no radius for x2"):
        Unknown().upscale(noise((4, 4)))


class Recentred(Nearest):
    """What its tiles give is far below black, until it is refined."""

    def run(self, tiles):
        return super().run(tiles) - 5

    def refine(self, made, given, top):
        made += 5


def test_what_is_refined_is_clipped_only_then():
    image = noise((5, 6, 3), "uint8")
    np.testing.assert_array_equal(Recentred().upscale(image), Nearest().upscale(image))
