"""Animated GIF, APNG and WebP: there and back, with durations, loops and transparency."""

import json
import subprocess
import time

import numpy as np
import pytest
from PIL import Image as PILImage

av = pytest.importorskip("av", reason="PyAV is not installed")

from clips import left_behind, moving, pixels_of, times_of, upscale, write_clip

import srkit
from srkit.errors import CorruptFileError, OptionError, VideoError
from srkit.video.drawing import turned

ANIMATED = [".gif", ".png", ".webp"]
DURATIONS = [40, 120, 500, 80]


def drawn(count=4, *, clear=False):
    """Frames of few colours that all differ; part of each is transparent where that is asked."""
    for n in range(count):
        picture = np.zeros((24, 32, 4), np.uint8)
        picture[...] = (200, 40 + 20 * n, 60, 255)
        picture[4:12, 3 * n : 3 * n + 8] = (10, 220, 30, 255)
        if clear:
            picture[16:, : 8 + n] = 0
        yield PILImage.fromarray(picture if clear else picture[..., :3])


def animation(path, *, clear=False, loop=0, durations=DURATIONS, **options):
    first, *rest = drawn(len(durations), clear=clear)
    options |= {} if loop is None else {"loop": loop}
    if path.suffix == ".webp":
        options |= {"lossless": True}
    if clear and path.suffix == ".gif":
        options |= {"disposal": 2}
    first.save(path, save_all=True, append_images=rest, duration=durations, **options)
    return path


def read(path):
    """Frames as RGBA, durations, and the file's own loop."""
    with PILImage.open(path) as file:
        frames, durations = [], []
        for n in range(file.n_frames):
            file.seek(n)
            file.load()
            frames.append(np.asarray(file.convert("RGBA")))
            durations.append(file.info["duration"])
        return frames, durations, file.info.get("loop")


def enlarged(picture):
    """A frame twice as large, and where its transparency is certain: its edges are soft."""
    large = np.asarray(picture.convert("RGBA")).repeat(2, 0).repeat(2, 1)
    alpha, certain = np.pad(large[..., 3], 4, "edge"), True
    for y in range(9):
        for x in range(9):
            certain &= alpha[y : y + large.shape[0], x : x + large.shape[1]] == large[..., 3]
    return large, certain


@pytest.mark.parametrize("clear", [False, True], ids=["opaque", "transparent"])
@pytest.mark.parametrize("made", [".gif", ".png", ".apng"])
@pytest.mark.parametrize("given", ANIMATED)
def test_an_animation_becomes_another_with_all_that_it_shows(tmp_path, given, made, clear):
    source, target = animation(tmp_path / f"in{given}", clear=clear), tmp_path / f"out{made}"
    report = upscale(source, target)
    frames, durations, loop = read(target)
    assert durations == DURATIONS
    assert loop == 0
    for frame, wanted in zip(frames, drawn(clear=clear), strict=True):
        wanted, certain = enlarged(wanted)
        seen = certain & (wanted[..., 3] > 0)
        assert np.array_equal(frame[certain][:, 3], wanted[certain][:, 3])
        assert np.array_equal(frame[seen], wanted[seen])
        assert (seen.mean() > 0.5) & ((certain & ~seen).any() == clear)
    assert (report.frames, report.width, report.height) == (4, 64, 48)
    assert report.duration == pytest.approx(0.74)
    assert left_behind(tmp_path, source.name) == [target.name]


@pytest.mark.parametrize("clear", [False, True], ids=["opaque", "transparent"])
def test_webp_keeps_times_and_transparency(tmp_path, clear):
    source = animation(tmp_path / "in.gif", clear=clear)
    upscale(source, tmp_path / "out.webp")
    frames, durations, loop = read(tmp_path / "out.webp")
    assert (durations, loop) == (DURATIONS, 0)
    for frame, wanted in zip(frames, drawn(clear=clear), strict=True):
        wanted, certain = enlarged(wanted)
        seen = certain & (wanted[..., 3] > 0)
        assert np.array_equal(frame[certain][:, 3], wanted[certain][:, 3])
        assert np.abs(frame[seen].astype(int) - wanted[seen]).mean() < 4


def test_an_independent_reader_sees_the_times_of_a_gif(tmp_path):
    upscale(animation(tmp_path / "in.webp"), tmp_path / "out.gif")
    command = ["ffprobe", "-v", "error", "-show_frames", "-of", "json", tmp_path / "out.gif"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)["frames"]
    assert [float(f["pts_time"]) for f in told] == [0, 0.04, 0.16, 0.66]


