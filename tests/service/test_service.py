"""The service of examples/ under load: a real server, and clients that are many at once."""

import asyncio
import contextlib
import io
import os
import re
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from checkout import ROOT
from PIL import Image as PILImage

httpx = pytest.importorskip("httpx")
uvicorn = pytest.importorskip("uvicorn")
pytest.importorskip("fastapi")

from ports import free_port  # noqa: E402  as below

SERVICE = ROOT / "examples" / "service"
# As in the container.
CONNECTIONS = int(
    re.search(r'"--limit-concurrency", "(\d+)"', (SERVICE / "Dockerfile").read_text())[1]
)
# A model in the place of the service's, which takes a while for each row; and a server that says
# when it is ready, and stops when its standard input ends.
PROGRAM = """
import sys, threading, time
import numpy as np, srkit, uvicorn
from srkit import ModelCard, Upscaler

class Slow(Upscaler):
    def __init__(self, card, scale, weights=None):
        self.card, self.scale = card, scale
    def run(self, tiles):
        time.sleep({seconds})
        return tiles.repeat(2, 1).repeat(2, 2)

sys.modules["slow"] = sys.modules["__main__"]
card = ModelCard("photo", "", "slow:Slow", "numpy", (2,), 2, radius=0)
srkit.register(card, replace=True)
import app
{setting}

class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        print("ready", flush=True)

server = Server(uvicorn.Config(app.app, port={port}, log_level="warning",
                               timeout_graceful_shutdown=2, limit_concurrency={connections}))
def stop():
    sys.stdin.read()
    server.should_exit = True
threading.Thread(target=stop, daemon=True).start()
server.run()
"""


@contextlib.contextmanager
def served(seconds=0.05, setting=""):
    """Address of the service in a process of its own, whose errors fail the test."""
    port = free_port()
    program = PROGRAM.format(seconds=seconds, setting=setting, port=port, connections=CONNECTIONS)
    paths = [str(SERVICE), *filter(None, [os.environ.get("PYTHONPATH")])]
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    ) as process:
        try:
            assert process.stdout.readline() == b"ready\n", process.stderr.read().decode()
            yield f"http://127.0.0.1:{port}/upscale"
        finally:
            process.stdin.close()
            told = process.stderr.read().decode()
    assert "Traceback" not in told, told
    assert process.returncode == 0


def picture(seed=0, height=12, width=16):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def encoded(pixels, form="PNG"):
    file = io.BytesIO()
    PILImage.fromarray(pixels).save(file, form)
    return file.getvalue()


def decoded(data):
    with PILImage.open(io.BytesIO(data)) as image:
        return image.format, np.asarray(image)


@pytest.fixture(scope="module")
def service():
    with served() as address:
        yield address


def post(address, content):
    return httpx.post(address, content=content, timeout=60)


# A picture of 1000 x 1000 is then more than fifty parts of work.
SMALL_PARTS = "app.MEMORY = 3_000_000"


def gives_up(address, seconds):
    """A client that leaves before its picture is made."""
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(address, content=encoded(picture(height=1000, width=1000)), timeout=seconds)


