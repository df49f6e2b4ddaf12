import itertools
import subprocess
from fractions import Fraction

import numpy as np
import pytest

av = pytest.importorskip("av", reason="PyAV is not installed")

from exactness import EXACT

import srkit
import srkit.dask
import srkit.dask.video
from srkit.cli import main
from srkit.errors import OptionError, VideoError


def frames_of(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [
            (frame.pts * stream.time_base, frame.to_ndarray(format="rgb24"))
            for frame in container.decode(stream)
        ]


def sound_of(path):
    with av.open(str(path)) as container:
        packets = container.demux(container.streams.audio[0])
        return [(p.pts * p.time_base, bytes(p)) for p in packets if p.size]


def write_clip(path, *, count=150, options=None, gaps=(512,)):
    """A moving pattern with a cut in it and with sound; `gaps` between frames, by turns."""
    y, x = np.mgrid[:48, :64].astype(np.float64)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "30", **(options or {})})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 12800)
        sound = container.add_stream("aac", rate=48000, layout="stereo")
        pts = 0
        for number, gap in zip(range(count), itertools.cycle(gaps), strict=False):
            shift = number if number < 70 else 500 - 2 * number
            waves = [np.sin((x + shift + 20 * c) / 9) * np.cos((y - shift) / 7) for c in range(3)]
            level = 90 if number < 70 else 170
            pixels = np.rint(level + 80 * np.stack(waves, axis=-1)).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = pts, stream.time_base
            pts += gap
            container.mux(stream.encode(frame))
        tone = np.sin(np.arange(1024) / 20)[None].repeat(2, 0).astype(np.float32) / 3
        for start in range(0, 5 * 48000, 1024):
            frame = av.AudioFrame.from_ndarray(tone, "fltp", "stereo")
            frame.sample_rate, frame.pts = 48000, start
            container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
        container.mux(stream.encode(None))
    return path


def upscale(client, source, target, model="bicubic", scale=2, **options):
    options = {"codec": "libx264", "crf": 0, **options}
    return srkit.dask.upscale_video(source, target, model, scale=scale, client=client, **options)


@pytest.mark.parametrize(
    ("suffix", "options", "gaps"),
    [
        (".mp4", {}, (512,)),
        # Times that vary, and pictures before a key frame that lean on the group before it.
        (".mp4", {"x264-params": "open-gop=1:bframes=3"}, (512, 300, 900)),
        (".mkv", {}, (512,)),
        (".ts", {}, (512,)),
        (".mp4", {"g": "999"}, (512,)),
    ],
)
def test_frames_times_and_sound_are_those_of_one_machine(client, tmp_path, suffix, options, gaps):
    source = write_clip(tmp_path / "in.mp4", options=options, gaps=gaps)
    if suffix != ".mp4":
        source = tmp_path / f"in{suffix}"
        copy = ["ffmpeg", "-v", "error", "-i", str(tmp_path / "in.mp4"), "-c", "copy", str(source)]
        subprocess.run(copy, check=True)
        (tmp_path / "in.mp4").unlink()
    here, there = tmp_path / f"here{suffix}", tmp_path / f"there{suffix}"
    srkit.upscale_video(source, here, "bicubic", scale=2, crf=0)
    report = upscale(client, source, there)
    assert (report.frames, report.resumed, report.broken) == (150, 0, ())
    assert (report.width, report.height) == (128, 96)
    one, other = frames_of(here), frames_of(there)
    assert [time for time, _ in one] == [time for time, _ in other]
    # crf=0 is lossless for the YUV that is encoded.
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(one, other, strict=True))
    assert sound_of(there) == sound_of(here)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        [source.name, here.name, there.name]
    )


def test_a_model_that_sees_five_frames_sees_those_around_a_segment(client, tmp_path):
    source = write_clip(tmp_path / "in.mp4", count=70)
    whole = {"codec": "ffv1", "pix_fmt": "bgr0", **EXACT}
    srkit.upscale_video(source, tmp_path / "here.mkv", "vsr-small", scale=4, **whole)
    upscale(client, source, tmp_path / "there.mkv", "vsr-small", 4, **whole)
    one, other = frames_of(tmp_path / "here.mkv"), frames_of(tmp_path / "there.mkv")
    worst = max(
        int(np.abs(a.astype(int) - b).max()) for (_, a), (_, b) in zip(one, other, strict=True)
    )
    assert worst <= 1


def test_segments_that_are_done_stay_done(client, tmp_path):
    source, target = write_clip(tmp_path / "in.mp4"), tmp_path / "out.mp4"

    def stop(done, frames):
        if done >= 60:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upscale(client, source, target, progress=stop)
    assert not target.exists()
    with pytest.raises(VideoError, match=r"differs in crf.*resume=False"):
        upscale(client, source, target, crf=10)
    # One machine has other segments.
    with pytest.raises(VideoError, match="differs in segment_frames"):
        srkit.upscale_video(source, target, "bicubic", scale=2, crf=0)
    told = []
    report = upscale(client, source, target, progress=lambda *counts: told.append(counts))
    assert report.resumed >= 60
    assert told[0] == (report.resumed, 150)
    assert told[-1] == (150, 150)
    assert len(frames_of(target)) == 150


def test_the_command_takes_a_cluster(client, tmp_path, capsys):
    source, target = write_clip(tmp_path / "in.mp4", count=60), tmp_path / "out.mp4"
    arguments = ["upscale-video", str(source), "-o", str(target), "-m", "bicubic", "--scale", "2"]
    assert main([*arguments, "--dask", client.scheduler.address]) == 0
    assert capsys.readouterr().out == f"{target}\n"
    assert len(frames_of(target)) == 60
    with pytest.raises(OptionError, match="exists"):
        upscale(client, source, target)
    with pytest.raises(FileNotFoundError):
        upscale(client, tmp_path / "lost.mp4", tmp_path / "new.mp4")
    assert not (tmp_path / "new.mp4").exists()
