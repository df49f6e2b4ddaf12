"""The page of ``srkit serve``, as a program that speaks HTTP sees it."""

import io
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PILImage
from ports import free_port
from serving import (
    API,
    PHOTO,
    WEB,
    encoded,
    finish,
    look,
    run,
    run_to_files,
    send,
    served,
    start,
    upload,
)
from skimage import data

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
import os
import time
jobs = open("{logs}/jobs", "a", buffering=1)
from srkit.web.worker import Worker
made = Worker.made
def watched(*arguments, **more):
    jobs.write("begin\\n")
    while os.path.exists("{logs}/hold"):
        time.sleep(0.05)
    try:
        return made(*arguments, **more)
    finally:
        jobs.write("end\\n")
Worker.made = watched
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


def decoded(content):
    return np.asarray(PILImage.open(io.BytesIO(content)))


def test_results_are_downloaded_and_are_the_models_own(address):
    photo = upload(address, encoded(PHOTO))
    files = run_to_files(address, photo, ["bicubic", "lanczos"])
    expected = ["photo_bicubic_x4.png", "photo_lanczos_x4.png", "photo_comparison.html"]
    assert list(files) == expected
    for model in ("bicubic", "lanczos"):
        pixels = decoded(files[f"photo_{model}_x4.png"])
        np.testing.assert_array_equal(pixels, srkit.upscale(PHOTO, model, scale=4))
    page = files["photo_comparison.html"].decode()
    assert page.startswith("<!DOCTYPE html>")
    assert all(f">{model}</b>" in page for model in ("input", "bicubic", "lanczos"))


def test_sixteen_bits_stay(address):
    deep = PHOTO[..., 0].astype(np.uint16) * 257
    files = run_to_files(address, upload(address, encoded(deep)), ["bilinear"], 2)
    pixels = decoded(files["photo_bilinear_x2.png"])
    assert pixels.dtype == np.uint16
    np.testing.assert_array_equal(pixels, srkit.upscale(deep, "bilinear", scale=2))


def test_the_part_alone_is_upscaled_where_that_is_asked(address):
    photo = upload(address, encoded(PHOTO))
    part = [10, 20, 30, 15]
    files = run_to_files(address, photo, ["lanczos"], 2, part=part, only=True)
    pixels = decoded(files["photo_part_lanczos_x2.png"])
    expected = srkit.upscale(np.ascontiguousarray(PHOTO[20:35, 10:40]), "lanczos", scale=2)
    np.testing.assert_array_equal(pixels, expected)
    # Else all of it is, and the part is what is looked at.
    _, result = run(address, photo, ["lanczos"], 2, part=part)
    assert (result["look"], result["size"]) == (part, [64, 48])


@pytest.mark.parametrize(
    ("called", "sliders", "options", "others"),
    [
        ("photo_denoise0", {"denoise": 0.0, "perception": 0.5}, {"denoise": 0.0}, {"denoise": 1.0}),
        ("photo", {"denoise": "auto"}, {}, {"denoise": 1.0}),
        ("srgan_perception0", {"denoise": "auto", "perception": 0.0}, {"perception": 0.0}, {}),
        ("srgan", {"perception": 1.0}, {}, {"perception": 0.0}),
    ],
)
def test_what_sliders_say_reaches_the_models_that_have_them(
    address, called, sliders, options, others
):
    pytest.importorskip("torch")
    model = called.partition("_")[0]
    files = run_to_files(address, upload(address, encoded(PHOTO)), [model], **sliders)
    # Files of other settings have other names.
    made = decoded(files[f"photo_{called}_x4.png"]).astype(int)
    asked, other = (
        np.abs(made - srkit.load(model, scale=4, **one).upscale(PHOTO)).mean()
        for one in (options, others)
    )
    # The page takes bfloat16 on machines that have units for it, tests do not: a level or two.
    assert asked < 0.5
    assert other > 2 * asked
    assert other > 0.5


