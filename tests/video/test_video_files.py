"""Video files from end to end: what is kept."""

import subprocess
from fractions import Fraction

import numpy as np
import pytest
from dummies import MeanOfThree

av = pytest.importorskip("av", reason="PyAV is not installed")

from clips import (
    HEIGHT,
    WIDTH,
    frames_of,
    left_behind,
    moving,
    packets_of,
    pixels_of,
    plain,
    probe,
    times_of,
    upscale,
    write_clip,
)

import srkit
from srkit.errors import CorruptFileError, VideoError

# --- frames and their times ---------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".nut", ".ts"])
def test_every_frame_is_there_once_and_at_its_time(tmp_path, clip, suffix):
    target = tmp_path / f"out{suffix}"
    report = upscale(clip, target)
    made = frames_of(target)
    times = np.array([float(t) for _, t in made])
    # MPEG-TS begins later, by as much for all; Matroska counts milliseconds.
    assert np.abs(times - times[0] - np.arange(30) / 25).max() < 0.0006
    assert (made[0][0].width, made[0][0].height) == (2 * WIDTH, 2 * HEIGHT)
    assert (report.frames, report.width, report.height) == (30, 2 * WIDTH, 2 * HEIGHT)
    assert (report.duration, report.broken, report.resumed) == (1.2, (), 0)
    assert left_behind(tmp_path, "in.mp4") == [target.name]


def test_frames_are_in_order_and_each_is_its_source_enlarged(tmp_path):
    source = write_clip(tmp_path / "in.mkv", moving(30), codec="ffv1", pix_fmt="bgr0")
    upscale(source, tmp_path / "out.mkv", codec="ffv1", pix_fmt="bgr0")
    made = pixels_of(tmp_path / "out.mkv")
    for given, got in zip(moving(30), made, strict=True):
        assert np.array_equal(got, given.repeat(2, 0).repeat(2, 1))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_time_stamps_of_a_variable_frame_rate_are_those_of_the_source(tmp_path, suffix):
    steps = np.random.default_rng(0).integers(1, 2000, 40)
    times = (7 + np.cumsum(steps)).tolist()
    source = write_clip(
        tmp_path / f"in{suffix}", moving(40), times=times, time_base=Fraction(1, 12800)
    )
    report = upscale(source, tmp_path / f"out{suffix}")
    assert times_of(tmp_path / f"out{suffix}") == times_of(source)
    assert report.frames == len(times_of(source)) == 40


def test_a_video_that_begins_late_still_does(tmp_path):
    times = [12800 + 512 * n for n in range(6)]
    source = write_clip(tmp_path / "in.mkv", moving(6), times=times)
    upscale(source, tmp_path / "out.mkv")
    assert times_of(tmp_path / "out.mkv") == times_of(source)
    assert times_of(source)[0] == 1


