"""Learning from what other models make of poor pictures."""

from __future__ import annotations

import itertools
import json
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
import torch
from lightning_fabric import Fabric
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from short_runs import TINY, kill_when, same_result

import srkit
from srkit.adapters.pytorch.nets.espcn import ESPCN
from srkit.cli import main
from srkit.errors import OptionError
from srkit.training import RECIPES
from srkit.training.data import store as stores
from srkit.training.data.lessons import Lessons
from srkit.training.data.store import BLOCK, Questions, Store
from srkit.training.data.teachers import Teacher, answer, answers, with_colours_of
from srkit.training.degradations import Downsample, Jpeg, Noise
from srkit.training.families import FAMILIES
from srkit.training.losses import Features, Pixel, TotalVariation, target_of
from srkit.training.methods import Minimise
from srkit.training.photos import Patches, find_photos, pack

POOR = (Downsample(), Noise(sigma=(2.0, 8.0)), Jpeg(quality=(40.0, 90.0)))
POOR_VALUES = [
    {"kind": "downsample"},
    {"kind": "noise", "sigma": [2.0, 8.0]},
    {"kind": "jpeg", "quality": [40.0, 90.0]},
]


@pytest.fixture(scope="session")
def patches(photos: Path, cache: Path) -> Patches:
    return pack(find_photos(photos), cache / "taught", 4)


def contents(store: Store) -> dict[str, bytes]:
    files = store.folder.rglob("*.npy")
    return {str(path.relative_to(store.folder)): path.read_bytes() for path in files}


# --- questions and answers --------------------------------------------------------------------


def test_an_answer_is_the_models_with_the_photos_colours() -> None:
    """By hand: 40 levels of a pattern that averages to nothing, on an even 200 instead of 206."""
    lr = np.full((16, 16, 3), 200, np.uint8)
    hr = np.full((64, 64, 3), 206, np.uint8)
    pattern = np.where(np.indices((64, 64)).sum(0) % 2, 20, -20)[..., None].astype(int)
    made = (200 + pattern).astype(np.uint8).repeat(3, 2)
    np.testing.assert_array_equal(with_colours_of(hr, made, 4), 206 + pattern.repeat(3, 2))
    assert np.abs(answer(srkit.load("bicubic", scale=4), lr, hr).astype(int) - 206).max() == 0


def test_fine_detail_is_the_teachers_not_the_photos() -> None:
    hr = np.zeros((64, 64, 3), np.uint8)
    hr[::2] = 200
    kept = with_colours_of(hr, np.full_like(hr, 100), 4)
    assert np.abs(kept.astype(int) - 100).max() <= 1


@pytest.mark.parametrize("period", [24, 100, 240])
def test_waves_are_the_photos_by_what_a_gaussian_lets_through(period: int) -> None:
    """Of one that only the photo has, exp(-2 (pi sigma f)^2) comes over; sigma is 16 HR pixels."""
    wave = 60 * np.cos(2 * np.pi * (np.arange(240) + 0.5) / period)
    hr = np.rint(128 + wave).astype(np.uint8)[None, :, None].repeat(240, 0).repeat(3, 2)
    made = with_colours_of(hr, np.full_like(hr, 128), 4)[120, :, 0] - 128.0
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
    # With itself as the photo nothing is missing in the low frequencies.
    np.testing.assert_array_equal(answer(x4, lr, small), small)


def test_a_teacher_without_a_fitting_scale_is_refused() -> None:
    with pytest.raises(OptionError, match=r"srresnet cannot teach at x3: it exists for x2, x4"):
        Teacher("srresnet").load(3)


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


def plain_patches(count: int) -> Patches:
    hr = np.zeros((count, 240, 240, 3), np.uint8)
    return Patches(hr, hr[:, ::4, ::4], np.ones(count))


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


# --- the store --------------------------------------------------------------------------------


def filled(folder: Path, patches: Patches, count: int, **options: Any) -> Store:
    store = Store(folder, Questions(patches, 4, POOR), [Teacher("bicubic")], count)
    store.fill(**options)
    return store


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


def test_answers_belong_to_the_teachers_weights(tmp_path: Path) -> None:
    weights = srkit.weights.weights_path(srkit.card("espcn").weights[4])
    shutil.copy(weights, tmp_path / "mine.safetensors")
    mine = Teacher(str(tmp_path / "mine.safetensors"))
    before = mine.digest(4)
    assert mine.digest(4) == before != mine.digest(2)
    assert replace(mine, precision="float32").digest(4) != before
    assert replace(mine, weight=0.5).digest(4) == before
    shutil.copy(
        srkit.weights.weights_path(srkit.card("fsrcnn").weights[4]), tmp_path / "mine.safetensors"
    )
    assert mine.digest(4) != before


