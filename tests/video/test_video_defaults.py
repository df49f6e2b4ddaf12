"""What is chosen where nothing is asked for: results that players take."""

import logging
import subprocess

import numpy as np
import pytest
from PIL import Image

av = pytest.importorskip("av", reason="PyAV is not installed")

from clips import frames_of, moving, probe, upscale, write_clip

from srkit.errors import VideoError


def coded(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return (
            stream.codec_context.name,
            stream.codec_context.pix_fmt,
            stream.codec_context.codec_tag,
        )


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".m4v"])
def test_hevc_has_the_tag_that_apple_plays(tmp_path, clip, suffix):
    target = tmp_path / f"out{suffix}"
    upscale(clip, target, codec="libx265")
    assert coded(target)[::2] == ("hevc", "hvc1")
    assert len(frames_of(target)) == 30


@pytest.mark.parametrize(
    ("name", "codec", "form", "made"),
    [
        ("in.mkv", "ffv1", "bgr0", "yuv420p"),
        ("in.mkv", "ffv1", "gray", "yuv420p"),
        ("in.avi", "mjpeg", "yuvj444p", "yuv420p"),
        ("in.avi", "mjpeg", "yuvj422p", "yuv420p"),
        ("in.mov", "png", "rgb24", "yuv420p"),
        ("in.mp4", "libx264", "yuv444p", "yuv420p"),
        ("in.mov", "prores_ks", "yuv422p10le", "yuv420p10le"),
        ("in.mkv", "ffv1", "yuv422p10le", "yuv420p10le"),
    ],
)
@pytest.mark.parametrize("encoder", ["libx264", "libx265"])
def test_pixels_are_of_the_format_that_players_know(
    tmp_path, caplog, name, codec, form, made, encoder
):
    source = write_clip(tmp_path / name, moving(3), codec=codec, pix_fmt=form, options={"q:v": "3"})
    upscale(source, tmp_path / "out.mp4", codec=encoder)
    assert coded(tmp_path / "out.mp4")[1].replace("yuvj", "yuv") == made
    assert caplog.text.count("colour is halved") == (form != "gray")


@pytest.mark.parametrize(
    ("codec", "form", "encoder", "made", "told"),
    [
        ("ffv1", "yuv444p12le", "libx264", "yuv420p10le", "12 bits become 10: libx264"),
        ("png", "rgb48be", "libx264", "yuv420p10le", "16 bits become 10: libx264"),
        ("png", "rgb48be", "libx265", "yuv420p12le", "colour is halved"),
        ("ffv1", "yuv420p10le", "mpeg4", "yuv420p", "10 bits become 8: mpeg4"),
        ("ffv1", "yuv420p10le", "libx264", "yuv420p10le", "few players know H.264 of 10 bits"),
    ],
)
def test_deep_sources_have_the_depth_that_the_encoder_has_in_a_format_of_players(
    tmp_path, caplog, codec, form, encoder, made, told
):
    name = "in.mov" if codec == "png" else "in.mkv"
    source = write_clip(tmp_path / name, moving(3), codec=codec, pix_fmt=form)
    upscale(source, tmp_path / "out.mp4", codec=encoder)
    (stream,) = probe(tmp_path / "out.mp4")["streams"]
    assert stream["pix_fmt"] == made
    assert told in caplog.text