@pytest.mark.parametrize(
    ("given", "loop", "made", "wanted"),
    [
        # GIF counts what follows the first time, and says nothing where nothing follows.
        (".gif", None, ".gif", None), (".gif", 0, ".gif", 0), (".gif", 4, ".gif", 4),
        (".gif", None, ".png", 1), (".gif", 4, ".png", 5), (".png", 5, ".gif", 4),
        (".png", 1, ".gif", None), (".webp", 3, ".png", 3), (".png", 3, ".webp", 3),
        (".gif", 0, ".webp", 0),
        # As often as they can tell.
        (".png", 100_000, ".gif", 65_534), (".png", 100_000, ".webp", 65_535),
        (".png", 100_000, ".png", 100_000),
    ],
)  # fmt: skip
def test_an_animation_is_shown_as_often_as_its_source(tmp_path, given, loop, made, wanted):
    upscale(animation(tmp_path / f"in{given}", loop=loop), tmp_path / f"out{made}")
    assert read(tmp_path / f"out{made}")[2] == wanted


@pytest.mark.parametrize("given", ANIMATED)
def test_an_animation_becomes_a_video(tmp_path, given):
    source = animation(tmp_path / f"in{given}")
    upscale(source, tmp_path / "out.mkv", codec="ffv1", pix_fmt="bgr0")
    assert [float(t) for t in times_of(tmp_path / "out.mkv")] == [0, 0.04, 0.16, 0.66]
    for frame, wanted in zip(pixels_of(tmp_path / "out.mkv"), drawn(), strict=True):
        assert np.array_equal(frame, enlarged(wanted)[0][..., :3])


def test_transparency_that_videos_do_not_have_is_put_on_white_and_told(tmp_path, caplog):
    source = animation(tmp_path / "in.gif", clear=True)
    upscale(source, tmp_path / "out.mkv", codec="ffv1", pix_fmt="bgr0")
    assert caplog.text.count("in.gif is transparent, and put on white") == 1
    assert pixels_of(tmp_path / "out.mkv")[0][40, 4].tolist() == [255, 255, 255]


def test_the_picture_that_apng_shows_elsewhere_is_no_frame(tmp_path):
    source = animation(tmp_path / "in.png", default_image=True, durations=[40, 120, 80])
    assert upscale(source, tmp_path / "out.png").frames == 2


def test_a_video_becomes_a_gif_without_its_sound(tmp_path, caplog):
    source = write_clip(tmp_path / "in.mp4", moving(10), audio=True)
    report = upscale(source, tmp_path / "out.gif")
    frames, durations, loop = read(tmp_path / "out.gif")
    assert (durations, loop) == ([40] * 10, 0)
    assert report.left_out == ("aac audio",)
    assert "aac audio is left out: out.gif has no place for it" in caplog.text
    for frame, wanted in zip(frames, moving(10), strict=True):
        # 256 colours, dithered.
        error = frame[::2, ::2, :3].astype(int) - wanted
        assert abs(error.mean()) < 2
        assert np.abs(error).mean() < 12


def test_a_fast_video_becomes_a_gif_of_the_same_length(tmp_path, caplog):
    """Browsers show a frame of 1/100 s for 1/10 s."""
    times = [213 * n for n in range(30)]  # of 12800: 60 a second
    source = write_clip(tmp_path / "in.mkv", moving(30), times=times)
    upscale(source, tmp_path / "out.gif")
    _, durations, _ = read(tmp_path / "out.gif")
    assert min(durations) >= 20
    assert sum(durations) == pytest.approx(500, abs=20)
    assert "frames are left out: browsers show at most fifty a second" in caplog.text


def test_a_slide_that_stands_for_longer_than_a_gif_can_tell_is_refused(tmp_path):
    source = write_clip(tmp_path / "in.mkv", moving(2), times=[0, 700 * 12800])
    with pytest.raises(VideoError, match="a GIF shows a picture for at most 655 seconds"):
        upscale(source, tmp_path / "out.gif")
    assert not (tmp_path / "out.gif").exists()
    upscale(source, tmp_path / "out.webp")
    assert read(tmp_path / "out.webp")[1][0] == 700_000


def test_a_part_of_an_animation(tmp_path):
    source = animation(tmp_path / "in.gif")
    report = upscale(source, tmp_path / "out.gif", start=0.16, end=0.5)
    assert (report.frames, report.duration) == (1, pytest.approx(0.34))
    upscale(source, tmp_path / "b.gif", start=0.1)
    assert read(tmp_path / "b.gif")[1] == [60, 500, 80]


def test_a_turned_video_becomes_upright_pictures(tmp_path):
    source = write_clip(
        tmp_path / "in.mp4", moving(3), prepare=lambda _, s: s.set_display_rotation(90)
    )
    upright = tmp_path / "upright.png"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", source, "-frames:v", "1", upright], check=True
    )  # fmt: skip
    report = upscale(source, tmp_path / "%d.png")
    assert (report.width, report.height) == (96, 128)
    made = srkit.read_image(tmp_path / "1.png").pixels
    wanted = np.asarray(PILImage.open(upright).convert("RGB"))
    errors = [
        np.abs(made[::2, ::2].astype(int) - other).mean()
        for other in (wanted, wanted[::-1], wanted[:, ::-1], wanted[::-1, ::-1])
    ]
    # Readers differ in how they smooth colour, which is nothing beside a wrong turn.
    assert min(errors[1:]) > 2 * errors[0]


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("flipped", [False, True])
def test_pixels_are_turned_as_the_matrix_says(quarters, flipped):
    """Each pixel goes to (a x + c y, b x + d y), moved back into the picture."""
    turn = np.linalg.matrix_power(np.array([[0, -1], [1, 0]]), quarters)
    (a, c), (b, d) = turn @ np.diag([-1 if flipped else 1, 1])
    pixels = np.arange(6).reshape(2, 3)
    found = {(a * x + c * y, b * x + d * y): pixels[y, x] for y in range(2) for x in range(3)}
    columns, rows = (sorted({place[k] for place in found}) for k in (0, 1))
    wanted = [[found[x, y] for x in columns] for y in rows]
    matrix = tuple(65536 * int(n) for n in (a, b, 0, c, d, 0, 0, 0, 16384))
    assert turned(pixels, matrix).tolist() == wanted