def test_answers_belong_to_both_files_of_a_pair(tmp_path: Path) -> None:
    (tmp_path / "net.param").write_bytes(b"layers")
    (tmp_path / "net.bin").write_bytes(b"numbers")
    before = Teacher(str(tmp_path / "net.param")).digest(4)
    assert Teacher(str(tmp_path / "net.bin")).digest(4) == before
    (tmp_path / "net.bin").write_bytes(b"other numbers")
    assert Teacher(str(tmp_path / "net.param")).digest(4) != before


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


# --- crops ------------------------------------------------------------------------------------


@pytest.mark.parametrize("rim", [0, 3, 8])
def test_crops_of_lr_hr_and_answers_show_one_place(
    tmp_path: Path, patches: Patches, rim: int
) -> None:
    """Answers are made up: HR's negative, so that each crop tells whether it is in place."""
    questions = Questions(patches, 4)
    store = Store(tmp_path, questions, [Teacher("bicubic")], BLOCK)
    kept = [255 - questions.hr(n)[24:-24, 24:-24] for n in range(BLOCK)]
    for name, pictures in (("lr", [questions.lr(n) for n in range(BLOCK)]), (None, kept)):
        folder = store.folder / (name or next(iter(store.digests.values())))
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


# --- losses and recipes -----------------------------------------------------------------------


def test_losses_compare_with_teachers_where_there_are_any() -> None:
    assert [target_of(Pixel(), taught) for taught in (False, True)] == ["hr", "teacher"]
    assert target_of(Features(target="hr"), True) == "hr"
    assert target_of(TotalVariation(), True) == "hr"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"losses": [{"kind": "l1", "target": "teacher"}]}, "the recipe has none"),
        ({"teachers": [{"model": "a"}, {"model": "a"}]}, "named once"),
        ({"teachers": [{"model": "a", "weight": 0}]}, "above 0"),
        ({"versions": 0}, "versions is at least 1"),
        ({"versions": 2}, "of teachers, and the recipe has none"),
        ({"answers": 2}, "of teachers, and the recipe has none"),
        (
            {"teachers": [{"model": "a"}], "losses": [{"kind": "l1", "target": "hr"}]},
            'of target "teacher" or "auto"; none is',
        ),
    ],
)
def test_recipes_that_make_no_sense_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        RECIPES["compact"].changed(changes)


