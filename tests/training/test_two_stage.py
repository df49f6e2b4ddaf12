"""The degradations of Real-ESRGAN: kernels by their formulas, steps by what they do."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from scipy import ndimage, special
from skimage import data

torch = pytest.importorskip("torch", reason="training needs it: pip install 'srkit[train]'")

from srkit import OptionError
from srkit.training.data import kernels
from srkit.training.data.steps import KernelBlur, Poisson, Resize, Sinc
from srkit.training.data.two_stage import LIGHT, MIXED, TWO_STAGE
from srkit.training.degradations import (
    Blur,
    Downsample,
    Jpeg,
    Noise,
    OneOf,
    Shuffled,
    check,
    check_shrinking,
    degrade,
)

PHOTO = data.astronaut()[:96, 160:272]
SIZE = (24, 28)  # of LR, at x4


def rng(seed=0):
    return np.random.default_rng(seed)


def apply(step, picture=PHOTO, seed=0, size=SIZE):
    return step.apply(np.asarray(picture, np.float32), size, rng(seed))


# --- kernels ----------------------------------------------------------------------------------


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


# --- lists ------------------------------------------------------------------------------------

MARKS = tuple((Noise(sigma=(s, s), grey=1.0),) for s in (1.0, 50.0))


def test_lists_are_drawn_by_their_shares_and_nothing_by_what_they_lack():
    step = OneOf(shares=(0.5, 0.2), lists=MARKS)
    spreads = [apply(step, np.full((16, 16, 3), 128), seed).std() for seed in range(900)]
    counts = [sum(s == 0 for s in spreads), sum(0 < s < 10 for s in spreads)]
    counts.append(900 - sum(counts))
    for count, share in zip(counts, (0.3, 0.5, 0.2), strict=True):
        assert abs(count - 900 * share) < 4 * (900 * share * (1 - share)) ** 0.5


def test_all_of_a_drawn_list_happens_in_its_order():
    steps = (Blur(sigma=(2.0, 2.0)), Downsample(kernel="nearest"))
    alone = degrade(PHOTO, 4, steps, rng())
    np.testing.assert_array_equal(
        degrade(PHOTO, 4, (OneOf(shares=(1.0,), lists=(steps,)),), rng()), alone
    )


SHRINK, HALF = Downsample(), Resize(factor=(0.5, 0.5))


def either(*lists, shares=None):
    return OneOf(shares=shares or (1 / len(lists),) * len(lists), lists=lists)


@pytest.mark.parametrize(
    "steps",
    [
        (HALF, SHRINK),
        (HALF, HALF, Jpeg(), SHRINK, Blur()),
        (either((SHRINK, Jpeg()), (Jpeg(), HALF, SHRINK)),),
        (either((HALF,), shares=(0.5,)), SHRINK),
        (Shuffled((either((SHRINK,), (SHRINK,)), Blur())),),
        (either((SHRINK,), (SHRINK,), (SHRINK,)),),
    ],
)
def test_lists_that_end_at_the_size_of_lr_are_taken(steps):
    check_shrinking(steps, 4)
    for seed in range(8):
        assert degrade(PHOTO, 4, steps, rng(seed)).shape == (24, 28, 3)


@pytest.mark.parametrize(
    "steps",
    [
        (HALF,),
        (SHRINK, HALF),
        (Shuffled((SHRINK, HALF)),),
        (Shuffled((HALF, SHRINK)),),
        (either((SHRINK,), shares=(0.9,)),),
        (either((SHRINK,), (HALF,)),),
        (SHRINK, either((HALF,), (Jpeg(),))),
        (either((SHRINK,), ()), SHRINK),
        (SHRINK, SHRINK),
        (OneOf(),),
    ],
)
def test_lists_that_may_end_at_another_size_are_refused(steps):
    with pytest.raises(OptionError, match="exactly one of kind 'downsample', and no 'resize'"):
        check_shrinking(steps, 4)


def test_at_x1_a_size_that_was_left_has_to_be_reached_again():
    check_shrinking((either((HALF, SHRINK), (Jpeg(),)),), 1)
    with pytest.raises(OptionError, match="exactly one of kind 'downsample'"):
        check_shrinking((HALF,), 1)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (KernelBlur(sigma=(0.0, 1.0)), r"kernel_blur takes a range within 0.1 to 50, not .*sigma"),
        (KernelBlur(beta=(2.0, 1.0)), r"kernel_blur .* 0.1 to 10, not \(2.0, 1.0\), as beta"),
        (KernelBlur(side=(7, 53)), "kernel_blur takes a range within 1 to 51"),
        (KernelBlur(side=(8, 12)), r"the side of kernel_blur is odd, not \(8, 12\)"),
        (Sinc(side=(7, 8)), "the side of sinc is odd"),
        (Sinc(cutoff=(1.0, 3.2)), "sinc takes a range within 0.1 to 3.14159"),
        (Resize(factor=(0.0, 1.0)), "resize takes a range within 0.01 to 4"),
        (Resize(factor=(float("nan"), 1.0)), "resize takes a range"),
        (Resize(kernels=()), "resize needs at least one of the kernels"),
        (Poisson(strength=(-1.0, 1.0)), "poisson takes a range within 0 to 10"),
        (Poisson(grey=1.5), "a chance of poisson is from 0 to 1, not 1.5"),
        (OneOf(shares=(0.5,), lists=()), "one share a list, not 1 for 0"),
        (OneOf(shares=(0.6, 0.6), lists=((), ())), r"add up to 1 at most, not \(0.6, 0.6\)"),
        (OneOf(shares=(-0.1, 0.6), lists=((), ())), "shares of one_of add up to 1 at most"),
        (OneOf(shares=(float("nan"),), lists=((),)), "shares of one_of add up to 1 at most"),
        (OneOf(shares=(1.0,), lists=((Shuffled((Jpeg(quality=(0, 9)),)),),)), "jpeg takes a range"),
    ],
)
def test_steps_that_make_no_sense_are_refused(step, message):
    for steps in ((step,), (Shuffled((step,)),), (OneOf(shares=(1.0,), lists=((step,),)),)):
        with pytest.raises(OptionError, match=message):
            check(steps)


# --- two stages -------------------------------------------------------------------------------


def expected(steps):
    """How many of each step a list has on the average."""
    found = Counter()
    for step in steps:
        if isinstance(step, OneOf):
            for share, one in zip(step.shares, step.lists, strict=True):
                for inner, count in expected(one).items():
                    found[inner] += share * count
        else:
            found[step] += 1
    return found


def shares_of(steps, kind, *fields):
    """The expected number of steps of a kind, by the values of some of their fields."""
    found = Counter()
    for step, count in expected(steps).items():
        if isinstance(step, kind):
            found[tuple(getattr(step, name) for name in fields)] += count
    return pytest.approx(dict(found))


@pytest.mark.parametrize(("stage", "share", "most"), [(0, 1.0, 3.0), (4, 0.8, 1.5)])
def test_blurs_are_those_of_the_published_options(stage, share, most):
    """kernel_prob and sinc_prob of train_realesrgan_x4plus.yml, and of its second stage."""
    blur = TWO_STAGE[stage : stage + 1]
    kinds = (("gaussian", 0.45, 0.25), ("generalised", 0.12, 0.03), ("plateau", 0.12, 0.03))
    assert shares_of(blur, KernelBlur, "shape", "slanted", "sigma") == {
        (shape, slanted, (0.2, most)): share * 0.9 * chance
        for shape, *chances in kinds
        for slanted, chance in zip((False, True), chances, strict=True)
    }
    assert shares_of(blur, Sinc) == {(): share * 0.1}
    for step in expected(blur):
        if isinstance(step, KernelBlur):
            assert step.side == (7, 21)
            ranges = {"generalised": (0.5, 4.0), "plateau": (1.0, 2.0)}
            assert step.beta == ranges.get(step.shape, step.beta)


def test_sizes_noise_and_compression_are_those_of_the_published_options():
    assert shares_of(TWO_STAGE, Resize, "factor", "of", "antialias") == {
        ((1.0, 1.5), "picture", True): 0.2,
        ((0.15, 1.0), "picture", True): 0.7,
        ((1.0, 1.2), "lr", True): 0.3,
        ((0.3, 1.0), "lr", True): 0.4,
        ((1.0, 1.0), "lr", True): 0.3,
    }
    assert shares_of(TWO_STAGE, Noise, "sigma", "grey") == {
        ((1.0, 30.0), 0.4): 0.5,
        ((1.0, 25.0), 0.4): 0.5,
    }
    assert shares_of(TWO_STAGE, Poisson, "strength", "grey") == {
        ((0.05, 3.0), 0.4): 0.5,
        ((0.05, 2.5), 0.4): 0.5,
    }
    assert shares_of(TWO_STAGE, Jpeg, "quality") == {((30.0, 95.0),): 2}
    assert shares_of(TWO_STAGE, Downsample, "kernel") == {
        (kernel,): 1 / 3 for kernel in ("area", "bilinear", "bicubic")
    }


def test_the_end_is_a_low_pass_and_jpeg_in_either_order():
    first, second = TWO_STAGE[-1].lists
    assert TWO_STAGE[-1].shares == (0.5, 0.5)
    assert [type(step) for step in first] == [OneOf, OneOf, Jpeg]
    assert second == (first[2], *first[:2])
    assert shares_of(first, Sinc, "cutoff", "side") == {((np.pi / 3, np.pi), (7, 21)): 0.8}


def test_most_photos_are_poor_some_light_and_some_clean():
    assert MIXED[0].shares == (0.65, 0.25, 0.1)
    assert MIXED[0].lists == (TWO_STAGE, LIGHT, (Downsample(kernel="matlab"),))
    assert shares_of(LIGHT, Jpeg, "quality") == {((60.0, 95.0),): 1}


@pytest.mark.parametrize("steps", [TWO_STAGE, MIXED])
@pytest.mark.parametrize(("scale", "side"), [(4, (44, 60)), (3, (45, 57)), (2, (38, 30))])
def test_whatever_is_drawn_the_size_is_that_of_lr_and_a_seed_tells_all(steps, scale, side):
    check(steps)
    check_shrinking(steps, scale)
    photo = PHOTO[: side[0], : side[1]]
    made = [degrade(photo, scale, steps, rng(seed)) for seed in range(60)]
    assert {m.shape for m in made} == {(side[0] // scale, side[1] // scale, 3)}
    assert {m.dtype for m in made} == {np.dtype(np.uint8)}
    # Of bicubic that is all, one picture in ten is the same.
    assert len({m.tobytes() for m in made}) > 45
    for seed in range(10):
        np.testing.assert_array_equal(degrade(photo, scale, steps, rng(seed)), made[seed])


def test_a_photo_in_two_stages_is_still_that_photo():
    """Strengths are far apart, but the mean colour of many is the photo's."""
    made = [degrade(PHOTO, 4, TWO_STAGE, rng(seed)).astype(float) for seed in range(100)]
    blocks = PHOTO.reshape(24, 4, 28, 4, 3).mean(axis=(1, 3))
    errors = [np.sqrt(np.mean((m - blocks) ** 2)) for m in made]
    assert min(errors) < 12 < 30 < max(errors)
    assert np.abs(np.mean(made, axis=(0, 1, 2)) - PHOTO.mean(axis=(0, 1))).max() < 6
    assert np.corrcoef(np.mean(made, axis=0).ravel(), blocks.ravel())[0, 1] > 0.95
