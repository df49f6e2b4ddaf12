"""A frame before and after, an estimate, and drawings that are told from photographs."""

import base64
import io
import logging
import re
import time

import numpy as np
import pytest
from PIL import Image as PILImage
from PIL import ImageDraw

av = pytest.importorskip("av", reason="PyAV is not installed")

from clips import left_behind, moving, pixels_of, plain, write_clip
from skimage import data

import srkit
from srkit.cli import main
from srkit.errors import OptionError
from srkit.video import preview_video
from srkit.video.cartoons import looks_drawn


def pictures_in(page):
    """The pictures of a page, each once."""
    found = re.findall(r'url\("data:image/webp;base64,([^"]+)"\)', page.read_text())
    return [
        np.asarray(PILImage.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))
        for data in dict.fromkeys(found)
    ]


def drawing(seed, shift=0, size=(320, 180)):
    """A frame of a cartoon: flat shapes with outlines, smooth at their edges."""
    rng = np.random.default_rng(seed)
    width, height = (2 * side for side in size)
    picture = PILImage.new("RGB", (width, height), tuple(rng.integers(80, 255, 3).tolist()))
    pen = ImageDraw.Draw(picture)
    for _ in range(18):
        x, y, r = rng.integers(0, width) + shift, rng.integers(0, height), rng.integers(20, 140)
        fill = tuple(rng.integers(0, 255, 3).tolist())
        pen.ellipse([x - r, y - r, x + r, y + r], fill=fill, outline=(20, 20, 20), width=5)
    return np.asarray(picture.resize(size, PILImage.Resampling.LANCZOS))


def cartoon(path, seed=0):
    frames = (drawing(seed, 2 * n) for n in range(12))
    return write_clip(path, frames, options={"crf": "23"})


def face(shift=0, size=(320, 180)):
    """A frame of few colours: a sky that gets lighter, a meadow, and a face with outlines."""
    width, height = (2 * side for side in size)
    sky = np.linspace((110, 170, 240), (200, 230, 250), height)[:, None].repeat(width, axis=1)
    picture = PILImage.fromarray(sky.astype(np.uint8))
    pen, ink = ImageDraw.Draw(picture), (20, 20, 20)
    pen.rectangle([0, 250, width, height], fill=(90, 180, 80), outline=ink, width=5)
    pen.rectangle([140 + shift, 250, 260 + shift, height], fill=(220, 40, 50), outline=ink, width=6)
    pen.ellipse([130 + shift, 80, 270 + shift, 260], fill=(250, 210, 180), outline=ink, width=6)
    for x in (175, 215):
        pen.ellipse([x + shift, 140, x + 15 + shift, 165], fill=ink)
    return picture.resize(size, PILImage.Resampling.LANCZOS)


PHOTOS = ("astronaut", "coffee", "chelsea", "rocket", "retina")


def photo_clip(path, name):
    picture = PILImage.fromarray(getattr(data, name)()).resize((320, 240))
    wide = np.asarray(picture)
    frames = (np.roll(wide, n, axis=1) for n in range(12))
    return write_clip(path, frames, options={"crf": "23"})


def test_a_page_shows_a_frame_before_and_after_and_nothing_else_is_written(tmp_path):
    source = write_clip(tmp_path / "in.mkv", moving(11), codec="ffv1", pix_fmt="bgr0")
    found = preview_video(source, tmp_path / "page.html", "nearest", scale=2, start=0.08)
    assert left_behind(tmp_path, "in.mkv") == ["page.html"]
    assert (found.frames, found.width, found.height) == (9, 128, 96)
    # The middle of 0.08 to 0.44 s.
    assert found.time == pytest.approx(0.26)
    assert 0 < found.seconds < 100
    before, after = pictures_in(tmp_path / "page.html")
    given = list(moving(11))[6]
    assert after.shape == before.shape == (96, 128, 3)
    assert np.abs(after[::2, ::2].astype(int) - given).mean() < 4  # of 4:2:0
    smooth = srkit.imresize(given, size=(96, 128))
    assert np.array_equal(before, smooth)
    assert "9 frames" in (tmp_path / "page.html").read_text()


