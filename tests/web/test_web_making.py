"""How far a job is, and what is told of a model that is to be downloaded."""

import threading
import time
import urllib.error

import pytest
from serving import PHOTO, encoded

import srkit
from srkit.web.clock import Clock
from srkit.web.making import made
from srkit.web.worker import Worker


class Race:
    """Models whose times are known."""

    def __init__(self, **expected):
        self.now, self.told = 0.0, []
        self.clock = Clock(expected, self.told.append, now=lambda: self.now)

    def run(self, name, *steps):
        """Pairs of a time and the percentage that is done then."""
        advance = self.clock.of(name)
        for self.now, done in steps:
            advance(done, 100)


def test_a_network_whose_first_rows_are_late_is_not_taken_for_a_slow_one():
    race = Race(slow=60.0)
    race.run("slow", (50, 6), (51, 18), (53, 42), (55, 66))
    left = [one["left"] for one in race.told]
    # Until the first rows the forecast; then 12 in a second.
    assert left[:2] == [60, 10]
    assert all(2 < one < 10 for one in left[2:])
    assert left[-1] == pytest.approx(34 / 12, abs=0.1)
    done = [one["done"] for one in race.told]
    assert done[1] == pytest.approx(50 / 60, abs=0.01)
    assert done[-1] > 0.9


def test_where_the_forecast_is_over_nothing_is_made_up():
    race = Race(slow=36.0)
    race.run("slow", (55, 6), (56, 18), (63, 100))
    assert race.told[1]["left"] is None
    assert race.told[2]["left"] == pytest.approx(82 / 12, abs=0.1)
    assert (race.told[3]["left"], race.told[3]["done"]) == (0, 1)


def test_an_even_pace_is_told_as_it_is():
    race = Race(one=10.0, two=30.0)
    race.run("one", *((2 * k, 10 * k) for k in range(1, 11)))
    # Twice as long as was foreseen, and so the other, too.
    race.run("two", (50, 50), (80, 100))
    begins = race.told[11]
    assert (begins["doing"], begins["left"]) == ("two", 60)
    assert begins["done"] <= 0.5
    shares = [one["done"] for one in race.told]
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_after_a_job_that_was_given_up_the_next_one_has_a_process(tmp_path):
    photo = tmp_path / "photo.png"
    photo.write_bytes(encoded(PHOTO))
    job = {"photo": str(photo), "models": [("bilinear", {})], "scale": 2, "part": (0, 0, 9, 9)}
    job |= {"folder": str(tmp_path), "only": False, "max_pixels": 10**6}
    worker = Worker()
    try:
        for _ in range(2):
            told = worker.made(job, seconds=200, cancelled=threading.Event())
            assert told["results"][0]["size"] == [128, 96]
            worker.give_up()
    finally:
        worker.end()


@pytest.fixture
def offline(tmp_path, monkeypatch):
    def refused(*arguments, **more):
        raise urllib.error.URLError("no address associated with hostname")

    monkeypatch.setenv("SRKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("urllib.request.urlopen", refused)


@pytest.fixture
def photo(tmp_path):
    photo = tmp_path / "photo.png"
    photo.write_bytes(encoded(PHOTO))
    return photo


def test_what_cannot_be_downloaded_is_told_in_short(offline, photo, tmp_path):
    pytest.importorskip("torch")
    told = []
    models = [("realesrgan-general", {})]
    with pytest.raises(srkit.WeightsError) as error:
        made(str(photo), models, 4, str(tmp_path), (0, 0, 9, 9), False, 10**6, told.append)
    expected = "realesrgan-general could not be downloaded; tick photo, which is here"
    assert str(error.value) == expected
    assert told[-1]["doing"] == "downloading realesrgan-general, 10 MB"  # of 4.9 MB two
    assert not list((tmp_path / "cache").rglob("*.p*"))


def test_the_others_go_on_without_what_cannot_be_downloaded(offline, photo, tmp_path):
    pytest.importorskip("torch")
    models = [("realesrgan-general", {}), ("bilinear", {})]
    told = []
    result = made(str(photo), models, 4, str(tmp_path), (0, 0, 9, 9), False, 10**6, told.append)
    assert [one["model"] for one in result["results"]] == ["bilinear"]
    assert result["missing"] == ["realesrgan-general could not be downloaded"]
    assert (tmp_path / result["page"]).is_file()
    # What is finished is told before the page is written.
    finished = [one["finished"] for one in told if "finished" in one]
    assert [one["model"] for one in finished[0]["results"]] == ["bilinear"]


def test_a_model_that_took_long_is_expected_to_take_long_again(photo, tmp_path):
    waits = [0.0]

    def slow(tiles):
        time.sleep(waits[0])
        return tiles

    model = srkit.wrap(slow, scale=1, radius=0)

    def first_told():
        told = []
        asked = [("slow", {})], 1, str(tmp_path), (0, 0, 9, 9), False, 10**6
        made(str(photo), *asked, told.append, {"slow": model})
        return next(one["left"] for one in told if one.get("doing") == "slow"), told

    _, told = first_told()
    assert any(one.get("doing") == "timing slow" for one in told)
    waits[0] = 3.0
    assert first_told()[0] < 2
    left, told = first_told()
    assert 3 <= left < 30
    assert not any(one.get("doing") == "timing slow" for one in told)
