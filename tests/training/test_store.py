"""The store of answers, and the crops that are learned from them."""

from __future__ import annotations

import itertools
import shutil
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")
pytest.importorskip("pydantic")
from taught import filled, plain_patches

import srkit
from srkit.errors import OptionError
from srkit.training.data import store as stores
from srkit.training.data.lessons import Lessons
from srkit.training.data.photos import Patches
from srkit.training.data.store import BLOCK, Questions, Store
from srkit.training.data.teachers import Teacher, answer, answers


def contents(store: Store) -> dict[str, bytes]:
    files = store.folder.rglob("*.npy")
    return {str(path.relative_to(store.folder)): path.read_bytes() for path in files}


# --- the store --------------------------------------------------------------------------------


def test_a_store_holds_lr_and_answers_without_the_margin(tmp_path: Path, patches: Patches) -> None:
    store = filled(tmp_path, patches, 3)
    lr, kept = store.pair(2)
    hr = store.questions.hr(2)
    np.testing.assert_array_equal(lr, store.questions.lr(2))
    whole = answer(srkit.load("bicubic", scale=4), lr, hr)
    # 6 LR pixels of 60 on each side.
    np.testing.assert_array_equal(kept, whole[24:-24, 24:-24])


def test_several_teachers_answer_by_their_weights(tmp_path: Path, patches: Patches) -> None:
    teachers = [Teacher("bicubic", 3.0), Teacher("nearest", 1.0)]
    store = Store(tmp_path, Questions(patches, 4), teachers, 1)
    store.fill()
    lr, mean = store.pair(0)
    both = [
        answer(srkit.load(name, scale=4), lr, store.questions.hr(0))[24:-24, 24:-24].astype(float)
        for name in ("bicubic", "nearest")
    ]
    np.testing.assert_allclose(mean, 0.75 * both[0] + 0.25 * both[1], atol=0.51)


def test_a_store_grows_and_keeps_what_it_has(tmp_path: Path, patches: Patches) -> None:
    before = contents(filled(tmp_path / "grown", patches, BLOCK))
    after = contents(filled(tmp_path / "grown", patches, 2 * BLOCK + 1))
    assert {name: after[name] for name in before} == before
    assert after == contents(filled(tmp_path / "at once", patches, 2 * BLOCK + 1))
    assert len(after) == 2 * 3