def in_pieces(size):
    """A body whose length nobody states."""
    for _ in range(size // 65536 + 1):
        yield bytes(65536)


@pytest.mark.parametrize(
    ("form", "kind"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")]
)
def test_a_picture_comes_back_larger_in_its_format(service, form, kind):
    answer = post(service, encoded(picture(), form))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == kind
    made, pixels = decoded(answer.content)
    assert (made, pixels.shape) == (form, (24, 32, 3))
    if form == "PNG":
        np.testing.assert_array_equal(pixels, picture().repeat(2, 0).repeat(2, 1))


@pytest.mark.parametrize(
    ("content", "code", "told"),
    [
        (lambda: b"hello", 415, "not an image that srkit reads"),
        (lambda: b"", 415, "the file is empty"),
        (lambda: encoded(picture())[:200], 415, "truncated or damaged"),
        (lambda: encoded(picture(), "TIFF"), 415, "TIFF is none of PNG, JPEG, WEBP"),
        (
            lambda: encoded(np.zeros((1, 4_000_001), np.uint8)),
            413,
            "more than 4000000 pixels",
        ),
        (lambda: bytes(10_000_001), 413, "more than 10000000 bytes"),
        (lambda: in_pieces(12_000_000), 413, "more than 10000000 bytes"),
    ],
    ids=["text", "nothing", "damaged", "other format", "pixels", "bytes", "bytes, not stated"],
)
def test_what_is_no_picture_or_too_large_is_refused(service, content, code, told):
    answer = post(service, content())
    assert answer.status_code == code
    assert told in answer.json()["detail"]
    assert "<bytes>" not in answer.text
    assert "max_pixels" not in answer.text
    assert post(service, encoded(picture())).status_code == 200


def test_under_load_some_are_served_right_and_the_others_told_to_come_back():
    """Forty at once, of which eight have a place; and nobody gets another's picture."""

    async def ask(client, address, seed):
        answer = await client.post(address, content=encoded(picture(seed)))
        return seed, answer

    async def crowd(address):
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(timeout=60, limits=limits) as client:
            return await asyncio.gather(*(ask(client, address, seed) for seed in range(40)))

    with served(seconds=0.5) as address:
        answers = asyncio.run(crowd(address))
        for seed, answer in answers:
            if answer.status_code == 200:
                wanted = picture(seed).repeat(2, 0).repeat(2, 1)
                np.testing.assert_array_equal(decoded(answer.content)[1], wanted)
            else:
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        served_now = sum(answer.status_code == 200 for _, answer in answers)
        assert 8 <= served_now < 40
        # When all is over, all places are free again.
        for _ in range(9):
            assert post(address, encoded(picture())).status_code == 200


def test_what_takes_too_long_is_given_up_and_the_next_is_served():
    """The work itself ends: else the next would wait for half a minute."""
    setting = f"app.SECONDS = 2; {SMALL_PARTS}"
    with served(seconds=1, setting=setting) as address:
        begun = time.monotonic()
        answer = post(address, encoded(picture(height=1000, width=1000)))
        assert (answer.status_code, answer.json()["detail"]) == (504, "it took more than 2 s")
        assert post(address, encoded(picture())).status_code == 200
        assert time.monotonic() - begun < 12


def test_a_form_is_refused_with_what_to_send(service):
    answer = httpx.post(service, files={"file": ("a.png", encoded(picture()))}, timeout=60)
    assert answer.status_code == 415
    assert "the body is to be the picture itself" in answer.json()["detail"]


def test_its_health_is_told_while_it_works():
    with served(seconds=1, setting=SMALL_PARTS) as address, ThreadPoolExecutor(1) as pool:
        pool.submit(gives_up, address, seconds=4)
        time.sleep(1)
        answer = httpx.get(address.replace("/upscale", "/health"), timeout=2)
        assert (answer.status_code, answer.json()) == (200, "ok")


def connected(address):
    host, port = address.removeprefix("http://").removesuffix("/upscale").split(":")
    return socket.create_connection((host, int(port)), timeout=30)


def test_connections_on_which_nothing_comes_do_not_make_it_unhealthy(service):
    with contextlib.ExitStack() as opened:
        for _ in range(70):
            opened.enter_context(connected(service))
        answer = httpx.get(service.replace("/upscale", "/health"), timeout=5)
        assert (answer.status_code, answer.json()) == (200, "ok")


def test_who_sends_slowly_does_not_keep_a_place():
    with served(setting="app.SENDING = 1") as address, contextlib.ExitStack() as opened:
        slow = [opened.enter_context(connected(address)) for _ in range(8)]
        head = b"POST /upscale HTTP/1.1\r\nHost: here\r\nContent-Length: 5000\r\n\r\n"
        for client in slow:
            client.sendall(head + bytes(500))
        for client in slow:
            assert client.recv(30).startswith(b"HTTP/1.1 408 ")
        assert post(address, encoded(picture())).status_code == 200


def test_who_leaves_is_no_longer_worked_for():
    """Nor those who left while they waited: the next is served at once, not after minutes."""
    with served(seconds=1, setting=SMALL_PARTS) as address:
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda _: gives_up(address, seconds=2), range(3)))
        begun = time.monotonic()
        assert post(address, encoded(picture())).status_code == 200
        assert time.monotonic() - begun < 8


def test_a_stop_does_not_wait_for_the_work():
    with ThreadPoolExecutor(1) as pool:
        with served(seconds=1, setting=SMALL_PARTS) as address:
            answer = pool.submit(post, address, encoded(picture(height=1000, width=1000)))
            time.sleep(2)
            begun = time.monotonic()
        assert time.monotonic() - begun < 10
        assert answer.result().status_code == 503
        assert answer.result().json() == {"detail": "given up"}


def test_the_client_of_the_page_runs(service, tmp_path, monkeypatch):
    page = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(encoded(picture(), "JPEG"))
    exec(compile(block.replace("http://127.0.0.1:8000/upscale", service), "page", "exec"), {})
    assert decoded((tmp_path / "large.jpg").read_bytes())[1].shape == (24, 32, 3)
