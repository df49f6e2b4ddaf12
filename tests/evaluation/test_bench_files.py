"""What `srkit bench` measures by request, what it writes, and models of one's own."""

import csv
import json
import math
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image as PILImage
from skimage import data

import srkit
from srkit import MissingDependencyError, OptionError
from srkit.cli import main
from srkit.evaluation import measures
from srkit.evaluation.charts import steps
from srkit.imaging.resize import imresize
from srkit.metrics import PROTOCOLS, ms_ssim, psnr, rounded_luma, ssim

pytestmark = pytest.mark.usefixtures("without_st_lpips")
PHOTO = data.astronaut()[:196, 100:296]


def command(*arguments):
    return main(["bench", *map(str, arguments)])


def fours(tiles):
    return tiles.repeat(2, axis=1).repeat(2, axis=2)


# --- metrics and protocols ------------------------------------------------------------------------


def test_the_metrics_that_are_asked_for_are_shown_in_their_order(folder, capsys, monkeypatch):
    monkeypatch.setattr(measures, "niqe", lambda image, crop: image.shape[0] + crop)
    assert (
        command("-m", "nearest", "--scale=2", "--data", folder, "--metric", "NIQE", "ms-ssim") == 0
    )
    table = capsys.readouterr().out.splitlines()
    assert table[0].split()[3:5] == ["NIQE", "MS-SSIM"]
    # Of the upscaled image, with the protocol's crop: 196 + 2 and 200 + 2.
    assert table[1].split()[3] == "200.000"
    small = imresize(PHOTO, scale=0.5)
    big = small.repeat(2, 0).repeat(2, 1)
    expected = ms_ssim(rounded_luma(PHOTO), rounded_luma(big), crop=2)
    found = srkit.evaluate("nearest", folder, scale=2, metrics=["ms_ssim"]).rows[0]
    assert found.more == {"ms_ssim": pytest.approx(expected)}


def test_one_metric_is_one_name(folder):
    found = srkit.evaluate("nearest", folder, scale=2, metrics="ms-ssim")
    assert found.metrics == ("ms_ssim",)


def test_metrics_of_json_and_csv(folder, capsys):
    options = ["-m", "nearest", "--scale=2", "--data", folder, "--metric", "ms-ssim"]
    assert command(*options, "--json") == 0
    (read,) = json.loads(capsys.readouterr().out)
    assert set(read["images"][0]) == {"name", "psnr", "ssim", "st_lpips", "ms_ssim"}
    low, high = read["intervals"]["ms_ssim"]
    assert low < read["mean"]["ms_ssim"] < high
    assert command(*options, "--format=csv") == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert float(rows[-1]["ms_ssim"]) == read["mean"]["ms_ssim"]


def test_a_metric_that_is_asked_for_must_be_there_before_any_work(folder, monkeypatch):
    def no_model(*_, **__):
        raise AssertionError("a model was run")

    monkeypatch.setattr(srkit.Upscaler, "upscale", no_model)
    with pytest.raises(MissingDependencyError, match="ST-LPIPS is not there"):
        srkit.evaluate("nearest", folder, scale=2, metrics=["psnr", "st_lpips"])


def test_an_image_that_a_metric_cannot_take_has_none(folder, capsys):
    PILImage.fromarray(PHOTO[:80, :80]).save(folder / "c.png")
    assert command("-m", "nearest", "--scale=2", "--data", folder, "--metric", "ms-ssim") == 0
    out = capsys.readouterr().out
    assert "without MS-SSIM: MS-SSIM needs 161 pixels a side" in out
    found = srkit.evaluate("nearest", folder, scale=2, metrics=["ms_ssim"])
    assert found.rows[0].figure("ms_ssim") > 0.5
    assert found.rows[2].figure("ms_ssim") is None
    # It is named, and the mean and its interval are of the others.
    assert "Two: c without MS-SSIM: MS-SSIM needs" in out
    others = [row.figure("ms_ssim") for row in found.rows[:2]]
    assert found.mean.figure("ms_ssim") == pytest.approx(np.mean(others))
    assert found.interval("ms_ssim").images == 2
    assert list(found.as_dict()["without"]["ms_ssim"]) == ["c"]


