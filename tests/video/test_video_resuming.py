"""Work that is killed or stopped, and goes on."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

av = pytest.importorskip("av", reason="PyAV is not installed")

from clips import (
    left_behind,
    moving,
    pixels_of,
    times_of,
    upscale,
    write_clip,
)

from srkit.errors import VideoError
from srkit.video import upscaling as conversion
from srkit.video.work import Work

# --- going on after a kill -----------------------------------------------------------------------

SLOW = """
import sys, time, srkit
from srkit.video import upscaling as conversion
conversion.SEGMENT_FRAMES = 4
class Slow(srkit.VideoUpscaler):
    card = srkit.ModelCard("slow", "", "x:Y", "numpy", (2,), 2, radius=0)
    scale, window = 2, 3
    def run(self, tiles):
        time.sleep(float(sys.argv[3]))
        return tiles.mean(axis=1, dtype="float32").repeat(2, axis=1).repeat(2, axis=2)
report = srkit.upscale_video(sys.argv[1], sys.argv[2], Slow(), codec="ffv1", pix_fmt="bgr0")
print(report.resumed)
"""


def test_killed_work_goes_on_and_the_result_is_that_of_work_in_one_go(tmp_path):
    source = write_clip(tmp_path / "in.mkv", moving(22), codec="ffv1", pix_fmt="bgr0")
    target, manifest = tmp_path / "out.mkv", tmp_path / ".out.mkv.srkit" / "manifest.json"

    def command(delay, result=target):
        return [sys.executable, "-c", SLOW, str(source), str(result), str(delay)]

    for wanted in (1, 3):
        process = subprocess.Popen(command(0.1))
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline and process.poll() is None:
            if manifest.exists() and manifest.read_text().count('"file"') >= wanted:
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert not target.exists()
    done = subprocess.run(command(0), capture_output=True, text=True, check=True)
    assert int(done.stdout) >= 12
    assert times_of(target) == times_of(source)
    subprocess.run(command(0, tmp_path / "whole.mkv"), check=True, capture_output=True)
    for one, other in zip(pixels_of(target), pixels_of(tmp_path / "whole.mkv"), strict=True):
        assert np.array_equal(one, other)
    assert left_behind(tmp_path) == ["in.mkv", "out.mkv", "whole.mkv"]


def interrupted(source, target, monkeypatch, **options):
    """Work that stops after its second segment."""
    monkeypatch.setattr(conversion, "SEGMENT_FRAMES", 4)

    def stop(done, frames):
        if done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upscale(source, target, progress=stop, **options)


def test_unfinished_work_of_other_settings_is_refused_until_told_to_start_afresh(
    tmp_path, clip, monkeypatch
):
    target = tmp_path / "out.mp4"
    interrupted(clip, target, monkeypatch)
    with pytest.raises(VideoError, match=r"differs in crf.*resume=False"):
        upscale(clip, target, crf=30)
    write_clip(clip, moving(12))
    with pytest.raises(VideoError, match=r"differs in source.*resume=False"):
        upscale(clip, target)
    assert not target.exists()
    assert upscale(clip, target, resume=False).resumed == 0
    assert len(times_of(target)) == 12


def test_interrupted_work_is_counted_and_a_segment_cut_short_is_made_again(
    tmp_path, clip, monkeypatch
):
    target = tmp_path / "out.mp4"
    interrupted(clip, target, monkeypatch)
    # What a kill leaves: part of a segment, and an unfinished result.
    (tmp_path / ".out.mp4.srkit" / "000002.packets").write_bytes(b"half")
    (tmp_path / ".out.mp4.srkit" / "joined.mp4").write_bytes(b"half")
    told = []
    report = upscale(clip, target, progress=lambda done, frames: told.append((done, frames)))
    assert report.resumed == 8
    assert told == [(n, 30) for n in range(9, 31)]
    assert times_of(target) == times_of(clip)


# --- two at once, and ends from outside ---------------------------------------------------------


def begun(arguments, manifest, segments, **options):
    """A process that has finished some segments, and goes on."""
    process = subprocess.Popen([sys.executable, *arguments], text=True, **options)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if manifest.exists() and manifest.read_text().count('"file"') >= segments:
            return process
        time.sleep(0.01)
    raise AssertionError(f"no {segments} segments; the process ended with {process.poll()}")


@pytest.mark.parametrize("options", [{}, {"resume": False}, {"overwrite": True}])
def test_who_comes_second_to_a_target_is_told_at_once(tmp_path, options):
    source = write_clip(tmp_path / "in.mkv", moving(22), codec="ffv1", pix_fmt="bgr0")
    target, manifest = tmp_path / "out.mkv", tmp_path / ".out.mkv.srkit" / "manifest.json"
    process = begun(["-c", SLOW, str(source), str(target), "0.1"], manifest, 1)
    start = time.monotonic()
    with pytest.raises(VideoError, match=r"another process is making .*out\.mkv"):
        upscale(source, target, **options)
    assert time.monotonic() - start < 2
    assert process.wait(60) == 0
    assert len(times_of(target)) == 22
    assert left_behind(tmp_path) == ["in.mkv", "out.mkv"]


def test_a_lock_dies_with_its_process_and_the_next_sweeps_what_it_left(tmp_path):
    source = write_clip(tmp_path / "in.mkv", moving(22), codec="ffv1", pix_fmt="bgr0")
    target, folder = tmp_path / "out.mkv", tmp_path / ".out.mkv.srkit"
    process = begun(["-c", SLOW, str(source), str(target), "0.1"], folder / "manifest.json", 2)
    process.kill()
    process.wait()
    (folder / ".srkit-0123456789abcdef.tmp").write_bytes(b"half a manifest")
    (folder / "000009.packets").write_bytes(b"half a segment")
    with pytest.raises(VideoError, match="differs in"):
        upscale(source, target)
    assert (folder / "manifest.json").is_file()
    whole = subprocess.run([sys.executable, "-c", SLOW, str(source), str(target), "0"], check=True)
    assert whole.returncode == 0
    assert left_behind(tmp_path) == ["in.mkv", "out.mkv"]


MODEL = """
import time, srkit
class Slow(srkit.Upscaler):
    def __init__(self, card, scale, weights=None):
        self.card, self.scale = card, scale
    def run(self, tiles):
        time.sleep(0.05)
        return tiles.repeat(2, axis=1).repeat(2, axis=2)
