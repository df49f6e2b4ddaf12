"""Decoding and encoding beside the model: in order, to the end, and given up cleanly."""

import threading
import time

import numpy as np
import pytest

av = pytest.importorskip("av", reason="PyAV is not installed")

from clips import left_behind, moving, pixels_of, plain, times_of, upscale, write_clip
from dummies import MeanOfThree

import srkit
from srkit.video.overlap import Abandoned, Behind, ahead


class Counting(MeanOfThree):
    """Counts what it makes."""

    def __init__(self):
        self.made = 0

    def run(self, tiles):
        self.made += 1
        return super().run(tiles)


def threads():
    return {thread for thread in threading.enumerate() if thread.is_alive()}


def test_items_come_in_order_and_not_too_far_ahead():
    made = []

    def items():
        for n in range(20):
            made.append(n)
            yield n

    before = threads()
    for n, item in enumerate(ahead(items(), 3)):
        assert item == n
        time.sleep(0.002)
        # Three wait, one is at the door, and one is made.
        assert len(made) <= n + 5
    assert threads() == before


def test_an_error_ahead_is_raised_in_its_place():
    def items():
        yield 1
        raise ValueError("no more")

    before, got = threads(), []
    with pytest.raises(ValueError, match="no more"):
        got.extend(ahead(items(), 5))
    assert threads() == before


def test_who_needs_no_more_ends_what_is_ahead():
    closed = []

    def items():
        try:
            yield from range(1000)
        finally:
            closed.append(True)

    before = threads()
    source = ahead(items(), 2)
    assert next(source) == 0
    source.close()
    assert closed == [True]
    assert threads() == before


def test_an_error_behind_reaches_who_gives():
    def use(items):
        next(items)
        raise OSError("disk full")

    def give(count):
        with Behind(use, 1) as behind:
            for n in range(count):
                behind.give(n)

    before = threads()
    for count in (1, 1000):
        with pytest.raises(OSError, match="disk full"):
            give(count)
    assert threads() == before


def test_work_that_is_given_up_is_told_after_what_was_given():
    told = []

    def use(items):
        try:
            for number, item in enumerate(items):
                assert item == number
        except Abandoned:
            told.append(True)
            raise

    def give():
        with Behind(use, 9) as behind:
            for n in range(4):
                behind.give(n)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        give()
    assert told == [True]


def test_frames_that_repeat_are_made_once(tmp_path):
    source = write_clip(
        tmp_path / "in.mkv", plain((200, 40, 40), (30, 60, 200)), codec="ffv1", pix_fmt="bgr0"
    )
    model = Counting()
    report = srkit.upscale_video(source, tmp_path / "out.mkv", model, codec="ffv1")
    assert (report.frames, model.made) == (10, 2)
    assert len(times_of(tmp_path / "out.mkv")) == 10


def test_frames_that_differ_a_little_are_made_each(tmp_path):
    frames = [np.full((48, 64, 3), 99, np.uint8) for _ in range(4)]
    frames[2][47, 63, 2] += 1
    source = write_clip(tmp_path / "in.mkv", frames, codec="ffv1", pix_fmt="bgr0")
    upscale(source, tmp_path / "out.mkv", codec="ffv1", pix_fmt="bgr0")
    for given, made in zip(frames, pixels_of(tmp_path / "out.mkv"), strict=True):
        assert np.array_equal(made, given.repeat(2, 0).repeat(2, 1))


def test_what_the_encoder_raises_is_raised_and_leaves_no_result(tmp_path, clip, monkeypatch):
    from srkit.video import work

    def full(*_):
        raise OSError(28, "No space left on device", "a")

    monkeypatch.setattr(work, "write_packets", full)
    before = threads()
    with pytest.raises(OSError, match="No space left"):
        upscale(clip, tmp_path / "out.mp4")
    assert left_behind(tmp_path, "in.mp4") == []
    assert threads() == before


def test_one_frame_that_waits_for_the_encoder_is_enough(tmp_path, monkeypatch):
    from srkit.video import upscaling

    monkeypatch.setattr(upscaling, "_WAITING", 1)
    source = write_clip(tmp_path / "in.mp4", moving(60))
    assert upscale(source, tmp_path / "out.mp4").frames == 60
    assert len(times_of(tmp_path / "out.mp4")) == 60