@pytest.mark.parametrize(
    ("name", "crop", "options"),
    [("rgb", 2, {"channel": "rgb"}), ("rgb-div2k", 8, {"channel": "rgb"}), ("luma", 2, {})],
)
def test_protocols_are_those_of_their_sources(folder, name, crop, options):
    """By `psnr` and `ssim` alone: colour, crop and rounding as docs/metrics.md lists them."""
    big = imresize(PHOTO, scale=0.5).repeat(2, 0).repeat(2, 1)
    row = srkit.evaluate("nearest", folder, scale=2, protocol=name).rows[0]
    assert row.psnr == pytest.approx(psnr(PHOTO, big, crop=crop, **options))
    assert row.ssim == pytest.approx(ssim(PHOTO, big, crop=crop, **options))


def test_luma_alone_is_the_published_bicubic_row(folder, tmp_path):
    """Luma is rounded, shrunk and enlarged in floats, and rounded again."""
    luma = rounded_luma(PHOTO)
    small = imresize(luma / 255, scale=0.5)
    big = np.rint(255 * np.clip(imresize(small, scale=2), 0, 1)).astype(np.uint8)
    row = srkit.evaluate("bicubic", folder, scale=2, protocol="luma-alone").rows[0]
    assert row.psnr == pytest.approx(psnr(luma, big, crop=2), abs=1e-3)
    assert row.ssim == pytest.approx(ssim(luma, big, crop=2), abs=1e-5)
    for part, step in (("HR", 1), ("LR", 2)):
        (tmp_path / "pairs" / part).mkdir(parents=True)
        PILImage.fromarray(PHOTO[::step, ::step]).save(tmp_path / "pairs" / part / "a.png")
    with pytest.raises(OptionError, match="makes LR itself"):
        srkit.evaluate("bicubic", tmp_path / "pairs", scale=2, protocol="luma-alone")


# Published: docs/metrics.md, "Proof".
@pytest.mark.parametrize(
    ("name", "scale", "decibels", "similarity"),
    [
        *(("Set5", 4, 28.421, 0.8104), ("Set5", 3, 30.392, 0.8682), ("Set5", 2, 33.661, 0.9299)),
        *(("Set14", 4, 26.000, 0.7019), ("Set14", 2, 30.232, 0.8687)),
    ],
)
def test_luma_alone_reaches_published_figures(data_folder, name, scale, decibels, similarity):
    options = {"scale": scale, "protocol": "luma-alone", "metrics": ["psnr"]}
    mean = srkit.evaluate("bicubic", data_folder(f"bench/{name}"), **options).mean
    assert mean.psnr == pytest.approx(decibels, abs=0.001)
    assert mean.ssim == pytest.approx(similarity, abs=0.0001)


def test_the_protocol_is_named_below_the_table(folder, capsys):
    assert command("-m", "nearest", "--scale=2", "--data", folder, "--protocol", "rgb") == 0
    assert f"\nrgb: {PROTOCOLS['rgb'].description}\n" in capsys.readouterr().out


# --- models ---------------------------------------------------------------------------------------


def test_options_of_models_stand_in_their_names(folder, capsys):
    models = ("-m", "bicubic", "-m", "bicubic:precision=float32", "-m", "bicubic:device=cpu")
    assert command(*models, "--scale=2", "--data", folder, "--json") == 0
    names = [result["model"] for result in json.loads(capsys.readouterr().out)]
    assert names == ["bicubic", "bicubic:precision=float32", "bicubic:device=cpu"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-m", "bicubic:perception=0.5"], "perception"),
        (["-m", "bicubic:perception"], "perception"),
        (["-m", "bicubic:precision="], "options are name=value"),
        (["--metric", "psnrr"], "did you mean psnr"),
        (["--protocol", "rbg"], "did you mean 'rgb'"),
        (["-o", "table.txt"], ".csv, .json, .md"),
        (["-o", "table"], ".csv, .json, .md"),
        (["--plot", "plot.png"], "plots are SVG files"),
    ],
)
def test_calls_that_make_no_sense_are_told_in_a_line(folder, capsys, arguments, told):
    before = sorted(folder.parent.rglob("*"))
    assert command("--scale=2", "--data", folder, *arguments) == 2
    error = capsys.readouterr().err
    assert told in error
    assert len(error.splitlines()) == 2
    assert sorted(folder.parent.rglob("*")) == before


def test_the_device_is_for_networks(folder, capsys):
    assert command("-m", "bicubic", "--scale=2", "--data", folder, "--device", "cuda") == 0
    assert "bicubic" in capsys.readouterr().out
    pytest.importorskip("torch")
    assert command("-m", "espcn", "--scale=2", "--data", folder, "--device", "cpu") == 0
    assert command("-m", "espcn", "--scale=2", "--data", folder, "--device", "nonsense") == 2
    assert "nonsense" in capsys.readouterr().err
    # What is said of one model is meant for it.
    assert command("-m", "bicubic:device=cuda", "--scale=2", "--data", folder) == 2


