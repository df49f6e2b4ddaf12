"""What is chosen where nothing is asked for: results that players take."""

import logging

import numpy as np
import pytest
from PIL import Image

av = pytest.importorskip("av", reason="PyAV is not installed")

from clips import frames_of, moving, upscale, write_clip

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


def test_a_gif_becomes_what_players_know_and_an_option_keeps_more(tmp_path, caplog):
    frames = [Image.fromarray(rgb) for rgb in moving(4)]
    frames[0].save(tmp_path / "in.gif", save_all=True, append_images=frames[1:], duration=100)
    upscale(tmp_path / "in.gif", tmp_path / "out.mp4")
    assert coded(tmp_path / "out.mp4")[1] == "yuv420p"
    assert "--pix-fmt yuv444p) keeps it" in caplog.text
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