def test_a_store_that_was_stopped_goes_on(
    tmp_path: Path, patches: Patches, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def failing(*given: Any) -> Any:
        asked.append(1)
        # Two answers are made to tell the time, and then one block.
        if len(asked) > 3:
            raise KeyboardInterrupt
        return answers(*given)

    monkeypatch.setattr(stores, "answers", failing)
    with pytest.raises(KeyboardInterrupt):
        filled(tmp_path / "stopped", patches, 3 * BLOCK)
    monkeypatch.setattr(stores, "answers", answers)
    store = filled(tmp_path / "stopped", patches, 3 * BLOCK)
    assert contents(store) == contents(filled(tmp_path / "whole", patches, 3 * BLOCK))
    assert not [
        path for path in store.folder.rglob("*") if path.is_file() and path.suffix != ".npy"
    ]


def test_several_processes_share_the_questions_out(
    tmp_path: Path, patches: Patches, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: dict[int, int] = {}
    ended: list[int] = []

    def counting(model: Any, lr: list[Any], hr: list[Any]) -> Any:
        if len(lr) > 1:
            counts[threading.get_ident()] = counts.get(threading.get_ident(), 0) + len(lr)
        return answers(model, lr, hr)

    def share(rank: int) -> None:
        store = filled(tmp_path / "shared", patches, 3 * BLOCK, rank=rank, world=2)
        ended.append(len(list(store.folder.glob("lr/*.npy"))))

    monkeypatch.setattr(stores, "answers", counting)
    monkeypatch.setattr(stores, "PATIENCE", 0.05)
    asked = counts.values()
    shares = [threading.Thread(target=share, args=(rank,)) for rank in range(2)]
    for share in shares:
        share.start()
    for share in shares:
        share.join()
    # Each has waited for the other's.
    assert ended == [3, 3]
    # Pictures that were asked, but for one of each, asked twice to tell the time.
    assert sorted(asked, reverse=True) == [2 * BLOCK, BLOCK]
    alone = filled(tmp_path / "alone", patches, 3 * BLOCK)
    assert contents(filled(tmp_path / "shared", patches, 3 * BLOCK)) == contents(alone)


def test_a_store_larger_than_the_disk_is_refused(
    tmp_path: Path, patches: Patches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 9))
    with pytest.raises(OptionError, match=r"answers of teachers take .* ask less by answers="):
        filled(tmp_path, patches, 1)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit to set")
def test_a_store_of_many_files_keeps_few_open(tmp_path: Path, patches: Patches) -> None:
    store = filled(tmp_path, patches, BLOCK)
    name = next(path.name for path in store.folder.iterdir() if path.name != "lr")
    for folder in ("lr", name):
        for block in range(1, 80):
            first = store.folder / folder / "000000.npy"
            first.with_name(f"{block:06d}.npy").hardlink_to(first)
    import resource

    many = Store(tmp_path, store.questions, store.teachers, 80 * BLOCK)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = max(int(path.name) for path in Path("/dev/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 40, hard))
    try:
        kept = [many.pair(BLOCK * block)[0] for block in range(80)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(kept) == 80


def test_what_never_comes_is_not_waited_for_without_end(
    tmp_path: Path, patches: Patches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "PATIENCE", 0.01)
    monkeypatch.setattr(stores, "GIVE_UP", 0.05)
    with pytest.raises(OptionError, match=r"1 files of answers, .*000001.npy, did not come"):
        filled(tmp_path, patches, 2 * BLOCK, rank=0, world=2)


def test_time_and_disk_are_told_before_a_teacher_answers(
    tmp_path: Path, patches: Patches, caplog: pytest.LogCaptureFixture, monkeypatch: Any
) -> None:
    ticks = itertools.chain([0.0, 7.5], itertools.repeat(8.0))
    # The store's clock alone: other threads look at the module's.
    clock = SimpleNamespace(monotonic=lambda: next(ticks), sleep=time.sleep)
    monkeypatch.setattr(stores, "time", clock)
    with caplog.at_level("INFO", "srkit.training.data.store"):
        filled(tmp_path, patches, 30)
    # 32 answers of 192x192, LR of 60x60, three bytes a pixel.
    assert "answers of teachers take 4 MB" in caplog.text
    assert "bicubic answers 32 questions of 60x60 pixels: about 4 minutes" in caplog.text


# --- crops ------------------------------------------------------------------------------------


@pytest.mark.parametrize("rim", [0, 3, 8])
def test_crops_of_lr_hr_and_answers_show_one_place(
    tmp_path: Path, patches: Patches, rim: int
) -> None:
    """Answers are made up: HR's negative, so that each crop tells whether it is in place."""
    questions = Questions(patches, 4)
    teacher = Teacher("bicubic")
    store = Store(tmp_path, questions, [teacher], BLOCK)
    kept = [255 - questions.hr(n)[24:-24, 24:-24] for n in range(BLOCK)]
    asked = [questions.lr(n) for n in range(BLOCK)]
    for name, pictures in (("lr", asked), (teacher.digest(4), kept)):
        folder = store.folder / name
        folder.mkdir(parents=True)
        np.save(folder / "000000.npy", np.stack(pictures))
    lessons = Lessons(store, 20, rim=rim)
    inside = slice(4 * rim, 80 - 4 * rim)
    for number in range(40):
        lr, hr, whole = lessons[number]
        assert (lr.shape, hr.shape, whole.shape) == ((20, 20, 3), (80, 80, 3), (80, 80, 3))
        np.testing.assert_array_equal(whole[inside, inside], 255 - hr[inside, inside])
        # LR is of that place, too: HR shrunk, but for what lies beyond the crop, and rounding
        # between the axes, whose order turns change.
        shrunk = srkit.imresize(hr, 1 / 4)[3:-3, 3:-3].astype(int)
        assert np.abs(shrunk - lr[3:-3, 3:-3]).mean() < 0.5


def test_crops_larger_than_what_is_learned_from_are_refused(
    tmp_path: Path, patches: Patches
) -> None:
    store = filled(tmp_path, patches, 1)
    assert Lessons(store, 48)[0][0].shape == (48, 48, 3)
    assert Lessons(store, 52, rim=2)[0][0].shape == (52, 52, 3)
    with pytest.raises(OptionError, match=r"crop is 1 to 52 LR pixels at x4 with margin=6"):
        Lessons(store, 53, rim=2)


def test_even_crops_are_learned_from_the_photo(tmp_path: Path, patches: Patches) -> None:
    lessons = Lessons(filled(tmp_path, patches, 1), 12, flat=1.0)
    for number in range(8):
        lr, hr, target = lessons[number]
        assert (hr == hr[0, 0]).all()
        np.testing.assert_array_equal(hr, target)
        # As poor as all LR.
        assert (lr != lr[0, 0]).any()


def test_patches_with_detail_are_learned_from_more_often(tmp_path: Path) -> None:
    patches = plain_patches(2)
    patches.hr[0] = 200
    patches = replace(patches, lr=patches.hr[:, ::4, ::4], detail=np.array([8.5, 0.5]))
    store = Store(tmp_path, Questions(patches, 4), [Teacher("nearest")], 2)
    store.fill()
    bright = np.mean([Lessons(store, 8)[n][0][0, 0, 0] == 200 for n in range(600)])
    # Roots of 9 and 1.
    assert abs(bright - 0.75) < 0.06
