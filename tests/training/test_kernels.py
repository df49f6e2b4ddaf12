"""Kernels of Real-ESRGAN's degradations, by their formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
from poor import rng
from scipy import ndimage, special

pytest.importorskip("torch", reason="training needs it: pip install 'srkit[train]'")

from srkit.training.data import kernels


@pytest.mark.parametrize("sigma", [0.2, 1.0, 3.0])
def test_a_round_gaussian_is_scipys(sigma):
    point = np.zeros((21, 21))
    point[10, 10] = 1
    wanted = ndimage.gaussian_filter(point, sigma, radius=10, mode="constant")
    np.testing.assert_allclose(kernels.gaussian(21, (sigma, sigma)), wanted, atol=1e-12)


def test_a_slanted_gaussian_has_the_moments_of_its_ellipse():
    """Σ = R diag(σ₁², σ₂²) Rᵀ, of 3 and 1.5 pixels turned by 0.5: by hand."""
    kernel = kernels.gaussian(51, (3.0, 1.5), 0.5)
    y, x = np.indices(kernel.shape) - 25
    cos, sin = math.cos(0.5), math.sin(0.5)
    assert (kernel * x * x).sum() == pytest.approx(9 * cos**2 + 2.25 * sin**2, rel=1e-6)
    assert (kernel * y * y).sum() == pytest.approx(9 * sin**2 + 2.25 * cos**2, rel=1e-6)
    assert (kernel * x * y).sum() == pytest.approx((9 - 2.25) * sin * cos, rel=1e-6)


@pytest.mark.parametrize("beta", [0.5, 1.0, 3.0])
def test_heights_of_the_two_other_bells_are_their_formulas(beta):
    """One deviation and two away from the middle, q is 1 and 4."""
    bell = kernels.generalised(21, (2.0, 4.0), beta)
    wanted = [1, math.exp(-1 / 2), math.exp(-(4**beta) / 2)]
    np.testing.assert_allclose(bell[10, 10:15:2] / bell[10, 10], wanted)
    np.testing.assert_allclose(bell[10:19:4, 10] / bell[10, 10], wanted)
    bell = kernels.plateau(21, (2.0, 4.0), beta)
    np.testing.assert_allclose(bell[10, 10:15:2] / bell[10, 10], [1, 1 / 2, 1 / (1 + 4**beta)])
    assert bell.sum() == pytest.approx(1)


def test_slanted_bells_are_turned_as_the_gaussian_is():
    turned = kernels.generalised(15, (3.0, 1.0), 1.0, 0.7)
    np.testing.assert_allclose(turned, kernels.gaussian(15, (3.0, 1.0), 0.7))
    for bell in (kernels.generalised, kernels.plateau):
        upright = bell(15, (3.0, 1.0), 1.5, math.pi / 2)
        np.testing.assert_allclose(upright, bell(15, (3.0, 1.0), 1.5).T, atol=1e-12)


def test_heights_of_the_sinc_are_its_formula():
    """ω J₁(ω d) / (2π d), and ω² / 4π at d = 0; J₁(1) is 0.44005 in any table."""
    kernel = kernels.sinc(7, 1.0)
    assert kernel[3, 4] / kernel[3, 3] == pytest.approx(2 * 0.4400505857, abs=1e-9)
    distance = math.hypot(2, 3)
    wanted = special.j1(1.7 * distance) * 1.7 / (2 * np.pi * distance) / (1.7**2 / (4 * np.pi))
    kernel = kernels.sinc(9, 1.7)
    assert kernel[4 + 2, 4 - 3] / kernel[4, 4] == pytest.approx(wanted)
    assert kernel.sum() == pytest.approx(1)


def test_the_sinc_keeps_frequencies_to_the_cutoff_and_no_others():
    response = np.abs(np.fft.rfft2(kernels.sinc(51, 1.5), (256, 256)))
    rows, columns = 2 * np.pi * np.fft.fftfreq(256), 2 * np.pi * np.fft.rfftfreq(256)
    radius = np.hypot(rows[:, None], columns)
    assert np.abs(response[radius < 1.3] - 1).max() < 0.15
    assert response[radius > 1.7].max() < 0.15


@pytest.mark.parametrize(("height", "width"), [(30, 41), (9, 5), (1, 1)])
def test_filtering_is_the_sum_over_the_kernel_with_mirrored_borders(height, width):
    picture = rng().uniform(0, 255, (height, width, 3)).astype(np.float32)
    kernel = kernels.gaussian(21, (4.0, 2.0), 0.4)
    planes = [ndimage.correlate(p, kernel, mode="mirror") for p in np.moveaxis(picture, 2, 0)]
    found = kernels.filtered(picture, kernel)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.stack(planes, axis=2), atol=1e-3)
