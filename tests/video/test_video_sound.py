"""Sound and subtitles that the result's container cannot hold, and what is asked for them."""

import pytest

av = pytest.importorskip("av", reason="PyAV is not installed")

from clips import left_behind, moving, probe, upscale, write_clip

from srkit.cli import main
from srkit.errors import OptionError, VideoError


@pytest.fixture
def talking(tmp_path):
    return write_clip(tmp_path / "in.mp4", moving(12), audio=True)


def codecs_of(path):
    return [stream["codec_name"] for stream in probe(path)["streams"]]


def test_the_error_says_what_to_write(tmp_path, talking, capsys):
    target = tmp_path / "out.webm"
    words = ["upscale-video", str(talking), "-m", "nearest", "--scale", "2", "-o", str(target)]
    assert main(words) == 1
    told = capsys.readouterr().err
    assert "webm cannot hold the aac audio" in told
    assert "name the output with .mp4; --sound convert makes Opus of it, --sound none" in told
    assert left_behind(tmp_path, "in.mp4") == []
    # What it says works.
    assert main([*words, "--sound", "convert"]) == 0
    assert codecs_of(target) == ["vp9", "opus"]
    assert float(probe(target)["format"]["duration"]) == pytest.approx(0.48, abs=0.05)
    assert main([*words, "--sound", "none", "--overwrite"]) == 0
    assert codecs_of(target) == ["vp9"]


def test_sound_that_fits_is_copied_also_where_it_may_be_converted(tmp_path, talking):
    report = upscale(talking, tmp_path / "out.mkv", sound="convert")
    assert codecs_of(tmp_path / "out.mkv") == ["h264", "aac"]
    assert report.left_out == ()


def test_what_is_not_wanted_is_left_out_and_reported(tmp_path, talking):
    report = upscale(talking, tmp_path / "out.mp4", sound="none")
    assert codecs_of(tmp_path / "out.mp4") == ["h264"]
    (named,) = report.left_out
    assert named.startswith("aac audio")


def test_other_words_are_refused(tmp_path, talking):
    with pytest.raises(OptionError, match="sound is copy or convert or none, not 'mute'"):
        upscale(talking, tmp_path / "out.mp4", sound="mute")
    with pytest.raises(OptionError, match="subtitles is copy or none, not 'convert'"):
        upscale(talking, tmp_path / "out.mp4", subtitles="convert")
    with pytest.raises(VideoError, match='sound="convert" makes Opus of it'):
        upscale(talking, tmp_path / "out.webm")
    assert left_behind(tmp_path, "in.mp4") == []
