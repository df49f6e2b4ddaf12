"""`upscale(consistent=True)`: results that shrink to their input again."""

import numpy as np
import pytest
from dummies import Fours, Nearest
from skimage import data

import srkit
from srkit.imaging.resize import imresize
from srkit.metrics import STANDARD, mod_crop, psnr

PHOTO = data.astronaut()[:96, 160:280]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_float_result_shrinks_to_its_input(scale):
    image = 0.25 + 0.5 * imresize(PHOTO, 1 / 2).astype(np.float64) / 255
    model = srkit.load("bicubic", scale=scale)
    plain, made = model.upscale(image), model.upscale(image, consistent=True)
    inner = (slice(2, -2), slice(2, -2))
    before = np.abs(imresize(plain, 1 / scale) - image)[inner].max()
    after = np.abs(imresize(made, 1 / scale) - image)[inner].max()
    assert before > 0.02
    assert after < before / 10


def test_a_result_of_bytes_shrinks_to_within_rounding():
    image = imresize(PHOTO, 1 / 2)
    made = srkit.load("nearest", scale=3).upscale(image, consistent=True)
    assert made.dtype == np.uint8
    apart = np.abs(imresize(made, 1 / 3).astype(int) - image)
    assert np.mean(apart <= 1) > 0.99


def test_bicubic_comes_near_the_least_squares_solution():
    # What A+y has over bicubic at x4 on Set5, +0.79 dB, it has on other photos, too: the
    # nearest image to zero that shrinks to y, worked out here by a pseudo-inverse.
    hr = mod_crop(PHOTO, 4).mean(axis=2) / 255
    down = [imresize(np.eye(n), size=(n // 4, n)) for n in hr.shape]
    y = down[0] @ hr @ down[1].T
    solved = np.linalg.pinv(down[0]) @ y @ np.linalg.pinv(down[1]).T
    made = srkit.load("bicubic", scale=4).upscale(y.clip(0, 1), consistent=True)
    best = psnr(hr, solved.clip(0, 1), crop=4)
    bicubic = psnr(hr, srkit.load("bicubic", scale=4).upscale(y.clip(0, 1)), crop=4)
    assert best > bicubic + 0.5
    assert psnr(hr, made, crop=4) == pytest.approx(best, abs=0.15)


def test_rounded_inputs_are_matched_to_half_a_level_only():
    # Bytes say no more: what lies within half a level is left as the model made it.
    image = np.full((12, 12), 100, np.uint8)
    made = Nearest().upscale(image, consistent=True)
    np.testing.assert_array_equal(made, Nearest().upscale(image))


@pytest.mark.parametrize("kind", ["grey", "alpha", "batch", "passes", "size"])
def test_every_kind_of_image_comes_back_as_its_kind(kind):
    image = {
        "grey": PHOTO[:20, :30, 0],
        "alpha": np.dstack([PHOTO, PHOTO[..., :1]])[:20, :30],
        "batch": np.stack([PHOTO[:20, :30], PHOTO[20:40, :30]]),
    }.get(kind, PHOTO[:20, :30])
    size = {"passes": (320, 480), "size": (33, 70)}.get(kind)
    model = Fours() if kind == "passes" else Nearest()
    made = model.upscale(image, consistent=True, size=size)
    plain = model.upscale(image, size=size)
    assert made.shape == plain.shape
    assert made.dtype == plain.dtype
    assert not np.array_equal(made, plain)
    if kind == "alpha":
        np.testing.assert_array_equal(made[..., 3], plain[..., 3])


def test_it_raises_the_psnr_of_a_clean_upscale():
    hr = mod_crop(PHOTO, 4)
    lr = STANDARD.low_resolution(hr, 4)
    model = srkit.load("lanczos", scale=4)
    plain, made = model.upscale(lr), model.upscale(lr, consistent=True)
    assert psnr(hr, made, crop=4) > psnr(hr, plain, crop=4) + 0.3
