"""Numbered pictures: frames of a video, there and back."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as PILImage
from PIL import ImageCms

av = pytest.importorskip("av", reason="PyAV is not installed")

from clips import left_behind, moving, pixels_of, probe, times_of, upscale, write_clip

import srkit
from srkit.errors import CorruptFileError, OptionError, VideoError


def numbered(folder, count=5, first=1, suffix="png", **shape):
    folder.mkdir(exist_ok=True)
    for n, rgb in enumerate(moving(count, **shape), first):
        srkit.Image(rgb).save(folder / f"{n:04d}.{suffix}")
    return folder / f"%04d.{suffix}"


def test_pictures_become_a_video_and_pictures_again(tmp_path):
    source = numbered(tmp_path / "in", 6)
    report = upscale(source, tmp_path / "film.mkv", codec="ffv1", pix_fmt="bgr0", fps=12)
    assert (report.frames, report.duration) == (6, 0.5)
    assert times_of(tmp_path / "film.mkv") == pytest.approx([n / 12 for n in range(6)], abs=0.001)
    (stream,) = probe(tmp_path / "film.mkv")["streams"]
    assert stream["avg_frame_rate"] == "12/1"
    upscale(tmp_path / "film.mkv", tmp_path / "out" / "f%d.png", scale=3)
    for n, rgb in enumerate(moving(6), 1):
        made = srkit.read_image(tmp_path / "out" / f"f{n}.png").pixels
        assert np.array_equal(made, rgb.repeat(6, 0).repeat(6, 1))


def test_pictures_keep_depth_transparency_and_numbers(tmp_path):
    (tmp_path / "in").mkdir()
    rng = np.random.default_rng(1)
    given = {n: rng.integers(0, 65536, (8, 10, 4)).astype(np.uint16) for n in (7, 8, 9)}
    for n, pixels in given.items():
        pixels[..., 3] = 40000
        srkit.Image(pixels).save(tmp_path / "in" / f"a_{n:03d}_x.tif")
    report = upscale(tmp_path / "in" / "a_%03d_x.tif", tmp_path / "out_%05d.tif", fps=24)
    assert report.frames == 3
    for n, pixels in given.items():
        made = srkit.read_image(tmp_path / f"out_{n:05d}.tif").pixels
        assert np.array_equal(made, pixels.repeat(2, 0).repeat(2, 1))


def test_what_a_format_of_pictures_has_not_is_told(tmp_path, caplog):
    (tmp_path / "in").mkdir()
    for n in (1, 2):
        deep = np.full((8, 8, 4), 30000, np.uint16)
        srkit.Image(deep).save(tmp_path / "in" / f"{n}.png")
    upscale(tmp_path / "in" / "%d.png", tmp_path / "%d.jpg", fps=24)
    assert srkit.read_image(tmp_path / "2.jpg").metadata.mode == "RGB"
    assert caplog.text.count("is put on white: JPG is opaque") == 1
    assert caplog.text.count("16 bits become 8: JPG has no more") == 1


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 2), (8, 8, 3), (8, 8, 4)])
def test_what_is_opaque_keeps_its_profile(tmp_path, shape):
    (tmp_path / "in").mkdir()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for n in (1, 2):
        image = srkit.Image(np.full(shape, 200, np.uint8))
        image = replace(image, metadata=replace(image.metadata, icc=profile, dpi=(300, 300)))
        image.save(tmp_path / "in" / f"{n}.tif")
    upscale(tmp_path / "in" / "%d.tif", tmp_path / "%d.jpg", fps=24)
    made = srkit.read_image(tmp_path / "2.jpg").metadata
    assert made.mode == ("L" if shape[2:] in ((), (2,)) else "RGB")
    assert (made.icc, made.dpi) == (profile, (300, 300))


@pytest.mark.parametrize("name", ["out.gif", "out.apng", "out.webp"])
def test_animations_are_made_of_pictures_for_print(tmp_path, name):
    (tmp_path / "in").mkdir()
    for n, rgb in enumerate(((200, 30, 40), (30, 60, 200)), 1):
        picture = PILImage.new("RGB", (16, 16), rgb).convert("CMYK")
        picture.save(tmp_path / "in" / f"{n}.tif")
    upscale(tmp_path / "in" / "%d.tif", tmp_path / name, fps=10)
    with PILImage.open(tmp_path / name) as made:
        made.seek(1)
        blue = np.asarray(made.convert("RGB"))[16, 16].astype(int)
    assert np.abs(blue - (30, 60, 200)).max() < 4


@pytest.mark.parametrize("name", ["out.gif", "out.apng", "out.webp"])
def test_nothing_shows_through_where_pictures_of_a_sequence_are_clear(tmp_path, name):
    (tmp_path / "in").mkdir()
    clear = PILImage.new("RGBA", (24, 24))
    clear.paste((0, 200, 0, 255), (0, 12, 24, 24))
    pictures = [PILImage.new("RGB", (24, 24), "red"), clear, PILImage.new("L", (24, 24), 99)]
    for n, picture in enumerate(pictures, 1):
        picture.save(tmp_path / "in" / f"{n}.png")
    upscale(tmp_path / "in" / "%d.png", tmp_path / name, fps=10)
    with PILImage.open(tmp_path / name) as made:
        tops = []
        for n in range(made.n_frames):
            made.seek(n)
            tops.append(np.asarray(made.convert("RGBA"))[2, 2])
    assert [top[3] for top in tops] == [255, 0, 255]
    assert np.abs(tops[2][:3].astype(int) - 99).max() < 4


def test_times_that_numbers_cannot_tell_are_told(tmp_path, clip, caplog):
    upscale(clip, tmp_path / "a%d.png")
    assert caplog.text == ""
    source = write_clip(tmp_path / "slides.mkv", moving(4), times=[0, 12800, 38400, 40000])
    upscale(source, tmp_path / "b%d.png")
    assert "frames of the source stand for different times, which b%d.png cannot" in caplog.text


def test_a_rate_that_is_not_given_is_told(tmp_path, caplog):
    source = numbered(tmp_path / "in", 3)
    assert upscale(source, tmp_path / "out.mp4").duration == pytest.approx(0.12)
    assert "is taken for 25 frames a second; fps says otherwise" in caplog.text


def test_a_gap_is_told_by_name(tmp_path):
    source = numbered(tmp_path / "in", 9)
    for n in (3, 4, 6, 7, 8):
        (tmp_path / "in" / f"{n:04d}.png").unlink()
    with pytest.raises(VideoError, match=r"lacks 0003.png, 0004.png, 0006.png and 2 more"):
        upscale(source, tmp_path / "out.mp4", fps=24)
    assert left_behind(tmp_path, "in") == []


def test_pictures_of_other_sizes_are_no_frames(tmp_path):
    source = numbered(tmp_path / "in", 3)
    srkit.Image(np.zeros((9, 9, 3), np.uint8)).save(tmp_path / "in" / "0003.png")
    with pytest.raises(VideoError, match=r"0003.png is 9x9, and the first picture 64x48"):
        upscale(source, tmp_path / "out" / "%d.png", fps=24)
    assert left_behind(tmp_path, "in") == []


def test_a_damaged_picture_is_named(tmp_path):
    source = numbered(tmp_path / "in", 3)
    (tmp_path / "in" / "0002.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    with pytest.raises(CorruptFileError, match=r"0002\.png"):
        upscale(source, tmp_path / "out.mp4", fps=24)
    assert left_behind(tmp_path, "in") == []


def test_pictures_are_replaced_only_on_demand(tmp_path, clip):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "0040.png").write_bytes(b"precious")
    with pytest.raises(OptionError, match=r"holds 1 pictures of these names, such as 0040.png"):
        upscale(clip, tmp_path / "out" / "%04d.png")
    assert left_behind(tmp_path / "out") == ["0040.png"]
    assert upscale(clip, tmp_path / "out" / "%04d.png", overwrite=True).frames == 30
    source = numbered(tmp_path / "in", 3)
    (tmp_path / "link").symlink_to(tmp_path / "in")
    for same in (source, tmp_path / "out" / ".." / "in" / "%04d.png", tmp_path / "link/%04d.png"):
        with pytest.raises(OptionError, match="its source"):
            upscale(source, same, overwrite=True, fps=24)


def test_a_folder_is_told_how_its_pictures_are_named(tmp_path):
    numbered(tmp_path / "in", 3)
    with pytest.raises(VideoError, match=r"is a folder: name its pictures as .*/in/%04d.png"):
        upscale(tmp_path / "in", tmp_path / "out.mp4")
    with pytest.raises(FileNotFoundError, match="%04d"):
        upscale(tmp_path / "none" / "%04d.png", tmp_path / "out.mp4")
    with pytest.raises(OptionError, match=r"pictures are written as \.png"):
        upscale(tmp_path / "in" / "%04d.png", tmp_path / "%04d.heic", fps=24)


@pytest.mark.parametrize("fps", [0, -1, "fast", "1/0", float("nan"), 5000])
def test_rates_that_make_no_sense_are_refused(tmp_path, fps):
    source = numbered(tmp_path / "in", 2)
    with pytest.raises(OptionError, match="fps is a number of frames a second"):
        upscale(source, tmp_path / "out.mp4", fps=fps)


def test_pictures_of_several_kinds_are_one_video(tmp_path):
    source = numbered(tmp_path / "in", 3)
    srkit.Image(np.full((48, 64), 99, np.uint8)).save(tmp_path / "in" / "0002.png")
    report = upscale(source, tmp_path / "out.mkv", codec="ffv1", pix_fmt="bgr0", fps=24)
    assert report.frames == 3
    assert np.unique(pixels_of(tmp_path / "out.mkv")[1]).tolist() == [99]


def test_pictures_have_no_sound_to_copy(tmp_path):
    upscale(numbered(tmp_path / "in", 3), tmp_path / "out.mp4", fps=24)
    assert [s["codec_type"] for s in probe(tmp_path / "out.mp4")["streams"]] == ["video"]
