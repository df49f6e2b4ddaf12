"""Lists of degradations, and those of Real-ESRGAN's two stages."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from poor import PHOTO, apply, rng

pytest.importorskip("torch", reason="training needs it: pip install 'srkit[train]'")

from srkit import OptionError
from srkit.training.data.degradations import (
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
from srkit.training.data.steps import KernelBlur, Poisson, Resize, Sinc
from srkit.training.data.two_stage import LIGHT, MIXED, TWO_STAGE

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
