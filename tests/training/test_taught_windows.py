"""Networks for video learn from models of pictures: windows of frames, and what teachers see."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("lightning_fabric", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("pydantic", reason="training needs it: pip install 'srkit[train]'")
import torch
from short_runs import TINY, kill_when, run_whole, same_result
from skimage import data

import srkit
from srkit.cli import main
from srkit.errors import OptionError
from srkit.imaging.observation import Observation
from srkit.training.data import store as stores
from srkit.training.data.degradations import Downsample, Jpeg
from srkit.training.data.lessons import Lessons
from srkit.training.data.motion import Motion, middle_of, window_of, window_pairs
from srkit.training.data.photos import PATCH, Patches
from srkit.training.data.store import BLOCK, Questions, Store, answers_to
from srkit.training.data.teachers import Teacher, answer, answers, with_colours_of
from srkit.training.data.windows import WindowQuestions

Pixels = NDArray[np.uint8]
# Nothing moves in any window.
STILL = Motion(still=1.0)


@pytest.fixture(scope="module")
def patches() -> Patches:
    hr = np.stack([getattr(data, name)()[:PATCH, :PATCH] for name in ("astronaut", "coffee")])
    return Patches(hr, hr[:, ::4, ::4], np.array([1.0, 2.0]))


def luma(rgb: Pixels) -> NDArray[np.float64]:
    """Of ITU-R BT.601."""
    return rgb @ np.array([0.299, 0.587, 0.114])


def shrunk(hr: Pixels, scale: int) -> NDArray[np.float64]:
    """MATLAB's antialiased bicubic of luma, but for the border, beyond which it does not see."""
    small = Observation(*hr.shape[:2], scale).apply(hr)[3:-3, 3:-3, 0]
    return np.clip(small, 0, 255)


def enlarged(frame: Pixels, scale: int) -> Pixels:
    """MATLAB's bicubic of one frame, rounded once: of uint8 it rounds after each axis."""
    large = srkit.imresize(frame.astype(float), scale)[..., None]
    return np.clip(np.rint(large), 0, 255).astype(np.uint8)


class Painter:
    """A teacher for x4 that paints all in one colour, and remembers what it was shown."""

    scale = 4

    def __init__(self, colour: tuple[int, int, int]) -> None:
        self.colour = colour
        self.shown: list[Pixels] = []

    def upscale(self, pictures: Pixels) -> Pixels:
        self.shown.append(pictures)
        *several, height, width, _ = pictures.shape
        return np.full((*several, 4 * height, 4 * width, 3), self.colour, np.uint8)


# --- what teachers see, and their answers -----------------------------------------------------


def test_a_teacher_sees_the_frame_in_the_middle_in_grey() -> None:
    window = np.random.default_rng(0).integers(0, 256, (12, 10, 5)).astype(np.uint8)
    hr = np.zeros((48, 40, 1), np.uint8)
    painter: Any = Painter((9, 9, 9))
    answer(painter, window, hr)
    answers(painter, [window, window], [hr, hr])
    one, several = painter.shown
    assert (one.shape, several.shape) == ((12, 10, 3), (2, 12, 10, 3))
    for channel in range(3):
        np.testing.assert_array_equal(one[..., channel], window[..., 2])
        np.testing.assert_array_equal(several[1, ..., channel], window[..., 2])


@pytest.mark.parametrize(
    ("colour", "wanted"), [((255, 0, 0), 76), ((0, 255, 0), 150), ((0, 0, 255), 29)]
)
def test_an_answer_is_bt601_luma_of_what_a_teacher_makes(
    colour: tuple[int, int, int], wanted: int
) -> None:
    """Of red 0.299 of 255, of green 0.587, of blue 0.114; LR has that, so nothing is missing."""
    painter: Any = Painter(colour)
    hr = np.full((48, 48, 1), wanted, np.uint8)
    np.testing.assert_array_equal(answer(painter, np.full((12, 12, 5), wanted, np.uint8), hr), hr)


