"""Streams beside the video: which are copied, when they begin, and what is told."""

import json
from fractions import Fraction

import pytest

av = pytest.importorskip("av", reason="PyAV is not installed")

from clips import frames_of, left_behind, moving, packets_of, times_of, upscale, write_clip

from srkit.cli import main
from srkit.errors import VideoError
from srkit.video import joining

# --- streams that fail late -----------------------------------------------------------------------


def with_timecode(path, code="01:00:00:00"):
    def prepare(_, stream):
        stream.metadata["timecode"] = code

    return write_clip(path, moving(6), prepare=prepare)


def timecodes_of(path):
    """Kinds and time codes of the streams that have one."""
    with av.open(str(path)) as container:
        found = [(s.type, {k.lower(): v for k, v in s.metadata.items()}) for s in container.streams]
    return [(kind, told["timecode"]) for kind, told in found if "timecode" in told]


@pytest.mark.parametrize(
    ("suffix", "kinds"),
    [(".mov", ["video", "data"]), (".mp4", ["video", "data"]), (".mkv", ["video"])],
)
def test_a_time_code_is_kept(tmp_path, caplog, suffix, kinds):
    source = with_timecode(tmp_path / "in.mov")
    assert [kind for kind, _ in timecodes_of(source)] == ["video", "data"]
    report = upscale(source, tmp_path / f"out{suffix}")
    assert timecodes_of(tmp_path / f"out{suffix}") == [(kind, "01:00:00:00") for kind in kinds]
    assert report.left_out == ()
    assert "left out" not in caplog.text
    assert len(times_of(tmp_path / f"out{suffix}")) == 6


def test_a_drop_frame_code_that_no_such_rate_has_is_told_and_left_out(tmp_path, caplog):
    # 29.97 frames a second have it; MOV refuses it at 25.
    source = with_timecode(tmp_path / "in.mkv", "01:00:00;00")
    assert timecodes_of(source)[0][1] == "01:00:00;00"
    report = upscale(source, tmp_path / "out.mov")
    assert timecodes_of(tmp_path / "out.mov") == []
    assert report.left_out == ("time code 01:00:00;00",)
    assert caplog.text.count("time code 01:00:00;00 is left out") == 1


def with_data(path):
    """A clip with a stream of data, as of a drone's flight, which MPEG-TS holds."""
    with av.open(str(path), "w", format="mpegts") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        data = container.add_data_stream("klv")
        data.time_base = Fraction(1, 90000)
        for number, rgb in enumerate(moving(6)):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
            packet = av.Packet(bytes(range(16)))
            packet.stream, packet.time_base = data, Fraction(1, 25)
            packet.pts = packet.dts = number
            container.mux(packet)
        container.mux(video.encode(None))
    return path