@pytest.mark.parametrize(
    "models",
    [[], ["/etc/passwd"], ["./weights.pth"], ["unet-repair"], ["nearest"], ["vsr"], "bicubic", [4]],
)
def test_only_models_that_are_offered_run(address, models):
    state, told = run(address, upload(address, encoded(PHOTO)), models)
    assert state == "refused"
    assert told == "Choose models that exist for x4."


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"scale": 3}, "scale"),
        ({"scale": "4"}, "scale"),
        ({"scale": [4]}, "scale"),
        ({"denoise": 2}, "denoise is a number from 0 to 1"),
        ({"denoise": "all"}, "denoise is a number from 0 to 1"),
        ({"perception": "auto"}, "perception is a number from 0 to 1"),
        ({"perception": True}, "perception is a number from 0 to 1"),
        ({"part": [60, 0, 10, 10]}, "not in the picture"),
        ({"part": "all"}, "left, top, width and height"),
        ({"part": {"left": 1}}, "left, top, width and height"),
        ({"photo": ["a"]}, "choose it again"),
        ({"photo": "no-such-photo-here"}, "choose it again"),
    ],
)
def test_what_makes_no_sense_is_refused(address, asked, told):
    given = {"photo": upload(address, encoded(PHOTO)), "models": ["bilinear"], "scale": 4, **asked}
    answer = WEB.post(f"{address}{API}/jobs", json=given)
    assert answer.status_code in (400, 404)
    assert told in answer.json()["error"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b"\xff"])