def test_a_window_is_answered_by_the_grey_of_its_middle() -> None:
    bicubic = srkit.load("bicubic", scale=4)
    lr, hr = np.full((16, 16, 5), 200, np.uint8), np.full((64, 64, 1), 206, np.uint8)
    lr[..., 2] = 203
    np.testing.assert_array_equal(answer(bicubic, lr, hr), np.full_like(hr, 203))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_answers_by_its_picture_of_the_middle_frame(patches: Patches, scale: int) -> None:
    asked = WindowQuestions(patches, scale)
    lr, hr = asked.lr(0), asked.hr(0)
    wanted = with_colours_of(lr[..., 2, None], enlarged(lr[..., 2], scale))
    made = answer(srkit.load("bicubic", scale=scale), lr, hr)
    # In float32, where the other is computed in float64.
    np.testing.assert_allclose(made.astype(int), wanted, atol=1)
    assert (made != wanted).mean() < 1e-3


def test_a_teacher_for_x4_teaches_windows_of_x2(patches: Patches) -> None:
    lr = WindowQuestions(patches, 2).lr(0)[:30, :30]
    small = srkit.imresize(enlarged(lr[..., 2], 4), size=(60, 60))
    # With itself as the photo nothing is missing in the low frequencies.
    made = answer(srkit.load("bicubic", scale=4), lr, small)
    np.testing.assert_allclose(made.astype(int), small, atol=1)
    assert (made != small).mean() < 1e-3


def test_answers_to_held_out_windows_are_luma_of_their_middle(
    tmp_path: Path, patches: Patches
) -> None:
    pairs = window_pairs(patches, 4, 5, [0, 1])
    made = answers_to(pairs, [Teacher("nearest")], 4, tmp_path)
    for (lr, _), one in zip(pairs, made, strict=True):
        blocks = lr[..., 2, None].repeat(4, axis=0).repeat(4, axis=1)
        np.testing.assert_array_equal(one, with_colours_of(lr[..., 2, None], blocks))
    again = answers_to(pairs, [Teacher("nearest")], 4, tmp_path)
    np.testing.assert_array_equal(made, again)


# --- questions --------------------------------------------------------------------------------


@pytest.mark.parametrize(("scale", "side"), [(2, 104), (3, 68), (4, 52)])
def test_a_question_is_a_patchs_luma_and_what_shrinking_makes_of_it(
    patches: Patches, scale: int, side: int
) -> None:
    asked = WindowQuestions(patches, scale)
    for number in range(3):
        lr, hr = asked.lr(number), asked.hr(number)
        assert lr.dtype == hr.dtype == np.uint8
        assert (lr.shape, hr.shape) == ((side, side, 5), (scale * side, scale * side, 1))
        # The middle of the patch, turned in one of four ways.
        rim = (PATCH - scale * side) // 2
        whole = luma(patches.hr[asked.patch(number)])[rim:-rim, rim:-rim]
        errors = [np.abs(np.rot90(whole, turn) - hr[..., 0]).max() for turn in range(4)]
        assert min(errors) <= 0.5001
        # HR is rounded before, LR after.
        assert np.abs(shrunk(hr, scale) - lr[3:-3, 3:-3, 2]).max() <= 1.01


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_hr_by_itself_is_the_moving_windows(patches: Patches, scale: int) -> None:
    side = WindowQuestions(patches, scale).side
    for seed in range(4):
        first, second = (np.random.default_rng(seed) for _ in range(2))
        _, hr = window_of(patches.hr[0], scale, side, 5, Motion(), first)
        alone = middle_of(patches.hr[0], scale, second)
        # Halves may be rounded either way.
        assert np.abs(alone.astype(int) - hr).max() <= 1
        assert (alone != hr).mean() < 0.01


def test_windows_of_a_patch_move_each_in_its_way(patches: Patches) -> None:
    asked = WindowQuestions(patches, 4)
    assert sorted(asked.patch(n) for n in (0, 1)) == [0, 1]
    assert asked.patch(0) == asked.patch(2)
    first, again, later = asked.lr(0), WindowQuestions(patches, 4).lr(0), asked.lr(2)
    np.testing.assert_array_equal(first, again)
    assert (first != later).any()
    # Windows change by (seed, number) alone.
    assert (WindowQuestions(patches, 4, seed=1).lr(0) != first).any()


