"""Files that end before their header says: what is missing is told."""

import json
from fractions import Fraction

import pytest

av = pytest.importorskip("av", reason="PyAV is not installed")

from clips import frames_of, moving, mux_tone, upscale, write_clip

import srkit
from srkit.cli import main


def broken_off(tmp_path, name):
    """Two thirds of a clip of two seconds; a header at its beginning tells of all."""
    options = {"crf": "5", "g": "5"}
    whole = write_clip(tmp_path / f"whole{name[-4:]}", moving(50), options=options)
    if name.endswith(".mp4"):
        first = tmp_path / "first.mp4"
        with (
            av.open(whole) as given,
            av.open(first, "w", options={"movflags": "faststart"}) as made,
        ):
            stream = made.add_stream_from_template(given.streams.video[0])
            for packet in given.demux(given.streams.video[0]):
                if packet.size:
                    packet.stream = stream
                    made.mux(packet)
        whole = first
    data = whole.read_bytes()
    source = tmp_path / name
    source.write_bytes(data[: len(data) * 2 // 3])
    return source


@pytest.mark.parametrize("name", ["in.mkv", "in.mp4"])
def test_the_end_that_is_missing_is_told(tmp_path, caplog, name):
    source = broken_off(tmp_path, name)
    report = upscale(source, tmp_path / "out.mkv")
    made = len(frames_of(tmp_path / "out.mkv"))
    assert 20 < made < 45
    assert report.missing == pytest.approx(2 - made / 25, abs=0.05)
    (told,) = [r.getMessage() for r in caplog.records if "its header says" in r.getMessage()]
    assert told.startswith(f"{source} ends at 0:00:01")
    # A part that is all there lacks nothing.
    assert upscale(source, tmp_path / "part.mkv", end=0.5).missing == 0


def test_the_command_tells_programs(tmp_path, capsys):
    source = broken_off(tmp_path, "in.mkv")
    target = tmp_path / "out.mkv"
    arguments = ["upscale-video", str(source), "-m", "nearest", "--json", "-o", str(target)]
    assert main(arguments) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["missing"] > 0.2
    assert target.is_file()


@pytest.mark.parametrize("name", ["in.mkv", "in.mp4", "in.webm", "in.mpg", "in.avi"])
def test_nothing_is_missing_of_a_whole_file_whose_sound_is_longer(tmp_path, caplog, name):
    def longer(container, stream):
        codec = {"webm": "libopus", "mpg": "mp2", "avi": "mp3"}.get(name[3:], "aac")
        sounds.append((container, container.add_stream(codec, rate=48000, layout="stereo")))

    sounds = []
    codec = {"webm": "libvpx-vp9", "mpg": "mpeg2video", "avi": "mpeg4"}.get(name[3:], "libx264")
    source = tmp_path / name
    with av.open(str(source), "w") as container:
        stream = container.add_stream(codec, rate=25, width=64, height=48, pix_fmt="yuv420p")
        longer(container, stream)
        mux_tone(*sounds[0], seconds=Fraction(3))
        for n, rgb in enumerate(moving(25)):
            frame = av.VideoFrame.from_ndarray(rgb)
            frame.pts = n
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    report = srkit.upscale_video(source, tmp_path / "out.mkv", "nearest", scale=2)
    assert (report.frames, report.missing) == (25, 0)
    assert "its header says" not in caplog.text
