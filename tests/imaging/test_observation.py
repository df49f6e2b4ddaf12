"""The map from HR to LR and its pseudo-inverse, against their definitions and a paper's figures."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

import srkit
from srkit import OptionError
from srkit.imaging.observation import Observation

# scale, sigma: of the published tests, whose condition numbers reach 3.5e4.
CASES = [(2, 0.0), (3, 0.0), (4, 0.0), (3, 1.0), (4, 2.0), (3, 3.0)]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_without_blur_it_is_matlabs_bicubic(scale: int, rng) -> None:
    hr = rng.random((12 * scale, 9 * scale, 2))
    model = Observation(*hr.shape[:2], scale=scale)
    np.testing.assert_allclose(model.apply(hr), srkit.imresize(hr, 1 / scale), atol=1e-14)


def test_the_blur_is_a_gaussian_with_mirrored_borders(rng) -> None:
    hr = rng.random((24, 36, 1))
    blurred = ndimage.gaussian_filter(hr, (1.5, 1.5, 0), mode="reflect", radius=(6, 6, 0))
    found = Observation(24, 36, scale=3, sigma=1.5).apply(hr)
    np.testing.assert_allclose(found, srkit.imresize(blurred, 1 / 3), atol=1e-14)


@pytest.mark.parametrize(("scale", "sigma"), CASES)
def test_the_pseudo_inverse_is_exact(scale: int, sigma: float, rng) -> None:
    model = Observation(20 * scale, 14 * scale, scale=scale, sigma=sigma)
    lr = rng.random((20, 14, 1))
    np.testing.assert_allclose(model.apply(model.invert(lr)), lr, atol=1e-10)


@pytest.mark.parametrize(("scale", "sigma"), CASES)
def test_what_a_does_not_see_is_a_projection(scale: int, sigma: float, rng) -> None:
    """A⁺A is symmetric and idempotent, as Moore and Penrose have it."""
    model = Observation(6 * scale, 6 * scale, scale=scale, sigma=sigma)
    rows, columns = (part.matrix.toarray() for part in (model.rows, model.columns))
    wanted = np.linalg.pinv(rows) @ rng.random((6, 6)) @ np.linalg.pinv(columns).T
    lr = rows @ wanted @ columns.T
    np.testing.assert_allclose(model.invert(lr[..., None])[..., 0], wanted, atol=1e-8)
    x, y = rng.random((2, 6 * scale, 6 * scale, 1))
    once = model.invert(model.apply(x))
    np.testing.assert_allclose(model.invert(model.apply(once)), once, atol=1e-10)
    assert np.vdot(once, y) == pytest.approx(np.vdot(x, model.invert(model.apply(y))), abs=1e-9)


@pytest.mark.parametrize(("scale", "sigma"), CASES)
def test_a_projected_image_shrinks_to_what_was_observed(scale: int, sigma: float, rng) -> None:
    model = Observation(8 * scale, 10 * scale, scale=scale, sigma=sigma)
    lr, made = rng.random((8, 10, 3)), rng.random((8 * scale, 10 * scale, 3))
    found = model.project(made, lr)
    np.testing.assert_allclose(model.apply(found), lr, atol=1e-10)
    # And it is the nearest: to project again changes nothing.
    np.testing.assert_allclose(model.project(found, lr), found, atol=1e-10)


def test_damping_shrinks_each_singular_value_as_tikhonov_does(rng) -> None:
    model = Observation(12, 8, scale=2, sigma=1.0)
    lr = rng.random((6, 4, 1))
    a = np.kron(model.rows.matrix.toarray(), model.columns.matrix.toarray())
    wanted = np.linalg.solve(a.T @ a + 0.01 * np.eye(96), a.T @ lr.ravel())
    np.testing.assert_allclose(model.invert(lr, 0.01).ravel(), wanted, atol=1e-12)


@pytest.mark.parametrize(
    ("scale", "sigma", "floats", "rounded", "damped"),
    [
        (2, 0.0, 34.91, 34.88, 34.87),
        (4, 0.0, 29.21, 29.20, 29.20),
        (3, 1.0, 31.46, 31.41, 31.41),
        (3, 3.0, 31.61, -9.0, 29.25),
    ],
)
def test_it_beats_bicubic_on_set5(data_folder, scale, sigma, floats, rounded, damped) -> None:
    """PSNR of luma, as worked out apart from this code."""
    found = []
    for path in sorted(data_folder("bench/Set5").iterdir()):
        photo = srkit.read_image(path).pixels
        height, width = (n - n % scale for n in photo.shape[:2])
        y = photo[:height, :width] @ np.array([65.481, 128.553, 24.966]) / 255 + 16
        model = Observation(height, width, scale=scale, sigma=sigma)
        lr = model.apply(y[..., None])
        levels = np.rint(lr)
        made = (model.invert(lr), model.invert(levels), model.invert(levels, 1e-4))
        crop = slice(scale, -scale)
        errors = [np.mean((m[crop, crop, 0] - y[crop, crop]) ** 2) for m in made]
        found.append([10 * np.log10(255**2 / e) for e in errors])
    # Where rounding errors grow a thousandfold, the figure is theirs.
    grown = 0.3 if rounded < 0 else 0.02
    exact, of_levels, tamed = np.mean(found, axis=0)
    assert (exact, tamed) == pytest.approx((floats, damped), abs=0.02)
    assert of_levels == pytest.approx(rounded, abs=grown)


def test_sizes_that_are_no_multiples_are_refused() -> None:
    with pytest.raises(OptionError, match="multiples of 4"):
        Observation(40, 42, scale=4)
