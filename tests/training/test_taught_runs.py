"""Runs in which a network learns from other models."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")
pytest.importorskip("pydantic")
import torch
from lightning_fabric import Fabric
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from short_runs import TINY, kill_when, run_whole, same_result

import srkit
from srkit.adapters.pytorch.nets.espcn import ESPCN
from srkit.errors import OptionError
from srkit.training import RECIPES
from srkit.training.data.store import BLOCK
from srkit.training.data.teachers import Teacher
from srkit.training.families import FAMILIES
from srkit.training.learning.losses import Features, Pixel, TotalVariation, target_of
from srkit.training.learning.methods import Minimise

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
        ("srresnet", {"features": 32}, "for a network whose size is free"),
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
    tmp_path: Path, photos: Path, cache: Path, rows: Any, caplog: pytest.LogCaptureFixture
) -> None:
    steps = {"steps": 60, "check_every": 60, "rate": 1e-3, "features": 27, "layers": 2}
    path = train("compact", photos, tmp_path, cache, teacher="nearest", **steps)
    assert "no check was better" not in caplog.text
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


def test_who_taught_is_told_by_what_goes_on_from_there(
    tmp_path: Path, photos: Path, cache: Path
) -> None:
    """Of the newest weights: the best are their start, which has learned nothing."""

    def newest(folder: str, **changes: Any) -> Path:
        steps = {"steps": 1, "check_every": 1}
        best = train("espcn", photos, tmp_path / folder, cache, **(steps | changes))
        return best.with_name("weights.safetensors")

    first = newest("first", teacher=["nearest", "bilinear"])
    alone = newest("alone", init=first, teacher=None, answers=0)
    again = newest("again", init=alone, teacher=["bicubic", "nearest"])
    told = []
    for made in (first, alone, again):
        with safe_open(made, "pt") as file:
            told.append(file.metadata()["teachers"])
    assert told == ["nearest, bilinear", "nearest, bilinear", "nearest, bilinear, bicubic"]
    with safe_open(again, "pt") as file:
        assert file.metadata()["photos"] == "2 learned from, 1 checked on"


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
    tensors = load_file(srkit.models.weights.weights_path(srkit.card("espcn").weights[4]))
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
    run_whole(command(killed))
    run_whole(command(whole))
    same_result(killed, whole)
    assert rows(killed) == rows(whole)
    stored = [
        {path.relative_to(out): path.read_bytes() for path in (out / "cache").rglob("*.np?")}
        for out in (killed, whole)
    ]
    assert stored[0] == stored[1]
    assert len(stored[0]) == 6 + 6 + 1