def test_where_nothing_moves_all_frames_are_one(patches: Patches) -> None:
    lr = WindowQuestions(patches, 4, motion=STILL).lr(0)
    np.testing.assert_array_equal(lr, lr[..., 2, None].repeat(5, axis=2))
    moving = [WindowQuestions(patches, 4).lr(n) for n in range(4)]
    assert any((lr[..., 0] != lr[..., 4]).any() for lr in moving)


@pytest.mark.parametrize(
    "change", [{"scale": 2}, {"seed": 1}, {"margin": 5}, {"frames": 3}, {"motion": STILL}]
)
def test_answers_belong_to_the_questions(patches: Patches, change: Mapping[str, Any]) -> None:
    options = {"scale": 4, "seed": 0, "margin": 6}
    digests = {
        WindowQuestions(patches, **given).digest for given in (options, {**options, **change})
    }
    assert len(digests | {Questions(patches, **options).digest}) == 3


def test_answers_about_pictures_keep_their_names() -> None:
    """Of folders in which people have hours of answers: anew since colours are those of LR."""
    hr = np.zeros((2, 240, 240, 3), np.uint8)
    hr[1, 3, 4] = 7
    patches = Patches(hr, hr[:, ::4, ::4], np.ones(2))
    jpeg = Jpeg(quality=(40.0, 90.0))
    other = Questions(patches, 2, (Downsample(), jpeg), seed=5, margin=3)
    digests = [Questions(patches, 4).digest, other.digest]
    assert digests == ["4faba191bf50586f", "daf3ace204b3dc56"]


def test_a_margin_leaves_something_of_a_window(patches: Patches) -> None:
    with pytest.raises(OptionError, match="less than half of a patch of 52 LR pixels, not 26"):
        WindowQuestions(patches, 4, margin=26)


# --- the store, and crops ---------------------------------------------------------------------