def test_a_model_of_several_frames_sees_those_before_the_one_that_is_shown(tmp_path):
    from dummies import MeanOfThree

    exact = {"codec": "ffv1", "pix_fmt": "bgr0"}
    source = write_clip(tmp_path / "in.mkv", moving(11), **exact)
    srkit.upscale_video(source, tmp_path / "whole.mkv", MeanOfThree(), **exact)
    page = tmp_path / "page.html"
    found = preview_video(source, page, MeanOfThree(), dst=tmp_path / "out.mkv", **exact)
    assert found.time == pytest.approx(5.5 / 25)
    assert np.array_equal(pictures_in(page)[1], pixels_of(tmp_path / "whole.mkv")[5])


class Slow(srkit.Upscaler):
    """Takes a while for each picture."""

    card = srkit.ModelCard("slow", "", "mine:Slow", "numpy", (2,), 2, radius=0)
    scale = 2

    def run(self, tiles):
        time.sleep(0.2)
        return tiles.repeat(2, 1).repeat(2, 2)


def test_frames_that_repeat_make_no_model_look_fast(tmp_path):
    source = write_clip(
        tmp_path / "in.mkv", plain((9, 9, 9), (99, 9, 9), each=10), codec="ffv1", pix_fmt="bgr0"
    )
    assert preview_video(source, tmp_path / "page.html", Slow()).seconds >= 20 * 0.2


def test_a_part_of_one_frame_that_is_hardly_shown_has_a_preview_as_it_has_a_result(tmp_path, clip):
    part = {"start": 0.1, "end": 0.12}
    assert srkit.upscale_video(clip, tmp_path / "out.mp4", "nearest", **part).frames == 1
    assert preview_video(clip, tmp_path / "page.html", "nearest", **part).frames == 1


def test_of_a_truncated_video_the_first_frame_is_shown(tmp_path):
    source = write_clip(tmp_path / "in.mkv", moving(60), options={"g": "10", "crf": "5"})
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 4])
    preview_video(source, tmp_path / "page.html", "nearest", scale=2)
    (given, *_) = moving(1)
    after = pictures_in(tmp_path / "page.html")[1]
    assert np.abs(after[::2, ::2].astype(int) - given).mean() < 6


@pytest.mark.parametrize("name", ["in.gif", "in.mp4"])
def test_what_is_shown_is_upright_and_of_the_size_asked_for(tmp_path, name):
    source = tmp_path / name
    if name == "in.gif":
        frames = [PILImage.fromarray(rgb) for rgb in moving(4)]
        frames[0].save(source, save_all=True, append_images=frames[1:], duration=100)
    else:
        write_clip(source, moving(4, 48, 64), prepare=lambda _, s: s.set_display_rotation(90))
    found = preview_video(source, tmp_path / "page.html", "bicubic", height=72)
    assert [picture.shape for picture in pictures_in(tmp_path / "page.html")] == [(72, 96, 3)] * 2
    assert found.frames == 4


def test_the_command_writes_a_page_and_says_how_long(tmp_path, clip, capsys):
    page = tmp_path / "page.html"
    arguments = ["upscale-video", str(clip), "-m", "bicubic", "--scale=2", "--preview", str(page)]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert out == f"{page}\n"
    assert re.search(r"srkit: 30 frames, 128x96, are going to take \d+ \w+ on this machine", err)
    assert main(arguments) == 2
    assert "use --overwrite" in capsys.readouterr().err
    assert main([*arguments, "--overwrite", "--json"]) == 0
    assert '"frames": 30' in capsys.readouterr().out
    assert left_behind(tmp_path, "in.mp4", "page.html") == []