def test_a_function_of_your_own_goes_beside_models(folder):
    found = srkit.bench([fours, "nearest", srkit.load("bicubic", scale=2)], [folder], scale=2)
    assert [result.model for result in found.results] == ["fours", "nearest", "bicubic"]
    assert found.results[0].rows == found.results[1].rows
    assert srkit.evaluate(fours, folder, scale=2).rows == found.results[0].rows


def test_a_module_of_your_own_goes_where_models_go(folder):
    torch = pytest.importorskip("torch")
    module = torch.nn.Upsample(scale_factor=2, mode="nearest")
    found = srkit.evaluate(module, folder, scale=2)
    assert found.model == "Upsample"
    assert found.costs.cells()[2:] == ["-", "-"]
    assert found.mean.psnr == pytest.approx(srkit.evaluate("nearest", folder, scale=2).mean.psnr)


def test_scales_of_models_from_python(folder):
    with pytest.raises(OptionError, match="give scale="):
        srkit.evaluate(fours, folder)
    loaded = srkit.load("bicubic", scale=3)
    found = srkit.bench(["nearest", loaded], folder)
    assert {result.scale for result in found.results} == {3}
    with pytest.raises(OptionError, match="at least one model"):
        srkit.bench([], folder)


def test_models_of_one_name_are_told_apart(folder, tmp_path):
    found = srkit.bench(["nearest", fours, fours, "nearest"], folder, scale=2, metrics=["psnr"])
    names = [result.model for result in found.results]
    assert names == ["nearest", "fours", "fours (2)", "nearest (2)"]
    assert "fours (2) - nearest" in found.to_text()


# --- files ----------------------------------------------------------------------------------------


def test_results_are_written_as_the_suffix_says(folder, tmp_path, capsys):
    options = ["-m", "nearest", "-m", "bicubic", "--scale=2", "--data", folder]
    for name in ("out.csv", "out.json", "out.md"):
        assert command(*options, "-o", tmp_path / name) == 0
        assert capsys.readouterr().out.startswith("data ")
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert [row["image"] for row in rows] == ["a", "b", "mean"] * 2
    assert json.loads((tmp_path / "out.json").read_text())[1]["model"] == "bicubic"
    text = (tmp_path / "out.md").read_text()
    assert "| Two | bicubic - nearest |" in text
    assert "| Two | bicubic | b |" in text


def test_scores_are_written_and_indexed(folder, tmp_path):
    found = srkit.evaluate("nearest", folder, scale=2, metrics="psnr")
    assert found.metrics == ("psnr",)
    assert found[0] is found["a"] is found.rows[0]
    assert found[-1].name == "b"
    with pytest.raises(KeyError, match="no image is named 'c'; there are a, b"):
        found["c"]
    for name, text in (("a.csv", found.to_csv()), ("a.md", found.to_markdown())):
        found.save(tmp_path / name)
        assert (tmp_path / name).read_text() == text.rstrip("\n") + "\n"
    found.save(tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text()) == json.loads(found.to_json())
    with pytest.raises(OptionError, match=r"written as \.csv, \.json, \.md, by the suffix"):
        found.save(tmp_path / "a.txt")


def test_results_are_rows_as_data_frames_take_them(folder):
    found = srkit.bench(["nearest", "bicubic"], folder, scale=2, metrics=["psnr", "ssim"])
    keys = ["model", "dataset", "scale", "protocol", "image", "psnr", "ssim"]
    assert [list(row) for row in found] == [keys] * 4
    assert len(found) == 4
    cells = [(row["model"], row["image"]) for row in found.rows]
    assert cells == [("nearest", "a"), ("nearest", "b"), ("bicubic", "a"), ("bicubic", "b")]
    assert found.rows[3]["psnr"] == found.results[1]["b"].psnr


def test_a_line_for_each_image(folder, capsys):
    options = ["-m", "nearest", "--scale=2", "--data", folder]
    assert command(*options, "--by-image") == 0
    lines = capsys.readouterr().out.splitlines()
    expected = srkit.evaluate("nearest", folder, scale=2).rows
    for row in expected:
        assert ["Two", "nearest", row.name, f"{row.psnr:.3f}"] in [x.split()[:4] for x in lines]


