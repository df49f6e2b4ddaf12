"""Video files: what is refused, and the command."""

import os
from pathlib import Path

import pytest

av = pytest.importorskip("av", reason="PyAV is not installed")

from clips import (
    left_behind,
    moving,
    probe,
    times_of,
    upscale,
    write_clip,
)

from srkit.cli import main
from srkit.errors import CorruptFileError, OptionError, VideoError
from srkit.video.guard import typed_errors
from srkit.video.reading import Source

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
        ({"crf": -400}, "crf of libx264 is from 0, the best, to 51, not -400"),
        ({"crf": 90}, "crf of libx264 is from 0, the best, to 51, not 90"),
        ({"crf": 64, "codec": "libvpx-vp9"}, "to 63, not 64"),
        ({"preset": "quick"}, "presets of libx264 are ultrafast, .*, placebo, not quick"),
        ({"preset": "fast", "codec": "av1"}, "presets of libsvtav1 are 0 to 13, not fast"),
        ({"preset": "fast", "codec": "ffv1"}, "ffv1 has no presets; libx264,"),
        ({"codec": "videotoolbox"}, "h264_videotoolbox is not in this build of .*; libx264 writes"),
        ({"codec": "h265-videotoolbox"}, "hevc_videotoolbox is not in this .*; libx265 writes"),
        ({"codec": "libxvid2"}, "no encoder is named 'libxvid2'"),
        ({"codec": "h264_omx"}, "not in this build of FFmpeg; libx264 writes H.264"),
        ({"scale": 77}, "nearest exists for"),
        ({"width": 20000}, "libx264 takes at most 16384x16384 pixels, not 20000x15000"),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path, clip, options, message):
    with pytest.raises(OptionError, match=message):
        upscale(clip, tmp_path / "out.mp4", **options)
    assert left_behind(tmp_path, "in.mp4") == []


def test_a_matroska_file_that_ends_in_its_head_is_damaged(tmp_path, clip):
    """FFmpeg calls that an error of input and output, as if the disk had failed."""
    whole, cut = tmp_path / "a.mkv", tmp_path / "cut.mkv"
    write_clip(whole, moving(3))
    cut.write_bytes(whole.read_bytes()[:60])
    with pytest.raises(CorruptFileError, match=r"cut\.mkv"):
        upscale(cut, tmp_path / "out.mp4")


def test_what_the_system_refuses_keeps_its_kind_and_names_the_file(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        Source(tmp_path / "missing.mp4")
    assert caught.value.filename == str(tmp_path / "missing.mp4")
    with pytest.raises(IsADirectoryError) as caught, typed_errors(tmp_path):
        av.open(f"file:{tmp_path}")
    assert caught.value.filename == str(tmp_path)
    assert not isinstance(caught.value, av.error.FFmpegError)


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


def test_an_encoder_of_hardware_that_is_not_there_is_told_so(tmp_path, clip):
    try:
        av.codec.Codec("h264_nvenc", "w")
    except ValueError:
        pytest.skip("this build of FFmpeg has no encoder for hardware")
    if Path("/dev/nvidia0").exists():
        pytest.skip("the hardware is there")
    with pytest.raises(OptionError, match=r"hardware or driver.*libx264 needs none") as told:
        upscale(clip, tmp_path / "out.mp4", codec="h264_nvenc")
    assert "avcodec_open2" not in str(told.value)
