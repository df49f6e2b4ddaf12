"""What teachers are asked, and what they answer."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")
pytest.importorskip("pydantic")
from taught import POOR, plain_patches

import srkit
from srkit.errors import OptionError
from srkit.training.data.photos import Patches
from srkit.training.data.store import Questions
from srkit.training.data.teachers import Teacher, answer, with_colours_of

# --- answers ----------------------------------------------------------------------------------


def test_an_answer_is_the_models_with_the_colours_of_what_it_saw() -> None:
    """By hand: 40 levels of a pattern that averages to nothing, on an even 200 instead of 206."""
    lr = np.full((16, 16, 3), 206, np.uint8)
    pattern = np.where(np.indices((64, 64)).sum(0) % 2, 20, -20)[..., None].astype(int)
    made = (200 + pattern).astype(np.uint8).repeat(3, 2)
    np.testing.assert_array_equal(with_colours_of(lr, made), 206 + pattern.repeat(3, 2))
    hr = np.full((64, 64, 3), 200, np.uint8)  # a photo of which noise left another colour
    assert np.abs(answer(srkit.load("bicubic", scale=4), lr, hr).astype(int) - 206).max() == 0


def test_fine_detail_is_the_teachers_not_that_of_lr() -> None:
    lr = np.zeros((16, 16, 3), np.uint8)
    lr[::2] = 200
    kept = with_colours_of(lr, np.full((64, 64, 3), 100, np.uint8))
    assert np.abs(kept.astype(int) - 100).max() <= 1


@pytest.mark.parametrize("period", [24, 100, 240])
def test_waves_are_those_of_lr_by_what_a_gaussian_lets_through(period: int) -> None:
    """Of one that only LR has, exp(-2 (pi sigma f)^2) comes over; sigma is 16 HR pixels."""
    wave = 60 * np.cos(2 * np.pi * (np.arange(240) + 0.5) / period)
    lr = np.rint(128 + wave.reshape(60, 4).mean(1)).astype(np.uint8)
    lr = lr[None, :, None].repeat(60, 0).repeat(3, 2)
    made = with_colours_of(lr, np.full((240, 240, 3), 128, np.uint8))[120, :, 0] - 128.0
    share = np.exp(-2 * (np.pi * 16 / period) ** 2)
    np.testing.assert_allclose(made[60:180], share * wave[60:180], atol=2.5)


def test_a_teacher_for_x4_teaches_x2_by_matlabs_bicubic() -> None:
    rng = np.random.default_rng(0)
    lr = rng.integers(60, 190, (20, 20, 3)).astype(np.uint8)
    teacher = Teacher("srresnet").load(2)
    assert teacher.scale == 2  # where it has the scale itself
    x4 = srkit.load("srgan")
    assert Teacher("srgan").load(2).scale == 4
    small = srkit.imresize(x4.upscale(lr), size=(40, 40))
    np.testing.assert_array_equal(answer(x4, lr, small), with_colours_of(lr, small))


def test_a_teacher_without_a_fitting_scale_is_refused() -> None:
    with pytest.raises(OptionError, match=r"srresnet cannot teach at x3: it exists for x2, x4"):
        Teacher("srresnet").load(3)


def test_answers_belong_to_the_teachers_weights(tmp_path: Path) -> None:
    weights = srkit.models.weights.weights_path(srkit.card("espcn").weights[4])
    shutil.copy(weights, tmp_path / "mine.safetensors")
    mine = Teacher(str(tmp_path / "mine.safetensors"))
    before = mine.digest(4)
    assert mine.digest(4) == before != mine.digest(2)
    assert replace(mine, precision="float32").digest(4) != before
    assert replace(mine, weight=0.5).digest(4) == before
    shutil.copy(
        srkit.models.weights.weights_path(srkit.card("fsrcnn").weights[4]),
        tmp_path / "mine.safetensors",
    )
    assert mine.digest(4) != before


def test_answers_belong_to_both_files_of_a_pair(tmp_path: Path) -> None:
    (tmp_path / "net.param").write_bytes(b"layers")
    (tmp_path / "net.bin").write_bytes(b"numbers")
    before = Teacher(str(tmp_path / "net.param")).digest(4)
    assert Teacher(str(tmp_path / "net.bin")).digest(4) == before
    (tmp_path / "net.bin").write_bytes(b"other numbers")
    assert Teacher(str(tmp_path / "net.param")).digest(4) != before


# --- questions --------------------------------------------------------------------------------


def test_all_patches_are_asked_of_once_before_any_again(patches: Patches) -> None:
    asked = Questions(patches, 4, POOR)
    count = len(patches.detail)
    for round_ in range(3):
        numbers = range(round_ * count, (round_ + 1) * count)
        assert sorted(asked.patch(n) for n in numbers) == list(range(count))
    first, again, later = asked.lr(1), Questions(patches, 4, POOR).lr(1), asked.lr(1 + count)
    np.testing.assert_array_equal(first, again)
    assert asked.patch(1) == asked.patch(1 + count)
    assert (first != later).any()


def test_the_first_questions_are_of_patches_from_everywhere() -> None:
    """A part of all patches that neighbours in the store would be of few photos."""
    first = [Questions(plain_patches(200), 4).patch(n) for n in range(20)]
    assert max(first) > 120
    assert min(first) < 80
    assert first != sorted(first)


@pytest.mark.parametrize(
    "change", [{"scale": 2}, {"degradations": POOR[:2]}, {"seed": 1}, {"margin": 5}]
)
def test_answers_belong_to_the_questions(patches: Patches, change: dict[str, Any]) -> None:
    options = {"scale": 4, "degradations": POOR, "seed": 0, "margin": 6}
    digests = {Questions(patches, **given).digest for given in (options, options | change)}
    assert len(digests) == 2


def test_answers_belong_to_the_photos() -> None:
    other = plain_patches(2)
    other.hr[1, 0, 0] = 1
    digests = [Questions(these, 4).digest for these in (plain_patches(2), plain_patches(2), other)]
    assert digests[0] == digests[1] != digests[2]


def test_without_degradations_lr_is_matlabs_bicubic(patches: Patches) -> None:
    asked = Questions(patches, 4)
    np.testing.assert_array_equal(asked.lr(0), patches.lr[asked.patch(0)])
