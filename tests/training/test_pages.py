"""Pages and data sets that are made from what was trained."""

import io
import re

import numpy as np
import pytest
from checkout import ROOT
from PIL import Image as PILImage
from skimage import data

torch = pytest.importorskip("torch", reason="needs pip install 'srkit[train]'")
pytest.importorskip("lightning_fabric", reason="needs pip install 'srkit[train]'")

from export_weights import export
from model_cards import THEIRS, model_cards
from safetensors import safe_open

import srkit
from srkit import MissingDependencyError, OptionError
from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.evaluation.dataset import open_dataset
from srkit.models.weights import sha256, weights_path
from srkit.training import RECIPES, Recipe
from srkit.training.data.degradations import Downsample, Jpeg
from srkit.training.data.photos import find_photos, split
from srkit.training.pairs import main as pairs_main
from srkit.training.pairs import write_pairs

DOCS = ROOT / "docs"


def test_the_page_of_models_says_what_the_weights_say():
    assert (DOCS / "models.md").read_text(encoding="utf-8") == model_cards(DOCS / "curves")


def test_the_page_begins_with_what_each_model_is_for_and_entries_end_with_the_commit():
    page = (DOCS / "models.md").read_text(encoding="utf-8")
    own = [card for card in srkit.cards() if card.adapter.startswith("srkit.")]
    lines = [line for line in page.partition("## ")[0].splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]
    assert len(rows) == len(own) == 21
    for row, card in zip(rows, own, strict=True):
        assert row[0].strip("[").startswith(f"`{card.name}`")
        assert row[1] == card.good_for
    # By hand, of SRResNet as in its paper, on 320x180 pixels: convolutions of 3x3, and two of 9x9,
    # of which the last sees all pixels of the result.
    body, shuffled, ends = 33 * 64 * 64 * 9, (1 + 4) * 64 * 256 * 9, (1 + 16) * 3 * 64 * 81
    srresnet = (body + shuffled + ends) * 320 * 180 / 1e9
    assert rows[[card.name for card in own].index("photo-2025")][3].endswith(f", {srresnet:.1f}")
    for entry in page.split("\n### ")[1:]:
        last = entry.partition("\n## ")[0].strip().splitlines()[-1]
        assert re.fullmatch(r"Made at commit `[0-9a-f]{7,}`\.", last), last


def test_operations_of_what_is_downloaded_are_those_of_its_layers():
    # Convolutions of 3x3, 34 of them, and a shuffle of 4x4: numbers are multiplied once a pixel.
    numbers = 9 * (3 * 64 + 32 * 64 * 64 + 64 * 48)
    assert THEIRS["realesrgan-general"] == {4: round(numbers * 320 * 180 / 1e9, 1)}


@pytest.mark.parametrize("name", sorted(THEIRS.keys() - {"realesrgan-general"}))
def test_operations_of_what_may_not_be_here_are_those_of_the_network(name):
    for scale, stated in THEIRS[name].items():
        try:
            model = srkit.load(name, scale=scale)
        except MissingDependencyError as error:
            pytest.skip(f"weights are not here: {error}")
        assert round(model.multiply_adds * 1280 * 720 / scale**2 / 1e9, 1) == stated


def test_every_shipped_file_names_its_origin():
    for name in srkit.list_models():
        for scale, file in srkit.card(name).weights.items():
            if file.source != "packaged":
                continue
            with safe_open(weights_path(file), framework="pt") as stored:
                header = stored.metadata()
            assert header["scale"] == str(scale)
            needed = {"architecture", "colour", "licence", "training_data", "recipe", "commit"}
            assert needed <= header.keys(), name


