"""The sheet to judge models by: who stands where is drawn, and the key knows it."""

import importlib
import json

import numpy as np
import pytest
from checkout import ROOT
from PIL import Image as PILImage

EXAMPLES = ROOT / "examples"
# What stands for a model leaves its colour, so that a column tells who made it.
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


@pytest.fixture
def blind(monkeypatch):
    pytest.importorskip("lightning_fabric", reason="needs pip install 'srkit[train]'")
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module("blind_sheet")


def test_a_row_holds_every_model_once(blind):
    orders = blind.draw_orders(40, list(COLOURS), seed=1)
    assert all(sorted(order) == sorted(COLOURS) for order in orders)


def test_all_orders_occur_and_none_rules(blind):
    orders = [tuple(order) for order in blind.draw_orders(600, list(COLOURS), seed=1)]
    counts = [orders.count(order) for order in set(orders)]
    assert len(counts) == 6
    assert min(counts) > 60


def test_a_seed_draws_the_same_again_and_another_does_not(blind):
    first = blind.draw_orders(12, list(COLOURS), seed=1)
    assert blind.draw_orders(12, list(COLOURS), seed=1) == first
    assert blind.draw_orders(12, list(COLOURS), seed=2) != first


def test_the_key_names_who_made_each_column(blind, tmp_path, monkeypatch):
    def enlarge(self, name, small):
        return np.full((256, 256, 3), COLOURS[name], np.uint8)

    monkeypatch.setattr(blind.Models, "enlarge", enlarge)
    for name in ("a.png", "b.png", "c.png"):
        PILImage.new("RGB", (80, 70)).save(tmp_path / name)
    sheet, key = tmp_path / "sheet.png", tmp_path / "key.json"
    pictures = [str(tmp_path / name) for name in ("a.png", "b.png", "c.png")]
    words = ["blind_sheet", str(sheet), str(key), *pictures, "--models", *COLOURS, "--seed", "5"]
    monkeypatch.setattr("sys.argv", words)
    blind.main()
    pixels = np.asarray(PILImage.open(sheet))
    rows = json.loads(key.read_text())["rows"]
    assert [row["picture"] for row in rows] == pictures
    cell = 128 * blind.TIMES + blind.GAP
    for y, row in enumerate(rows):
        for x, letter in enumerate("ABC"):
            middle = pixels[y * cell + cell // 2, x * cell + cell // 2]
            assert tuple(middle) == COLOURS[row[letter]]
