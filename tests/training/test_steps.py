"""Steps of Real-ESRGAN's degradations, by what they do."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from poor import PHOTO, apply, rng
from scipy import ndimage

torch = pytest.importorskip("torch", reason="training needs it: pip install 'srkit[train]'")

from srkit.training.data.steps import KernelBlur, Poisson, Resize, Sinc

# --- blur -------------------------------------------------------------------------------------


def drawn(step, count=400):
    return [step.kernel(rng(seed)) for seed in range(count)]


def test_sides_are_odd_and_from_the_whole_range():
    sides = Counter(kernel.shape[0] for kernel in drawn(KernelBlur(side=(7, 21))))
    assert sorted(sides) == [7, 9, 11, 13, 15, 17, 19, 21]
    # An eighth each: four deviations.
    assert all(abs(n - 50) < 4 * (400 / 8 * 7 / 8) ** 0.5 for n in sides.values())


def test_round_kernels_have_one_deviation_and_slanted_ones_two_in_any_direction():
    y, x = np.indices((51, 51)) - 25
    step = {"sigma": (1.0, 3.0), "side": (51, 51)}
    for kernel in drawn(KernelBlur(**step), 20):
        np.testing.assert_allclose(kernel, kernel.T)
    angles, widths = [], []
    for kernel in drawn(KernelBlur(slanted=True, **step), 100):
        moments = [(kernel * a).sum() for a in (x * x, x * y, y * y)]
        values, vectors = np.linalg.eigh([moments[:2], moments[1:]])
        widths += list(np.sqrt(values))
        angles.append(math.atan2(*vectors[:, 1]) % math.pi)
    assert 1 <= min(widths) < 1.1 < 2.9 < max(widths) <= 3.001
    assert all(np.histogram(angles, 4, (0, math.pi))[0] > 10)


def test_half_of_the_exponents_are_below_1():
    step = KernelBlur(shape="generalised", sigma=(1.0, 1.0), beta=(0.5, 4.0), side=(7, 7))
    # exp(-4ᵝ / 2) two deviations from the middle.
    betas = [math.log2(-2 * math.log(k[3, 5] / k[3, 3])) / 2 for k in drawn(step)]
    assert 0.5 <= min(betas) < 0.52
    assert 3.8 < max(betas) <= 4.0
    assert abs(np.mean(np.less(betas, 1)) - 0.5) < 4 * (0.25 / 400) ** 0.5


def test_where_a_range_begins_at_1_half_of_the_exponents_are_1():
    step = KernelBlur(shape="plateau", sigma=(1.0, 1.0), beta=(1.0, 2.0), side=(7, 7))
    # 1 / (1 + 4ᵝ) two deviations from the middle.
    betas = np.array([math.log2(k[3, 3] / k[3, 5] - 1) / 2 for k in drawn(step)])
    assert abs(np.mean(np.isclose(betas, 1)) - 0.5) < 4 * (0.25 / 400) ** 0.5
    assert 1.9 < betas.max() <= 2.0


def test_blur_filters_by_the_kernel_that_was_drawn():
    step = KernelBlur(shape="plateau", slanted=True)
    kernel = step.kernel(rng(3))
    planes = [ndimage.correlate(p, kernel, mode="mirror") for p in np.moveaxis(PHOTO / 1.0, 2, 0)]
    np.testing.assert_allclose(apply(step, seed=3), np.stack(planes, axis=2), atol=1e-3)


def test_a_low_pass_rings_beside_an_edge_and_a_bell_does_not():
    edge = np.repeat([50.0, 200.0], 40)[None, :, None] * np.ones((80, 1, 3))
    rings = apply(Sinc(cutoff=(1.5, 1.5), side=(21, 21)), edge)
    assert rings.min() < 44
    assert rings.max() > 206
    bell = apply(KernelBlur(), edge)
    assert bell.min() > 49.99
    assert bell.max() < 200.01


# --- resizing ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factor", "of", "size"),
    [
        (0.3, "picture", (11, 16)),  # 11.1 and 15.9
        (1.5, "picture", (56, 80)),  # 55.5 and 79.5, to even
        (0.01, "picture", (1, 1)),
        (1.2, "lr", (11, 16)),  # of 9x13: 10.8 and 15.6
        (1.0, "lr", (9, 13)),
    ],
)
def test_sizes_are_the_nearest_to_the_factor(factor, of, size):
    step = Resize(factor=(factor, factor), of=of)
    assert apply(step, PHOTO[:37, :53], size=(9, 13)).shape == (*size, 3)


def test_factors_are_drawn_from_the_whole_range():
    sides = [apply(Resize(factor=(0.25, 0.75)), seed=seed).shape[0] for seed in range(200)]
    assert (min(sides), max(sides)) == (24, 72)


def test_kernels_of_resizing_are_drawn_evenly():
    from PIL import Image

    size = (32, 28)
    wanted = {}
    for name, kernel in (("area", "BOX"), ("bilinear", "BILINEAR"), ("bicubic", "BICUBIC")):
        made = Image.fromarray(PHOTO).resize(size[::-1], Image.Resampling[kernel])
        wanted[name] = np.asarray(made, float)
    counts = Counter()
    for seed in range(300):
        made = apply(Resize(factor=(1.0, 1.0), of="lr"), seed=seed, size=size)
        # Pillow rounds pictures of 8 bits, between its two passes as well.
        near = [n for n in wanted if np.abs(np.clip(made, 0, 255) - wanted[n]).max() <= 1.5]
        counts.update(near)
    assert counts.total() == 300
    assert all(abs(n - 100) < 4 * (300 * 2 / 9) ** 0.5 for n in counts.values())


def test_antialiased_resizing_sees_all_pixels_and_the_other_what_pytorch_sees():
    stripes = np.zeros((64, 64, 3))
    stripes[:, ::4] = 200
    shrink = {"factor": (0.25, 0.25), "kernels": ("bilinear",)}
    inner = slice(2, -2)
    np.testing.assert_allclose(apply(Resize(**shrink), stripes)[:, inner], 50, atol=1e-3)
    # Between the second and the third pixel of four: black.
    assert apply(Resize(**shrink, antialias=False), stripes).max() == 0
    for kernel in ("bilinear", "bicubic"):
        made = apply(Resize(factor=(0.4, 0.4), kernels=(kernel,), antialias=False))
        planes = torch.from_numpy(PHOTO.astype(np.float32)).permute(2, 0, 1)[None]
        wanted = torch.nn.functional.interpolate(planes, (38, 45), mode=kernel)
        np.testing.assert_allclose(made, wanted[0].permute(1, 2, 0), atol=1e-3)


def test_area_is_the_mean_of_blocks_either_way():
    blocks = PHOTO.reshape(24, 4, 28, 4, 3).mean(axis=(1, 3))
    for antialias in (True, False):
        step = Resize(factor=(0.25, 0.25), kernels=("area",), antialias=antialias)
        np.testing.assert_allclose(apply(step), blocks, atol=1e-3)


# --- shot noise -------------------------------------------------------------------------------


def columns(count):
    """Levels 20, 21, ... in columns, 2000 rows of each in all three channels."""
    return np.broadcast_to(np.arange(20, 20 + count)[None, :, None], (2000, count, 3))


@pytest.mark.parametrize(("levels", "white"), [(200, 256), (128, 128), (100, 128), (65, 128)])
def test_shot_noise_has_the_variance_of_its_counts(levels, white):
    """Of level x, as x v / 255 photons: Var = x 255 / v, times the strength squared."""
    light = columns(levels)
    noise = apply(Poisson(strength=(0.5, 0.5), grey=0.0), light) - light
    variance = 0.5**2 * light[0, :, 0] * 255 / white
    found = noise.var(axis=(0, 2))
    # The variance of 6000 values is known to 1.8 %.
    np.testing.assert_allclose(found, variance, rtol=0.09)
    assert np.abs(noise.mean(axis=(0, 2)) / np.sqrt(variance / 6000)).max() < 5
    apart = np.corrcoef(noise.reshape(-1, 3).T)[np.triu_indices(3, 1)]
    assert np.abs(apart).max() < 0.01


def test_plain_pictures_are_counted_by_64_photons():
    for levels in (1, 9):
        light = columns(levels)
        noise = apply(Poisson(strength=(1.0, 1.0), grey=0.0), light) - light
        np.testing.assert_allclose(noise.var(axis=(0, 2)), light[0, :, 0] * 255 / 64, rtol=0.09)


def test_grey_shot_noise_is_that_of_luma():
    colour = np.broadcast_to(np.array([200.0, 100, 50]), (400, 400, 3))
    noise = apply(Poisson(strength=(1.0, 1.0), grey=1.0), colour) - colour
    np.testing.assert_allclose(noise, noise[..., :1].repeat(3, axis=2), atol=1e-4)
    # 0.299 R + 0.587 G + 0.114 B is 124.2, which is 124 in whole levels.
    assert noise[..., 0].var() == pytest.approx(124 * 255 / 64, rel=0.03)


def test_the_share_of_grey_shot_noise_is_as_asked():
    made = [apply(Poisson(strength=(1.0, 1.0), grey=0.4), PHOTO[:6, :6], n) for n in range(400)]
    grey = np.mean([np.ptp(m - PHOTO[:6, :6], axis=2).max() < 1e-3 for m in made])
    assert abs(grey - 0.4) < 4 * (0.24 / 400) ** 0.5


def test_shot_noise_of_values_that_no_picture_has_is_that_of_the_nearest():
    beyond = np.full((50, 50, 3), 300.0)
    beyond[25:] = -40
    made = apply(Poisson(strength=(1.0, 1.0)), beyond)
    np.testing.assert_array_equal(made[25:], beyond[25:])
    assert abs(made[:25].mean() - 300) < 10