@pytest.mark.parametrize("given", ANIMATED)
def test_one_picture_is_no_animation(tmp_path, given):
    source = tmp_path / f"in{given}"
    next(drawn()).save(source)
    with pytest.raises(VideoError, match="is one picture, no animation; srkit upscale makes"):
        upscale(source, tmp_path / "out.mp4")
    assert left_behind(tmp_path, source.name) == []


@pytest.mark.parametrize("given", ANIMATED)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_truncated_animation_is_damaged(tmp_path, given, share):
    source = animation(tmp_path / f"in{given}")
    data = source.read_bytes()
    source.write_bytes(data[: int(len(data) * share)])
    with pytest.raises((CorruptFileError, VideoError), match=source.name):
        upscale(source, tmp_path / "out.gif")
    assert left_behind(tmp_path, source.name) == []


def test_an_apng_with_a_damaged_frame_is_damaged(tmp_path):
    source = animation(tmp_path / "in.png")
    data = bytearray(source.read_bytes())
    at = data.rfind(b"fdAT")
    data[at + 8 : at + 16] = b"\xff" * 8
    source.write_bytes(data)
    with pytest.raises(CorruptFileError, match=r"in\.png: the APNG file is truncated or damaged"):
        upscale(source, tmp_path / "out.mp4")
    assert left_behind(tmp_path, "in.png") == []


def test_an_animation_is_replaced_only_on_demand(tmp_path):
    source, target = animation(tmp_path / "in.gif"), tmp_path / "out.gif"
    target.write_bytes(b"precious")
    with pytest.raises(OptionError, match="overwrite"):
        upscale(source, target)
    assert target.read_bytes() == b"precious"
    assert upscale(source, target, overwrite=True).frames == len(read(target)[0])
    with pytest.raises(OptionError, match="its source"):
        upscale(source, source, overwrite=True)


def test_what_would_not_fit_in_memory_is_refused_at_once(tmp_path, clip, monkeypatch):
    from srkit.video import animations

    monkeypatch.setattr(animations, "free_memory", lambda: 2_000_000)
    with pytest.raises(OptionError, match=r"30 frames of 128x96 as GIF take .* write \.mp4"):
        upscale(clip, tmp_path / "out.gif")
    assert left_behind(tmp_path, "in.mp4") == []


def test_options_of_encoders_are_refused_for_pictures(tmp_path, clip):
    with pytest.raises(OptionError, match=r"out.gif has no codec: that is for videos"):
        upscale(clip, tmp_path / "out.gif", codec="libx264")


@pytest.mark.parametrize("name", ["out.gif", "out.webp", "out.apng"])
def test_progress_counts_what_is_made_and_what_is_written(tmp_path, clip, name):
    told = []
    upscale(clip, tmp_path / name, progress=lambda *counts: told.append(counts), end=0.4)
    assert [done for done, _ in told] == list(range(1, 21))
    assert {total for _, total in told} == {20}


def test_a_preview_counts_how_long_a_gif_takes_to_be_written(tmp_path, clip, monkeypatch):
    def slow(file, kind, frames, plays, **options):
        time.sleep(0.3 * len(list(frames)))
        return 0

    page = tmp_path / "page.html"
    options = {"dst": tmp_path / "out.gif", "scale": 2}
    monkeypatch.setattr("srkit.video.drawing.write_animation", slow)
    found = srkit.video.preview_video(clip, page, "nearest", **options)
    assert found.seconds > 30 * 0.3


def test_an_interrupted_animation_goes_on(tmp_path, clip, monkeypatch):
    from srkit.video import upscaling

    monkeypatch.setattr(upscaling, "SEGMENT_FRAMES", 4)

    def stop(done, total):
        if done == 10:
            raise KeyboardInterrupt

    for name in ("out.gif", "%03d.png"):
        with pytest.raises(KeyboardInterrupt):
            upscale(clip, tmp_path / name, progress=stop)
        assert upscale(clip, tmp_path / name).resumed == 8
    assert read(tmp_path / "out.gif")[1] == [40] * 30
    assert left_behind(tmp_path, "in.mp4", "out.gif") == [f"{n:03}.png" for n in range(1, 31)]
