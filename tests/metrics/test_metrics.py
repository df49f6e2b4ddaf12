"""PSNR and SSIM are the published ones: formulas, conventions and baselines."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from srkit import metrics
from srkit.errors import ImageError, OptionError
from srkit.imaging.resize import imresize
from srkit.metrics import STANDARD, mod_crop, psnr, rounded_luma, ssim

light = settings(deadline=None, max_examples=30)
RNG = np.random.default_rng(0)
PHOTO = data.astronaut()[:96, 160:290]
NOISY = np.clip(PHOTO + RNG.integers(-25, 26, PHOTO.shape), 0, 255).astype(np.uint8)
# BT.601 studio luma of the primaries, from the standard's tables.
PRIMARIES = {
    (0, 0, 0): 16,
    (255, 255, 255): 235,
    (255, 0, 0): 81,
    (0, 255, 0): 145,
    (0, 0, 255): 41,
}


# --- PSNR ---------------------------------------------------------------------------------


def test_psnr_of_one_level_everywhere():
    black = np.zeros((5, 7), np.uint8)
    assert psnr(black, black + 1) == pytest.approx(20 * math.log10(255))
    assert psnr(black, black + 255) == 0
    assert psnr(black, black) == math.inf


def test_psnr_is_of_the_mean_error_over_all_samples():
    test = np.zeros((2, 2, 3), np.uint8)
    test[0, 0, 0] = 6  # mean squared error 36 / 12 = 3
    reference = np.zeros_like(test)
    assert psnr(reference, test, channel="rgb") == pytest.approx(10 * math.log10(255**2 / 3))


def test_luma_psnr_of_a_red_difference():
    reference, test = np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4, 3), np.uint8)
    test[..., 0] = 255
    # Y rises by exactly 65.481.
    assert psnr(reference, test) == pytest.approx(20 * math.log10(255 / 65.481))


@pytest.mark.parametrize("metric", [psnr, ssim])
@pytest.mark.parametrize("channel", ["y", "rgb"])
@pytest.mark.parametrize("grey", [False, True])
def test_the_figure_does_not_depend_on_depth(metric, channel, grey):
    reference, test = (a[..., 0] if grey else a for a in (PHOTO, NOISY))
    expected = metric(reference, test, channel=channel)
    for convert in (
        lambda a: a.astype(np.uint16) * 257,
        lambda a: a / 255,
        lambda a: (a / 255).astype(np.float32),
    ):
        got = metric(convert(reference), convert(test), channel=channel)
        assert got == pytest.approx(expected, abs=1e-5)
    scaled = metric(reference * 4.0, test * 4.0, channel=channel, data_range=1020)
    assert scaled == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_grey_is_scored_on_raw_values_not_on_studio_luma(metric):
    """The Set14 bridge trap: grey copied to RGB scores 20 log10(255/219) dB too high."""
    grey, test = PHOTO[..., 1], NOISY[..., 1]
    raw = metric(grey, test)
    assert metric(grey[..., None], test) == raw
    assert metric(grey, test, channel="rgb") == raw
    as_rgb = metric(np.dstack([grey] * 3), np.dstack([test] * 3))
    if metric is psnr:
        assert as_rgb - raw == pytest.approx(20 * math.log10(255 / 219))
    else:
        assert as_rgb > raw


@pytest.mark.parametrize("metric", [psnr, ssim])
@pytest.mark.parametrize("crop", [1, 4])
def test_crop_leaves_out_every_side(metric, crop):
    inner = (slice(crop, -crop), slice(crop, -crop))
    assert metric(PHOTO, NOISY, crop=crop) == metric(PHOTO[inner], NOISY[inner])
    spoilt = NOISY.copy()
    spoilt[:crop] = spoilt[-crop:] = spoilt[:, :crop] = spoilt[:, -crop:] = 0
    assert metric(PHOTO, spoilt, crop=crop) == metric(PHOTO, NOISY, crop=crop)


@light
@given(shape=st.tuples(st.integers(11, 20), st.integers(11, 20)), seed=st.integers(0, 99))
def test_both_are_symmetric_and_best_for_equal_images(shape, seed):
    a, b = np.random.default_rng(seed).integers(0, 256, (2, *shape, 3), np.uint8)
    for metric, best in ((psnr, math.inf), (ssim, 1)):
        assert metric(a, b) == pytest.approx(metric(b, a))
        assert metric(a, a) == best
        assert metric(a, b) < best


# --- SSIM, against its formula written out ------------------------------------------------


def plain_ssim(a, b, weights, peak=255.0, sample=False):
    """Wang et al. 2004, eq. 13, window by window; `weights` is the 2-D window."""
    a, b = (np.lib.stride_tricks.sliding_window_view(x * 1.0, weights.shape) for x in (a, b))

    def mean(x):
        return np.einsum("ijkl,kl->ij", x, weights)

    ma, mb = mean(a), mean(b)
    unbias = weights.size / (weights.size - 1) if sample else 1
    va, vb = (mean(a * a) - ma * ma) * unbias, (mean(b * b) - mb * mb) * unbias
    vab = (mean(a * b) - ma * mb) * unbias
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    return ((2 * ma * mb + c1) * (2 * vab + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))).mean()


def gaussian_window():
    g = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    return np.outer(g, g) / g.sum() ** 2


UNIFORM = np.full((7, 7), 1 / 49)


def test_ssim_gaussian_is_the_formula_over_the_valid_region():
    a, b = PHOTO[..., 0], NOISY[..., 0]
    assert ssim(a, b) == pytest.approx(plain_ssim(a, b, gaussian_window()), abs=1e-10)
    a, b = a[:11, :13], b[:11, :13]
    assert ssim(a, b) == pytest.approx(plain_ssim(a, b, gaussian_window()), abs=1e-10)


def test_ssim_uniform_is_the_formula_with_sample_moments():
    a, b = PHOTO[..., 0], NOISY[..., 0]
    expected = plain_ssim(a, b, UNIFORM, sample=True)
    assert ssim(a, b, window="uniform") == pytest.approx(expected, abs=1e-10)


def test_ssim_on_colour_is_the_mean_of_three_and_on_luma_that_of_luma():
    w = gaussian_window()
    each = [plain_ssim(PHOTO[..., c], NOISY[..., c], w) for c in range(3)]
    assert ssim(PHOTO, NOISY, channel="rgb") == pytest.approx(np.mean(each), abs=1e-10)
    y = [16 + (a @ [65.481, 128.553, 24.966]) / 255 for a in (PHOTO, NOISY)]
    assert ssim(PHOTO, NOISY) == pytest.approx(plain_ssim(*y, w), abs=1e-10)


@pytest.mark.parametrize(("window", "side"), [("gaussian", 11), ("uniform", 7)])
def test_ssim_needs_a_whole_window(window, side):
    image = PHOTO[: side + 4, : side + 5]
    assert ssim(image, image, window=window, crop=2) == 1
    with pytest.raises(ImageError, match=f"{side} pixels.*crop=3"):
        ssim(image, image, window=window, crop=3)


# --- pieces of the protocol ---------------------------------------------------------------


@pytest.mark.parametrize(("rgb", "y"), PRIMARIES.items())
def test_rounded_luma_of_the_primaries(rgb, y):
    assert rounded_luma(np.array([[rgb]], np.uint8)) == [[y]]


def test_rounded_luma_rounds_a_half_up():
    # (128.553 * 204 + 24.966 * 68) / 255 = 109.5 exactly.
    assert rounded_luma(np.array([[[0, 204, 68]]], np.uint8)) == [[126]]


def test_rounded_luma_leaves_grey_alone():
    grey = PHOTO[..., 0]
    np.testing.assert_array_equal(rounded_luma(grey), grey)
    np.testing.assert_array_equal(rounded_luma(grey[..., None]), grey)
    with pytest.raises(ImageError, match="uint8"):
        rounded_luma(grey / 255)


def test_mod_crop_keeps_the_top_left():
    image = np.arange(7 * 10).reshape(7, 10)
    np.testing.assert_array_equal(mod_crop(image, 3), image[:6, :9])
    np.testing.assert_array_equal(mod_crop(image, 1), image)
    for scale in (0, -2, 1.5):
        with pytest.raises(OptionError):
            mod_crop(image, scale)
    with pytest.raises(ImageError, match="8 pixels"):
        mod_crop(image, 8)


def test_standard_protocol():
    assert metrics.PROTOCOLS["standard"] is STANDARD
    assert (STANDARD.channel, STANDARD.window, STANDARD.crop(3)) == ("y", "gaussian", 3)
    lr = STANDARD.low_resolution(PHOTO[:95], 4)
    np.testing.assert_array_equal(lr, imresize(PHOTO[:92, :128], 0.25))
    assert lr.dtype == np.uint8
    np.testing.assert_array_equal(STANDARD.plane(PHOTO), rounded_luma(PHOTO))
    np.testing.assert_array_equal(STANDARD.plane(PHOTO / 255), PHOTO / 255)


# --- the bicubic baselines ----------------------------------------------------------------


def bicubic_on_luma(hr, scale):
    """(PSNR, SSIM) the way the published baselines were made: LR luma not quantised."""
    y = mod_crop(rounded_luma(hr), scale)
    lr = STANDARD.low_resolution(y.astype(np.float64), scale)
    return _scores(y, np.clip(np.round(imresize(lr, scale)), 0, 255).astype(np.uint8), scale)


def bicubic_on_rgb(hr, scale):
    """(PSNR, SSIM) the way an RGB model is scored: 8-bit LR in, 8-bit RGB out."""
    hr = mod_crop(hr, scale)
    sr = imresize(STANDARD.low_resolution(hr, scale), scale)
    return _scores(STANDARD.plane(hr), STANDARD.plane(sr), scale)


def pillow_as_tutorials_score_it(hr, scale):
    """(PSNR, SSIM) with Pillow's bicubic, float luma, crop 4 and the uniform window."""
    hr = mod_crop(hr, scale)
    full = hr.shape[1::-1]
    lr = Image.fromarray(hr).resize((full[0] // scale, full[1] // scale), Image.Resampling.BICUBIC)
    sr = np.asarray(lr.resize(full, Image.Resampling.BICUBIC))
    return psnr(hr, sr, crop=4), ssim(hr, sr, crop=4, window="uniform")


def _scores(hr, sr, scale):
    options = {"channel": STANDARD.channel, "crop": STANDARD.crop(scale)}
    return psnr(hr, sr, **options), ssim(hr, sr, window=STANDARD.window, **options)


@pytest.fixture
def benchmark(data_folder):
    def images_of(name):
        files = sorted(data_folder(f"bench/{name}").glob("*.png"))
        assert len(files) == int(name.removeprefix("Set")), f"{name} is incomplete"
        images = []
        for file in files:
            with Image.open(file) as image:
                images.append(np.asarray(image))
        return images

    return images_of


# specs/metrics.md, section 7: PSNR in dB, SSIM.
BASELINES = {
    ("Set5", 2): (33.661, 0.9299),
    ("Set5", 3): (30.392, 0.8682),
    ("Set5", 4): (28.421, 0.8104),
    ("Set14", 2): (30.232, 0.8687),
    ("Set14", 3): (27.541, 0.7736),
    ("Set14", 4): (26.000, 0.7019),
}


@pytest.mark.parametrize(("name", "scale"), BASELINES)
def test_published_bicubic_baselines(name, scale, record_property, benchmark):
    scores = np.mean([bicubic_on_luma(hr, scale) for hr in benchmark(name)], axis=0)
    record_property("measured", scores.tolist())
    expected = BASELINES[name, scale]
    assert scores[0] == pytest.approx(expected[0], abs=0.001)
    assert scores[1] == pytest.approx(expected[1], abs=0.0001)


@pytest.mark.parametrize(
    ("scale", "expected"),
    [(2, [37.066, 36.806, 27.433, 34.858, 32.144]), (4, [31.776, 30.177, 22.098, 31.590, 26.462])],
)
def test_per_image_baselines_of_set5(scale, expected, benchmark):
    scores = [bicubic_on_luma(hr, scale)[0] for hr in benchmark("Set5")]
    assert scores == pytest.approx(expected, abs=0.001)


@pytest.mark.parametrize(
    ("scale", "expected"), [(2, (33.640, 0.9292)), (3, (30.385, 0.8678)), (4, (28.417, 0.8101))]
)
def test_set5_baselines_through_8_bit_rgb(scale, expected, benchmark):
    scores = np.mean([bicubic_on_rgb(hr, scale) for hr in benchmark("Set5")], axis=0)
    assert scores[0] == pytest.approx(expected[0], abs=0.001)
    assert scores[1] == pytest.approx(expected[1], abs=0.0001)


def test_set5_baselines_of_the_tutorial_convention(benchmark):
    images = benchmark("Set5")
    by_scale = {s: [pillow_as_tutorials_score_it(hr, s) for hr in images] for s in (2, 3, 4)}
    means = {s: np.mean(scores, axis=0) for s, scores in by_scale.items()}
    got = [means[s][0] for s in (2, 3, 4)]
    assert got == pytest.approx([33.669, 30.418, 28.429], abs=0.001)
    assert means[4][1] == pytest.approx(0.8230, abs=0.0001)


# --- the same on pictures that are always there -------------------------------------------


def plain_bicubic_on_luma(hr, scale):
    """`bicubic_on_luma` once more, with dense matrices, sharing no code with srkit."""

    def keys(x):
        x = np.abs(x)
        return np.where(
            x <= 1, 1.5 * x**3 - 2.5 * x**2 + 1, (x < 2) * (-0.5 * x**3 + 2.5 * x**2 - 4 * x + 2)
        )

    def shrink(n):
        # Far enough beyond the borders for the kernel; folded back by mirroring.
        reach = np.arange(-3 * scale, n + 3 * scale)
        centre = (np.arange(n // scale)[:, None] + 0.5) * scale - 0.5
        wide = keys((centre - reach) / scale)
        wide /= wide.sum(axis=1, keepdims=True)
        mirror = np.pad(np.eye(n), ((3 * scale, 3 * scale), (0, 0)), "symmetric")
        return wide @ mirror

    y = hr if hr.ndim == 2 else np.floor(16.5 + (hr @ [65.481, 128.553, 24.966]) / 255)
    h, w = (n - n % scale for n in y.shape)
    y = y[:h, :w].astype(float)
    down, across = shrink(h), shrink(w)
    lr = down @ y @ across.T
    sr = np.clip(np.round(scale**2 * down.T @ lr @ across), 0, 255)
    y, sr = (a[scale:-scale, scale:-scale] for a in (y, sr))
    return 10 * np.log10(255**2 / np.mean((y - sr) ** 2)), plain_ssim(y, sr, gaussian_window())


# Computed by `plain_bicubic_on_luma` on the left half of each picture.
BUNDLED = {
    ("astronaut", 2): (30.9372, 0.93265),
    ("astronaut", 3): (28.1735, 0.87027),
    ("astronaut", 4): (26.4263, 0.81059),
    ("coffee", 2): (29.5401, 0.87037),
    ("coffee", 3): (27.4968, 0.79109),
    ("coffee", 4): (26.5044, 0.74141),
    ("camera", 2): (32.2470, 0.91385),
    ("camera", 3): (30.0331, 0.86811),
    ("camera", 4): (28.3823, 0.82981),
}


def _bundled(name):
    picture = getattr(data, name)()
    return picture[:, : picture.shape[1] // 2]


@pytest.mark.parametrize(("name", "scale"), BUNDLED)
def test_bicubic_on_bundled_pictures(name, scale):
    scores = bicubic_on_luma(_bundled(name), scale)
    assert scores[0] == pytest.approx(BUNDLED[name, scale][0], abs=1e-3)
    assert scores[1] == pytest.approx(BUNDLED[name, scale][1], abs=1e-4)


def test_bundled_figures_come_from_the_plain_program():
    assert plain_bicubic_on_luma(_bundled("camera"), 3) == pytest.approx(
        BUNDLED["camera", 3], abs=1e-4
    )
