"""MS-SSIM: beside another program, by hand, and on what it refuses."""

import numpy as np
import pytest
from scipy import ndimage, signal
from skimage import data

from srkit.errors import ImageError
from srkit.metrics import ms_ssim, rounded_luma

CAMERA = data.camera().astype(np.float64)
NOISE = np.random.default_rng(0).normal(0, 20, CAMERA.shape)


@pytest.mark.parametrize("shape", [(176, 192), (512, 512), (352, 304)])
def test_it_is_what_pytorch_msssim_computes(shape):
    theirs = pytest.importorskip("pytorch_msssim")
    torch = pytest.importorskip("torch")
    a = CAMERA[: shape[0], : shape[1]]
    b = np.clip(a + NOISE[: shape[0], : shape[1]], 0, 255)
    # Its own window is float32.
    away = torch.arange(-5, 6, dtype=torch.float64)
    window = torch.exp(-(away**2) / (2 * 1.5**2))
    window = (window / window.sum())[None, None, None]
    tensors = [torch.from_numpy(np.ascontiguousarray(image))[None, None] for image in (a, b)]
    expected = theirs.ms_ssim(*tensors, data_range=255, win=window).item()
    assert ms_ssim(a, b, data_range=255) == pytest.approx(expected, abs=1e-12)


# Computed by pytorch-msssim 1.0.0 in float64 as above, on camera with the noise of this file.
@pytest.mark.parametrize(("side", "expected"), [(176, 0.6862597688), (512, 0.7947040140)])
def test_its_figures_are_those_of_another_program(side, expected):
    a, noise = CAMERA[:side, :side], NOISE[:side, :side]
    found = ms_ssim(a, np.clip(a + noise, 0, 255), data_range=255)
    assert found == pytest.approx(expected, abs=1e-9)


def plain(a, b):
    """The authors' MATLAB program, line by line, on 0-255."""
    away = np.arange(-5, 6)
    window = np.exp(-np.add.outer(away**2, away**2) / (2 * 1.5**2))
    window /= window.sum()

    def seen(image):
        return signal.convolve2d(image, window, mode="valid")

    c1, c2, product = (0.01 * 255) ** 2, (0.03 * 255) ** 2, 1.0
    for level, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        structure = (2 * (seen(a * b) - seen(a) * seen(b)) + c2) / (
            seen(a * a) - seen(a) ** 2 + seen(b * b) - seen(b) ** 2 + c2
        )
        light = (2 * seen(a) * seen(b) + c1) / (seen(a) ** 2 + seen(b) ** 2 + c1)
        product *= np.mean(structure * light if level == 4 else structure) ** weight
        # imfilter(image, ones(2) / 4, "symmetric"), then every other pixel.
        a, b = (
            ndimage.correlate(x, np.full((2, 2), 0.25), mode="reflect", origin=-1)[::2, ::2]
            for x in (a, b)
        )
    return product


@pytest.mark.parametrize("shape", [(161, 175), (233, 300)])
def test_odd_sides_are_halved_as_the_authors_do(shape):
    a = CAMERA[: shape[0], : shape[1]]
    b = np.clip(a + NOISE[: shape[0], : shape[1]], 0, 255)
    assert ms_ssim(a, b, data_range=255) == pytest.approx(plain(a, b), abs=1e-12)


def test_of_colour_luma_is_compared_or_each_colour():
    photo = data.astronaut()[:200, :200]
    worse = np.clip(photo + NOISE[:200, :200, None], 0, 255).astype(np.uint8)
    luma = ms_ssim(rounded_luma(photo), rounded_luma(worse))
    assert ms_ssim(photo, worse) == pytest.approx(luma, abs=1e-3)
    colours = [ms_ssim(photo[..., c], worse[..., c]) for c in range(3)]
    assert ms_ssim(photo, worse, channel="rgb") == pytest.approx(np.mean(colours))


def test_equal_images_reach_one_and_opposite_ones_nothing():
    assert ms_ssim(CAMERA, CAMERA, data_range=255) == 1
    assert ms_ssim(CAMERA, 255 - CAMERA, data_range=255) == 0


def test_small_images_are_refused_with_the_size_that_they_lack():
    small = np.zeros((168, 400), np.uint8)
    with pytest.raises(ImageError, match=r"161 pixels a side; after crop=4 .* \(160, 392\)"):
        ms_ssim(small, small, crop=4)