def test_data_that_a_container_cannot_hold_is_left_out_and_told_once(tmp_path, caplog, capsys):
    source = with_data(tmp_path / "in.ts")
    target = tmp_path / "out.mp4"
    arguments = ["upscale-video", str(source), "-m", "nearest", "--scale", "2", "-o", str(target)]
    assert main([*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["path"], told["frames"], len(told["left_out"])) == (str(target), 6, 1)
    assert "data" in told["left_out"][0]
    assert caplog.text.count(" is left out: mp4 has no place for it") == 1
    assert len(times_of(target)) == 6


def test_what_a_muxer_refuses_at_its_end_is_known_before_the_first_frame(tmp_path, monkeypatch):
    source = write_clip(tmp_path / "in.mp4", moving(6), audio=True)
    merged = joining._merged

    def failing(one, other):
        yield from merged(one, other)
        raise av.error.ArgumentError(22, "Invalid argument")

    monkeypatch.setattr(joining, "_merged", failing)
    done = []
    with pytest.raises(VideoError, match="mp4 cannot hold libx264 video"):
        upscale(source, tmp_path / "out.mp4", progress=lambda *told: done.append(told))
    assert done == []
    assert left_behind(tmp_path, "in.mp4") == []


def test_errors_of_ffmpeg_are_typed(tmp_path, clip, monkeypatch):
    from srkit.video import upscaling as conversion

    def failing(*_, **__):
        raise av.error.ArgumentError(22, "Invalid argument")

    monkeypatch.setattr(conversion, "join", failing)
    with pytest.raises(VideoError, match=r"FFmpeg gave up on .*in\.mp4: Invalid argument"):
        upscale(clip, tmp_path / "out.mp4")


# --- when streams begin ---------------------------------------------------------------------------


def late_clip(path, seconds, container):
    """A clip with sound, of which all times are later."""
    plain = write_clip(path.with_name("plain.mp4"), moving(25), audio=True)
    options = {"muxdelay": "0"} if container == "mpegts" else {}
    with (
        av.open(str(plain)) as given,
        av.open(str(path), "w", format=container, container_options=options) as output,
    ):
        places = [output.add_stream_from_template(s, opaque=True) for s in given.streams]
        for packet in given.demux():
            if packet.size:
                packet.pts += int(seconds / packet.time_base)
                packet.dts += int(seconds / packet.time_base)
                packet.stream = places[packet.stream_index]
                output.mux(packet)
    plain.unlink()
    return path


def span_of(path, kind):
    """When the first and the last packet of a kind appear, in seconds."""
    times = [float(time) for _, time, _ in packets_of(path, kind)]
    return min(times), max(times)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
@pytest.mark.parametrize(
    ("seconds", "container", "name"),
    [
        (Fraction("1.58"), "mpegts", "in.ts"),
        (50000, "mpegts", "in.ts"),
        (50000, "matroska", "in.mkv"),
    ],
)
def test_one_common_start_is_taken_off_all_streams(tmp_path, suffix, seconds, container, name):
    source = late_clip(tmp_path / name, seconds, container)
    target = tmp_path / f"out{suffix}"
    assert upscale(source, target).duration == pytest.approx(1)
    before = {kind: span_of(source, kind) for kind in ("video", "audio")}
    after = {kind: span_of(target, kind) for kind in ("video", "audio")}
    begin = min(first for first, _ in before.values())
    assert begin == pytest.approx(float(seconds), abs=0.03)  # the sound's priming
    for kind, (first, last) in before.items():
        # Sound and picture stay in step; Matroska counts milliseconds.
        assert after[kind] == pytest.approx((first - begin, last - begin), abs=0.0011)
    assert min(first for first, _ in after.values()) == pytest.approx(0, abs=0.0011)
    assert len(frames_of(target)) == 25


# --- which stream is the film ---------------------------------------------------------------------


def with_cover(path, where, *, mimetype=None, disposition=None, default=None, stills=1):
    """A film of ten frames and a picture of 32x32, in an order, as tracks of Matroska."""
    with av.open(str(path), "w") as container:
        made = {}
        for name in ("picture", "film") if where == "first" else ("film", "picture"):
            made[name] = container.add_stream("mjpeg" if name == "picture" else "libx264", rate=10)
        film, picture = made["film"], made["picture"]
        film.width, film.height, film.pix_fmt = 64, 48, "yuv420p"
        picture.width, picture.height, picture.pix_fmt = 32, 32, "yuvj420p"
        if mimetype:
            picture.metadata["mimetype"] = mimetype
        flag = av.stream.Disposition
        if default is not None:
            made[default].disposition = flag.default
        if disposition:
            picture.disposition = flag[disposition]
        for stream, count, side in ((picture, stills, (32, 32)), (film, 10, (64, 48))):
            for number, rgb in enumerate(moving(count, *side)):
                frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
                frame = frame.reformat(format=stream.pix_fmt)
                frame.pts, frame.time_base = number, Fraction(1, 10)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    "marks",
    [
        {"mimetype": "image/jpeg", "default": "film"},
        {"mimetype": "image/jpeg", "default": "picture", "stills": 3},
        {"disposition": "attached_pic"},
        {"default": "picture"},
        {},
    ],
)
@pytest.mark.parametrize("where", ["first", "last"])
def test_the_film_is_upscaled_and_the_picture_copied(tmp_path, where, marks):
    source = with_cover(tmp_path / "in.mkv", where, **marks)
    target = tmp_path / "out.mkv"
    assert upscale(source, target).frames == 10
    with av.open(str(target)) as container:
        sizes = [(s.width, s.height) for s in container.streams.video]
    assert sorted(sizes) == [(32, 32), (128, 96)]


def test_of_two_films_the_default_is_upscaled(tmp_path):
    source = with_cover(tmp_path / "in.mkv", "last", default="picture", stills=10)
    assert upscale(source, tmp_path / "out.mkv").width == 64