def test_large_weights_are_packed_in_half_precision_and_small_ones_as_they_are(tmp_path):
    large, small = tmp_path / "large.pth", tmp_path / "small.pth"
    value = torch.rand(300, 300)
    torch.save({"a": value}, large)
    torch.save({"a": value[:100, :100].clone()}, small)
    assert export(large, tmp_path / "large.safetensors", {"licence": "CC0-1.0"}) == sha256(
        tmp_path / "large.safetensors"
    )
    export(small, tmp_path / "small.safetensors", {})
    packed = read_checkpoint(tmp_path / "large.safetensors")
    assert packed.metadata["licence"] == "CC0-1.0"
    assert torch.equal(packed.tensors["a"], value.half())
    packed = read_checkpoint(tmp_path / "small.safetensors")
    assert torch.equal(packed.tensors["a"], value[:100, :100])


def test_numbers_beyond_half_precision_are_refused_and_nothing_is_written(tmp_path):
    torch.save({"a": torch.full((300, 300), 1e6)}, tmp_path / "large.pth")
    with pytest.raises(srkit.WeightsError, match="half precision"):
        export(tmp_path / "large.pth", tmp_path / "out.safetensors", {})
    assert not (tmp_path / "out.safetensors").exists()


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("astronaut", "coffee", "chelsea"):
        PILImage.fromarray(getattr(data, name)()[:130, :150]).save(folder / f"{name}.png")
    return folder


def test_degraded_pairs_are_the_held_out_photos_and_the_same_each_time(photos, tmp_path):
    recipe = Recipe(
        model="srresnet",
        held_out=1,
        degradations=(Downsample(kernel="area"), Jpeg(quality=(50, 50), halved=0)),
    )
    assert write_pairs(photos, tmp_path / "a", recipe, 2, side=80) == 1
    write_pairs(photos, tmp_path / "b", recipe, 2, side=80)
    _, [held] = split(find_photos(photos), 1)
    [pair] = open_dataset(tmp_path / "a", 2).pairs
    assert pair.hr.stem == f"000_{held.stem}"
    photo = np.asarray(PILImage.open(held))
    hr = photo[(130 - 80) // 2 : (130 - 80) // 2 + 80, (150 - 80) // 2 : (150 - 80) // 2 + 80]
    np.testing.assert_array_equal(np.asarray(PILImage.open(pair.hr)), hr)
    # By hand: blocks of four averaged, rounded, and through JPEG.
    small = hr.reshape(40, 2, 40, 2, 3).mean(axis=(1, 3))
    file = io.BytesIO()
    small = PILImage.fromarray(np.rint(small).astype(np.uint8))
    small.save(file, "JPEG", quality=50, subsampling=0)
    by_hand = np.asarray(PILImage.open(file)).astype(int)
    apart = np.abs(by_hand - np.asarray(PILImage.open(pair.lr)))
    # Halves may be rounded either way before JPEG.
    assert apart.mean() < 0.5
    for path in (tmp_path / "a").rglob("*.png"):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()


def test_a_photo_that_cannot_be_read_does_not_stop_the_others(photos, tmp_path, caplog):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff no picture")
    listed = tmp_path / "held_out.txt"
    names = [broken, tmp_path / "none.png", *sorted(photos.iterdir())]
    listed.write_text("".join(f"{name}\n" for name in names))
    assert write_pairs(listed, tmp_path / "out", RECIPES["photo"], 2, side=80) == len(names) - 2
    assert "skipped" in caplog.text
    assert "broken.jpg" in caplog.text
    assert "none.png" in caplog.text
    assert len(open_dataset(tmp_path / "out", 2).pairs) == len(names) - 2


def test_mistakes_of_its_command_are_told_in_a_line(photos, tmp_path, monkeypatch, capsys):
    given = ["pairs", str(photos), str(tmp_path / "out"), "--recipe", "espcn"]
    monkeypatch.setattr("sys.argv", given)
    with pytest.raises(SystemExit, match="2"):
        pairs_main()
    assert "error: this recipe has no degradations" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_recipe_that_degrades_nothing_gives_no_pairs(photos, tmp_path):
    with pytest.raises(OptionError, match="no degradations"):
        write_pairs(photos, tmp_path / "out", RECIPES["srresnet"], 4)
    with pytest.raises(OptionError, match="no multiple"):
        write_pairs(photos, tmp_path / "out", RECIPES["photo"], 4, side=30)
    assert not (tmp_path / "out").exists()
