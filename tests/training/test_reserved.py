"""The photos that figures are measured on: always the same pixels, and never trained on."""

from __future__ import annotations

import hashlib
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("lightning_fabric", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("pydantic", reason="training needs it: pip install 'srkit[train]'")

import srkit
from srkit import CorruptFileError, OptionError
from srkit.training import RECIPES, pairs
from srkit.training.data import reserved
from srkit.training.data.photos import find_photos
from srkit.training.data.reserved import RESERVED, Photo, find_reserved, is_reserved
from srkit.training.pairs import SETS, write_pairs, write_set

# The first 16 digits of SHA-256 of the decoded LR pictures; of poor-2026 as the recipe `photo`
# degraded them when the figures of `photo` were measured first.
LR = {
    "poor-2026": [
        "05d8966fc2fb3cc7",
        "86990b453e552c52",
        "4a5dab864826aa1a",
        "efe6ef4f688ba3fd",
        "aea1eff35f051fc3",
        "c00f2db83770926e",
        "fde579f9a2efc967",
        "e9403edcebc02bd1",
        "3cc26bf6f69bf153",
        "06b6b46515e37c8d",
        "a16feb71e0c2bd18",
        "28f9c025958c3a61",
    ],
    "poor-two-stage": [
        "d3da1f7614c5336e",
        "b267cbf636461247",
        "92d56a383dd5c61e",
        "d9a585b0113eaa18",
        "289aefaf6d2f22dc",
        "24f4180bcde3edb5",
        "7074bd64d8a1e310",
        "2c49b3fc506583d6",
        "e87d2973709ef96d",
        "70d6556bcea8df94",
        "1446b8b32030396e",
        "5e968b88b62816b6",
    ],
    "repair-2026": [
        "f98ddec517be4982",
        "c0be48212310e36c",
        "4e93f1e9480e4d4b",
        "a28961cb275f6168",
        "32bf2e981e15956a",
        "a0823995396750a9",
        "dec37e2c833eedfd",
        "6ed07331a896d0b1",
        "957ac633e6af3c31",
        "1ef8e95c54a23d7a",
        "5c08a1dc4030fecf",
        "7a3dae56610a2c85",
    ],
}


@pytest.fixture
def astronaut(monkeypatch: pytest.MonkeyPatch, photos: Path) -> Path:
    """One of the three photos, as the only one that is reserved."""
    path = photos / "astronaut.png"
    content = path.read_bytes()
    only = Photo(path.name, len(content), hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(reserved, "RESERVED", (only,))
    return path


# --- sets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "scale"), [("poor-2026", 4), ("poor-two-stage", 4), ("repair-2026", 1)]
)
def test_named_sets_are_the_same_pixels_for_good(data_folder, tmp_path, name, scale):
    assert write_set(name, data_folder("photos"), tmp_path, scale) == 12
    made = [np.asarray(Image.open(p)) for p in sorted((tmp_path / f"LR/x{scale}").iterdir())]
    assert {picture.shape for picture in made} == {(480 // scale, 480 // scale, 3)}
    assert [hashlib.sha256(p.tobytes()).hexdigest()[:16] for p in made] == LR[name]


def test_every_named_set_is_held_to_its_pixels():
    assert LR.keys() == SETS.keys()


def test_the_photos_are_those_that_the_trainings_held_out():
    """Every 36th of 433, and no two of one size."""
    assert [photo.name for photo in RESERVED][:4] == [
        "0000.jpg",
        "0036.jpg",
        "0072.jpg",
        "0108.jpg",
    ]
    assert len({photo.sha256 for photo in RESERVED}) == len({p.size for p in RESERVED}) == 12


def test_a_photo_that_is_missing_or_another_one_is_an_error(astronaut, tmp_path):
    with pytest.raises(OptionError, match=r"has no astronaut\.png; figures are measured on"):
        write_set("poor-2026", tmp_path, tmp_path / "out", 4)
    shutil.copy(astronaut.with_name("coffee.png"), tmp_path / "astronaut.png")
    with pytest.raises(CorruptFileError, match="is not the photo that figures are measured on"):
        write_set("poor-2026", tmp_path, tmp_path / "out", 4)
    assert not (tmp_path / "out").exists()


def test_a_set_that_is_none_or_has_no_such_scale_is_an_error(astronaut, tmp_path):
    with pytest.raises(OptionError, match="no set is named 'poor'; there are poor-2026, poor-two"):
        write_set("poor", astronaut.parent, tmp_path, 4)
    with pytest.raises(OptionError, match="exactly one of kind 'downsample'"):
        write_set("repair-2026", astronaut.parent, tmp_path, 4)


def test_the_command_writes_a_set(astronaut, tmp_path, monkeypatch, capsys):
    words = ["pairs", str(astronaut.parent), str(tmp_path / "a"), "--set", "poor-two-stage"]
    monkeypatch.setattr("sys.argv", [*words, "--scale", "2", "--side", "96"])
    pairs.main()
    assert "1 pairs in" in capsys.readouterr().out
    write_set("poor-two-stage", astronaut.parent, tmp_path / "b", 2, side=96)
    for name in ("HR/000_astronaut.png", "LR/x2/000_astronaut.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_set_takes_no_recipe(monkeypatch, capsys):
    for other in ("--recipe=photo", "--config=mine.toml"):
        monkeypatch.setattr("sys.argv", ["pairs", "photos", "out", "--set", "poor-2026", other])
        with pytest.raises(SystemExit):
            pairs.main()
        assert "not allowed with argument --set" in capsys.readouterr().err


# --- never trained on -------------------------------------------------------------------------


def test_reserved_photos_are_known_by_their_content(astronaut, tmp_path):
    renamed = Path(shutil.copy(astronaut, tmp_path / "mine.png"))
    content = astronaut.read_bytes()
    other = tmp_path / "astronaut.png"
    other.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert is_reserved(astronaut)
    assert is_reserved(renamed)
    assert not is_reserved(other)
    assert not is_reserved(astronaut.with_name("coffee.png"))
    assert not is_reserved(tmp_path)


def test_only_files_of_their_sizes_are_read(astronaut, monkeypatch):
    def refuse(path):
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr(reserved, "sha256", refuse)
    assert not is_reserved(astronaut.with_name("coffee.png"))


def test_a_run_neither_trains_on_them_nor_chooses_by_them(astronaut, tiny, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    srkit.train("espcn", astronaut.parent, tmp_path / "run", scale=2, **tiny)
    assert "1 photos are left out: figures are measured on them" in caplog.text
    held = (tmp_path / "run" / "held_out.txt").read_text().split()
    # Of coffee and chelsea, sorted.
    assert held == [str((astronaut.parent / "chelsea.png").resolve())]
    write_pairs(astronaut.parent, tmp_path / "pairs", RECIPES["photo"], 4, side=96)
    assert [p.name for p in (tmp_path / "pairs/HR").iterdir()] == ["000_chelsea.png"]


def test_a_folder_of_little_else_is_too_small(astronaut, tmp_path):
    for name in ("astronaut.png", "coffee.png"):
        shutil.copy(astronaut.with_name(name), tmp_path)
    with pytest.raises(OptionError, match="holds 1 photos; training needs two"):
        find_photos(tmp_path)


def test_the_twelve_are_left_out_of_the_folder_that_holds_them(data_folder):
    folder = data_folder("photos")
    twelve = find_reserved(folder)
    found = find_photos(folder)
    assert not set(twelve) & set(found)
    assert len(found) == len(list(folder.glob("*.jpg"))) - 12
