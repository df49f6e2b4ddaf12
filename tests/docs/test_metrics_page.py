"""The page on metrics: its code runs, and its table is what the program wrote."""

import re

import pytest
from checkout import ROOT

PAGE = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")


def test_the_page_runs(tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    marked = re.sub(r"^<!-- not run.*?-->\n```python\n", "", PAGE, flags=re.MULTILINE)
    for block in re.findall(r"^```python\n(.*?)^```$", marked, re.DOTALL | re.MULTILINE):
        exec(compile(block, "metrics.md", "exec"), namespace)
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {"originals", "table.md", "plot.svg"}
    assert "espcn - nearest" in capsys.readouterr().out
    gained = namespace["gained"]
    assert gained.low < gained.mean < gained.high


def test_the_plot_shows_the_table():
    rows = [
        re.split(r"\s*\|\s*", line.strip("| "))
        for line in PAGE.splitlines()
        if re.match(r"\| Set5 \| [\w-]+ \| x4 \|", line)
    ]
    assert len(rows) == 5
    drawn = (ROOT / "docs" / "pictures" / "bench.svg").read_text(encoding="utf-8")
    for row in rows:
        assert f"<title>{row[1]}: PSNR {row[3]}, {row[9]} s/MP</title>" in drawn


def test_the_bicubic_row_is_that_of_the_results():
    """What the two pages say of one model on one set, measured on different days."""
    results = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"\| Set5 \| bicubic \| x4 \| [\d.]+ \| [\d.]+ \| [\d.]+ \|", results)
    psnr, ssim, distance = re.findall(r"[\d.]+", line.partition("x4")[2])
    assert f"| Set5 | bicubic | x4 | {psnr} | {ssim} |" in PAGE
    assert f" | {distance} | " in PAGE
