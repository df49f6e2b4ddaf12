"""Pages where one would rather look have a picture, which says to those who cannot see it."""

import re
from xml.etree import ElementTree

import numpy as np
import page_pictures
import pytest
from checkout import ROOT
from learning_curves import Panel, main, marks, picture, read
from side_by_side import FOOT, GAP

import srkit

DOCS = ROOT / "docs"
SHOWN = {
    "compare.md": 2,
    "how-trained.md": 1,
    "models.md": 1,
    "perception.md": 1,
    "training.md": 1,
    "tutorial-first.md": 1,
    "tutorial-training.md": 1,
    "video.md": 1,
    "web.md": 3,
}
PAGES = sorted(DOCS.glob("*.md"))
SVG = "{http://www.w3.org/2000/svg}"


def pictures(page):
    """What a page says of each picture, and its file."""
    return re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_a_picture_is_there_and_told(page):
    found = pictures(page)
    assert len(found) >= SHOWN.get(page.name, 0)
    for told, file in found:
        assert (DOCS / file).is_file()
        assert len(told.split()) >= 8, file


@pytest.mark.parametrize("name", ["steps", "perception", "models", "video"])
def test_a_picture_loads_quickly(name):
    assert 10_000 < (DOCS / "pictures" / f"{name}.webp").stat().st_size < 120_000


def test_the_picture_of_the_models_has_all_for_x4_but_what_is_downloaded():
    own = [card for card in srkit.cards() if card.adapter.startswith("srkit.")]
    networks = {card.name for card in own if 4 in card.scales and card.weights}
    assert set(page_pictures.MODELS) == (networks - {"realesrgan-general"}) | {"bicubic"}
    assert len(page_pictures.MODELS) == len(set(page_pictures.MODELS))


def test_a_sheet_of_many_columns_is_cut_into_lines():
    shades = {f"{n}": np.full((4, 4, 3), 50 * n, np.uint8) for n in range(5)}
    page = np.asarray(page_pictures.in_lines([shades], 2, times=3))
    line = 12 + GAP + FOOT  # a picture of 4 by 3, and its name
    assert page.shape == (3 * line, 12 + GAP + 12, 3)
    found = [page[y * line, x * (12 + GAP), 0] for y in range(3) for x in range(2)]
    assert found[:5] == [0, 50, 100, 150, 200]


def test_a_poor_picture_keeps_its_size_and_says_its_quality():
    small = srkit.imresize(page_pictures.cut(page_pictures.data.chelsea()), 1 / 4)
    made = page_pictures.poor(small)
    assert made.shape == small.shape == (75, 112, 3)
    assert made.metadata.jpeg_quality == 60
    assert 25 < srkit.metrics.psnr(small, made.pixels) < 40


def test_the_learning_curves_are_drawn_from_the_tables(tmp_path):
    main(DOCS / "curves", tmp_path)
    for name in ("learning-first.svg", "learning.svg", "learning-taught.svg"):
        assert (tmp_path / name).read_text() == (DOCS / "pictures" / name).read_text()


def test_a_curve_lies_where_its_figures_say(tmp_path):
    (tmp_path / "a_x2.csv").write_text("step,psnr,l1\n0,30,\n50,34,0.1\n200,32,0.1\n")
    assert read(tmp_path / "a_x2.csv", "psnr") == [(0, 30), (50, 34), (200, 32)]
    root = ElementTree.fromstring(picture([Panel("a & b", "a_x2", "psnr")], tmp_path, 400))
    (line,) = root.iter(f"{SVG}polyline")
    points = [tuple(map(float, point.split(","))) for point in line.get("points").split()]
    (left, low), (quarter, high), (right, middle) = points
    assert (quarter - left, right - left) == (100, 400)
    assert high < low
    assert middle == pytest.approx((low + high) / 2)
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert texts == ["a & b", *map(str, (*range(30, 35), *range(0, 201, 50))), "steps"]


def test_two_curves_of_a_panel_share_its_axes(tmp_path):
    (tmp_path / "a.csv").write_text("step,psnr\n0,30\n100,34\n")
    (tmp_path / "b.csv").write_text("step,psnr\n0,30\n200,32\n")
    root = ElementTree.fromstring(picture([Panel("a", "a", "psnr", beside="b")], tmp_path, 400))
    first, second = (
        [tuple(map(float, point.split(","))) for point in line.get("points").split()]
        for line in root.iter(f"{SVG}polyline")
    )
    assert first[0] == second[0]
    assert second[1][0] - second[0][0] == 400
    assert first[1][0] - first[0][0] == 200
    assert second[1][1] == pytest.approx((first[0][1] + first[1][1]) / 2)


def test_an_axis_beyond_all_measure_is_an_error():
    assert marks(0, 2e9) == [0, 5e8, 1e9, 1.5e9, 2e9]
    with pytest.raises(ValueError, match="no marks"):
        marks(0, 1e12)
