"""Before long work it is said how long it is going to take."""

import logging

import numpy as np
import pytest
from dummies import Nearest, card
from PIL import Image as PILImage

import srkit
from srkit.cli import main
from srkit.models import loading
from srkit.upscaling import forecast


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(forecast, "clock", clock)
    return clock


@pytest.fixture
def slow(clock):
    """Makes a model of ten million numbers that takes a millisecond a pixel by `clock`."""

    class Slow(Nearest):
        card = card("slow")
        parameters = 10_000_000

        def __init__(self, *args, **options):
            self.areas = []

        def run(self, tiles):
            area = tiles.shape[1] * tiles.shape[2]
            # What only the first run of a shape takes.
            warm = area in self.areas
            self.areas.append(area)
            clock.now += area * 1e-3 + (0 if warm else 5)
            return super().run(tiles)

    return Slow


@pytest.fixture
def told(caplog):
    caplog.set_level(logging.INFO, logger="srkit")
    return caplog


def picture(height, width):
    return np.zeros((height, width, 3), np.uint8)


def test_how_long_a_picture_takes_is_said_before_it_is_worked_on(slow, told):
    seen = []
    model = slow()
    # The first that is told of progress is what comes after.
    model.upscale(picture(200, 300), progress=lambda done, _: seen.append(list(told.messages)))
    # 60,000 pixels take 60 s, and by tiles, whose halos are computed too, more.
    assert seen[0] == ["slow x2: at least 1 minute for 300x200 on this machine"]


def test_it_is_said_once_for_each_upscaler(slow, told):
    first, second = slow(), slow()
    for model in (first, first, second):
        model.upscale(picture(200, 300))
    assert len(told.messages) == 2
    assert first.areas.count(forecast.PROBE**2) == 2


def test_of_short_work_nothing_is_said(slow, told, clock, monkeypatch):
    model = slow()
    model.upscale(picture(100, 190))
    assert told.messages == []  # it was little work: nothing was timed
    assert forecast.PROBE**2 not in model.areas
    # Much work, on a fast machine.
    monkeypatch.setattr(slow, "parameters", 10**9)
    model.upscale(picture(100, 190))
    assert forecast.PROBE**2 in model.areas
    assert told.messages == []


def test_flips_and_turns_and_repeated_enlargement_are_counted(slow, told):
    slow().upscale(picture(100, 200), self_ensemble=True)
    # 100x200 and then 200x400.
    slow().upscale(picture(100, 200), size=(400, 800))
    assert ["3 minutes" in told.messages[0], "2 minutes" in told.messages[1]] == [True, True]


def test_strips_have_no_halo(slow, told):
    class Streams(slow):
        def run_rows(self, strips):
            return map(self.run, strips)

    Streams().upscale(picture(200, 300))
    assert told.messages == ["slow x2: about 1 minute for 300x200 on this machine"]


def test_a_model_that_does_not_tell_its_size_is_not_timed(slow, told, monkeypatch):
    monkeypatch.setattr(slow, "parameters", None)
    slow().upscale(picture(200, 300))
    assert told.messages == []


def test_of_models_that_are_compared_the_whole_is_told_before_the_first_begins(slow, told):
    seen = []

    class First(slow):
        def upscale(self, *args, **options):
            seen.extend(told.messages)
            return super().upscale(*args, **options)

    # Each takes 16 s, which is short.
    small = picture(100, 160)
    slow().upscale(small)
    assert told.messages == []
    srkit.compare(small, [First(), slow(), slow(), "nearest"])
    whole = "slow, slow, slow x2: at least 50 seconds for 160x100 on this machine"
    assert seen == told.messages == [whole]


def test_each_of_models_that_are_compared_says_no_more_of_its_own(slow, told):
    models = [slow(), slow()]
    for _ in range(2):
        srkit.compare(picture(200, 300), models)
    assert told.messages == ["slow, slow x2: at least 2 minutes for 300x200 on this machine"]


def test_compare_shows_it_without_being_asked(slow, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("srkit.evaluation.scores.load", lambda *args, **options: slow())
    PILImage.fromarray(picture(100, 200)).save(tmp_path / "photo.png")
    command = ["compare", str(tmp_path / "photo.png"), "-m", "a", "-m", "b", "-m", "c"]
    assert main([*command, "-o", str(tmp_path / "sheet.png")]) == 0
    note = "srkit: note: slow, slow, slow x2: at least 1 minute for 200x100 on this machine\n"
    assert capsys.readouterr().err == note
    assert not forecast.log.handlers


def test_channels_that_go_one_by_one_count_each(slow, told):
    srkit.compare(PILImage.new("CMYK", (150, 100)), [slow()])
    assert told.messages == ["slow x2: at least 1 minute for 150x100 on this machine"]


def test_the_command_line_shows_it_without_being_asked(slow, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(loading, "load", lambda *args, **options: slow())
    PILImage.fromarray(picture(200, 300)).save(tmp_path / "photo.png")
    assert main(["upscale", str(tmp_path / "photo.png"), "-o", str(tmp_path / "out")]) == 0
    err = capsys.readouterr().err
    assert "srkit: note: slow x2: at least 1 minute for 300x200 on this machine\n" in err
    assert not forecast.log.handlers
