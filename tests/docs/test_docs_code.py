"""The code on the pages: commands that exist, and tutorials that run."""

import re
import shlex

import pytest
from adapters.ncnn_files.ncnn_pairs import compact
from checkout import ROOT
from PIL import Image as PILImage
from PIL import ImageShow
from skimage import data

from srkit.cli import make_parser

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Their blocks run one after the other, in a folder with these files.
RUN = (
    *("index.md", "tutorial-first.md", "in-python.md", "pipelines.md", "huge-images.md"),
    "ncnn.md",
)


def blocks(page, language):
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def command_lines(page):
    """Lines that call srkit, in blocks and in running text."""
    text = page.read_text(encoding="utf-8")
    # In running text, `srkit train espcn` may be a name; what has options or files is a call.
    inline = re.findall(r"`(srkit [^`]*(?: -|[./])[^`]*)`", text)
    block = [line for lines in blocks(page, "sh") for line in lines.splitlines()]
    found = [line for line in inline + block if re.match(r"(\S*/)?srkit ", line)]
    return [line for line in found if "..." not in line]


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_command_on_a_page_is_understood(page, capsys):
    for line in command_lines(page):
        words = shlex.split(re.split(r" [<>] ", line)[0], comments=True)[1:]
        if words[-1] in ("--help", "--version") or len(words) == 1:
            words = [*words[:1], "--help"]
        try:
            make_parser().parse_args(words)
        except SystemExit as ended:
            assert ended.code == 0, f"{line}: {capsys.readouterr().err}"  # noqa: PT017


def test_pages_have_commands():
    assert len(command_lines(ROOT / "README.md")) >= 10


@pytest.mark.parametrize("name", RUN)
def test_a_page_runs(name, tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch")
    if name == "huge-images.md":
        pytest.importorskip("zarr")
    monkeypatch.chdir(tmp_path)
    photo = data.astronaut()[:60, 120:180]
    for file in ("portrait.jpg", "scan.tif"):
        PILImage.fromarray(photo).save(file)
    if name == "ncnn.md":
        compact(scale=4).save(tmp_path, "realesr-animevideov3-x4")
    shown = []
    monkeypatch.setattr(ImageShow, "show", lambda picture, title: shown.append(picture) or True)
    namespace = {"__name__": "__main__"}
    for block in blocks(ROOT / "docs" / name, "python"):
        exec(compile(block, name, "exec"), namespace)
    given = {"portrait.jpg", "scan.tif", *(path.name for path in tmp_path.glob("realesr-*"))}
    made = {path.name for path in tmp_path.iterdir()} - given
    wanted = {
        "index.md": {"portrait_x4.jpg"},
        "tutorial-first.md": {"small.png", "large.png", "page.html"},
        "in-python.md": {"page.html"},
        "pipelines.md": set(),
        "huge-images.md": {"large.zarr"},
        "ncnn.md": {"large.png"},
    }
    assert made == wanted[name]
    told = capsys.readouterr().out
    if name == "pipelines.md":
        assert told.endswith("100%\ngiven up\n")
    if name == "in-python.md":
        assert [picture.size for picture in shown] == [(240, 240)]
        assert "realesrgan-anime" in told
        assert told.endswith("bicubic runs on cpu alone: device is 'auto' or 'cpu', not 'cuda'\n")
    if name == "ncnn.md":
        assert told == "4 times, sees 4 pixels far\n"
    if name == "tutorial-first.md":
        assert "<srkit.Image 512x512 RGB uint8>" in told
        assert "srgan exists for x4, not x3" in told
