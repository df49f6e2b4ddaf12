"""`wrap`: functions and modules of users as models, without a package."""

import functools
import logging

import numpy as np
import pytest
from PIL import Image as PILImage

import srkit
from srkit import testing
from srkit.errors import BrokenPluginError, NotByRowsError, OptionError, WeightsError
from srkit.upscaling.parts import check as check_parts


def fours(tiles):
    """Each pixel becomes four."""
    return tiles.repeat(2, axis=1).repeat(2, axis=2)


def spread(tiles):
    """Nearest after a mean of three rows, which sees one pixel far."""
    padded = np.pad(tiles, ((0, 0), (1, 1), (0, 0), (0, 0)), mode="edge")
    return fours((padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]) / 3)


PHOTO = np.random.default_rng(0).integers(0, 256, (37, 53, 3), np.uint8)
LARGE = PHOTO.repeat(2, axis=0).repeat(2, axis=1)


# --- functions ------------------------------------------------------------------------------


def test_a_function_takes_every_kind_of_image(tmp_path):
    model = srkit.wrap(fours, scale=2)
    np.testing.assert_array_equal(model.upscale(PHOTO), LARGE)
    np.testing.assert_array_equal(np.asarray(model.upscale(PILImage.fromarray(PHOTO))), LARGE)
    srkit.Image(PHOTO).save(tmp_path / "photo.png")
    np.testing.assert_array_equal(model.upscale(tmp_path / "photo.png").pixels, LARGE)
    deep = PHOTO.astype(np.uint16) * 257
    np.testing.assert_array_equal(model.upscale(deep), LARGE.astype(np.uint16) * 257)
    np.testing.assert_array_equal(model.upscale(PHOTO, size=(74, 106)), LARGE)


@pytest.mark.parametrize("radius", [None, 0, 1])
def test_a_function_conforms(radius):
    left_out = testing.check_upscaler(lambda: srkit.wrap(fours, scale=2, radius=radius))
    assert set(left_out) == (set(BY_RADIUS) if radius is None else set())


BY_RADIUS = (
    "check_receptive_field",
    "check_tiles",
    "check_memory_failures",
    "check_memory_limit",
)


def shapes_seen(**stated):
    """Shapes of what a function is given, with little memory and with much."""
    seen = []

    def watched(tiles):
        seen.append(tiles.shape)
        return spread(tiles)

    model = srkit.wrap(watched, scale=2, **stated)
    least = int(1500 * model.bytes_per_pixel)
    np.testing.assert_array_equal(model.upscale(PHOTO, memory=least * 4), whole())
    np.testing.assert_array_equal(model.upscale(PHOTO, memory=least), whole())
    return seen


def whole():
    made = spread(PHOTO[None].astype(np.float32) / np.float32(255))[0]
    return np.rint(made.clip(0, 1) * 255).astype(np.uint8)


def test_a_function_with_a_radius_is_given_tiles_that_make_the_same_picture():
    seen = shapes_seen(radius=1)
    assert len(seen) > 2
    assert {shape[0] for shape in seen} == {1}
    assert min(shape[1] * shape[2] for shape in seen) < 37 * 53


def test_a_function_without_a_radius_is_given_whole_pictures_or_nothing():
    with pytest.raises(OptionError, match=r"memory=.* is too little for one tile of watched x2"):
        shapes_seen()
    model = srkit.wrap(spread, scale=2)
    assert model.sees_all
    assert model.card.excused == dict.fromkeys(BY_RADIUS, next(iter(model.card.excused.values())))
    # What does not fit by srkit's guess is tried, once and whole.
    seen = []
    model.available_memory = lambda: 1000
    run = model.run
    model.run = lambda tiles: run(seen.append(tiles.shape) or tiles)
    np.testing.assert_array_equal(model.upscale(PHOTO), whole())
    assert seen == [(1, 37, 53, 3)]