def test_the_command_cuts_and_resizes(tmp_path, clip, capsys):
    target = tmp_path / "out.webp"
    arguments = ["upscale-video", str(clip), "-m", "nearest", "--start", "0:00:00.4", "--end", "1",
                 "--width", "100", "-o", str(target)]  # fmt: skip
    assert main(arguments) == 0
    assert "15 frames, 100x76" in capsys.readouterr().err
    with PILImage.open(target) as file:
        assert (file.n_frames, file.size) == (15, (100, 76))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--preview", "page.mp4"], "a preview is a page: name it page.html"),
        (["--start", "5", "-o", "a.mp4"], "--start 0:00:05 is past the end"),
        (["--start", "x", "-o", "a.mp4"], "the start is a number of seconds"),
        (["--fps", "5", "-o", "a.mp4"], "--fps is for numbered pictures"),
        (["--width", "5", "--dask", "local", "-o", "a.mp4"], "--width is for this machine"),
        (["--preview", "p.html", "--dask", "local"], "--preview is for this machine"),
    ],
)
def test_the_command_refuses_what_makes_no_sense(
    tmp_path, clip, monkeypatch, capsys, options, told
):
    monkeypatch.chdir(tmp_path)
    assert main(["upscale-video", str(clip), "-m", "nearest", *options]) == 2
    assert told in capsys.readouterr().err
    assert left_behind(tmp_path, "in.mp4") == []


def test_a_preview_of_what_cannot_be_made_is_refused(tmp_path, clip):
    with pytest.raises(OptionError, match="no encoder is named"):
        preview_video(clip, tmp_path / "page.html", "nearest", codec="x999")
    with pytest.raises(FileNotFoundError):
        preview_video(tmp_path / "no.mp4", tmp_path / "page.html")
    with pytest.raises(FileNotFoundError):
        preview_video(clip, tmp_path / "none" / "page.html", "nearest")
    assert left_behind(tmp_path, "in.mp4") == []


# --- drawings -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_a_model_for_drawings_is_offered_where_frames_are_drawn(tmp_path, caplog, seed):
    caplog.set_level(logging.INFO, "srkit.video.cartoons")
    source = cartoon(tmp_path / "in.mp4", seed)
    srkit.upscale_video(source, tmp_path / "out.mp4", "nearest", scale=2)
    (told,) = (r.getMessage() for r in caplog.records if r.name == "srkit.video.cartoons")
    assert told == f'{source} looks drawn: model="realesr-animevideo" is made for that'


@pytest.mark.parametrize("name", ["in.mp4", "in.gif"])
@pytest.mark.parametrize("size", [(320, 180), (640, 360)])
def test_drawings_of_few_colours_are_told(tmp_path, name, size):
    frames = [face(3 * n, size) for n in range(6)]
    if name == "in.gif":
        # Of 12 colours with dither, as small GIFs have.
        frames = [f.quantize(12, dither=PILImage.Dither.FLOYDSTEINBERG) for f in frames]
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], duration=100)
    else:
        write_clip(tmp_path / name, map(np.asarray, frames), options={"crf": "28"})
    found = preview_video(tmp_path / name, tmp_path / "page.html", "nearest", scale=2)
    assert found.looks_drawn


def test_what_is_finely_drawn_before_a_clear_sky_is_a_photograph():
    rng = np.random.default_rng(0)
    sky = np.linspace((60, 110, 190), (90, 140, 210), 180)[:, None].repeat(320, axis=1)
    sky[60:130, 100:220] = rng.integers(0, 256, (70, 120, 3))
    assert not looks_drawn([sky.astype(np.uint8)])


@pytest.mark.parametrize("name", PHOTOS)
def test_nothing_is_offered_where_frames_are_photographs(tmp_path, caplog, name):
    caplog.set_level(logging.INFO, "srkit.video.cartoons")
    source = photo_clip(tmp_path / "in.mp4", name)
    assert not preview_video(source, tmp_path / "page.html", "nearest", scale=2).looks_drawn
    assert [r for r in caplog.records if r.name == "srkit.video.cartoons"] == []


@pytest.mark.parametrize("name", ["bigbuckbunny.mp4", "movie-hello.mp4"])
def test_renders_and_screens_are_no_drawings(data_folder, name):
    from srkit.video.cartoons import _samples
    from srkit.video.reading import Source

    with Source(data_folder(f"video/{name}")) as source:
        frames = _samples(source)
    assert len(frames) == 3
    assert not looks_drawn(frames)


def test_the_command_says_it_in_one_line(tmp_path, capsys):
    source = cartoon(tmp_path / "in.mp4")
    assert main(["upscale-video", str(source), "-m", "nearest", "-o", str(tmp_path / "a.mp4")]) == 0
    notes = [line for line in capsys.readouterr().err.splitlines() if "note" in line]
    assert notes == [f"srkit: note: {source} looks drawn: -m realesr-animevideo is made for that"]