"""
COMMAND = """
import json
import signal, sys, srkit
from srkit.cli import main
# As from a terminal: a shell's background jobs do not hear it.
signal.signal(signal.SIGINT, signal.default_int_handler)
from srkit.video import upscaling as conversion
conversion.SEGMENT_FRAMES = 4
srkit.register(srkit.ModelCard("slow", "", "slow_model:Slow", "numpy", (2,), 2, radius=0))
sys.exit(main(["upscale-video", sys.argv[1], "-m", "slow", "-o", sys.argv[2]]))
"""


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_sigterm_ends_the_command_as_ctrl_c_does(tmp_path, monkeypatch, sent):
    (tmp_path / "slow_model.py").write_text(MODEL)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    source = write_clip(tmp_path / "in.mp4", moving(22))
    target, folder = tmp_path / "out.mp4", tmp_path / ".out.mp4.srkit"
    arguments = ["-c", COMMAND, str(source), str(target)]
    process = begun(arguments, folder / "manifest.json", 2, stderr=subprocess.PIPE)
    process.send_signal(sent)
    _, told = process.communicate(timeout=60)
    assert (process.returncode, told.splitlines()[-1]) == (130, "srkit: interrupted")
    assert not target.exists()
    kept = [path.name for path in folder.iterdir()]
    assert "lock" not in kept
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)
    assert "frames were done before" in done.stderr
    assert len(times_of(target)) == 22
    assert not folder.exists()


# --- a manifest that something else wrote -------------------------------------------------------


@pytest.mark.parametrize(
    "entry",
    [
        {"file": "a" * 300 + ".packets"},
        {"file": "../000000.packets"},
        {"file": 5},
        {"frames": "2"},
        {"broken": [None]},
        {"broken": 1},
    ],
    ids=["too long", "elsewhere", "number", "text", "no times", "no list"],
)
def test_a_damaged_manifest_is_told_with_what_to_do(tmp_path, entry):
    good = {"file": "000000.packets", "frames": 2, "delay": 0, "first": 0, "end": 2, "broken": []}
    told = {"version": 1, "settings": {}, "segments": [good | entry]}
    (tmp_path / "manifest.json").write_text(json.dumps(told))
    (tmp_path / "000000.packets").write_bytes(b"")
    with pytest.raises(VideoError, match=r"manifest\.json is damaged; .*resume=False"):
        Work(tmp_path, {}, resume=True)
