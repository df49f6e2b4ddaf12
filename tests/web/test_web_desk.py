"""Jobs at the desk, and what the sweep leaves of their files."""

import threading
import time
from types import SimpleNamespace

import pytest

pytest.importorskip("starlette", reason="needs pip install 'srkit[web]'")

from serving import PHOTO, encoded

import srkit
from srkit.web import page
from srkit.web.desk import Desk, Job


class Once:
    """An event that lets one sweep pass."""

    def __init__(self):
        self.asked = 0

    def wait(self, seconds):
        self.asked += 1
        return self.asked > 1


def job(folder, number):
    photo, results = folder / "photos" / str(number) / "photo.png", folder / "jobs" / str(number)
    photo.parent.mkdir(parents=True)
    photo.write_bytes(encoded(PHOTO))
    asked = {"photo": str(photo), "models": [("held", {})], "scale": 2, "folder": str(results)}
    asked |= {"part": (0, 0, 9, 9), "only": False, "max_pixels": 10**6}
    return Job(asked, results, photo)


def test_what_jobs_need_is_not_swept_before_they_are_over(tmp_path):
    """Neither the photo of one that waits, nor what a long one has made."""
    begun, go_on = threading.Event(), threading.Event()

    def held(tiles):
        begun.set()
        go_on.wait(60)
        return tiles.repeat(2, axis=1).repeat(2, axis=2)

    desk = Desk(most=3, seconds=600, own={"held": srkit.wrap(held, scale=2, radius=0)})
    try:
        running, waiting = jobs = [job(tmp_path, number) for number in range(2)]
        for one in jobs:
            desk.take(one)
        stray = tmp_path / "photos" / "stray.png"
        stray.touch()
        assert begun.wait(60)
        time.sleep(2.5)
        site = SimpleNamespace(forget=lambda: None)
        page._sweep(tmp_path, 2, Once(), site, desk)
        assert not stray.exists()
        assert (running.folder / "photo_before.png").exists()
        assert waiting.photo.exists()
        go_on.set()
        until = time.monotonic() + 60
        while waiting.state in ("waiting", "running") and time.monotonic() < until:
            time.sleep(0.05)
        assert [one.state for one in jobs] == ["done", "done"]
        # From then on time runs.
        time.sleep(2.5)
        page._sweep(tmp_path, 2, Once(), site, desk)
        assert not [path for path in tmp_path.rglob("*") if path.is_file()]
        assert desk.find(running.id) is None
    finally:
        go_on.set()
        desk.close()
