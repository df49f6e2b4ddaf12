"""Video files from end to end: what is kept, and what is refused."""

import os
import signal
import subprocess
import sys
import time
from fractions import Fraction

import numpy as np
import pytest

av = pytest.importorskip("av", reason="PyAV is not installed")

from clips import (
    HEIGHT,
    WIDTH,
    frames_of,
    moving,
    packets_of,
    pixels_of,
    plain,
    planes_of,
    probe,
    times_of,
    write_clip,
)

import srkit
from srkit.cli import main
from srkit.errors import CorruptFileError, OptionError, VideoError
from srkit.video import conversion


def upscale(source, target, model="nearest", scale=2, **options):
    return srkit.upscale_video(source, target, model, scale=scale, **options)


def left_behind(folder, *expected):
    return sorted(p.name for p in folder.iterdir() if p.name not in expected)


@pytest.fixture
def clip(tmp_path):
    return write_clip(tmp_path / "in.mp4", moving(30))


class MeanOfThree(srkit.VideoUpscaler):
    card = srkit.ModelCard("mean", "", "x:Y", "numpy", (2,), 2, radius=0)
    scale, window = 2, 3

    def run(self, tiles):
        return tiles.mean(axis=1, dtype=np.float32).repeat(2, axis=1).repeat(2, axis=2)


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


# --- colour: ITU-R BT.709-6 ---------------------------------------------------------------------

# 75 % colour bars: R', G', B' in levels of 255 and, by sections 3.2 to 3.4, Y, CB, CR in 8 bits:
# Y' = 0.2126 R' + 0.7152 G' + 0.0722 B', CB = (B' - Y') / 1.8556, CR = (R' - Y') / 1.5748,
# Y = 219 Y' + 16, C = 224 C' + 128.
BARS = {
    (191.25, 191.25, 191.25): (180, 128, 128),
    (191.25, 191.25, 0): (168, 44, 136),
    (0, 191.25, 191.25): (145, 147, 44),
    (0, 191.25, 0): (133, 63, 52),
    (191.25, 0, 191.25): (63, 193, 204),
    (191.25, 0, 0): (51, 109, 212),
    (0, 0, 191.25): (28, 212, 120),
}
# The same bars in 10 bits, as SMPTE RP 219 lists them.
BARS_10 = (
    (721, 512, 512), (674, 176, 543), (581, 589, 176), (534, 253, 207),
    (251, 771, 817), (204, 435, 848), (111, 848, 481),
)  # fmt: skip


