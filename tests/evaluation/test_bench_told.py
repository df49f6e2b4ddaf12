"""What stands beside the figures of `srkit bench`: explanations, provenance, what is left out."""

import csv
import hashlib
import io
import json
import shutil
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PILImage
from skimage import data

import srkit
from srkit.cli import main
from srkit.evaluation import measures

pytestmark = pytest.mark.usefixtures("without_st_lpips")
PHOTO = data.astronaut()[:196, 100:296]


def command(*arguments):
    return main(["bench", *map(str, arguments)])


def test_a_flat_picture_is_in_no_mean_and_told(folder, capsys):
    usual = srkit.evaluate("nearest", folder, scale=2)
    PILImage.new("L", (64, 64), 9).save(folder / "flat.png")
    models = ("-m", "nearest", "-m", "bicubic", "--scale=2", "--data", folder, "--metric", "psnr")
    assert command(*models) == 0
    out = capsys.readouterr().out
    assert "Two: flat equals its original by nearest, bicubic, so its PSNR is infinite" in out
    found = srkit.evaluate("nearest", folder, scale=2)
    assert found.mean.psnr == usual.mean.psnr
    assert found.interval() == usual.interval()
    assert found.difference(found).images == 2
    plain = json.loads(found.to_json(), parse_constant=pytest.fail)
    assert plain["images"][2]["psnr"] is None
    assert plain["without"]["psnr"] == {"flat": "infinite: equal to the original"}


def test_pictures_of_a_wrong_kind_or_size_are_left_out_and_told(folder, capsys):
    usual = srkit.evaluate("nearest", folder, scale=2, metrics=["psnr"])
    PILImage.fromarray(np.dstack([PHOTO, PHOTO[..., :1]])).save(folder / "alpha.png")
    PILImage.fromarray(PHOTO[:3, :3]).save(folder / "dot.png")
    assert command("-m", "nearest", "--scale=2", "--data", folder, "--metric", "psnr") == 0
    said = capsys.readouterr()
    assert "Two without alpha.png: it is RGBA; benchmarks take grey and RGB" in said.out
    assert "Two without dot.png: crop=2 leaves nothing" in said.out
    found = srkit.evaluate("nearest", folder, scale=2, metrics=["psnr"])
    assert (found.rows, found.left_out) == (usual.rows, ("alpha.png", "dot.png"))
    with pytest.raises(srkit.ImageError, match=r"alpha\.png is RGBA"):
        srkit.evaluate("nearest", [folder / "a.png", folder / "alpha.png"], scale=2)


def test_every_metric_of_the_table_is_explained_below_it(folder, capsys, monkeypatch):
    monkeypatch.setattr(measures, "niqe", lambda image, crop: 5.0)
    names = ["psnr", "ssim", "ms-ssim", "niqe"]
    assert command("-m", "nearest", "--scale=2", "--data", folder, "--metric", *names) == 0
    lines = capsys.readouterr().out.splitlines()
    for heading in ("PSNR", "SSIM", "MS-SSIM"):
        assert any(x.startswith(f"{heading}: ") and x.endswith("higher is better") for x in lines)
    assert any(x.startswith("NIQE: ") and x.endswith("lower is better") for x in lines)
    assert any("rounded to the original's depth" in x for x in lines)
    assert not any(x.startswith("BRISQUE: ") for x in lines)


def test_metrics_without_originals_are_said_to_judge_enlargements(folder, capsys, monkeypatch):
    monkeypatch.setattr(measures, "niqe", lambda image, crop: 5.0)
    options = ("-m", "nearest", "--scale=2", "--data", folder)
    assert command(*options, "--metric", "niqe") == 0
    assert "srkit.metrics.niqe(pixels) judges pictures as they are" in capsys.readouterr().err
    assert command(*options, "--metric", "niqe,psnr") == 0
    assert "note" not in capsys.readouterr().err


def test_what_figures_were_made_with_stands_beside_them(folder, tmp_path, capsys):
    models = ["-m", "bicubic", "--scale=4", "--data", folder, "--metric", "psnr"]
    networks = []
    if find_spec("torch"):
        networks = ["-m", "espcn:precision=float32,device=cpu"]
    assert command(*models, *networks, "-o", tmp_path / "t.csv") == 0
    line = (
        f"srkit {srkit.__version__}: bicubic in float32 on cpu, numpy {metadata.version('numpy')}"
    )
    text = capsys.readouterr().out
    assert line in text
    assert command(*models, *networks, "--json") == 0
    read = json.loads(capsys.readouterr().out)
    assert read[0]["provenance"]["weights"] == ""
    rows = [
        r
        for r in csv.DictReader(io.StringIO((tmp_path / "t.csv").read_text()))
        if r["image"] == "mean"
    ]
    assert rows[0]["srkit"] == srkit.__version__
    if networks:
        digest = srkit.card("espcn").weights[4].sha256[:12]
        assert f"torch {metadata.version('torch')}, weights {digest}" in text
        assert read[1]["provenance"]["precision"] == rows[1]["precision"] == "float32"
        assert read[1]["provenance"]["weights"] == rows[1]["weights"] == digest


def test_weights_files_are_told_by_their_digest(folder):
    pytest.importorskip("torch")
    place = Path(srkit.__file__).parent / "pretrained" / "espcn_x2.safetensors"
    found = srkit.evaluate(place, folder, scale=2, metrics=["psnr"])
    assert found.provenance.weights == hashlib.sha256(place.read_bytes()).hexdigest()[:12]


def test_csv_and_json_hold_intervals_and_differences(folder, tmp_path):
    (folder / "c.png").write_bytes((folder / "a.png").read_bytes()[:200])
    found = srkit.bench(["nearest", "bicubic"], folder, scale=2, metrics=["psnr"])
    gain = found.results[1].difference(found.results[0])
    first, second = (r for r in csv.DictReader(io.StringIO(found.to_csv())) if r["image"] == "mean")
    assert float(first["psnr_low"]) == found.results[0].interval().low
    assert (first["psnr_gain"], first["left_out"]) == ("", "c.png")
    ends = [float(second[f"psnr_{end}"]) for end in ("gain", "gain_low", "gain_high")]
    assert ends == [gain.mean, gain.low, gain.high]
    plain = json.loads(found.to_json())
    assert "differences" not in plain[0]
    told = {"mean": gain.mean, "low": gain.low, "high": gain.high}
    assert plain[1]["differences"] == {"to": "nearest", "psnr": told}


def test_a_table_for_latex(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "my_set")
    path = tmp_path / "table.tex"
    options = ("--scale=2", "--metric", "psnr", "--data", tmp_path / "my_set")
    assert command("-m", "nearest", "-m", "bicubic", *options, "-o", path) == 0
    lines = path.read_text().splitlines()
    assert lines[0] == r"\begin{tabular}{lllrrrrr}"
    assert lines[4].startswith(r"my\_set & nearest & x2 & ")
    end = lines.index(r"\end{tabular}")
    assert all(line.count("&") == 7 for line in lines[:end] if line.endswith(r"\\"))
    assert all(line.startswith("% ") for line in lines[end + 1 :])
