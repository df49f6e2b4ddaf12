"""imresize is MATLAB's: its weights, its borders, its rounding and its order of passes."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srkit.errors import ImageError, OptionError
from srkit.imaging.resize import imresize, resample

light = settings(deadline=None, max_examples=40)

HALF = np.array([-3, -9, 29, 111, 111, 29, -9, -3]) / 256
THIRD = np.array([-1, -2, 0, 9, 21, 27, 21, 9, 0, -2, -1]) / 81
QUARTER = [-0.0017089844, -0.0109863281, -0.0183105469, -0.0119628906]
QUARTER += [0.0227050781, 0.0974121094, 0.1818847656, 0.2409667969]
QUARTER = np.array(QUARTER + QUARTER[::-1])
X2 = [-0.0234375, 0.2265625, 0.8671875, -0.0703125]
X3 = [-1 / 27, 9 / 27, 21 / 27, -2 / 27]
X4 = [
    [-0.0439453125, 0.3896484375, 0.7275390625, -0.0732421875],
    [-0.0068359375, 0.0908203125, 0.9638671875, -0.0478515625],
]


def matrix(n_in, n_out, **options):
    """One axis of imresize as the matrix it is."""
    return imresize(np.eye(n_in), size=(n_out, n_in), **options)


def row(values, n_out, **options):
    return imresize(np.array([values], dtype=float), size=(1, n_out), **options)[0]


# --- unit vectors (specs/imresize.md) -------------------------------------------------


@pytest.mark.parametrize(
    ("factor", "first", "taps"), [(2, -3, HALF), (3, -4, THIRD), (4, -6, QUARTER)]
)
def test_interior_weights_when_shrinking(factor, first, taps):
    n_out, i = 12, 6
    expected = np.zeros(n_out * factor)
    expected[factor * i + first : factor * i + first + len(taps)] = taps
    np.testing.assert_allclose(matrix(n_out * factor, n_out)[i], expected, atol=1e-10)


@pytest.mark.parametrize(
    ("factor", "phase", "first", "taps"),
    [
        (2, 0, -2, X2),
        (2, 1, -1, X2[::-1]),
        (3, 0, -2, X3),
        (3, 1, 0, [1]),
        (3, 2, -1, X3[::-1]),
        (4, 0, -2, X4[0]),
        (4, 1, -2, X4[1]),
        (4, 2, -1, X4[1][::-1]),
        (4, 3, -1, X4[0][::-1]),
    ],
)
def test_interior_weights_of_every_phase_when_enlarging(factor, phase, first, taps):
    n_in, i = 9, 4
    expected = np.zeros(n_in)
    expected[i + first : i + first + len(taps)] = taps
    np.testing.assert_allclose(
        matrix(n_in, n_in * factor)[factor * i + phase], expected, atol=1e-12
    )


@pytest.mark.parametrize(
    ("n_in", "n_out", "expected"),
    [
        (16, 8, [0.44921875, 2.48828125, 4.5, 6.5, 8.5, 10.5, 12.51171875, 14.55078125]),
        (16, 4, [1.3598632812, 5.4838867188, 9.5161132812, 13.6401367188]),
        (4, 8, [-0.09375, 0.1796875, 0.7265625, 1.25, 1.75, 2.2734375, 2.8203125, 3.09375]),
        (12, 4, [0.9012345679, 3.987654321, 7.012345679, 10.0987654321]),
    ],
)
def test_ramp_with_mirrored_borders(n_in, n_out, expected):
    np.testing.assert_allclose(row(range(n_in), n_out), expected, atol=1e-9)


def test_clamped_border_repeats_the_last_sample():
    # By hand: taps at -3..4 become 0 0 0 0 1 2 3 4, and (111 + 58 - 27 - 12) / 256.
    assert row(range(16), 8, border="clamp")[0] == 130 / 256


def test_without_antialiasing_the_kernel_keeps_its_width():
    # Centre 4i + 1.5: the four nearest samples at distances 1.5, .5, .5, 1.5.
    expected = np.zeros(32)
    expected[12:16] = [-1 / 16, 9 / 16, 9 / 16, -1 / 16]
    np.testing.assert_allclose(matrix(32, 8, antialias=False)[3], expected, atol=1e-15)


# --- an integer oracle: nothing but whole numbers, so halves are halves ----------------


def _half_in_integers(image, axis):
    """One pass of imresize(image, 1/2) with mirrored borders, for unsigned integers."""
    padded = np.pad(np.moveaxis(image, axis, 0).astype(np.int64), ((3, 4), (0, 0)), "symmetric")
    n = image.shape[axis] // 2
    total = sum(
        w * padded[k : k + 2 * n : 2] for k, w in enumerate([-3, -9, 29, 111, 111, 29, -9, -3])
    )
    exact_half = total % 256 == 128
    rounded = np.clip((total + 128) // 256, 0, np.iinfo(image.dtype).max)
    return np.moveaxis(rounded, 0, axis).astype(image.dtype), exact_half.any()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_integers_are_rounded_half_up_and_saturated_after_each_pass(dtype):
    rng = np.random.default_rng(1)
    top = np.iinfo(dtype).max
    image = rng.integers(0, top + 1, (128, 96)).astype(dtype)
    image[:32] = np.where(image[:32] > top // 2, top, 0)  # overshoot on purpose
    between, half = _half_in_integers(image, 0)
    expected, _ = _half_in_integers(between, 1)
    assert half
    np.testing.assert_array_equal(imresize(image, 0.5), expected)
    other_order, _ = _half_in_integers(_half_in_integers(image, 1)[0], 0)
    assert (other_order != expected).any()


def test_the_axis_that_shrinks_most_comes_first():
    image = np.random.default_rng(2).integers(0, 256, (24, 24), np.uint8)
    columns_first = imresize(imresize(image, size=(24, 8)), size=(48, 8))
    rows_first = imresize(imresize(image, size=(48, 24)), size=(48, 8))
    assert (columns_first != rows_first).any()
    np.testing.assert_array_equal(imresize(image, size=(48, 8)), columns_first)
    np.testing.assert_array_equal(imresize(image.T, size=(8, 48)), columns_first.T)


def test_floats_are_neither_rounded_nor_clipped():
    step = np.repeat([[0.0, 1.0]], 8, axis=1)
    enlarged = imresize(step, 2)
    assert enlarged.min() < 0
    assert enlarged.max() > 1


# --- properties -----------------------------------------------------------------------

sides = st.integers(1, 24)
borders = st.sampled_from(["mirror", "clamp"])


@light
@given(n_in=sides, n_out=sides, border=borders, antialias=st.booleans())
def test_every_row_of_weights_sums_to_one(n_in, n_out, border, antialias):
    rows = matrix(n_in, n_out, border=border, antialias=antialias)
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-12)


@light
@given(size=st.tuples(sides, sides), value=st.integers(0, 255), border=borders)
def test_constant_stays_constant(size, value, border):
    image = np.full((11, 7, 3), value, np.uint8)
    assert (imresize(image, size=size, border=border) == value).all()
    result = imresize(image.astype(np.float64), size=size, border=border)
    np.testing.assert_allclose(result, value, atol=1e-10)


@light
@given(size=st.tuples(sides, sides), out=st.tuples(sides, sides), border=borders)
def test_mirrored_in_gives_mirrored_out(size, out, border):
    image = np.random.default_rng(sum(size)).random(size)
    plain = imresize(image, size=out, border=border)
    for flip in (np.flipud, np.fliplr):
        flipped = imresize(flip(image), size=out, border=border)
        np.testing.assert_allclose(flipped, flip(plain), atol=1e-10)


@light
@given(n=sides, factor=st.integers(2, 5))
def test_enlarging_is_the_transpose_of_antialiased_shrinking(n, factor):
    """Finding 7: U = s² Aᵀ with mirrored borders, so U = s Aᵀ for one axis."""
    shrink, enlarge = matrix(n * factor, n), matrix(n, n * factor)
    np.testing.assert_allclose(enlarge, factor * shrink.T, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_scale_one_changes_nothing(dtype):
    image = (np.random.default_rng(3).random((9, 5, 3)) * 255).astype(dtype)
    np.testing.assert_array_equal(imresize(image, 1), image)
    np.testing.assert_array_equal(imresize(image, size=(9, 5)), image)
    assert not np.shares_memory(imresize(image, 1), image)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(10, 13), (10, 13, 1), (10, 13, 3), (10, 13, 4)])
def test_dtype_and_channels_are_kept_and_channels_are_apart(dtype, shape):
    image = (np.random.default_rng(4).random(shape) * 255).astype(dtype)
    result = imresize(image, 0.5)
    assert result.dtype == dtype
    assert result.shape == (5, 7, *shape[2:])
    if len(shape) == 3:
        for c in range(shape[2]):
            np.testing.assert_array_equal(result[..., c], imresize(image[..., c], 0.5))


def test_float32_is_near_float64():
    image = np.random.default_rng(5).random((40, 30))
    single = imresize(image.astype(np.float32), 3)
    np.testing.assert_allclose(single, imresize(image, 3), atol=1e-6)


def test_scale_rounds_the_size_up():
    assert imresize(np.zeros((10, 11)), 1 / 3).shape == (4, 4)
    assert imresize(np.zeros((510, 3)), 1 / 3).shape == (170, 1)


def test_long_images_are_worked_in_strips_without_a_seam():
    image = np.random.default_rng(6).integers(0, 256, (700, 260), np.uint8)
    whole = imresize(image, 2)
    np.testing.assert_array_equal(whole[:, :100], imresize(image[:, :60], 2)[:, :100])
    np.testing.assert_array_equal(whole[:, -100:], imresize(image[:, -60:], 2)[:, -100:])


def test_working_memory_is_a_few_strips():
    image = np.zeros((250, 300, 3), np.uint8)
    tracemalloc.start()
    try:
        result = imresize(image, 4)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    first_pass = 4 * image.nbytes
    assert peak < result.nbytes + first_pass + 8e6


def test_input_may_be_read_only_or_a_view_and_is_not_modified():
    base = np.random.default_rng(7).integers(0, 256, (20, 30, 3), np.uint8)
    copy = base.copy()
    base.flags.writeable = False
    view = base[::-2, ::3, ::-1]
    np.testing.assert_array_equal(imresize(view, 2), imresize(np.ascontiguousarray(view), 2))
    np.testing.assert_array_equal(base, copy)


# --- errors ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.int32),
        np.zeros((4, 4), bool),
        np.zeros((4, 4), np.float16),
        np.zeros(4),
        np.zeros((1, 4, 4, 3)),
        np.zeros((0, 4)),
        np.zeros((4, 0, 3)),
    ],
    ids=lambda image: f"{image.dtype}{image.shape}",
)
def test_images_it_cannot_resize_are_refused(image):
    with pytest.raises(ImageError):
        imresize(image, 2)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"scale": 2, "size": (4, 4)},
        {"scale": 0},
        {"scale": -1},
        {"scale": float("nan")},
        {"scale": float("inf")},
        {"scale": "2"},
        {"size": 4},
        {"size": (4,)},
        {"size": (4, 0)},
        {"size": (4.5, 4)},
        {"scale": 2, "border": "wrap"},
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(OptionError):
        imresize(np.zeros((4, 4)), **options)


def test_a_part_of_a_shrunk_image_needs_no_copy_of_what_it_is_made_of():
    image = np.random.default_rng(0).integers(0, 256, (1300, 1000, 3)).astype(np.uint8)
    wanted = imresize(image.astype(np.float64), size=(65, 50))[8:40]
    # What is imported first is not counted.
    resample(image[:40], (2, 50), slice(0, 2), slice(0, 50))
    tracemalloc.start()
    made = resample(image, (65, 50), slice(8, 40), slice(0, 50))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_allclose(made, wanted, atol=1e-3)
    # 704 of its rows are read.
    assert peak < 704 * 1000 * 3


@pytest.mark.parametrize("size", [(90, 120), (11, 13)])
def test_parts_are_those_of_the_whole_to_the_last_bit(size):
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint8)
    whole = resample(image, size, slice(0, size[0]), slice(0, size[1]))
    for rows in (slice(0, 1), slice(4, 6), slice(5, 11)):
        for columns in (slice(0, 1), slice(7, 9), slice(3, 13)):
            assert np.array_equal(resample(image, size, rows, columns), whole[rows, columns])
