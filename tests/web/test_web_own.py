"""Models that are handed over appear on the page, and pictures are upscaled by them, over HTTP."""

import io
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from checkout import ROOT
from PIL import Image as PILImage
from ports import free_port
from serving import API, PHOTO, WEB, encoded, finish, look, run, run_to_files, start, upload

import srkit
import srkit.web
from srkit.web import page
from srkit.web.kinds import named


def threes(tiles):
    return tiles.repeat(3, axis=1).repeat(3, axis=2)


class Held:
    """A function that says when it is called, and waits until it may go on."""

    __name__ = "held"

    def __init__(self):
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __call__(self, tiles):
        self.begun.set()
        self.go_on.wait(60)
        return tiles.repeat(2, axis=1).repeat(2, axis=2)


@pytest.fixture(scope="module")
def held():
    return Held()


@pytest.fixture(scope="module")
def address(held):
    models = (
        srkit.wrap(threes, scale=3),
        srkit.wrap(lambda tiles: 1 - tiles, scale=1, name="up/side ../down"),
        srkit.wrap(held, scale=2, radius=0),
    )
    with srkit.web.serving(*models, port=free_port()) as url:
        yield url.rstrip("/")


def menu(address):
    return WEB.get(f"{address}{API}/menu").json()


def test_they_come_first_with_their_names_and_scales(address):
    told = menu(address)
    mine = ["threes", "up_side .._down", "held"]
    assert told["kinds"][0]["name"] == "your model"
    assert [one["name"] for one in told["kinds"][0]["models"]] == mine
    assert list(told["models"])[:3] == mine
    assert [told["models"][name]["scales"] for name in mine] == [[3], [1], [2]]
    assert (told["scales"], told["scale"]) == ([1, 2, 3, 4], 3)
    # The interpolations exist for x3, too, and so are there to be compared with.
    assert told["models"]["bicubic"]["scales"] == [2, 3, 4]
    assert [kind["name"] for kind in told["kinds"]][1] == "photo"


def test_a_picture_is_upscaled_by_a_function_beside_a_model_that_comes_along(address):
    files = run_to_files(address, upload(address, encoded(PHOTO)), ["threes", "bicubic"], 3)
    made = np.asarray(PILImage.open(io.BytesIO(files["photo_threes_x3.png"])))
    assert np.array_equal(made, PHOTO.repeat(3, axis=0).repeat(3, axis=1))
    assert PILImage.open(io.BytesIO(files["photo_bicubic_x3.png"])).size == (192, 144)
    assert b"threes" in files["photo_comparison.html"]


def test_a_name_that_is_no_file_name_is_made_one(address):
    name = "up_side .._down"
    files = run_to_files(address, upload(address, encoded(PHOTO)), [name], 1)
    made = np.asarray(PILImage.open(io.BytesIO(files[f"photo_{name}_x1.png"])))
    assert np.array_equal(made, 255 - PHOTO)


def test_names_that_are_long_in_bytes_are_shortened():
    """Of file names systems take 255 bytes, of which one of these characters takes three."""
    model = srkit.wrap(threes, scale=3, name="模" * 90)
    part = {"part": [0, 0, 20, 10], "only": True}
    with srkit.web.serving(model, port=0) as url:
        url = url.rstrip("/")
        photo = upload(url, encoded(PHOTO), "写" * 90 + ".png")
        made, page = run_to_files(url, photo, ["模" * 26], 3, **part).items()
    assert made[0] == f"{'写' * 40}_part_{'模' * 26}_x3.png"
    assert PILImage.open(io.BytesIO(made[1])).size == (60, 30)
    assert page[1].startswith(b"<!DOCTYPE html>")


@pytest.mark.parametrize("scale", [1, 2, 5])
def test_a_model_is_offered_for_its_own_scale_alone(address, scale):
    state, told = run(address, upload(address, encoded(PHOTO)), ["threes"], scale)
    assert state == "refused"
    wanted = "scale is one of 1, 2, 3, 4." if scale == 5 else f"models that exist for x{scale}"
    assert wanted in told


