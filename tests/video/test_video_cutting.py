"""A part of a video: its frames, sound, subtitles and chapters, in step."""

import json
import subprocess
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

av = pytest.importorskip("av", reason="PyAV is not installed")

from clips import frames_of, left_behind, moving, packets_of, pixels_of, probe, times_of, write_clip

import srkit
from srkit.errors import OptionError, VideoError
from srkit.video.cutting import PacketsWithin, later_code

RATE = 48000
TONES = (0.5, 1.5, 2.5)  # when it flashes and beeps, in seconds, for a tenth of one


def flashing(path, *, seconds=3, gop=25):
    """A clip that flashes white and beeps at the same times; 25 frames a second, with texts."""
    plain = path.with_name("plain.mkv")
    with av.open(str(plain), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": str(gop), "crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("aac", rate=RATE, layout="mono")
        sound.bit_rate = 128_000
        for n in range(25 * seconds):
            lit = any(at <= n / 25 < at + 0.1 for at in TONES)
            picture = np.full((48, 64, 3), 230 if lit else 20 + n, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        t = np.arange(seconds * RATE) / RATE
        on = sum((at <= t) & (t < at + 0.1) for at in TONES)
        wave = (np.sin(2 * np.pi * 1000 * t) * on * 0.5).astype(np.float32)
        for start in range(0, len(wave) - 1023, 1024):
            frame = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], "fltp", "mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
            container.mux(sound.encode(frame))
        container.mux(stream.encode(None))
        container.mux(sound.encode(None))
    texts = path.with_suffix(".srt")
    spans = [("0,200", "0,700", "Alpha"), ("1,000", "1,400", "Beta"), ("2,600", "2,950", "Gamma")]
    texts.write_text(
        "".join(f"{n}\n00:00:0{a} --> 00:00:0{b}\n{t}\n\n" for n, (a, b, t) in enumerate(spans, 1))
    )
    chapters = path.with_suffix(".txt")
    chapters.write_text(
        ";FFMETADATA1\n"
        + "".join(
            f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={a}\nEND={b}\ntitle={t}\n"
            for a, b, t in ((0, 1000, "one"), (1000, 2000, "two"), (2000, 3000, "three"))
        )
    )
    subtitles = ["-i", texts] if path.suffix != ".ts" else []
    kind = "mov_text" if path.suffix in (".mp4", ".mov") else "srt"
    copied = ["-map", "1", "-c:s", kind] if subtitles else []
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", plain, *subtitles, "-i", chapters, "-map", "0", *copied,
         "-map_metadata", "2" if subtitles else "1", "-c:v", "copy", "-c:a", "copy", path],
        check=True,
    )  # fmt: skip
    for extra in (plain, texts, chapters):
        extra.unlink()
    return path


def begin_of(path):
    """Where players begin to count: MPEG-TS begins later, by as much for all streams."""
    return float(probe(path)["format"]["start_time"])


