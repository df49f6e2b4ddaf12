"""The picture of fidelity against cost: what it draws is what was measured, and can be read."""

from itertools import combinations
from xml.etree import ElementTree

import pytest
from checkout import ROOT
from fidelity_chart import (
    FIDELITY,
    NAMES,
    OPENED,
    PUBLISHED_POINTS,
    by_operations,
    by_seconds,
    main,
    measured,
    picture,
    table,
)

from srkit.evaluation.charts import Panel, Point, apart, places, ticks
from srkit.evaluation.costs import Costs
from srkit.evaluation.results import Scores, as_csv
from srkit.evaluation.scores import Score
from srkit.metrics import STANDARD


def write_bench(path, *models):
    """What `srkit bench --format csv` writes of models: name, dB, seconds, multiplications."""
    path.write_text(
        as_csv(
            Scores(name, "Set5", 4, STANDARD, (Score("baby", psnr, 0.9),), Costs(s, None, 9, n))
            for name, psnr, s, n in models
        )
    )
    return path


@pytest.fixture
def models(tmp_path):
    first = write_bench(
        tmp_path / "1.csv", ("bicubic", 28.4, 0.05, None), ("span", 31.5, 2.0, 24.6e9)
    )
    second = write_bench(
        tmp_path / "2.csv", ("span", 31.5, 0.5, 24.6e9), ("rlfn_s", 32.2, 0.8, 30e9)
    )
    return measured([first, second], {"rlfn_s": "RLFN"})


def test_of_several_tables_each_model_is_taken_once_at_its_fastest(models):
    assert [(m.name, m.seconds, m.gmac) for m in models] == [
        ("bicubic", 0.05, None),
        ("span", 0.5, 24.6),
        ("RLFN", 0.8, 30.0),
    ]
    assert [m.kind for m in models[1:]] == [FIDELITY, OPENED]


def test_other_sets_and_scales_are_left_out(tmp_path):
    path = tmp_path / "other.csv"
    rows = (Score("a", 30.0, 0.9),)
    path.write_text(
        as_csv(
            [Scores("span", "Set14", 4, STANDARD, rows), Scores("span", "Set5", 2, STANDARD, rows)]
        )
    )
    assert measured([path], {}) == []


def test_all_that_multiplies_is_above_and_all_that_was_measured_below(models):
    above = {point.label for point in by_operations(models)}
    assert above == {"span", "RLFN"} | {point.name for point in PUBLISHED_POINTS}
    assert [point.label for point in by_seconds(models)] == ["bicubic", "span", "RLFN"]


def test_the_picture_names_every_mark_and_tells_where_published_ones_are_from(models):
    svg = ElementTree.fromstring(picture(models))
    space = "{http://www.w3.org/2000/svg}"
    names = [text.text for text in svg.iter(f"{space}text")]
    assert {"span", "RLFN", "bicubic", "SRResNet"} <= set(names)
    told = {title.text for title in svg.iter(f"{space}title")}
    assert "32.05 dB, 127.8 GMAC: Ledig et al., CVPR 2017, arXiv:1609.04802; own protocol" in told
    assert "span: 31.50 dB, 0.50 s/MP" in told


def test_labels_of_crowded_marks_keep_apart_and_off_the_marks():
    panel = Panel("crowd", 50, (1, 100), (28, 33))
    crowd = [Point(f"network-{n}", 30 + n, 32 + n / 50, FIDELITY) for n in range(12)]
    boxes = places(panel, crowd)
    assert all(apart(*pair) for pair in combinations(boxes, 2))
    for point in crowd:
        x, y = panel.place(point.x, point.y)
        assert not any(b[0] < x < b[2] and b[1] < y < b[3] for b in boxes)
    right, bottom = panel.left + panel.width, panel.top + panel.height
    for box in boxes:
        assert box[0] >= panel.left
        assert box[1] >= panel.top
        assert box[2] <= right
        assert box[3] <= bottom


def test_an_axis_has_1_2_and_5_of_every_decade():
    assert list(ticks(0.7, 30)) == [1, 2, 5, 10, 20]


def test_the_page_shows_what_was_measured():
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    shown = (ROOT / "docs" / "pictures" / "fidelity.svg").read_text(encoding="utf-8")
    models = measured([ROOT / "docs" / "curves" / "fidelity_x4.csv"], NAMES)
    assert {"bicubic", "fsrcnn", "espcn", "span", "srresnet", "unet"} <= {m.name for m in models}
    assert table(models) in page
    assert shown == picture(models)


@pytest.mark.parametrize("psnr", [26.0, 34.5])
def test_the_axis_holds_all_that_is_drawn(tmp_path, psnr):
    path = write_bench(tmp_path / "1.csv", ("bicubic", 28.4, 0.05, None), ("mine", psnr, 1.0, 1e9))
    drawn = ElementTree.fromstring(picture(measured([path], {})))
    marks = [group for group in drawn.iter() if (group.findtext("*") or "").startswith("mine: ")]
    heights = [float(mark[1].get("cy") or mark[1].get("y", "0")) for mark in marks]
    # Above and below the middle of the page, and on it.
    assert len(heights) == 2
    assert 92 <= heights[0] <= 500
    assert 550 <= heights[1] <= 960


@pytest.mark.parametrize(
    ("content", "more", "told"),
    [
        ("", (), "no table has a mean of Set5 at x4"),
        ("date,weather\n1,rain\n", (), "no table has a mean of Set5 at x4"),
        ("", ("--name", "RLFN"), "--name takes FILE=NAME, not RLFN"),
    ],
)
def test_a_table_of_nothing_is_told_and_nothing_is_drawn(
    tmp_path, monkeypatch, capsys, content, more, told
):
    (tmp_path / "empty.csv").write_text(content)
    given = ["fidelity_chart.py", str(tmp_path), str(tmp_path / "empty.csv"), *more]
    monkeypatch.setattr("sys.argv", given)
    with pytest.raises(SystemExit, match="2"):
        main()
    assert told in capsys.readouterr().err
    assert not (tmp_path / "fidelity.svg").exists()