def test_who_cancels_gets_no_result_and_the_next_job_runs(address, held):
    photo = upload(address, encoded(PHOTO))
    started = start(address, photo, ["held"], 2)
    assert held.begun.wait(60)
    job = f"{address}{API}/jobs/{started.json()['id']}"
    WEB.post(f"{job}/cancel").raise_for_status()
    held.go_on.set()
    assert finish(address, started) == ("cancelled", None)
    assert run(address, photo, ["held"], 2)[0] == "done"


def test_who_cancels_keeps_what_is_finished(address, held):
    held.begun.clear()
    held.go_on.clear()
    started = start(address, upload(address, encoded(PHOTO)), ["bicubic", "held"], 2)
    job = f"{address}{API}/jobs/{started.json()['id']}"
    # The first is finished when the second is worked on, and no more only timed.
    while look(address, started).get("doing") != "held":
        time.sleep(0.05)
    WEB.post(f"{job}/cancel").raise_for_status()
    held.go_on.set()
    state, result = finish(address, started)
    assert state == "cancelled"
    assert [one["file"] for one in result["results"]] == ["photo_bicubic_x2.png"]
    assert "page" not in result
    made = np.asarray(
        PILImage.open(io.BytesIO(WEB.get(f"{job}/files/photo_bicubic_x2.png").content))
    )
    assert np.array_equal(made, srkit.upscale(PHOTO, "bicubic", scale=2))
    assert WEB.get(f"{job}/files/{result['before']}").status_code == 200


def test_a_job_that_takes_too_long_is_ended_and_says_so(monkeypatch):
    slow = Held()
    monkeypatch.setattr(page, "JOB_SECONDS", 0.0)
    slow.go_on.set()
    model = srkit.wrap(slow, scale=2, radius=0)
    with srkit.web.serving(model, port=free_port()) as url:
        state, told = run(url.rstrip("/"), upload(url.rstrip("/"), encoded(PHOTO)), ["held"], 2)
    assert state == "failed"
    assert "this took longer than" in told


def test_what_a_function_raises_is_told_as_a_failure(address):
    def broken(tiles):
        raise ValueError("tiles of 1 channel are wanted")

    with srkit.web.serving(srkit.wrap(broken, scale=2), port=free_port()) as url:
        state, told = run(url.rstrip("/"), upload(url.rstrip("/"), encoded(PHOTO)), ["broken"], 2)
    assert state == "failed"
    assert told == "this failed: ValueError: tiles of 1 channel are wanted"


def test_a_free_port_is_found_and_told():
    with srkit.web.serving(port=0) as first, srkit.web.serving(port=0) as second:
        ports = [int(url.rstrip("/").rsplit(":", 1)[1]) for url in (first, second)]
        assert 0 not in ports
        assert ports[0] != ports[1]
        assert menu(first.rstrip("/"))["scales"] == [2, 4]


def test_in_a_network_the_address_is_one_that_a_phone_can_open():
    with srkit.web.serving(host="0.0.0.0", port=0) as url:
        assert "0.0.0.0" not in url
        assert WEB.get(url).status_code == 200


def weights_at(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "srkit" / "pretrained" / "espcn_x2.safetensors", path)
    return [srkit.load(path) for path in paths]


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    best = "best.safetensors"
    short = weights_at(tmp_path / "a" / best, tmp_path / "b" / best)
    assert list(named(short)) == ["a_best", "b_best"]
    deep = weights_at(tmp_path / "one" / "run" / best, tmp_path / "two" / "run" / best)
    assert list(named(deep)) == ["one_run_best", "two_run_best"]
    assert list(named(deep[:1])) == ["best"]
    with pytest.raises(srkit.OptionError, match="two models are called best"):
        named([deep[0], srkit.load(tmp_path / "one" / "run" / best)])