def test_memory_that_runs_out_on_a_whole_picture_ends_the_work_at_once():
    calls = []

    def greedy(tiles):
        calls.append(tiles.shape)
        raise MemoryError("no more")

    with pytest.raises(MemoryError):
        srkit.wrap(greedy, scale=2).upscale(PHOTO)
    assert len(calls) == 1


def test_what_cuts_pictures_refuses_a_model_that_sees_all(tmp_path):
    model = srkit.wrap(fours, scale=2)
    srkit.Image(PHOTO).save(tmp_path / "photo.tif")
    with pytest.raises(NotByRowsError, match="fours looks at whole pictures"):
        model.upscale_file(tmp_path / "photo.tif", tmp_path / "large.tif")
    assert not (tmp_path / "large.tif").exists()
    with pytest.raises(OptionError, match="fours sees all of a picture"):
        check_parts(model)
    srkit.wrap(fours, scale=2, radius=0).upscale_file(
        tmp_path / "photo.tif", tmp_path / "large.tif"
    )
    np.testing.assert_array_equal(srkit.read_image(tmp_path / "large.tif").pixels, LARGE)


def test_a_function_may_write_to_what_it_is_given():
    def inverted(tiles):
        tiles *= -1
        tiles += 1
        return tiles

    given = PHOTO.copy()
    np.testing.assert_array_equal(srkit.wrap(inverted, scale=1).upscale(given), 255 - PHOTO)
    np.testing.assert_array_equal(given, PHOTO)


def test_a_function_of_brightness_alone_is_given_one_channel():
    def repeated(tiles):
        assert tiles.shape[-1] == 1
        return fours(tiles)

    model = srkit.wrap(repeated, scale=2, colour="luma")
    assert model.upscale(PHOTO).shape == (74, 106, 3)
    grey = PHOTO[..., 0]
    np.testing.assert_array_equal(model.upscale(grey), LARGE[..., 0])


def test_results_a_little_beyond_the_range_are_clipped():
    model = srkit.wrap(lambda tiles: fours(tiles) * 3 - 1, scale=2)
    made = model.upscale(np.array([[0, 128, 255]], np.uint8))
    assert made[0].tolist() == [0, 0, 129, 129, 255, 255]


# --- comparing and measuring ------------------------------------------------------------------


def test_compare_and_evaluate_take_what_is_wrapped(tmp_path):
    def mine(tiles):
        return srkit.load("bicubic", scale=2).run(tiles)

    model = srkit.wrap(mine, scale=2)
    comparison = srkit.compare(PHOTO, [model, "bicubic", model], scale=2, reference=LARGE)
    assert list(comparison.results) == ["mine", "bicubic", "mine (2)"]
    np.testing.assert_allclose(
        comparison.scores["mine"].psnr, comparison.scores["bicubic"].psnr, atol=0.5
    )
    srkit.Image(LARGE[:64, :64]).save(tmp_path / "one.png")
    scores = srkit.evaluate(srkit.wrap(fours, scale=2), tmp_path, scale=2)
    nearest = srkit.evaluate("nearest", tmp_path, scale=2)
    assert scores.model == "fours"
    assert scores.mean.psnr == nearest.mean.psnr
    with pytest.raises(OptionError, match="mine is x2, but x4 is wanted; leave scale=4 out"):
        srkit.compare(PHOTO, [model], scale=4)


# --- names ------------------------------------------------------------------------------------


class Enlarger:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, tiles):
        return tiles.repeat(self.factor, axis=1).repeat(self.factor, axis=2)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (fours, "fours"),
        (lambda tiles: fours(tiles), "lambda"),
        (functools.partial(np.kron, b=np.ones((1, 2, 2, 1))), "kron"),
        (Enlarger(2), "Enlarger"),
    ],
)
def test_a_model_has_the_name_of_its_function_or_class(model, name):
    assert srkit.wrap(model, 2).card.name == name
    named = srkit.wrap(model, scale=2, name="other")
    assert (named.card.name, named.card.default_scale, named.card.scales) == ("other", 2, (2,))
    np.testing.assert_array_equal(named.upscale(PHOTO), LARGE)


