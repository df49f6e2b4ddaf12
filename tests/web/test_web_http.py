"""The page of ``srkit serve``, as a program that speaks HTTP sees it."""

import io
import os
import re
import signal
import socket
import subprocess
import sys
import time
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PILImage
from ports import free_port
from serving import API, PHOTO, WEB, encoded, finish, run, served, start, upload

import srkit
from srkit.web import page as web

COMMAND = [
    sys.executable,
    "-c",
    "import sys; from srkit.cli import main; sys.exit(main())",
    "serve",
]


# What the page's process and its worker write down: addresses that they call.
CALLS = """
import sys
calls = open("{logs}/calls", "a", buffering=1)
def listen(event, arguments):
    if event == "socket.getaddrinfo":
        calls.write(f"{{arguments[0]}}\\n")
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        calls.write(f"{{arguments[1][0]}}\\n")
sys.addaudithook(listen)
"""
# And when a job is worked on.
WATCHED = """
import time
jobs = open("{logs}/jobs", "a", buffering=1)
from srkit.web import page as web
made = web._made
def watched(*arguments):
    jobs.write("begin\\n")
    time.sleep(0.2)
    try:
        return made(*arguments)
    finally:
        jobs.write("end\\n")
web._made = watched
"""


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="module")
def address(tmp_path_factory, logs):
    (logs / "sitecustomize.py").write_text(CALLS.format(logs=logs))
    before = WATCHED.format(logs=logs)
    with served(tmp_path_factory.mktemp("web"), before=before, paths=[logs]) as address:
        yield address


def test_results_are_downloaded_and_are_the_models_own(address):
    event, (html, files) = run(address, upload(address, encoded(PHOTO)), ["bicubic", "lanczos"])
    assert event == "complete"
    names = [file["orig_name"] for file in files]
    assert names == ["photo_bicubic_x4.png", "photo_lanczos_x4.png", "photo_comparison.html"]
    for file, model in zip(files, ("bicubic", "lanczos"), strict=False):
        pixels = np.asarray(PILImage.open(io.BytesIO(WEB.get(file["url"]).content)))
        np.testing.assert_array_equal(pixels, srkit.upscale(PHOTO, model, scale=4))
    page = WEB.get(files[2]["url"]).text
    assert unescape(re.search(r'srcdoc="([^"]*)"', html)[1]) == page
    assert 'sandbox=""' in html


def test_sixteen_bits_stay(address):
    deep = PHOTO[..., 0].astype(np.uint16) * 257
    event, (_, files) = run(address, upload(address, encoded(deep)), ["nearest"], "x2")
    assert event == "complete"
    pixels = np.asarray(PILImage.open(io.BytesIO(WEB.get(files[0]["url"]).content)))
    assert pixels.dtype == np.uint16


@pytest.mark.parametrize("models", [[], ["/etc/passwd"], ["./weights.pth"], ["unet-repair"]])
def test_only_models_that_are_offered_run(address, models):
    event, _ = run(address, upload(address, encoded(PHOTO)), models)
    assert event == "error"


def test_a_model_that_is_asked_for_twice_runs_once(address):
    event, (_, files) = run(address, upload(address, encoded(PHOTO)), ["nearest", "nearest"])
    assert event == "complete"
    assert len(files) == 2  # its result, and the comparison


def test_files_of_the_machine_are_not_read(address, tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(encoded(PHOTO))
    event, _ = run(address, str(secret), ["nearest"])
    assert event == "error"
    for name in (secret, Path(__file__), Path("/etc/passwd")):
        assert WEB.get(f"{address}{API}/file={name}").status_code in (403, 404)


def failure(photo, jobs, models=("nearest",)):
    """What the user is told."""
    with pytest.raises(web.gr.Error) as told:
        next(web._compare(photo and str(photo), "x4", list(models), jobs))
    return told.value.message


def test_a_user_is_told_what_is_wrong(tmp_path):
    jobs = tmp_path / "jobs"
    jobs.mkdir()
    bad, large = tmp_path / "bad.png", tmp_path / "large.png"
    bad.write_bytes(b"junk")
    PILImage.new("1", (2001, 1000)).save(large)
    told = failure(bad, jobs)
    assert "bad.png" in told
    assert str(tmp_path) not in told
    assert "2000000" in failure(large, jobs)
    assert "Drop a photo" in failure(None, jobs)
    assert "exist for x4" in failure(large, jobs, ["neural-enhance"])
    assert not list(jobs.iterdir())


def test_what_is_too_large_is_refused_while_it_comes(address):
    answer = WEB.post(
        f"{address}{API}/upload", files={"files": ("photo.png", bytes(web.MAX_BYTES + 1))}
    )
    assert answer.status_code == 413


def test_jobs_run_one_at_a_time_and_the_queue_is_bounded(address, logs):
    before = len((logs / "jobs").read_text().split())
    path = upload(address, encoded(PHOTO))
    started = [start(address, path, ["nearest"]) for _ in range(web.MOST_WAITING + 5)]
    accepted = [one for one in started if one.status_code == 200]
    assert web.MOST_WAITING <= len(accepted) < len(started)
    assert all(finish(address, one)[0] == "complete" for one in accepted)
    done = (logs / "jobs").read_text().split()[before:]
    assert done == ["begin", "end"] * len(accepted)


def test_nothing_is_kept(tmp_path):
    def left():
        return [path for path in tmp_path.rglob("*") if path.is_file()]

    with served(tmp_path, kept=6) as address:
        assert run(address, upload(address, encoded(PHOTO)), ["nearest"])[0] == "complete"
        assert {"photo.png", "photo_nearest_x4.png"} <= {path.name for path in left()}
        until = time.monotonic() + 60
        while left() and time.monotonic() < until:
            time.sleep(0.2)
        assert not left()
        upload(address, encoded(PHOTO))
        assert left()
    assert not left()


def test_it_listens_at_this_machine_alone(address):
    port = int(address.rsplit(":", 1)[1])
    assert address == f"http://127.0.0.1:{port}"
    with socket.socket() as other:  # free at any other address of this machine
        other.bind(("127.0.0.2", port))
    if (table := Path("/proc/net/tcp")).exists():
        listening = re.findall(rf"(\w+):{port:04X} 00000000:0000 0A", table.read_text())
        assert listening == ["0100007F"]


def test_nothing_else_is_called(address, logs):
    assert run(address, upload(address, encoded(PHOTO)), ["nearest"])[0] == "complete"
    called = set((logs / "calls").read_text().split())
    assert called
    assert called <= {"127.0.0.1", "b'127.0.0.1'", "localhost", "::1", "None"}


def test_the_command_serves_until_it_is_told_to_end(tmp_path):
    port = free_port()
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [*COMMAND, "--port", str(port)], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        told = process.stdout.readline()
        assert f"http://127.0.0.1:{port}" in told
        upload(f"http://127.0.0.1:{port}", encoded(PHOTO))
        assert list(tmp_path.rglob("photo*"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(240) == 0
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_port_that_is_taken(address):
    port = address.rsplit(":", 1)[1]
    made = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True, timeout=240)
    assert made.returncode == 2
    assert made.stderr.startswith("srkit: error: ")
    assert f"127.0.0.1:{port}" in made.stderr
    assert WEB.get(address).status_code == 200
