"""Crops are functions of a seed and a number, whoever makes them and from where on."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("lightning_fabric", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("pydantic", reason="training needs it: pip install 'srkit[train]'")

from srkit import OptionError
from srkit.training.data.crops import Crops, batches, to_luma, to_pixels, to_planes
from srkit.training.data.degradations import Downsample
from srkit.training.data.photos import Patches

FORKS = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def coded(scale: int, detail: tuple[float, ...] = (1.0, 1.0, 1.0)) -> Patches:
    """Patches whose HR pixels hold their row, column and patch; LR holds the least of each."""
    rows, columns = np.indices((240, 240), dtype=np.uint8)
    hr = np.stack([np.dstack([rows, columns, np.full_like(rows, n)]) for n in range(len(detail))])
    return Patches(hr, hr[:, ::scale, ::scale].copy(), np.array(detail))


def noisy(**options) -> Crops:
    """Crops no two of which are alike."""
    rng = np.random.default_rng(3)
    hr = rng.integers(0, 256, (2, 240, 240, 3), np.uint8)
    return Crops(Patches(hr, hr[:, ::4, ::4].copy(), np.ones(2)), 4, 6, **options)


def assert_same(made, wanted):
    for one, other in zip(made, wanted, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


# --- one crop ---------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_lr_and_hr_are_of_the_same_place_however_they_are_turned(scale):
    crops = Crops(coded(scale), scale, 7)
    for number in range(40):
        lr, hr = crops[number]
        assert (lr.shape, hr.shape) == ((7, 7, 3), (7 * scale, 7 * scale, 3))
        blocks = hr.reshape(7, scale, 7, scale, 3)
        np.testing.assert_array_equal(blocks.min(axis=(1, 3)), lr)
        np.testing.assert_array_equal(blocks.max(axis=(1, 3))[..., :2], lr[..., :2] + scale - 1)


def test_all_eight_flips_and_turns_occur():
    crops = Crops(coded(2), 2, 4)
    # How rows and columns grow from the first pixel to its neighbours.
    seen = set()
    for number in range(100):
        hr = crops[number][1].astype(int)
        seen.add((*(hr[1, 0] - hr[0, 0])[:2], *(hr[0, 1] - hr[0, 0])[:2]))
    assert seen == {
        (a, 0, 0, b) for a in (-1, 1) for b in (-1, 1)
    } | {(0, a, b, 0) for a in (-1, 1) for b in (-1, 1)}  # fmt: skip


def test_crops_reach_all_borders_of_the_patch():
    crops = Crops(coded(4), 4, 58)
    corners = [crops[n][0][..., :2].min(axis=(0, 1)) for n in range(200)]
    # 60 - 58 + 1 places on each axis, 4 HR pixels apart.
    assert {tuple(corner) for corner in corners} == {(y, x) for y in (0, 4, 8) for x in (0, 4, 8)}


def test_a_crop_depends_on_its_seed_and_number_alone():
    one, other = noisy(seed=5), noisy(seed=5)
    for number in (9, 0, 3):
        other[number]
    assert_same([one[n] for n in range(4)], [other[n] for n in range(4)])
    assert not np.array_equal(one[0][0], one[1][0])
    assert not np.array_equal(one[0][0], noisy(seed=6)[0][0])


def test_patches_are_taken_by_the_root_of_their_detail():
    # sqrt(0.5), sqrt(4.5) and sqrt(12.5) are as 1 to 3 to 5.
    crops = Crops(coded(4, (0.0, 4.0, 12.0)), 4, 1)
    count = 2000
    shares = np.bincount([crops[n][0][0, 0, 2] for n in range(count)], minlength=3) / count
    np.testing.assert_allclose(shares, np.array([1, 3, 5]) / 9, atol=4 * 0.5 / count**0.5)


def test_the_share_of_plain_crops_is_as_asked():
    crops = noisy(flat=0.25)
    count = 1000
    plain = sum(np.ptp(crops[n][0], axis=(0, 1)).max() == 0 for n in range(count))
    assert abs(plain / count - 0.25) < 4 * (0.25 * 0.75 / count) ** 0.5


def test_plain_crops_are_of_one_colour_with_black_white_and_greys_among_them():
    crops = noisy(flat=1.0)
    pairs = [crops[n] for n in range(60)]
    for lr, hr in pairs:
        assert (lr == lr[0, 0]).all()
        assert (hr == lr[0, 0]).all()
    colours = {tuple(lr[0, 0]) for lr, _ in pairs}
    greys = {c for c in colours if len(set(c)) == 1}
    assert {(0, 0, 0), (255, 255, 255)} < greys
    assert len(colours - greys) > 15


def test_degraded_lr_is_made_of_the_crop_itself():
    crops = noisy(degradations=(Downsample(kernel="area"),))
    for number in range(5):
        lr, hr = crops[number]
        means = hr.reshape(6, 4, 6, 4, 3).mean(axis=(1, 3))
        assert np.abs(lr - means).max() <= 0.5


@pytest.mark.parametrize("size", [0, 61])
def test_crops_larger_than_a_patch_are_refused(size):
    with pytest.raises(OptionError, match=f"crop is 1 to 60 LR pixels at x4, not {size}"):
        Crops(coded(4), 4, size)


# --- batches ----------------------------------------------------------------------------------


def test_processes_share_the_crops_that_one_would_see():
    crops = noisy()
    alone = list(batches(crops, range(3), 6))
    each = [list(batches(crops, range(3), 2, rank=rank, world=3)) for rank in range(3)]
    for step in range(3):
        together = [torch.cat(parts) for parts in zip(*(e[step] for e in each), strict=True)]
        wanted = [crops[n] for n in range(6 * step, 6 * step + 6)]
        assert_same([together], [alone[step]])
        assert_same(zip(*together, strict=True), wanted)


def test_batches_from_a_later_step_are_the_tail_of_all():
    crops = noisy(flat=0.3)
    assert_same(batches(crops, range(4, 7), 3), list(batches(crops, range(7), 3))[4:])


@FORKS
def test_several_processes_cut_the_same_crops_in_the_same_order():
    crops = noisy(degradations=(Downsample(kernel="bicubic"),))
    alone, helped = (list(batches(crops, range(5), 2, workers=w)) for w in (0, 2))
    assert len(alone) == 5
    assert_same(helped, alone)


# --- planes -----------------------------------------------------------------------------------


def test_planes_are_the_pixels_divided_by_255_and_back():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 3), np.uint8)
    planes = to_planes(torch.from_numpy(pixels))
    np.testing.assert_allclose(planes.numpy(), pixels.transpose(0, 3, 1, 2) / 255, rtol=1e-6)
    np.testing.assert_array_equal(to_pixels(planes[1]), pixels[1])


def test_luma_is_that_of_bt601():
    red, green, blue = (torch.eye(3)[n].view(1, 3, 1, 1) for n in range(3))
    made = [to_luma(colour).item() for colour in (red, green, blue)]
    assert made == pytest.approx([0.299, 0.587, 0.114])