def test_a_store_holds_windows_and_answers_of_one_channel(
    tmp_path: Path, patches: Patches, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = WindowQuestions(patches, 4)
    store = Store(tmp_path, asked, [Teacher("bicubic")], 3)
    # 16 windows of 52x52 and answers of 160x160: 6 LR pixels are left out on each side.
    needed = BLOCK * (52 * 52 * 5 + 160 * 160)
    free = shutil._ntuple_diskusage(needed, 0, needed - 1)
    with monkeypatch.context() as patched:
        patched.setattr(stores.shutil, "disk_usage", lambda path: free)
        with pytest.raises(OptionError, match="answers of teachers take"):
            store.fill()
        free = free._replace(free=needed)
        store.fill()
    files = {path.parent.name: np.load(path) for path in store.folder.rglob("*.npy")}
    shapes = {name: pictures.shape for name, pictures in files.items()}
    assert shapes == {
        "lr": (BLOCK, 52, 52, 5),
        Teacher("bicubic").digest(4): (BLOCK, 160, 160, 1),
    }
    assert {pictures.dtype for pictures in files.values()} == {np.dtype(np.uint8)}
    lr, kept = store.pair(2)
    np.testing.assert_array_equal(lr, asked.lr(2))
    whole = answer(srkit.load("bicubic", scale=4), lr, asked.hr(2))
    np.testing.assert_array_equal(kept, whole[24:-24, 24:-24])


@pytest.mark.parametrize("rim", [0, 3, 8])
def test_crops_of_frames_hr_and_answers_show_one_place(
    tmp_path: Path, patches: Patches, rim: int
) -> None:
    """Answers are HR's negative, and each frame is 10 levels above the one before it."""
    asked = WindowQuestions(patches, 4, motion=STILL)
    store = Store(tmp_path, asked, [Teacher("bicubic")], BLOCK)
    frames = np.arange(5, dtype=np.uint8) * 10
    known = {
        "lr": [asked.lr(n) + frames for n in range(BLOCK)],
        Teacher("bicubic").digest(4): [255 - asked.hr(n)[24:-24, 24:-24] for n in range(BLOCK)],
    }
    for name, pictures in known.items():
        (store.folder / name).mkdir(parents=True)
        np.save(store.folder / name / "000000.npy", np.stack(pictures))
    lessons = Lessons(store, 20, rim=rim)
    inside = slice(4 * rim, 80 - 4 * rim)
    for number in range(20):
        lr, hr, whole = lessons[number]
        assert (lr.shape, hr.shape, whole.shape) == ((20, 20, 5), (80, 80, 1), (80, 80, 1))
        np.testing.assert_array_equal(whole[inside, inside], 255 - hr[inside, inside])
        sharp = lr - frames
        np.testing.assert_array_equal(sharp, sharp[..., :1].repeat(5, axis=2))
        assert np.abs(shrunk(hr, 4) - sharp[3:-3, 3:-3, 0]).max() <= 1.01


def test_flat_crops_are_grey_windows_of_the_photo(tmp_path: Path, patches: Patches) -> None:
    store = Store(tmp_path, WindowQuestions(patches, 4), [Teacher("bicubic")], 1)
    levels = set()
    for number in range(8):
        lr, hr, target = Lessons(store, 12, flat=1.0)[number]
        assert (lr.shape, hr.shape) == ((12, 12, 5), (48, 48, 1))
        assert (lr == hr[0, 0, 0]).all()
        assert (hr == hr[0, 0, 0]).all()
        np.testing.assert_array_equal(hr, target)
        levels.add(int(hr[0, 0, 0]))
    assert len(levels) > 4


# --- runs -------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [2, 3])
def test_networks_for_video_can_be_taught_at_every_scale(
    tmp_path: Path, photos: Path, cache: Path, rows: Any, scale: int
) -> None:
    options: dict[str, Any] = {"teacher": "bicubic", "answers": 4, "device": "cpu", "steps": 2}
    path = srkit.train("vsr-small", photos, tmp_path, scale=scale, cache=cache, **(TINY | options))
    assert all("psnr_to_teacher" in row for row in rows(tmp_path))
    model = srkit.load(path)
    assert (model.scale, model.window) == (scale, 5)


def test_a_network_for_video_comes_nearer_to_its_teacher(
    tmp_path: Path, photos: Path, cache: Path, rows: Any
) -> None:
    settings = TINY | {"steps": 20, "check_every": 20, "rate": 1e-3, "rim": 2, "crop": 12}
    command = ["train", "vsr-small", str(photos), "--scale=4", f"--output={tmp_path}"]
    more = [f"--set={key}={value}" for key, value in settings.items()]
    where = [f"--cache={cache}", "--device=cpu", "--set=answers=4", "--set=versions=2"]
    assert main([*command, "--teacher=nearest", *where, *more]) == 0
    first, last = rows(tmp_path)
    assert float(last["psnr_to_teacher"]) > float(first["psnr_to_teacher"]) + 2
    # Nearer to the teacher's blocks is farther from the photo.
    assert float(last["psnr"]) < float(first["psnr"])


def test_a_store_and_a_run_that_were_killed_end_as_if_they_had_not_been(
    tmp_path: Path, photos: Path, rows: Any
) -> None:
    settings = TINY | {"steps": 20, "save_every": 4, "check_every": 20, "answers": 3 * BLOCK}
    changes = [f"--set={key}={value}" for key, value in settings.items()]

    def command(out: Path) -> list[str]:
        run = ["train", "vsr-small", str(photos), "--scale=4", f"--output={out}", "--device=cpu"]
        return [*run, "--teacher=fsrcnn", "--set=versions=24", *changes]

    killed, whole = tmp_path / "killed", tmp_path / "whole"
    stored = killed / "cache" / "answers"
    kill_when(command(killed), lambda: len(list(stored.rglob("*.npy"))) > 1)
    assert 1 < len(list(stored.rglob("*.npy"))) < 6
    kill_when(command(killed), lambda: (killed / "state.pth").exists())
    assert torch.load(killed / "state.pth", weights_only=True)["step"] < 20
    run_whole(command(killed))
    run_whole(command(whole))
    same_result(killed, whole)
    assert rows(killed) == rows(whole)
    files = [
        {path.relative_to(out): path.read_bytes() for path in (out / "cache").rglob("*.np?")}
        for out in (killed, whole)
    ]
    assert files[0] == files[1]
    assert len(files[0]) == 3 + 3 + 1
