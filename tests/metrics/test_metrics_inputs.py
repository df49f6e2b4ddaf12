"""What the metrics take, what they refuse, and what they import."""

import math
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from skimage import data

from srkit.errors import ImageError, OptionError
from srkit.metrics import ms_ssim, psnr, ssim

PHOTO = data.astronaut()[:40, 160:210]
NOISY = np.clip(PHOTO + np.random.default_rng(0).integers(-25, 26, PHOTO.shape), 0, 255)
NOISY = NOISY.astype(np.uint8)
GREY = np.zeros((12, 12), np.uint8)
RGB = np.zeros((12, 12, 3), np.uint8)


@pytest.mark.parametrize("metric", [psnr, ssim])
@pytest.mark.parametrize(
    ("reference", "test", "message"),
    [
        (GREY, GREY[1:], r"\(12, 12\).*\(11, 12\)"),
        (GREY, RGB, r"\(12, 12\).*\(12, 12, 3\).*both to grey or to RGB"),
        (RGB, RGB.astype(np.uint16), "uint8.*uint16"),
        (RGB, RGB / 255, "uint8.*float64"),
        (GREY, RGB[None], "alpha"),
        (np.zeros((12, 12, 4), np.uint8), RGB, "alpha"),
        (np.zeros(12, np.uint8), GREY, r"\(12,\)"),
        (np.zeros((0, 3), np.uint8), GREY, r"\(0, 3\)"),
        (GREY.astype(np.int64), GREY, "int64"),
        (GREY.astype(bool), GREY, "bool"),
        (GREY, [[1, 2], [3]], "not an array"),
        (GREY + 255.0, GREY + 0.0, r"\[255, 255\].*data_range"),
        (GREY + 0.0, GREY - 0.5, r"\[-0.5, -0.5\]"),
        (GREY + 0.0, GREY + np.nan, "finite"),
        (Image.new("P", (12, 12)), GREY, "mode P"),
    ],
    ids=lambda value: None if isinstance(value, str) else "",
)
def test_images_that_cannot_be_compared_are_refused(metric, reference, test, message):
    with pytest.raises(ImageError, match=message):
        metric(reference, test)


@pytest.mark.parametrize("metric", [psnr, ssim, ms_ssim])
@pytest.mark.parametrize("channel", ["y", "rgb"])
def test_values_of_any_size_have_a_figure_or_are_refused(metric, channel, recwarn):
    black = np.zeros((176, 176, 3))
    with pytest.raises(ImageError, match="the test image has values up to 1e\\+31, beyond 1e30"):
        metric(black, black + 1e31, data_range=1)
    for white, other in ((1e-30, 1e30), (1e30, 1e30), (1e30, -1e30)):
        assert np.isfinite(metric(black, black + other, channel=channel, data_range=white))
    assert not recwarn.list


@pytest.mark.parametrize("metric", [psnr, ssim])
@pytest.mark.parametrize(
    "options",
    [
        {"channel": "Y"},
        {"crop": -1},
        {"crop": 1.5},
        {"crop": 6},
        {"data_range": 0},
        {"data_range": math.nan},
        {"data_range": "255"},
        {"data_range": 1e-200},  # whose squares are no numbers
        {"data_range": 1e200},
        {"data_range": 10**400},
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_refused(metric, options):
    with pytest.raises(OptionError):
        metric(GREY, GREY, **options)


def test_unknown_window_is_refused():
    with pytest.raises(OptionError, match="box"):
        ssim(GREY, GREY, window="box")


def test_depths_may_differ_where_the_white_is_given():
    unrounded = PHOTO[..., 0] + 0.25
    got = psnr(PHOTO[..., 0], unrounded, data_range=255)
    assert got == pytest.approx(20 * math.log10(255 / 0.25))


def test_pil_images_and_lists_are_taken():
    assert psnr(Image.fromarray(PHOTO), NOISY) == psnr(PHOTO, NOISY)
    assert psnr([[0.0, 1.0]], [[0.5, 0.5]]) == pytest.approx(10 * math.log10(4))


def test_images_are_not_modified():
    a, b = PHOTO / 255, NOISY / 255
    a.flags.writeable = b.flags.writeable = False
    before = a.copy(), b.copy()
    psnr(a, b)
    ssim(a, b)
    np.testing.assert_array_equal(a, before[0])
    np.testing.assert_array_equal(b, before[1])


# --- imports --------------------------------------------------------------------------


def _run(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )


def test_importing_metrics_imports_no_framework():
    code = "import sys, srkit.metrics; print({'torch', 'skimage', 'scipy'} & set(sys.modules))"
    done = _run(code)
    assert done.stdout.strip() == "set()", done.stderr


def test_perceptual_distance_without_torch_names_the_extra():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import numpy as np\n"
        "from srkit import metrics, errors\n"
        "grey = np.zeros((32, 32), np.uint8)\n"
        "metrics.psnr(grey, grey), metrics.ssim(grey, grey)\n"
        "try: metrics.st_lpips(grey, grey)\n"
        "except errors.MissingDependencyError as error: print(error)\n"
    )
    done = _run(code)
    assert 'pip install "srkit[perceptual]"' in done.stdout, done.stderr
