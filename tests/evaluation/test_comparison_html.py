"""A comparison as HTML: its size, its text, its pixels, its file. In a browser: tests/browser."""

import base64
import io
import re
from html import escape
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image as PILImage
from skimage import data

from srkit.cli import main
from srkit.evaluation.comparison import Comparison, compare
from srkit.evaluation.scores import Score
from srkit.evaluation.viewer import NOTEBOOK_BYTES

PHOTO = data.astronaut()
EMBEDDED = re.compile(r'url\("data:image/webp;base64,([^"]+)"\)')


def pictures(html):
    """What is embedded, in the order of the panels."""
    found = EMBEDDED.findall(html)
    return [np.asarray(PILImage.open(io.BytesIO(base64.b64decode(one)))) for one in found]


class Page(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self._open = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag):
        while self._open.pop() != tag:
            pass

    def handle_data(self, text):
        if "style" not in self._open and text.strip():
            self.text.append(text.strip())


@pytest.fixture
def made():
    small = PHOTO[:40, 200:260]
    return compare(small, ["nearest", "bicubic"], scale=4, reference=PHOTO[:160, :240])


def test_a_page_holds_every_picture_pixel_by_pixel(made, tmp_path):
    made.to_html(tmp_path / "page.html")
    shown = pictures((tmp_path / "page.html").read_text(encoding="utf-8"))
    blocks = PHOTO[:40, 200:260].repeat(4, 0).repeat(4, 1)
    expected = [blocks, blocks, made.results["bicubic"], PHOTO[:160, :240]]
    assert len(shown) == 4  # each once, though the slider and the panes both show it
    for one, wanted in zip(shown, expected, strict=True):
        np.testing.assert_array_equal(one, wanted)


def test_figures_are_written_and_the_best_stand_out(made):
    page = Page(made._repr_html_())
    assert f"PSNR {made.scores['bicubic'].psnr:.2f} dB" in page.text
    assert f"SSIM {made.scores['nearest'].ssim:.4f}" in page.text
    assert "x4, 60x40 to 240x160" in page.text
    assert any("protocol standard, 4 pixels cropped" in text for text in page.text)
    best = max(made.scores.values(), key=lambda score: score.psnr)
    assert f"<span class=best>PSNR {best.psnr:.2f} dB</span>" in made._repr_html_()


def test_without_a_reference_there_is_no_note_on_figures():
    text = " ".join(Page(compare(PHOTO[:20, :30], ["nearest"], scale=2)._repr_html_()).text)
    assert "60 x 40 pixels" in text
    assert "PSNR" not in text


def test_all_text_is_escaped_and_nothing_is_run_or_fetched(tmp_path):
    nasty = "<script>alert(1)</script>\"'&</style>"
    zeros = np.zeros((8, 8, 3), np.uint8)
    made = Comparison(zeros, 1, {nasty: zeros}, scores={nasty: Score(nasty, 30.0, 0.5)})
    made.to_html(tmp_path / "page.html")
    for html in (made._repr_html_(), (tmp_path / "page.html").read_text(encoding="utf-8")):
        page = Page(html)
        assert page.text.count(nasty) == 5  # two choices, two tags, a caption
        assert f"input, {escape(nasty)}" in html or html.startswith("<!DOCTYPE")
        assert "script" not in {tag for tag, _ in page.tags}
        attributes = [name for _, attrs in page.tags for name in attrs]
        assert not {"href", "srcset", "action"} & set(attributes)
        sources = [attrs["src"] for _, attrs in page.tags if "src" in attrs]
        assert all(source.startswith("data:image/webp;base64,") for source in sources)
        assert not [name for name in attributes if name.startswith("on")]
        assert "@import" not in html
        assert not [url for url in re.findall(r"url\(.{0,8}", html) if url != 'url("data:im']


@pytest.mark.parametrize("count", [2, 12])
def test_a_notebook_stays_small_even_for_noise(count):
    noise = np.random.default_rng(0).integers(0, 256, (1200, 1600, 3), np.uint8)
    made = Comparison(noise[::4, ::4], 4, {f"noise {n}": noise for n in range(count)})
    html = made._repr_html_()
    assert len(html.encode()) <= NOTEBOOK_BYTES == 300_000
    shown = pictures(html)
    assert len(shown) == count + 1
    assert max(shown[0].shape) >= 64
    assert f"shrunk to at most {max(shown[0].shape)} pixels" in html


def test_where_styles_are_taken_away_the_pictures_stand_on_a_strip(made):
    page = Page(made._repr_html_())
    ((_, strip),) = [tag for tag in page.tags if tag[0] == "img"]
    assert strip["alt"] == "input, nearest, bicubic, original"
    data = base64.b64decode(strip["src"].partition(",")[2])
    pixels = np.asarray(PILImage.open(io.BytesIO(data))).astype(float)
    assert pixels.shape == (106, 4 * 160, 3)  # 240x160, with 160 pixels for the longer side
    shown = PILImage.fromarray(PHOTO[:160, :240]).resize((160, 106), PILImage.Resampling.LANCZOS)
    assert np.abs(pixels[:, 480:] - np.asarray(shown)).mean() < 6


