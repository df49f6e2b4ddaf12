"""Photos are sharpened as Real-ESRGAN's training code does, where a loss says so."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs it: pip install 'srkit[train]'")

from scipy import ndimage
from skimage import data

from srkit.training.learning.losses import Features, Pixel
from srkit.training.learning.sharpening import sharpened


def unsharp(photo):
    """The published code, on ``(H, W, C)``: cv2.getGaussianKernel(51, 0), reflected borders."""
    x = np.arange(51) - 25
    sigma = 0.3 * ((51 - 1) * 0.5 - 1) + 0.8
    taps = np.exp(-(x**2) / (2 * sigma**2))
    taps /= taps.sum()

    def blur(planes):
        for axis in (0, 1):
            planes = ndimage.correlate1d(planes, taps, axis, mode="mirror")
        return planes

    residual = photo - blur(photo)
    soft = blur((np.abs(residual) * 255 > 10).astype(float))
    sharp = np.clip(photo + 0.5 * residual, 0, 1)
    return soft * sharp + (1 - soft) * photo


def planes(photo):
    return torch.from_numpy(photo).permute(2, 0, 1)[None]


# The last is smaller than half of the kernel.
@pytest.mark.parametrize("size", [(96, 96), (130, 40), (16, 20)])
def test_photos_are_sharpened_as_the_published_code_does(size):
    photo = data.astronaut()[100 : 100 + size[0], 150 : 150 + size[1]] / 255
    found = sharpened(planes(photo))[0].permute(1, 2, 0).numpy()
    assert np.abs(found - photo).max() > 0.05
    np.testing.assert_allclose(found, unsharp(photo), atol=1e-9)


def test_each_picture_and_channel_of_a_batch_is_sharpened_apart():
    batch = torch.rand(3, 1, 33, 41, generator=torch.Generator().manual_seed(0))
    for one, found in zip(batch, sharpened(batch), strict=True):
        np.testing.assert_allclose(found, sharpened(one[None])[0], atol=1e-6)


def test_a_plain_crop_has_no_rim():
    for grey in (0.0, 0.3, 1.0):
        plain = torch.full((1, 3, 64, 48), grey)
        torch.testing.assert_close(sharpened(plain), plain)


def test_faint_grain_is_left_alone():
    grain = 0.5 + (torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) - 0.5) / 32
    torch.testing.assert_close(sharpened(grain), grain)


def test_results_stay_within_the_range():
    photo = (torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    made = sharpened(photo)
    assert made.min() >= 0
    assert made.max() <= 1


PAIR = [planes(data.astronaut()[y : y + 64, 150:214] / np.float32(255)) for y in (100, 104)]


@pytest.mark.parametrize("kind", ["l1", "l2", "charbonnier", "log_l2"])
def test_a_loss_of_pixels_compares_with_the_sharpened_photo_where_that_is_asked(kind):
    made, photo = PAIR
    wanted = Pixel(kind)(made, sharpened(photo))
    assert Pixel(kind, sharpened=True)(made, photo) == wanted != Pixel(kind)(made, photo)


@pytest.mark.skipif(find_spec("stlpips_pytorch") is None, reason="pip install 'srkit[perceptual]'")
def test_a_loss_of_features_does_so_too():
    made, photo = PAIR
    loss = Features(blocks=(2,), backbone="blurpool")
    wanted = loss(made, sharpened(photo))
    asked = Features(blocks=(2,), backbone="blurpool", sharpened=True)
    assert asked(made, photo) == wanted != loss(made, photo)