def test_a_model_that_comes_along_is_first_and_keeps_its_scales():
    with srkit.web.serving(first=["espcn"], port=0) as url:
        told = menu(url.rstrip("/"))
    assert told["kinds"][0]["name"] == "your model"
    assert [one["name"] for one in told["kinds"][0]["models"]] == ["espcn"]
    assert told["models"]["espcn"]["scales"] == srkit_scales("espcn")


def srkit_scales(name):
    return [scale for scale in (2, 4) if scale in srkit.card(name).scales]


def test_the_command_names_what_comes_along_as_first(monkeypatch):
    pytest.importorskip("torch")
    from srkit.cli import main

    asked = []

    def serving(*models, first, host, port):
        asked.append(([model.card.name for model in models], first, host, port))
        raise KeyboardInterrupt

    monkeypatch.setattr("srkit.cli.serve.serving", serving)
    main(["serve", "-m", "espcn", "-m", "nearest", "--port", "8123"])
    assert asked == [(["nearest"], ["espcn"], "127.0.0.1", 8123)]


@pytest.mark.parametrize(
    ("models", "told"),
    [
        (lambda: ["photo"], "a model is served, not str"),
        (lambda: [srkit.wrap(threes, scale=3), srkit.wrap(threes, scale=3)], "called threes"),
    ],
)
def test_what_cannot_be_offered_is_refused_before_the_port_is_taken(models, told):
    port = free_port()
    with pytest.raises(srkit.OptionError, match=told), srkit.web.serving(*models(), port=port):
        pass
    with srkit.web.serving(port=port):
        pass


def test_the_page_opens_in_the_browser_and_ends_by_ctrl_c(monkeypatch):
    seen, port = [], free_port()

    def opened(url):
        seen.extend([url, *menu(url.rstrip("/"))["models"]][:2])
        raise KeyboardInterrupt

    monkeypatch.setattr("webbrowser.open", opened)
    srkit.web.serve(srkit.wrap(threes, scale=3), port=port)
    assert seen == [f"http://127.0.0.1:{port}/", "threes"]


def test_the_command_serves_a_weights_file(tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    weights = tmp_path / "mine.safetensors"
    shutil.copy(ROOT / "srkit" / "pretrained" / "espcn_x2.safetensors", weights)
    command = "import sys; from srkit.cli import main; sys.exit(main())"
    words = ["serve", "-m", str(weights), "--port", str(free_port())]
    with subprocess.Popen(
        [sys.executable, "-c", command, *words], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            address = process.stdout.readline().split()[0].rstrip("/")
            (mine,) = menu(address)["kinds"][0]["models"]
            files = run_to_files(address, upload(address, encoded(PHOTO)), [mine["name"]], 2)
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    made = next(content for name, content in files.items() if name.endswith("_x2.png"))
    expected = srkit.load("espcn", scale=2).upscale(PHOTO)
    made = np.asarray(PILImage.open(io.BytesIO(made)))
    assert np.abs(made.astype(int) - expected).max() <= 1


def test_a_file_that_is_not_there_is_told_before_anything_is_served(tmp_path, capsys):
    from srkit.cli import main

    assert main(["serve", "-m", str(tmp_path / "none.pth")]) == 1
    assert "none.pth" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["65536", "99999999", "-1", "abc"])
def test_what_is_no_port_is_a_usage_error(port, capsys):
    from srkit.cli import main

    with pytest.raises(SystemExit) as ended:
        main(["serve", f"--port={port}"])
    assert ended.value.code == 2
    assert port in capsys.readouterr().err


@pytest.mark.parametrize("port", [65536, 99999999, -1])
def test_what_is_no_port_is_refused_from_python(port):
    with (
        pytest.raises(srkit.OptionError, match=f"from 0 to 65535, not {port}"),
        srkit.web.serving(port=port),
    ):
        pass
