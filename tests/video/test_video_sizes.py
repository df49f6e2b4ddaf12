"""The size that is asked for: exact, even, of the shape that players show."""

from fractions import Fraction

import numpy as np
import pytest

av = pytest.importorskip("av", reason="PyAV is not installed")

from clips import left_behind, moving, pixels_of, probe, write_clip

import srkit
from srkit.errors import OptionError


def made(source, target, model="nearest", **options):
    srkit.upscale_video(source, target, model, **options)
    (stream,) = (s for s in probe(target)["streams"] if s["codec_type"] == "video")
    return stream["width"], stream["height"], stream.get("sample_aspect_ratio", "1:1")


@pytest.mark.parametrize(
    ("side", "wanted"),
    [
        ({"height": 90}, (160, 90, "1:1")),
        ({"width": 160}, (160, 90, "1:1")),
        ({"width": 192, "height": 108}, (192, 108, "1:1")),
        ({"width": 150}, (150, 84, "1:1")),  # 84.4
        ({"height": 30}, (54, 30, "1:1")),  # less than the source: 53.3
        ({"height": 400}, (712, 400, "1:1")),  # more than twice, by a model of x2: 711.1
    ],
)
def test_a_size_is_exact_and_keeps_the_shape(tmp_path, caplog, side, wanted):
    source = write_clip(tmp_path / "in.mp4", moving(2, 96, 54))
    assert made(source, tmp_path / "out.mp4", "bicubic", scale=2, **side) == wanted
    even = len(side) == 1 and wanted[0] * 54 != wanted[1] * 96
    assert ("the nearest even number to" in caplog.text) == even


def test_what_a_model_of_x1_does_not_enlarge_is_told(tmp_path, caplog):
    class Same(srkit.Upscaler):
        card, scale = srkit.card("nearest"), 1

        def run(self, tiles):
            return tiles

    source = write_clip(tmp_path / "in.mp4", moving(2, 64, 48))
    assert made(source, tmp_path / "out.mp4", Same(), height=96)[:2] == (128, 96)
    assert "does not enlarge: its result is resized 2 times" in caplog.text


def test_another_shape_is_told_and_players_show_the_old_one(tmp_path, caplog):
    source = write_clip(tmp_path / "in.mp4", moving(2, 64, 48))
    # 4:3 on 192x108, which is 16:9, is pixels of 3:4.
    assert made(source, tmp_path / "out.mp4", scale=2, width=192, height=108) == (192, 108, "3:4")
    assert "its pixels are shown 3:4" in caplog.text
    told = probe(tmp_path / "out.mp4")["streams"][0]
    assert told["display_aspect_ratio"] == "4:3"


def test_pixels_that_are_not_square_become_so(tmp_path, caplog):
    """As those of DVDs, at a size of the shape that was shown."""
    source = write_clip(tmp_path / "in.mp4", moving(2, 72, 54), sample_aspect_ratio=Fraction(4, 3))
    assert made(source, tmp_path / "a.mp4", scale=2, width=192, height=108) == (192, 108, "1:1")
    assert made(source, tmp_path / "b.mp4", scale=2, height=108) == (144, 108, "4:3")
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("side", "wanted"),
    [
        ({}, (192, 108)),
        ({"height": 54}, (96, 54)),
        ({"width": 96}, (96, 54)),
        ({"width": 192, "height": 108}, (192, 108)),
    ],
)
def test_pictures_of_pixels_that_are_not_square_look_as_the_video(tmp_path, caplog, side, wanted):
    source = write_clip(tmp_path / "in.mp4", moving(2, 72, 54), sample_aspect_ratio=Fraction(4, 3))
    report = srkit.upscale_video(source, tmp_path / "%d.png", "nearest", scale=2, **side)
    assert (report.width, report.height) == wanted
    assert srkit.read_image(tmp_path / "1.png").size == wanted
    assert caplog.text == ""


def test_pictures_of_another_shape_are_told_to_be_so(tmp_path, caplog):
    """Of pictures nothing says how wide their pixels are to be shown."""
    source = write_clip(tmp_path / "in.mp4", moving(2, 64, 48))
    report = srkit.upscale_video(source, tmp_path / "a.gif", "nearest", width=192, height=108)
    assert (report.width, report.height) == (192, 108)
    told = "192x108 is of another shape than the video; width or height alone keeps it"
    assert [record.getMessage() for record in caplog.records] == [told]


