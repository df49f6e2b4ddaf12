"""Several videos in one command: names, folders, and what goes wrong with one of them."""

import json

import pytest

av = pytest.importorskip("av", reason="PyAV is not installed")

from clips import frames_of, left_behind, moving, write_clip

import srkit
from srkit.cli import main


@pytest.fixture
def clips(tmp_path):
    """A folder with two clips, one of them below, and one that is damaged."""
    folder = tmp_path / "clips"
    (folder / "sub").mkdir(parents=True)
    write_clip(folder / "a.mkv", moving(3))
    write_clip(folder / "sub" / "b.avi", moving(2), codec="mpeg4")
    (folder / "bad.mp4").write_bytes(b"no video")
    (folder / "notes.txt").write_text("no video either")
    return folder


def run(*words):
    return main(["upscale-video", "-m", "nearest", "--scale", "2", *map(str, words)])


def test_a_folder_keeps_its_structure_and_a_bad_clip_stops_nothing(tmp_path, clips, capsys):
    out = tmp_path / "out"
    assert run(clips, "-o", out) == 1
    told = capsys.readouterr()
    made = [out / "a_nearest_x2.mkv", out / "sub" / "b_nearest_x2.mp4"]
    assert told.out.split() == [str(path) for path in made]
    assert [len(frames_of(path)) for path in made] == [3, 2]
    assert "srkit: 2 written, 1 failed:" in told.err
    assert f"{clips / 'bad.mp4'}: is not a video" in told.err
    assert sorted(p.name for p in out.rglob("*")) == ["a_nearest_x2.mkv", "b_nearest_x2.mp4", "sub"]


def test_the_same_command_does_what_is_left(tmp_path, clips, capsys):
    out = tmp_path / "out"
    assert run(clips / "a.mkv", "-o", out / "a_nearest_x2.mkv") == 1  # there is no such folder
    out.mkdir()
    assert run(clips / "a.mkv", "-o", out) == 0
    capsys.readouterr()
    assert run(clips, "-o", out, "--skip-existing", "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert [entry["source"] for entry in told["written"]] == [str(clips / "sub" / "b.avi")]
    assert told["written"][0]["frames"] == 2
    assert [entry["source"] for entry in told["skipped"]] == [str(clips / "a.mkv")]
    assert [entry["kind"] for entry in told["failed"]] == ["CorruptFileError"]
    # Without it what is there is an error, of each, and stays as it is.
    assert run(clips, "-o", out) == 1
    assert "3 failed" in capsys.readouterr().err


def test_results_are_beside_their_sources_and_none_of_them_is_a_source(tmp_path, capsys):
    clip = write_clip(tmp_path / "clip.mp4", moving(2))
    write_clip(tmp_path / "clip.mkv", moving(2))
    assert run(clip) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'clip_nearest_x2.mp4'}\n"
    assert run(clip, "--height", "96") == 0
    assert (tmp_path / "clip_nearest_h96.mp4").is_file()
    (tmp_path / "clip_nearest_h96.mp4").unlink()
    assert run(tmp_path, "--overwrite") == 0
    assert left_behind(tmp_path, "clip.mp4", "clip.mkv") == [
        "clip_nearest_x2.mkv", "clip_nearest_x2.mp4",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("clip.mp4", "other.mp4", "-o", "out.mp4"), "-o out.mp4 names a video; for several"),
        (("clip.mp4", "other.mp4", "--preview", "p.html"), "--preview is of one video, not of 2"),
        (("clip.mp4", "-o", "out"), "names no container; add a suffix such as .mp4, or make the"),
        (("%05d.png",), "%05d.png: give -o FILE"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, monkeypatch, capsys, words, told):
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "clip.mp4", moving(2))
    write_clip(tmp_path / "other.mp4", moving(2))
    assert run(*words) == 2
    assert told in capsys.readouterr().err
    assert left_behind(tmp_path, "clip.mp4", "other.mp4") == []


def test_a_folder_of_numbered_pictures_is_named_as_such(tmp_path, capsys):
    (tmp_path / "0001.png").touch()
    assert run(tmp_path) == 1
    told = capsys.readouterr().err
    assert f"the folder holds no videos; name its pictures as {tmp_path}/%04d.png" in told


def test_the_command_for_pictures_names_the_one_for_videos(tmp_path, clips, capsys):
    assert main(["upscale", str(clips / "a.mkv")]) == 2
    assert "a.mkv is a video: srkit upscale-video" in capsys.readouterr().err
    assert main(["upscale", "-m", "nearest", str(clips)]) == 1
    told = capsys.readouterr().err
    assert "the folder holds no images, but videos: srkit upscale-video" in told
    assert main(["upscale", "-m", "nearest", str(clips), str(clips / "a.mkv")]) == 1
    assert "a.mkv: it is a video: srkit upscale-video" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("last", "told"),
    [
        (10, "srkit: 8 frames are kept; the same command goes on after them"),
        (2, "srkit: too few frames were done to be kept; the same command starts again"),
    ],
)
def test_ctrl_c_says_what_is_kept(tmp_path, monkeypatch, capsys, last, told):
    def stop(done, total):
        if done == last:
            raise KeyboardInterrupt

    def stopped(*places, **options):
        return srkit.upscale_video(*places, **options | {"progress": stop})

    source = write_clip(tmp_path / "in.mp4", moving(12))
    monkeypatch.setattr("srkit.video.upscaling.SEGMENT_FRAMES", 4)
    monkeypatch.setattr("srkit.cli.video.upscale_video", stopped)
    assert run(source, "-o", tmp_path / "out.mp4") == 130
    assert capsys.readouterr().err.splitlines() == [told, "srkit: interrupted"]
    monkeypatch.setattr("srkit.cli.video.upscale_video", srkit.upscale_video)
    assert run(source, "-o", tmp_path / "out.mp4") == 0
    assert ("8 frames were done before" in capsys.readouterr().err) == (last == 10)