@pytest.mark.parametrize(
    ("recipe", "changes", "message"),
    [
        ("compact", {"versions": 2}, "all versions would be the same"),
        ("compact", {"margin": 30}, "margin is less than half"),
        ("compact", {"unshuffle": 5, "features": 75}, "unshuffle from 1 to 4"),
        (
            "compact",
            {"teacher": ["bicubic", "srresnet"], "scale": 3},
            "srresnet cannot teach at x3",
        ),
        ("compact", {"teacher": [Teacher("espcn", precision="float17")]}, "float17"),
        ("compact", {"teachers": []}, "give one of them"),
        (
            "compact",
            {"teacher": "srgam"},
            "weights file; did you mean 'srgan'",
        ),
        ("compact", {"teacher": "."}, "neither a model nor a weights file"),
        ("srresnet", {"features": 32}, "a new network whose size is free"),
    ],
)
def test_runs_that_make_no_sense_are_refused(
    tmp_path: Path, photos: Path, cache: Path, recipe: str, changes: dict, message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        train(recipe, photos, tmp_path, cache, **changes)


# --- runs -------------------------------------------------------------------------------------


def train(recipe: str, photos: Path, out: Path, cache: Path, **changes: Any) -> Path:
    options: dict[str, Any] = {"scale": 4, "teacher": "bicubic", "answers": 4}
    return srkit.train(recipe, photos, out, cache=cache, device="cpu", **(options | TINY | changes))


def test_a_network_comes_nearer_to_its_teacher(
    tmp_path: Path, photos: Path, cache: Path, rows: Any
) -> None:
    steps = {"steps": 60, "check_every": 60, "rate": 1e-3, "features": 27, "layers": 2}
    path = train("compact", photos, tmp_path, cache, teacher="nearest", **steps)
    first, last = rows(tmp_path)
    assert float(last["psnr_to_teacher"]) > float(first["psnr_to_teacher"]) + 1
    assert srkit.load(path).scale == 4
    # Best is what is nearest to the teacher, though it is farther from the photo.
    assert float(last["psnr"]) < float(first["psnr"])
    with safe_open(path, "pt") as file:
        header = file.metadata()
    assert header["steps"] == "60"
    assert header["teachers"] == "nearest"
    told = json.loads(header["recipe"])["teachers"]
    assert [(one["model"], one["digest"]) for one in told] == [
        ("nearest", Teacher("nearest").digest(4))
    ]


@pytest.mark.parametrize(("recipe", "scale"), [("espcn", 3), ("neural-enhance", 1), ("unet", 2)])
def test_every_network_of_pictures_can_be_taught(
    tmp_path: Path, photos: Path, cache: Path, recipe: str, scale: int, rows: Any
) -> None:
    changes: dict[str, Any] = {"scale": scale, "crop": 32 if recipe == "unet" else 8}
    if scale == 1:
        # bicubic x2, shrunk again.
        changes["degradations"] = [{"kind": "jpeg"}]
    if recipe == "unet":
        changes |= {"stages": [], "losses": [{"kind": "l1"}]}
    train(recipe, photos, tmp_path, cache, **changes)
    assert all("psnr_to_teacher" in row for row in rows(tmp_path))


def test_a_run_with_another_teacher_does_not_go_on(
    tmp_path: Path, photos: Path, cache: Path
) -> None:
    tensors = load_file(srkit.weights.weights_path(srkit.card("espcn").weights[4]))
    teacher, moved = tmp_path / "teacher.safetensors", tmp_path / "moved.safetensors"
    save_file(tensors, teacher)
    train("espcn", photos, tmp_path / "run", cache, teacher=str(teacher))
    teacher.rename(moved)
    # The same weights in another place.
    train("espcn", photos, tmp_path / "run", cache, teacher=str(moved), steps=7)
    save_file(tensors | {"conv3.bias": tensors["conv3.bias"] + 0.01}, moved)
    with pytest.raises(OptionError, match=r"other settings .*teachers was"):
        train("espcn", photos, tmp_path / "run", cache, teacher=str(moved), steps=8)


def test_losses_add_up_by_their_weights_and_targets() -> None:
    losses = (Pixel(weight=0.25), Pixel(weight=2.0, target="hr"))
    recipe = replace(RECIPES["espcn"], teachers=(Teacher("bicubic"),), losses=losses, expand=0)
    fabric = Fabric(accelerator="cpu", devices=1)
    method = Minimise(fabric, recipe, FAMILIES["espcn"], ESPCN(2))
    made, zero = torch.full((1, 1, 4, 4), 0.5), torch.zeros(1, 1, 4, 4)
    figures, total = method._losses(made, {"hr": zero, "teacher": zero + 0.4})
    assert float(total) == pytest.approx(0.25 * 0.1 + 2.0 * 0.5)
    assert [float(value) for value in figures.values()] == pytest.approx([0.1, 0.5])


def test_an_adversary_sees_photos_beside_a_teacher(
    tmp_path: Path, photos: Path, cache: Path
) -> None:
    changes = {"adversary": {"channels": 4}, "features": 27, "layers": 1, "steps": 2, "crop": 16}
    path = train("compact", photos, tmp_path, cache, **changes)
    assert path.name == "weights.safetensors"
    assert "judge" in (tmp_path / "log.csv").read_text()


def test_hr_and_teacher_count_by_their_weights(
    tmp_path: Path, photos: Path, cache: Path, rows: Any
) -> None:
    losses = [{"kind": "l1", "target": "hr"}, {"kind": "l1", "weight": 0.5}]
    train("espcn", photos, tmp_path, cache, losses=losses, rate=1e-9)
    last = rows(tmp_path)[-1]
    # It is bicubic interpolation, nearly, and so is its teacher.
    assert 0 < 1.3 * float(last["l11"]) < float(last["l1"])


def test_the_size_of_a_new_network_is_the_recipes(
    tmp_path: Path, photos: Path, cache: Path
) -> None:
    path = train("compact", photos, tmp_path, cache, features=30, layers=1, unshuffle=2)
    tensors = load_file(path)
    assert tensors["body.0.weight"].shape == torch.Size([30, 12, 3, 3])
    assert len([name for name in tensors if name.endswith("bias")]) == 3


def test_a_store_and_a_run_that_were_killed_end_as_if_they_had_not_been(
    tmp_path: Path, photos: Path, cache: Path, rows: Any
) -> None:
    settings = TINY | {"steps": 120, "save_every": 20, "check_every": 5, "answers": 6 * BLOCK}
    changes = [f"--set={key}={value}" for key, value in settings.items()]
    degradations = tmp_path / "poor.toml"
    degradations.write_text(
        "[[degradations]]\nkind = 'downsample'\n[[degradations]]\nkind = 'jpeg'\n"
    )

    def command(out: Path) -> list[str]:
        run = ["train", "espcn", str(photos), "--scale=4", f"--output={out}", "--device=cpu"]
        return [
            *run,
            "--teacher=fsrcnn",
            f"--config={degradations}",
            "--set=versions=48",
            *changes,
        ]

    killed, whole = tmp_path / "killed", tmp_path / "whole"
    answers = killed / "cache" / "answers"
    kill_when(command(killed), lambda: len(list(answers.rglob("*.npy"))) > 2)
    assert 2 < len(list(answers.rglob("*.npy"))) < 12
    kill_when(command(killed), lambda: (killed / "state.pth").exists())
    assert torch.load(killed / "state.pth", weights_only=True)["step"] < 120
    assert main(command(killed)) == main(command(whole)) == 0
    same_result(killed, whole)
    assert rows(killed) == rows(whole)
    stored = [
        {path.relative_to(out): path.read_bytes() for path in (out / "cache").rglob("*.np?")}
        for out in (killed, whole)
    ]
    assert stored[0] == stored[1]
    assert len(stored[0]) == 6 + 6 + 1


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