# --- what is wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "kind", "message"),
    [
        (lambda t: t, BrokenPluginError,
         r"mine made \(1, 5, 7, 3\) of \(1, 5, 7, 3\), which is x1; \(1, 10, 14, 3\) was expected"),
        (lambda t: fours(fours(t)), BrokenPluginError, "which is x4; .* as its scale is 2"),
        (lambda t: fours(t)[0], BrokenPluginError, r"mine made \(10, 14, 3\) of \(1, 5, 7, 3\); "),
        (lambda t: fours(t)[..., :1], BrokenPluginError, r"mine made \(1, 10, 14, 1\)"),
        (lambda t: (fours(t) * 255).astype(np.uint8), BrokenPluginError,
         r"mine made uint8; floats in \[0, 1\] were expected"),
        (lambda t: fours(t) * 255, BrokenPluginError, "mine made values up to 2"),
        (lambda t: fours(t) * np.nan, WeightsError, "mine made values that are not numbers"),
        (lambda t: fours(t) / 0 * 1, WeightsError, "mine made values that are not numbers"),
        (lambda t: None, BrokenPluginError, "mine made NoneType; a numpy array"),
        (lambda t: fours(t).tolist(), BrokenPluginError, "mine made list; a numpy array"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_wrong_result_is_an_error_that_names_the_function(made, kind, message):
    image = np.random.default_rng(0).random((5, 7, 3))
    with pytest.raises(kind, match=message):
        srkit.wrap(made, scale=2, name="mine").upscale(image)


def test_what_the_function_raises_comes_out_as_it_is():
    def broken(tiles):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        srkit.wrap(broken, scale=2).upscale(PHOTO)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_every_kind_of_floats_is_taken(dtype):
    model = srkit.wrap(lambda tiles: fours(tiles).astype(dtype), scale=2)
    assert np.abs(model.upscale(PHOTO).astype(int) - LARGE).max() <= (dtype == np.float16)


@pytest.mark.parametrize(
    ("model", "stated", "message"),
    [
        ("srgan", {}, "wrap takes a function or a torch module, not 'srgan'; names and files"),
        (None, {}, "wrap takes a function or a torch module, not None"),
        (Enlarger, {}, r"Enlarger is a class; wrap takes an object of it, such as Enlarger\(\)"),
        (fours, {"scale": 0}, "scale is a whole number, 1 or more, not 0"),
        (fours, {"scale": 2.0}, "scale is a whole number, 1 or more, not 2.0"),
        (fours, {"scale": True}, "scale is a whole number"),
        (fours, {"radius": -1}, "radius is a whole number, 0 or more, not -1"),
        (fours, {"multiple": 0}, "multiple is a whole number, 1 or more"),
        (fours, {"colour": "grey"}, "colour is one of 'rgb', 'luma', None, not 'grey'"),
        (fours, {"border": "wrap"}, "border is one of 'zero', 'reflect', 'mirror', 'edge'"),
        (fours, {"name": " "}, "name is a text"),
        (fours, {"device": "cuda"}, "fours is a function, .* device is for torch modules"),
        (fours, {"precision": "float16"}, "precision is for torch modules"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(model, stated, message):
    with pytest.raises(OptionError, match=message):
        srkit.wrap(model, **{"scale": 2, **stated})


def test_a_model_is_not_wrapped_again():
    with pytest.raises(OptionError, match="bicubic is a model already"):
        srkit.wrap(srkit.load("bicubic"), scale=4)


# --- the kit tells what it leaves out -------------------------------------------------------------


def test_the_kit_tells_what_it_leaves_out_and_why(caplog):
    with caplog.at_level(logging.WARNING, logger="srkit.testing"):
        left_out = testing.check_upscaler(lambda: srkit.wrap(fours, scale=2))
    assert set(left_out) == set(BY_RADIUS)
    for name, why in left_out.items():
        assert "radius= states it" in why
        assert f"fours is not asked for {name}: {why}" in caplog.text