def beeps_of(path):
    """When it beeps, as ffmpeg decodes it by the times of the file, in seconds."""
    command = ["ffmpeg", "-v", "error", "-copyts", "-i", path, "-map", "0:a", "-ac", "1"]
    command += ["-ar", str(RATE), "-af", "aresample=async=1:first_pts=0", "-f", "f32le", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    loud = np.flatnonzero(np.abs(np.frombuffer(done.stdout, np.float32)) > 0.15)
    first = [loud[0], *(b for a, b in pairwise(loud) if b - a > RATE // 10)]
    begin = begin_of(path)
    return [float(n) / RATE - begin for n in first]


def nearest(path, time):
    """When the frame begins that is nearest to a time: parts begin and end with whole frames."""
    first = begin_of(path)
    begins = [float(begin) - first for begin in times_of(path)]
    return min(begins, key=lambda begin: abs(begin - time))


def flashes_of(path):
    lit = [frame.to_ndarray(format="gray").mean() > 180 for frame, _ in frames_of(path)]
    begin = begin_of(path)
    times = [float(time) - begin for time in times_of(path)]
    return [times[n] for n in range(len(lit)) if lit[n] and (n == 0 or not lit[n - 1])]


def texts_of(path):
    command = ["ffprobe", "-v", "error", "-select_streams", "s", "-show_packets", "-of", "json",
               str(path)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [
        (round(float(p["pts_time"]), 3), round(float(p["duration_time"]), 3))
        for p in json.loads(done.stdout)["packets"]
        if int(p["size"]) > 2  # an empty text of MP4 is a pause
    ]


def cut(source, target, **options):
    return srkit.upscale_video(source, target, "nearest", scale=2, **options)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".ts"])
def test_sound_and_picture_are_cut_in_step(tmp_path, suffix):
    source, target = flashing(tmp_path / f"in{suffix}"), tmp_path / f"out{suffix}"
    report = cut(source, target, start=1.2, end="0:02.8")
    # Sound begins before the first frame, by what AAC needs; the last frame is not cut in two.
    assert (report.frames, report.duration) == (40, pytest.approx(1.6, abs=0.02))
    # What lies in the part, when it does in the source.
    begin = nearest(source, 1.2)
    assert np.array(flashes_of(target)) + begin == pytest.approx(flashes_of(source)[1:], abs=0.002)
    assert np.array(beeps_of(target)) + begin == pytest.approx(beeps_of(source)[1:], abs=0.003)
    assert flashes_of(source) == pytest.approx(beeps_of(source), abs=0.05)


def test_sound_of_a_part_is_packets_of_the_source(tmp_path):
    source, target = flashing(tmp_path / "in.mkv"), tmp_path / "out.mkv"
    cut(source, target, start=1, end=2)
    whole = [(float(time), data) for _, time, data in packets_of(source, "audio")]
    begin, end = nearest(source, 1), nearest(source, 2)
    wanted = [(time - begin, data) for time, data in whole if begin <= time < end]
    made = [(float(time), data) for _, time, data in packets_of(target, "audio")]
    assert [data for _, data in made] == [data for _, data in wanted]
    assert [time for time, _ in made] == pytest.approx([time for time, _ in wanted], abs=0.002)


def test_sound_that_lies_behind_all_texts_in_the_file_is_not_lost(tmp_path):
    """As badly written files have it."""
    source = flashing(tmp_path / "in.mkv")
    with av.open(str(source)) as given:
        text = [p for p in given.demux(given.streams.subtitles[0]) if p.size][-1]
    within = PacketsWithin(Fraction(0), Fraction(1))
    assert text.pts * text.time_base > 1
    assert not within.are_over(text, [99])
    assert within.are_over(text, [text.stream_index])


def test_a_file_with_a_cover_is_read_no_further_than_its_part(tmp_path, monkeypatch):
    from srkit.video import joining

    plain, cover = write_clip(tmp_path / "a.mp4", moving(75), audio=True), tmp_path / "cover.png"
    srkit.Image(next(moving(1))).save(cover)
    command = ["ffmpeg", "-v", "error", "-i", plain, "-i", cover, "-map", "0", "-map", "1"]
    command += ["-c", "copy", "-disposition:v:1", "attached_pic", tmp_path / "in.mp4"]
    subprocess.run(command, check=True)
    ends = []

    def demuxed(origin, streams, most):
        for packet in whole(origin, streams, most):
            if most is None:  # no rehearsal
                ends.append((packet.pts or 0) * packet.time_base)
            yield packet

    whole = joining._demuxed
    monkeypatch.setattr(joining, "_demuxed", demuxed)
    cut(tmp_path / "in.mp4", tmp_path / "out.mp4", end=1)
    streams = probe(tmp_path / "out.mp4")["streams"]
    assert [s["disposition"]["attached_pic"] for s in streams] == [0, 0, 1]
    assert max(ends) < 1.1


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_subtitles_and_chapters_are_cut_and_begin_in_the_part(tmp_path, suffix):
    source, target = flashing(tmp_path / f"in{suffix}"), tmp_path / f"out{suffix}"
    assert texts_of(source) == [(0.2, 0.5), (1.0, 0.4), (2.6, 0.35)]
    cut(source, target, start=1.2, end=2.8)
    begin, end = nearest(source, 1.2), nearest(source, 2.8)
    # Beta has been there for 0.2 s when the part begins, Gamma goes on after it.
    texts = np.array([(0, 1.4 - begin), (2.6 - begin, end - 2.6)])
    assert np.array(texts_of(target)) == pytest.approx(texts, abs=0.002)
    chapters = [
        (float(c["start_time"]), float(c["end_time"]), c["tags"]["title"])
        for c in probe(target)["chapters"]
    ]
    assert [title for *_, title in chapters] == ["two", "three"]
    times = [time for chapter in chapters for time in chapter[:2]]
    assert times == pytest.approx([0, 2 - begin, 2 - begin, end - begin], abs=0.002)


@pytest.mark.parametrize("gop", [1, 7, 250])
def test_frames_of_a_part_are_those_of_the_whole_wherever_key_frames_are(tmp_path, gop):
    source = write_clip(
        tmp_path / "in.mp4", moving(60), options={"g": str(gop), "crf": "5", "bf": "2"}
    )
    srkit.upscale_video(source, tmp_path / "a.mkv", "nearest", scale=2, codec="ffv1")
    cut(source, tmp_path / "b.mkv", codec="ffv1", start=1, end=2)
    whole, part = pixels_of(tmp_path / "a.mkv"), pixels_of(tmp_path / "b.mkv")
    assert len(part) == 25
    assert all(np.array_equal(a, b) for a, b in zip(whole[25:50], part, strict=True))
    assert times_of(tmp_path / "b.mkv") == pytest.approx([n / 25 for n in range(25)])


@pytest.mark.parametrize("suffix", [".ts", ".h264"])
def test_a_part_near_the_end_is_found_where_containers_do_not_lead_to_it(tmp_path, suffix):
    """MPEG-TS leads behind the last key frame, and a bare stream cannot be searched."""
    source = write_clip(tmp_path / f"in{suffix}", moving(60), options={"g": "20", "crf": "5"})
    whole, part = tmp_path / "a.mkv", tmp_path / "b.mkv"
    srkit.upscale_video(source, whole, "nearest", scale=2, codec="ffv1")
    assert cut(source, part, codec="ffv1", start=2, end="2.2").frames == 5
    wanted = pixels_of(whole)[50:55]
    assert all(np.array_equal(a, b) for a, b in zip(wanted, pixels_of(part), strict=True))


@pytest.mark.parametrize(
    ("start", "end", "frames"),
    [
        (0.48, 1.08, 15),
        (0.5, 1.1, 15),  # a frame that is cut in half belongs to the part that begins there
        (0.51, 1.1, 14),
        (0.49, 1.11, 16),
    ],
)
def test_a_part_has_whole_frames_at_a_steady_rate(tmp_path, clip, start, end, frames):
    target = tmp_path / "out.mp4"
    report = cut(clip, target, start=start, end=end)
    assert (report.frames, report.duration) == (frames, pytest.approx(frames / 25))
    (stream,) = probe(target)["streams"]
    assert float(stream["duration"]) == pytest.approx(frames / 25)
    assert stream["avg_frame_rate"] == "25/1"
    assert times_of(target) == [Fraction(n, 25) for n in range(frames)]
    found = srkit.video.preview_video(
        clip, tmp_path / "page.html", "nearest", scale=2, start=start, end=end
    )
    assert found.frames == frames


def test_a_frame_that_stands_when_the_part_begins_is_its_first(tmp_path):
    """As slides do, which last for seconds."""
    source = write_clip(tmp_path / "in.mkv", moving(3), times=[0, 12800, 38400])
    report = cut(source, tmp_path / "out.mkv", start=2, end=3.5)
    assert times_of(tmp_path / "out.mkv") == [0, 1]
    # The last frame of the source does not say how long it stands.
    assert report.duration == pytest.approx(1.04)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_video_that_begins_late_is_cut_by_the_times_that_players_show(tmp_path, suffix):
    """As beside sound that was recorded first: two seconds of video, from the fifth on."""
    source = tmp_path / f"in{suffix}"
    late = write_clip(tmp_path / "late.mkv", moving(50), times=range(64000, 89600, 512), audio=True)
    subprocess.run(["ffmpeg", "-v", "error", "-i", late, "-c", "copy", source], check=True)
    counted = []
    report = cut(source, tmp_path / "out.mp4", start=6.01, progress=lambda *of: counted.append(of))
    assert (report.frames, counted[-1][0]) == (25, 25)
    assert counted[-1][1] == pytest.approx(25, abs=2)
    with pytest.raises(OptionError, match=r"which lasts 0:00:07\.0"):
        cut(source, tmp_path / "none.mp4", start=8)


def test_an_interrupted_part_goes_on(tmp_path, clip, monkeypatch):
    from srkit.video import upscaling

    monkeypatch.setattr(upscaling, "SEGMENT_FRAMES", 4)

    def stop(done, total):
        if done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut(clip, tmp_path / "out.mp4", start=0.2, end=1, progress=stop)
    with pytest.raises(VideoError, match="differs in cut"):
        cut(clip, tmp_path / "out.mp4", start=0.4, end=1)
    report = cut(clip, tmp_path / "out.mp4", start=0.2, end=1)
    assert (report.frames, report.resumed) == (20, 4)
    assert times_of(tmp_path / "out.mp4") == [Fraction(n, 25) for n in range(20)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": 2, "end": 1}, "the end, 0:00:01, is not after the start, 0:00:02"),
        ({"end": 0}, "is not after the start"),
        ({"start": 99}, "start 0:01:39 is past the end of .*in.mp4, which lasts 0:00:01.2"),
        ({"start": "1:2:3:4"}, "the start is a number of seconds or H:MM:SS"),
        ({"start": "noon"}, "the start is a number of seconds or H:MM:SS"),
        ({"end": -1}, "the end is a number of seconds or H:MM:SS"),
        ({"end": float("nan")}, "the end is a number of seconds or H:MM:SS"),
        ({"start": "0:75:00"}, "more than 59 minutes or seconds"),
        ({"fps": 30}, "in.mp4 has times of its own; fps is for numbered pictures"),
    ],
)
def test_parts_that_make_no_sense_are_refused(tmp_path, clip, options, message):
    with pytest.raises(OptionError, match=message):
        cut(clip, tmp_path / "out.mp4", **options)
    assert left_behind(tmp_path, "in.mp4") == []


def test_a_part_between_two_frames_is_told(tmp_path, clip):
    with pytest.raises(VideoError, match=r"shows no frame from 0:00:00.05 to 0:00:00.053"):
        cut(clip, tmp_path / "out.mp4", start=0.05, end=0.053)
    assert left_behind(tmp_path, "in.mp4") == []


def test_a_time_code_is_that_of_the_first_frame(tmp_path):
    def prepare(container, stream):
        stream.metadata["timecode"] = "01:00:00:00"

    source = write_clip(tmp_path / "in.mov", moving(30), prepare=prepare)
    cut(source, tmp_path / "out.mov", start=1)
    told = [s.get("tags", {}).get("timecode") for s in probe(tmp_path / "out.mov")["streams"]]
    assert "01:00:01:00" in told


@pytest.mark.parametrize(
    ("code", "frames", "rate", "later"),
    [
        # SMPTE ST 12-1: of each minute but the tenths, two numbers are left out.
        ("00:00:59;29", 1, 30, "00:01:00;02"),
        ("00:09:59;29", 1, 30, "00:10:00;00"),
        ("00:00:00;00", 107892, 30, "01:00:00;00"),
        ("00:00:59;59", 1, 60, "00:01:00;04"),
        ("23:59:59:24", 1, 25, "00:00:00:00"),
        ("no code", 1, 25, "no code"),
    ],
)
def test_time_codes_count_on_as_the_standard_has_it(code, frames, rate, later):
    assert later_code(code, frames, rate) == later