def bars_clip(path, bits, full=False):
    """The bars as YUV 4:4:4, put into the planes by hand; lossless."""
    form = "yuv444p" if bits == 8 else "yuv444p10le"
    columns = np.array(list(BARS.values()) if bits == 8 else BARS_10).repeat(8, axis=0)
    dtype = np.uint8 if bits == 8 else np.uint16
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = len(columns), 16, form
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = 1
        context.color_range = 2 if full else 1
        for n in range(3):
            frame = av.VideoFrame(len(columns), 16, form)
            for number, plane in enumerate(frame.planes):
                lines = np.zeros((16, plane.line_size // dtype().itemsize), dtype)
                lines[:, : len(columns)] = columns[:, number]
                plane.update(lines.tobytes())
            frame.pts, frame.time_base = n, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return columns


@pytest.mark.parametrize("bits", [8, 10])
def test_colour_bars_of_bt709_come_back(tmp_path, bits):
    wanted = bars_clip(tmp_path / "in.mkv", bits).repeat(2, axis=0)
    upscale(tmp_path / "in.mkv", tmp_path / "out.mkv", codec="ffv1")
    frame, _ = frames_of(tmp_path / "out.mkv")[1]
    assert frame.format.name == ("yuv444p" if bits == 8 else "yuv444p10le")
    assert (frame.colorspace, frame.color_range) == (1, 1)
    assert (frame.color_primaries, frame.color_trc) == (1, 1)
    for number, plane in enumerate(planes_of(frame)):
        assert np.abs(plane - wanted[:, number]).max() <= 1


@pytest.mark.parametrize("bits", [8, 10])
def test_the_model_sees_the_rgb_that_bt709_means(tmp_path, bits):
    from srkit.video.colour import ToRGB
    from srkit.video.reading import Source

    bars_clip(tmp_path / "in.mkv", bits)
    with Source(tmp_path / "in.mkv") as source:
        frame = next(source.frames())
        rgb = ToRGB(source.facts.colour)(frame.picture)
    assert rgb.dtype == (np.uint8 if bits == 8 else np.uint16)
    levels = rgb[8, 4::8].astype(float) / (1 if bits == 8 else 257)
    # YUV is rounded: half a level of chroma is 1.06 of blue, and half a level of luma 0.58.
    # Of 10 bits these are quarters, and of 8 bits RGB is rounded as well.
    assert np.abs(levels - np.array(list(BARS))).max() <= (2.2 if bits == 8 else 0.45)


def test_full_range_stays_full(tmp_path):
    source = write_clip(
        tmp_path / "in.mkv", plain((250, 250, 250), (5, 5, 5)), codec="ffv1",
        pix_fmt="yuv444p", color_range=2, colorspace=1,
    )  # fmt: skip
    with av.open(str(source)) as container:
        before = [planes_of(f)[0][0, 0] for f in container.decode(video=0)]
    upscale(source, tmp_path / "out.mkv", codec="ffv1")
    made = [frame for frame, _ in frames_of(tmp_path / "out.mkv")]
    assert {frame.color_range for frame in made} == {2}
    assert [abs(planes_of(f)[0][0, 0] - b) <= 1 for f, b in zip(made, before, strict=True)]


def test_ten_bits_in_are_ten_bits_out(tmp_path):
    # Luma 501 and 502 lie between levels of 8 bits.
    levels = [400 + n for n in range(8)]
    with av.open(str(tmp_path / "in.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p10le"
        for n, level in enumerate(levels):
            frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p10le")
            for number, plane in enumerate(frame.planes):
                value = level if number == 0 else 512
                plane.update(np.full(plane.buffer_size // 2, value, np.uint16).tobytes())
            frame.pts, frame.time_base = n, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    upscale(tmp_path / "in.mkv", tmp_path / "out.mkv", codec="ffv1")
    made = [frame for frame, _ in frames_of(tmp_path / "out.mkv")]
    assert {frame.format.name for frame in made} == {"yuv420p10le"}
    assert [int(np.median(planes_of(frame)[0])) for frame in made] == levels
    upscale(tmp_path / "in.mkv", tmp_path / "out.mp4")
    assert probe(tmp_path / "out.mp4")["streams"][0]["pix_fmt"] == "yuv420p10le"


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
        upscale(source, tmp_path / "out.webm")
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


# --- going on after a kill -----------------------------------------------------------------------

SLOW = """
import sys, time, srkit
from srkit.video import conversion
conversion.SEGMENT_FRAMES = 4
class Slow(srkit.VideoUpscaler):
    card = srkit.ModelCard("slow", "", "x:Y", "numpy", (2,), 2, radius=0)
    scale, window = 2, 3
    def run(self, tiles):
        time.sleep(float(sys.argv[3]))
        return tiles.mean(axis=1, dtype="float32").repeat(2, axis=1).repeat(2, axis=2)
report = srkit.upscale_video(sys.argv[1], sys.argv[2], Slow(), codec="ffv1", pix_fmt="bgr0")
print(report.resumed)
"""


def test_killed_work_goes_on_and_the_result_is_that_of_work_in_one_go(tmp_path):
    source = write_clip(tmp_path / "in.mkv", moving(22), codec="ffv1", pix_fmt="bgr0")
    target, manifest = tmp_path / "out.mkv", tmp_path / ".out.mkv.srkit" / "manifest.json"

    def command(delay, result=target):
        return [sys.executable, "-c", SLOW, str(source), str(result), str(delay)]

    for wanted in (1, 3):
        process = subprocess.Popen(command(0.1))
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline and process.poll() is None:
            if manifest.exists() and manifest.read_text().count('"file"') >= wanted:
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert not target.exists()
    done = subprocess.run(command(0), capture_output=True, text=True, check=True)
    assert int(done.stdout) >= 12
    assert times_of(target) == times_of(source)
    subprocess.run(command(0, tmp_path / "whole.mkv"), check=True, capture_output=True)
    for one, other in zip(pixels_of(target), pixels_of(tmp_path / "whole.mkv"), strict=True):
        assert np.array_equal(one, other)
    assert left_behind(tmp_path) == ["in.mkv", "out.mkv", "whole.mkv"]


def interrupted(source, target, monkeypatch, **options):
    """Work that stops after its second segment."""
    monkeypatch.setattr(conversion, "SEGMENT_FRAMES", 4)

    def stop(done, frames):
        if done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upscale(source, target, progress=stop, **options)


def test_unfinished_work_of_other_settings_is_refused_until_told_to_start_afresh(
    tmp_path, clip, monkeypatch
):
    target = tmp_path / "out.mp4"
    interrupted(clip, target, monkeypatch)
    with pytest.raises(VideoError, match=r"differs in crf.*resume=False"):
        upscale(clip, target, crf=30)
    write_clip(clip, moving(12))
    with pytest.raises(VideoError, match=r"differs in source.*resume=False"):
        upscale(clip, target)
    assert not target.exists()
    assert upscale(clip, target, resume=False).resumed == 0
    assert len(times_of(target)) == 12


def test_interrupted_work_is_counted_and_a_segment_cut_short_is_made_again(
    tmp_path, clip, monkeypatch
):
    target = tmp_path / "out.mp4"
    interrupted(clip, target, monkeypatch)
    # What a kill leaves: part of a segment, and an unfinished result.
    (tmp_path / ".out.mp4.srkit" / "000002.packets").write_bytes(b"half")
    (tmp_path / ".out.mp4.srkit" / "joined.mp4").write_bytes(b"half")
    told = []
    report = upscale(clip, target, progress=lambda done, frames: told.append((done, frames)))
    assert report.resumed == 8
    assert told == [(n, 30) for n in range(9, 31)]
    assert times_of(target) == times_of(clip)


# --- what is refused ---------------------------------------------------------------------------


def test_an_existing_result_is_replaced_only_on_demand(tmp_path, clip):
    target = tmp_path / "out.mp4"
    target.write_bytes(b"precious")
    with pytest.raises(OptionError, match="overwrite"):
        upscale(clip, target)
    assert target.read_bytes() == b"precious"
    assert upscale(clip, target, overwrite=True).frames == len(times_of(target)) == 30


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"codec": "libx9000"}, "no encoder is named 'libx9000'"),
        ({"codec": "aac"}, "aac encodes audio"),
        ({"pix_fmt": "yuv9"}, "no pixel format is named 'yuv9'"),
        ({"pix_fmt": "rgb24"}, "libx264 does not take rgb24, but yuv420p"),
        ({"crf": -400}, "libx264 cannot be opened"),
        ({"scale": 77}, "nearest exists for"),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path, clip, options, message):
    with pytest.raises(OptionError, match=message):
        upscale(clip, tmp_path / "out.mp4", **options)
    assert left_behind(tmp_path, "in.mp4") == []


def test_an_odd_side_is_refused_where_colours_are_halved(tmp_path):
    source = write_clip(tmp_path / "in.mkv", moving(2, 33, 21), pix_fmt="yuv444p")
    with pytest.raises(OptionError, match='a side of 99x63 is odd; give pix_fmt="yuv444p"'):
        upscale(source, tmp_path / "out.mp4", scale=3, pix_fmt="yuv420p")
    assert upscale(source, tmp_path / "out.mp4", scale=3).width == 99


def test_input_that_is_no_video_is_refused(tmp_path, clip):
    text = tmp_path / "text.mp4"
    text.write_text("no video at all")
    half = tmp_path / "half.mp4"
    half.write_bytes(clip.read_bytes()[:2000])
    for bad in (text, half):
        with pytest.raises(CorruptFileError, match=bad.name):
            upscale(bad, tmp_path / "out.mp4")
    with pytest.raises(FileNotFoundError):
        upscale(tmp_path / "missing.mp4", tmp_path / "out.mp4")
    with pytest.raises(OptionError, match="written as"):
        upscale(clip, tmp_path / "out.xyz")
    with pytest.raises(OptionError, match="its source"):
        upscale(clip, clip, overwrite=True)
    assert left_behind(tmp_path, "in.mp4", "text.mp4", "half.mp4") == []


def test_work_that_fails_before_its_first_segment_leaves_nothing(tmp_path, clip):
    with pytest.raises(OptionError, match="too little for one tile"):
        upscale(clip, tmp_path / "out.mp4", memory=10)
    assert left_behind(tmp_path, "in.mp4") == []


def test_sound_alone_is_refused(tmp_path):
    from clips import mux_tone

    with av.open(str(tmp_path / "in.mp4"), "w") as container:
        mux_tone(container, container.add_stream("aac", rate=48000, layout="stereo"), 1)
    with pytest.raises(VideoError, match="holds no video"):
        upscale(tmp_path / "in.mp4", tmp_path / "out.mp4")


# --- the command -------------------------------------------------------------------------------


def test_the_command_upscales_a_video_and_says_so(tmp_path, clip, capsys):
    target = tmp_path / "out.mkv"
    arguments = ["upscale-video", str(clip), "-m", "nearest", "--scale", "2", "-o", str(target)]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert out == f"{target}\n"
    assert "30 frames, 128x96, 1.20 s of video" in err
    assert times_of(target) == times_of(clip)
    assert main(arguments) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main([*arguments, "--overwrite", "--codec", "ffv1", "--fresh"]) == 0
    assert probe(target)["streams"][0]["codec_name"] == "ffv1"


def test_the_command_fails_on_what_is_no_video(tmp_path, capsys):
    bad = tmp_path / "in.mp4"
    bad.write_bytes(os.urandom(100))
    arguments = ["upscale-video", str(bad), "-m", "nearest", "-o", str(tmp_path / "out.mp4")]
    assert main(arguments) == 1
    assert "is not a video" in capsys.readouterr().err
    assert left_behind(tmp_path, "in.mp4") == []