def test_means_have_intervals_and_differences_to_the_first_model(folder, capsys):
    assert command("-m", "nearest", "-m", "bicubic", "--scale=2", "--data", folder) == 0
    out = capsys.readouterr().out
    by_hand = [srkit.evaluate(name, folder, scale=2) for name in ("nearest", "bicubic")]
    gained = [b.psnr - a.psnr for a, b in zip(*(one.rows for one in by_hand), strict=True)]
    # Of two figures: the mean, and 12.7062 times half their distance.
    half = 12.7062 * abs(gained[0] - gained[1]) / 2
    assert f"bicubic - nearest  {np.mean(gained):+.3f} ± {half:.3f}" in out


def test_one_image_has_no_interval(folder, capsys):
    (folder / "b.png").unlink()
    assert command("-m", "nearest", "--scale=2", "--data", folder) == 0
    assert "±" not in capsys.readouterr().out


def test_a_place_that_cannot_be_written_is_told_before_any_work(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(srkit.Upscaler, "upscale", None)
    options = ["-m", "nearest", "--scale=2", "--data", folder]
    (tmp_path / "taken.csv").mkdir()
    assert command(*options, "-o", tmp_path / "gone" / "out.csv") == 1
    assert command(*options, "--plot", tmp_path / "gone" / "out.svg") == 1
    assert command(*options, "-o", tmp_path / "taken.csv") == 2


def test_a_failure_leaves_the_file_as_it_was(folder, tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("before")
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(b"no picture")
    assert command("-m", "nearest", "--scale=2", "--data", folder, "-o", path) == 1
    assert path.read_text() == "before"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["Two", "out.csv"]


def test_what_was_measured_is_shown_though_a_file_cannot_be_written(folder, tmp_path, capsys):
    for path in folder.iterdir():
        PILImage.new("L", (64, 64)).save(path)
    options = ["-m", "nearest", "--scale=2", "--data", folder, "-o", tmp_path / "out.csv"]
    assert command(*options, "--plot", tmp_path / "plot.svg") == 2  # of nothing finite
    told = capsys.readouterr()
    assert "no model has a finite PSNR on Two" in told.err
    assert told.out.splitlines()[1].split()[:4] == ["Two", "nearest", "x2", "inf"]
    assert (tmp_path / "out.csv").exists()


# --- the plot ---------------------------------------------------------------------------------


def texts(path):
    space = "{http://www.w3.org/2000/svg}"
    root = ElementTree.parse(path).getroot()
    return [one.text for one in root.iter(f"{space}text")], [
        one.text for one in root.iter(f"{space}title")
    ]


def test_the_plot_has_a_mark_for_each_model_in_a_panel_for_each_folder(folder, tmp_path):
    path = tmp_path / "plot.svg"
    other = folder.rename(tmp_path / "R&B")
    PILImage.fromarray(PHOTO).save(tmp_path / "x.png")
    (tmp_path / "Other").mkdir()
    (tmp_path / "x.png").rename(tmp_path / "Other" / "x.png")
    models = ("-m", "nearest", "-m", "bicubic", "--scale=2")
    assert command(*models, "--data", other, tmp_path / "Other", "--plot", path) == 0
    shown, told = texts(path)
    assert shown.count("nearest") == shown.count("bicubic") == 2
    assert "PSNR on R&B, x2, against seconds for a megapixel" in shown
    figure = srkit.evaluate("bicubic", other, scale=2).mean.psnr
    assert any(one.startswith(f"bicubic: PSNR {figure:.3f}, ") for one in told)


def test_the_first_metric_is_drawn_and_whether_lower_is_better(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(measures, "niqe", lambda image, crop: 5.0)
    found = srkit.bench("nearest", folder, scale=2, metrics=["niqe", "psnr"])
    found.plot(tmp_path / "plot.svg")
    shown, _ = texts(tmp_path / "plot.svg")
    assert "NIQE on Two, x2, against seconds for a megapixel (lower is better)" in shown


def test_nothing_is_drawn_of_what_has_no_figure(folder, tmp_path):
    for path in folder.iterdir():
        PILImage.new("L", (64, 64)).save(path)
    found = srkit.bench("nearest", folder, scale=2)  # equal to its original: infinite
    with pytest.raises(OptionError, match="no model has a finite PSNR on Two"):
        found.plot(tmp_path / "plot.svg")
    assert not (tmp_path / "plot.svg").exists()


@pytest.mark.parametrize("high", [4e-5, 4e-4, 4e-3, 0.04, 0.4, 4, 40, 8, 20])
def test_an_axis_has_round_values_however_near_its_length_is_to_a_power_of_ten(high):
    for end in (high, math.nextafter(high, 0), math.nextafter(high, 99)):
        assert 4 <= len(list(steps(0, end))) <= 11