def test_a_wmv_becomes_what_players_take(tmp_path, caplog):
    def hum(tone):
        tone.bit_rate = 128_000
        for start in range(0, 44100, 2048):
            wave = np.sin(2 * np.pi * 440 * np.arange(start, start + 2048) / 44100) / 3
            frame = av.AudioFrame.from_ndarray(
                np.stack([wave, wave]).astype(np.float32), "fltp", "stereo"
            )
            frame.sample_rate, frame.pts = 44100, start
            packets.extend(tone.encode(frame))
        packets.extend(tone.encode(None))

    packets = []
    source = tmp_path / "in.wmv"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("wmv2", rate=25, width=64, height=48, pix_fmt="yuv420p")
        hum(container.add_stream("wmav2", rate=44100, layout="stereo"))
        for rgb in moving(25):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb)))
        container.mux(stream.encode(None))
        container.mux(packets)
    for name, codecs in {
        "out.mp4": ("h264", "aac"), "out.mkv": ("h264", "aac"), "out.webm": ("vp9", "opus"),
    }.items():  # fmt: skip
        caplog.clear()
        upscale(source, tmp_path / name)
        assert [s["codec_name"] for s in probe(tmp_path / name)["streams"]] == list(codecs)
        assert "wmav2 audio becomes" in caplog.text
        heard, rate = sound_of(tmp_path / name)
        # The tone is there, as long and as loud: a sine of a third has an RMS of 0.2357.
        assert len(heard) / rate == pytest.approx(1, abs=0.1)
        middle = heard[rate // 4 : rate // 4 + rate // 2]
        assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.2357, rel=0.05)
        loudest = np.argmax(np.abs(np.fft.rfft(middle))) * rate / len(middle)
        assert loudest == pytest.approx(440, abs=3)


def sound_of(path):
    """One channel as ffmpeg decodes it, and its rate."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:a",
               "-af", "pan=mono|c0=c0", "-ar", "44100", "-f", "f32le", "-"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.float32), 44100


def test_a_gif_becomes_what_players_know_and_an_option_keeps_more(tmp_path, caplog):
    frames = [Image.fromarray(rgb) for rgb in moving(4)]
    frames[0].save(tmp_path / "in.gif", save_all=True, append_images=frames[1:], duration=100)
    upscale(tmp_path / "in.gif", tmp_path / "out.mp4")
    assert coded(tmp_path / "out.mp4")[1] == "yuv420p"
    assert 'pix_fmt="yuv444p" keeps it' in caplog.text
    caplog.clear()
    upscale(tmp_path / "in.gif", tmp_path / "all.mp4", pix_fmt="yuv444p")
    assert coded(tmp_path / "all.mp4")[1] == "yuv444p"
    assert caplog.records == []


def test_formats_of_archives_keep_what_the_source_has(tmp_path, caplog):
    source = write_clip(tmp_path / "in.mkv", moving(3), codec="ffv1", pix_fmt="yuv422p")
    upscale(source, tmp_path / "out.mkv", codec="ffv1")
    assert coded(tmp_path / "out.mkv")[1] == "yuv422p"
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


def test_webm_becomes_webm(tmp_path):
    source = write_clip(tmp_path / "in.webm", moving(6), codec="libvpx-vp9", options={"crf": "10"})
    upscale(source, tmp_path / "out.webm")
    assert coded(tmp_path / "out.webm")[:2] == ("vp9", "yuv420p")
    made = [frame.to_ndarray(format="rgb24") for frame, _ in frames_of(tmp_path / "out.webm")]
    for rgb, given in zip(made, moving(6), strict=True):
        assert np.abs(rgb[::2, ::2].astype(int) - given).mean() < 8
    with pytest.raises(VideoError, match="cannot hold libx264 video; libvpx-vp9 fits"):
        upscale(source, tmp_path / "other.webm", codec="libx264")


@pytest.mark.parametrize(
    ("preset", "searched"),
    # How x264's own table (x264 --fullhelp) sets subme for them; medium is its default.
    [(None, b"subme=7 "), ("ultrafast", b"subme=0 "), ("veryfast", b"subme=2 ")],
)
@pytest.mark.parametrize("codec", ["libx264", "libx264rgb"])
def test_the_encoder_tries_as_hard_as_asked(tmp_path, codec, preset, searched):
    source = write_clip(tmp_path / "in.mkv", moving(3))
    upscale(source, tmp_path / "out.mp4", codec=codec, preset=preset)
    # x264 writes its settings into the first frame.
    assert searched in (tmp_path / "out.mp4").read_bytes()