# --- names ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["12:30 clip.mp4", "http:x.mp4", "concat:a.mp4", "pipe:0.mp4", "-y %03d?#.mp4"]
)
def test_names_that_ffmpeg_takes_for_addresses_are_files(tmp_path, clip, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    clip.rename(name)
    upscale(name, f"out {name}")
    assert left_behind(tmp_path) == sorted([name, f"out {name}"])
    upscale(tmp_path / name, f"12:31 {name}")
    (tmp_path / "12:30 text.mp4").write_text("no video at all")
    with pytest.raises(CorruptFileError, match=r"^12:30 text\.mp4 is not a video"):
        upscale("12:30 text.mp4", "a.mp4")


# --- tags -----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_pixel_aspect_ratio_and_colour_tags_are_kept(tmp_path, suffix):
    tags = {"sample_aspect_ratio": Fraction(4, 3), "colorspace": 1, "color_range": 1,
            "color_primaries": 1, "color_trc": 1}  # fmt: skip
    source = write_clip(tmp_path / "in.mp4", moving(4), **tags)
    upscale(source, tmp_path / f"out{suffix}")
    told = probe(tmp_path / f"out{suffix}")["streams"][0]
    assert told["sample_aspect_ratio"] == "4:3"
    assert (told["color_space"], told["color_range"]) == ("bt709", "tv")
    assert (told["color_primaries"], told["color_transfer"]) == ("bt709", "bt709")


def test_a_video_without_tags_is_told_to_be_what_it_was_taken_for(tmp_path):
    source = write_clip(tmp_path / "in.mp4", plain((200, 30, 60)))
    upscale(source, tmp_path / "out.mp4")
    told = probe(tmp_path / "out.mp4")["streams"][0]
    # 48 lines are no HD.
    assert (told["color_space"], told["color_range"]) == ("smpte170m", "tv")


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("turn", [90, 180, -90])
def test_rotation_is_kept(tmp_path, suffix, turn):
    source = write_clip(
        tmp_path / f"in{suffix}", moving(4), prepare=lambda _, s: s.set_display_rotation(turn)
    )
    upscale(source, tmp_path / f"out{suffix}")
    rotations = [frames_of(path)[0][0].rotation for path in (source, tmp_path / f"out{suffix}")]
    assert rotations == [turn if turn != 180 else rotations[0]] * 2
    assert abs(rotations[0]) == abs(turn)


# --- sound, subtitles, chapters, metadata -----------------------------------------------------


def add_subtitles(container, codec):
    stream = container.add_stream(codec)
    stream.time_base = Fraction(1, 1000)
    return stream


def rich_clip(path):
    """A clip with sound, chapters, metadata, and subtitles of the form the suffix takes."""

    def prepare(container, stream):
        container.metadata["title"] = "A pattern"
        container.set_chapters([
            {"id": n, "start": 400 * n, "end": 400 * (n + 1), "time_base": Fraction(1, 1000),
             "metadata": {"title": f"Part {n}"}}
            for n in range(3)
        ])  # fmt: skip

    plain_path = path.with_name(f"without{path.suffix}")
    write_clip(plain_path, moving(30), audio=True, prepare=prepare)
    texts = path.with_suffix(".srt")
    texts.write_text(
        "1\n00:00:00,100 --> 00:00:00,500\nOne\n\n2\n00:00:00,600 --> 00:00:01,000\nTwo\n"
    )
    codec = "mov_text" if path.suffix == ".mp4" else "srt"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", plain_path, "-i", texts, "-map", "0", "-map", "1",
         "-c", "copy", "-c:s", codec, "-metadata:s:s:0", "language=fra", path],
        check=True,
    )  # fmt: skip
    plain_path.unlink()
    texts.unlink()
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_sound_subtitles_chapters_and_metadata_are_kept(tmp_path, suffix):
    source = rich_clip(tmp_path / f"in{suffix}")
    target = tmp_path / f"out{suffix}"
    upscale(source, target)
    for kind in ("audio", "subtitle"):
        wanted = packets_of(source, kind)
        assert packets_of(target, kind) == wanted
        assert len(wanted) >= 2
    before, after = probe(source), probe(target)
    kinds = [[s["codec_type"] for s in told["streams"]] for told in (before, after)]
    assert kinds[0] == kinds[1]
    chapters = [
        [(c["start_time"], c["end_time"], c["tags"]["title"]) for c in told["chapters"]]
        for told in (before, after)
    ]
    assert chapters[0] == chapters[1]
    assert len(chapters[0]) == 3
    assert after["format"]["tags"]["title"] == "A pattern"
    (spoken,) = [s for s in after["streams"] if s["codec_type"] == "subtitle"]
    assert spoken["tags"]["language"] == "fra"


def test_a_container_that_cannot_hold_a_stream_is_refused_and_another_named(tmp_path):
    source = rich_clip(tmp_path / "in.mkv")
    with pytest.raises(VideoError, match=r"mp4 cannot hold the srt subtitle.*\.mkv"):
        upscale(source, tmp_path / "out.mp4")
    with pytest.raises(VideoError, match=r"webm cannot hold libx264 video; .*\.mp4"):
        upscale(source, tmp_path / "out.webm", codec="libx264")
    assert left_behind(tmp_path, "in.mkv") == []