def test_what_is_no_job_is_refused(address, body):
    answer = WEB.post(f"{address}{API}/jobs", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_a_model_that_is_asked_for_twice_runs_once(address):
    photo = upload(address, encoded(PHOTO))
    files = run_to_files(address, photo, ["bilinear", "bilinear"])
    assert len(files) == 2  # its result, and the comparison


def test_files_of_the_machine_are_not_read(address, tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(encoded(PHOTO))
    state, _ = run(address, str(secret), ["bilinear"])
    assert state == "refused"
    started = start(address, upload(address, encoded(PHOTO)), ["bilinear"])
    assert finish(address, started)[0] == "done"
    folder = f"{address}{API}/jobs/{started.json()['id']}/files"
    for name in (secret, Path(__file__), "../../photos", "..%2f..%2fphotos", "%2fetc%2fpasswd"):
        assert WEB.get(f"{folder}/{name}").status_code == 404
    assert WEB.get(f"{address}{API}/jobs/{'a' * 22}").status_code == 404


def test_a_user_is_told_what_is_wrong(address):
    answer = send(address, b"junk", "bad.png")
    assert answer.status_code == 415
    assert "bad.png" in answer.json()["error"]
    assert "srkit-web-" not in answer.json()["error"]
    assert "Choose a photo" in run(address, None, ["bilinear"])[1]
    assert "exist for x4" in run(address, upload(address, encoded(PHOTO)), ["neural-enhance"])[1]


def test_of_a_large_photo_a_part_is_upscaled(address):
    file = io.BytesIO()
    PILImage.new("1", (2001, 1000)).save(file, "PNG")
    photo = upload(address, file.getvalue())
    assert "at most 2 megapixels" in run(address, photo, ["bilinear"])[1]
    assert (
        "at most 2 megapixels"
        in run(address, photo, ["bilinear"], only=True, part=[0, 0, 2001, 1000])[1]
    )
    assert run(address, photo, ["bilinear"], only=True, part=[0, 0, 20, 10])[0] == "done"


def test_of_a_photo_that_is_larger_still_the_user_is_told(address):
    file = io.BytesIO()
    PILImage.new("1", (8001, 5000)).save(file, "PNG")
    answer = send(address, file.getvalue())
    assert answer.status_code == 415
    assert "40000000" in answer.json()["error"]


def test_any_photo_has_a_preview_that_browsers_show(address):
    file = io.BytesIO()
    PILImage.fromarray(PHOTO).convert("CMYK").save(file, "TIFF")
    photo = upload(address, file.getvalue(), "photo.tif")
    answer = WEB.get(f"{address}{API}/photos/{photo}/preview")
    shown = decoded(answer.content).astype(int)
    assert shown.shape == PHOTO.shape
    assert np.abs(shown - PHOTO).mean() < 12
    result = run(address, photo, ["bilinear"])[1]["results"][0]
    assert (Path(result["file"]).suffix, Path(result["shown"]).suffix) == (".tif", ".png")


def test_what_is_there_is_told_with_the_photo(address):
    told = send(address, encoded(data.astronaut()), "../her face?.png").json()
    assert told["name"] == "her face_.png"
    assert (told["width"], told["height"], told["what"]) == (512, 512, "face")
    left, top, width, height = told["part"]
    assert left < 190
    assert top < 90
    assert left + width > 260
    assert top + height > 160


def test_a_job_that_is_cancelled_stops_and_leaves_nothing(address, logs):
    def cancel(started):
        return WEB.post(f"{address}{API}/jobs/{started.json()['id']}/cancel").json()["state"]

    before = len((logs / "jobs").read_text().split())
    slow = upload(address, encoded(np.tile(PHOTO, (12, 12, 1))))
    quick = upload(address, encoded(PHOTO))
    first = start(address, slow, ["lanczos", "bicubic"])
    waiting = start(address, quick, ["bilinear"])
    last = start(address, quick, ["bilinear"])
    assert look(address, last)["before"] >= 1
    assert cancel(waiting) == "cancelled"
    cancel(first)
    assert finish(address, first)[0] == "cancelled"
    # The place is free, and the next one is worked on by a new process.
    assert finish(address, last)[0] == "done"
    assert finish(address, waiting)[0] == "cancelled"
    assert (logs / "jobs").read_text().split()[before:] == ["begin", "end"] * 2
    assert cancel(last) == "done"  # too late
    assert finish(address, last)[0] == "done"


def test_what_is_too_large_is_refused_while_it_comes(address):
    answer = send(address, bytes(web.MAX_BYTES + 1))
    assert answer.status_code == 413


def test_jobs_run_one_at_a_time_and_the_queue_is_bounded(address, logs):
    before = len((logs / "jobs").read_text().split())
    path = upload(address, encoded(PHOTO))
    (logs / "hold").touch()
    started = [start(address, path, ["bilinear"])]
    while look(address, started[0])["state"] == "waiting":
        time.sleep(0.05)
    started += [start(address, path, ["bilinear"]) for _ in range(web.MOST_WAITING + 3)]
    assert [look(address, one)["before"] for one in started[1:4]] == [1, 2, 3]
    (logs / "hold").unlink()
    accepted = [one for one in started if one.status_code == 202]
    assert len(accepted) == 1 + web.MOST_WAITING
    assert {one.status_code for one in started} == {202, 503}
    assert all(finish(address, one)[0] == "done" for one in accepted)
    done = (logs / "jobs").read_text().split()[before:]
    assert done == ["begin", "end"] * len(accepted)


def test_nothing_is_kept(tmp_path):
    def left():
        return [path for path in tmp_path.rglob("*") if path.is_file()]

    with served(tmp_path, kept=6) as address:
        assert run(address, upload(address, encoded(PHOTO)), ["bilinear"])[0] == "done"
        assert {"photo.png", "photo_bilinear_x4.png"} <= {path.name for path in left()}
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
    assert run(address, upload(address, encoded(PHOTO)), ["bilinear"])[0] == "done"
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


def test_a_result_tells_its_settings(address):
    pytest.importorskip("torch")
    photo = upload(address, encoded(PHOTO))
    _, told = run(address, photo, ["photo", "bicubic"], denoise=0.25)
    first, second = told["results"]
    assert first["settings"] == {"denoise": "0.25"}
    assert first["file"] == "photo_photo_denoise0.25_x4.png"
    assert second["settings"] == {}


def test_python_ends_by_a_signal_as_well(tmp_path):
    program = (
        "import os, signal, threading, webbrowser, srkit.web\n"
        "webbrowser.open = lambda url: print(url, flush=True) or True\n"
        "srkit.web.serve(port=0)\n"
        "print('tidy')"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        upload(process.stdout.readline().strip().rstrip("/"), encoded(PHOTO))
        assert list(tmp_path.rglob("photo*"))
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "tidy\n"
        assert process.wait(240) == 0
    assert not list(tmp_path.iterdir())


def test_a_port_that_is_taken(address):
    port = address.rsplit(":", 1)[1]
    made = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True, timeout=240)
    assert made.returncode == 2
    assert made.stderr.startswith("srkit: error: ")
    assert f"127.0.0.1:{port}: another program has this port" in made.stderr
    assert "--port" in made.stderr
    assert WEB.get(address).status_code == 200