def test_what_fits_is_not_shrunk(made):
    html = made._repr_html_()
    assert {one.shape for one in pictures(html)} == {(160, 240, 3)}
    assert "shrunk" not in html
    # As WebP of quality 85: what is shown differs from the result by little.
    shown = pictures(html)[2].astype(float)
    assert np.abs(shown - made.results["bicubic"]).mean() < 6


@pytest.mark.parametrize("size", [(2, 20_000), (2400, 3000)])
def test_a_page_shrinks_what_is_too_large_and_says_so(tmp_path, size):
    large = np.full((*size, 3), 90, np.uint8)
    Comparison(large, 1, {"same": large}).to_html(tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    for one in pictures(html):
        assert one.shape[0] * one.shape[1] <= 4_000_000
        assert max(one.shape) <= 16_383
        assert f"shrunk to at most {max(one.shape)} pixels" in html
        assert (one == 90).all()


def begins(comparison):
    """What zooming begins with, the zoom, and where pictures lie at 4x, in percent."""
    html = comparison._repr_html_()
    tags = Page(html).tags
    chosen = {
        attrs["name"]: attrs["class"]
        for tag, attrs in tags
        if tag == "input" and "checked" in attrs
    }
    assert chosen["where"] == "here"
    what = re.search(r'class="here" checked>(\w+)<', html)[1]
    x, y = re.search(r":has\(.z4:checked\){--x:([\d.]+)%;--y:([\d.]+)%}", html).groups()
    return what, chosen["zoom"], float(x), float(y)


def test_zooming_begins_at_a_face():
    # Her face is at columns 170 to 280 and rows 60 to 200 of 512; a quarter is seen at 4x.
    what, zoom, x, y = begins(compare(PHOTO[::2, ::2], ["nearest"], scale=2))
    assert (what, zoom) == ("face", "z1")
    left, top = x / 100 * 0.75 * 512, y / 100 * 0.75 * 512
    assert left < 190
    assert left + 128 > 250
    assert top < 90
    assert top + 128 > 160


def test_zooming_begins_in_the_middle_where_there_is_no_face():
    """And not where there is most detail."""
    # The middle third is not blank either, or the eye would go where there is something.
    small = np.random.default_rng(1).integers(0, 60, (100, 100)).astype(np.uint8)
    small[80:, :20] = np.random.default_rng(0).integers(0, 256, (20, 20))
    assert begins(compare(small, ["nearest"], scale=2))[:2] == ("middle", "z1")
    assert begins(compare(small, ["nearest"], scale=2))[2:] == pytest.approx((50, 50), abs=1)


@pytest.mark.parametrize(
    ("crop", "expected"),
    [
        ((0, 75, 25, 25), ("part", "z4", 0, 100)),
        ((40, 40, 20, 30), ("part", "z2", 50, 100 * (0.55 - 0.125) / 0.75)),
        ((20, 20, 60, 60), ("part", "z1", 50, 50)),
    ],
)
def test_zooming_begins_at_the_crop_and_shows_all_of_it(crop, expected):
    made = compare(PHOTO[:100, :100], ["nearest"], scale=2, crop=crop)
    assert begins(made) == pytest.approx(expected, abs=0.01)


def test_outputs_of_one_notebook_have_rules_of_their_own(made):
    other = compare(PHOTO[:20, :30], ["nearest"], scale=2)
    names = [Page(one._repr_html_()).tags[0][1]["class"].split()[1] for one in (made, made, other)]
    assert names[0] == names[1] != names[2]


def test_grey_and_transparent_images_are_shown():
    for image in (PHOTO[:20, :30, 0], np.dstack([PHOTO[:20, :30], PHOTO[:20, :30, 0]])):
        assert pictures(compare(image, ["nearest"], scale=2)._repr_html_())[1].shape == (40, 60, 3)


def test_a_page_appears_whole_or_not_at_all(made, tmp_path):
    with pytest.raises(FileNotFoundError, match="gone"):
        made.to_html(tmp_path / "gone" / "page.html")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        made.to_html(tmp_path / "folder")
    # Nothing is left of what failed.
    assert [path.name for path in tmp_path.rglob("*")] == ["folder"]


@pytest.mark.parametrize("name", ["page.html", "PAGE.HTM"])
def test_the_command_writes_a_page(tmp_path, capsys, name):
    photo = tmp_path / "photo.png"
    PILImage.fromarray(PHOTO[:80, :120]).save(photo)
    arguments = ["-m", "nearest", "--downscale", "--scale", "2", "-o", str(tmp_path / name)]
    assert main(["compare", str(photo), *arguments]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / name)
    html = (tmp_path / name).read_text(encoding="utf-8")
    assert html.startswith("<!DOCTYPE html>")
    np.testing.assert_array_equal(pictures(html)[2], PHOTO[:80, :120])