def test_the_clips_at_hand_keep_frames_and_sound(tmp_path, data_folder):
    # The first second of a real clip, cut without encoding, made small for time's sake.
    whole = data_folder("video/bigbuckbunny.mp4")
    source = tmp_path / "in.mp4"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", whole, "-t", "1", "-vf", "scale=64:36",
         "-c:a", "copy", source],
        check=True,
    )  # fmt: skip
    upscale(source, tmp_path / "out.mp4")
    assert times_of(tmp_path / "out.mp4") == times_of(source)
    assert packets_of(tmp_path / "out.mp4", "audio") == packets_of(source, "audio")


# --- scenes -----------------------------------------------------------------------------------


def test_a_cut_never_mixes_two_scenes(tmp_path):
    source = write_clip(
        tmp_path / "in.mkv", plain((200, 40, 40), (30, 60, 200)), codec="ffv1", pix_fmt="bgr0"
    )
    srkit.upscale_video(source, tmp_path / "out.mkv", MeanOfThree(), codec="ffv1")
    colours = [
        np.unique(rgb.reshape(-1, 3), axis=0).tolist() for rgb in pixels_of(tmp_path / "out.mkv")
    ]
    assert colours == [[[200, 40, 40]]] * 5 + [[[30, 60, 200]]] * 5


# --- broken frames ------------------------------------------------------------------------------


def test_a_broken_frame_is_reported_and_replaced_by_its_neighbour(tmp_path, caplog):
    source = write_clip(
        tmp_path / "in.mkv", plain(*[(n, n, n) for n in range(20, 220, 20)], each=1),
        codec="mjpeg", pix_fmt="yuvj444p", options={"q:v": "1"},
    )  # fmt: skip
    data = bytearray(source.read_bytes())
    victim = packets_of(source, "video")[4][2]
    at = data.find(victim)
    data[at : at + len(victim)] = bytes(len(victim))
    source.write_bytes(data)
    report = upscale(source, tmp_path / "out.mkv", codec="ffv1")
    assert report.broken == (0.16,)
    assert "the frame at 0.160 s is broken" in caplog.text
    made = pixels_of(tmp_path / "out.mkv")
    levels = [int(np.median(rgb)) for rgb in made]
    wanted = [20, 40, 60, 80, 80, 120, 140, 160, 180, 200]
    assert np.abs(np.array(levels) - wanted).max() <= 2
    assert np.allclose([float(t) for t in times_of(tmp_path / "out.mkv")], np.arange(10) / 25)


def test_broken_bytes_in_a_real_clip_lose_no_frame(tmp_path, data_folder):
    source = tmp_path / "in.mp4"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", data_folder("video/bigbuckbunny.mp4"), "-t", "1",
         "-vf", "scale=64:36", "-c:a", "copy", source],
        check=True,
    )  # fmt: skip
    times = times_of(source)
    data = bytearray(source.read_bytes())
    for victim in (packets_of(source, "video")[n][2] for n in (5, 6, 14)):
        at = data.find(victim)
        data[at + 4 : at + len(victim)] = b"\xa5" * (len(victim) - 4)
    source.write_bytes(data)
    report = upscale(source, tmp_path / "out.mp4")
    assert times_of(tmp_path / "out.mp4") == times
    assert report.frames == len(times)
    assert 1 <= len(report.broken) <= 6


def test_the_first_frame_broken_is_replaced_by_the_next(tmp_path):
    source = write_clip(
        tmp_path / "in.mkv", plain((50, 50, 50), (90, 90, 90), each=2), codec="mjpeg",
        pix_fmt="yuvj444p", options={"q:v": "1"},
    )  # fmt: skip
    data = bytearray(source.read_bytes())
    victim = packets_of(source, "video")[0][2]
    at = data.find(victim)
    data[at : at + len(victim)] = bytes(len(victim))
    source.write_bytes(data)
    report = upscale(source, tmp_path / "out.mkv", codec="ffv1")
    assert (report.frames, report.broken) == (4, (0.0,))