def test_width_is_across_the_screen_of_a_turned_video(tmp_path):
    source = write_clip(
        tmp_path / "in.mp4", moving(2, 96, 54), prepare=lambda _, s: s.set_display_rotation(90)
    )
    assert made(source, tmp_path / "a.mp4", scale=2, width=108)[:2] == (192, 108)
    assert made(source, tmp_path / "b.mp4", scale=2, width=90, height=160)[:2] == (160, 90)


@pytest.mark.parametrize(("height", "scale"), [(100, 2), (108, 2), (120, 3), (200, 4)])
def test_the_least_scale_that_reaches_the_size_is_taken(tmp_path, height, scale):
    source = write_clip(tmp_path / "in.mkv", moving(1, 96, 54), codec="ffv1", pix_fmt="bgr0")
    srkit.upscale_video(
        source, tmp_path / "out.mkv", "bicubic", height=height, codec="ffv1", pix_fmt="bgr0"
    )
    (made,) = pixels_of(tmp_path / "out.mkv")
    (given,) = moving(1, 96, 54)
    model = srkit.load("bicubic", scale=scale)
    assert np.array_equal(made, model.upscale(given, size=made.shape[:2]))


def test_frames_are_what_upscale_makes_of_them_at_that_size(tmp_path):
    source = write_clip(tmp_path / "in.mkv", moving(3, 48, 32), codec="ffv1", pix_fmt="bgr0")
    srkit.upscale_video(
        source, tmp_path / "out.mkv", "bicubic", scale=4, codec="ffv1", pix_fmt="bgr0",
        width=108, height=72,
    )  # fmt: skip
    model = srkit.load("bicubic", scale=4)
    for given, got in zip(moving(3, 48, 32), pixels_of(tmp_path / "out.mkv"), strict=True):
        assert np.array_equal(got, model.upscale(given, size=(72, 108)))


def test_models_of_several_frames_reach_a_size(tmp_path):
    from dummies import MeanOfThree

    source = write_clip(tmp_path / "in.mp4", moving(4, 48, 32))
    assert made(source, tmp_path / "out.mp4", MeanOfThree(), height=50)[:2] == (76, 50)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "the width is a whole number from 1 to 65535, not 0"),
        ({"height": 10.5}, "the height is a whole number from 1 to 65535, not 10.5"),
        ({"height": 70_000}, "the height is a whole number"),
        (
            {"width": 101, "height": 57, "pix_fmt": "yuv420p"},
            "or an even size: width=100, height=56",
        ),
    ],
)
def test_sizes_that_cannot_be_are_refused(tmp_path, clip, options, message):
    with pytest.raises(OptionError, match=message):
        srkit.upscale_video(clip, tmp_path / "out.mp4", "nearest", scale=2, **options)
    assert left_behind(tmp_path, "in.mp4") == []


# --- names of encoders ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "suffix", "codec"),
    [
        ("h264", ".mp4", "h264"), ("H.264", ".mp4", "h264"), ("h265", ".mp4", "hevc"),
        ("hevc", ".mkv", "hevc"), ("av1", ".mp4", "av1"), ("vp9", ".webm", "vp9"),
        ("prores", ".mov", "prores"), ("libx265", ".mp4", "hevc"),
    ],
)  # fmt: skip
def test_codecs_are_asked_for_by_the_names_that_people_know(tmp_path, name, suffix, codec):
    source = write_clip(tmp_path / "in.mp4", moving(2, 96, 64))
    srkit.upscale_video(source, tmp_path / f"out{suffix}", "nearest", scale=2, codec=name)
    assert probe(tmp_path / f"out{suffix}")["streams"][0]["codec_name"] == codec


def test_hardware_is_told_the_quality_in_its_own_words():
    """By FFmpeg's own options, whether the hardware is here or not."""
    from av.codec import CodecContext

    from srkit.video.encoders import quality_options

    assert quality_options("hevc_nvenc", 20) == {"rc": "vbr", "cq": "20"}
    assert quality_options("h264_qsv", 20) == {"global_quality": "20"}
    assert quality_options("h264_videotoolbox", 0)["global_quality"] == str(118 * 100)
    try:
        options = CodecContext.create("hevc_nvenc", "w").supported_options.private
    except ValueError:
        pytest.skip("this build of FFmpeg has no encoder for NVIDIA's hardware")
    assert {"rc", "cq"} <= {option.name for option in options}
