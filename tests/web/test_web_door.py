"""Who is let in by ``srkit serve``, how much is taken in, and how long a job may take."""

import socket
import time

import numpy as np
import pytest

pytest.importorskip("starlette", reason="needs pip install 'srkit[web]'")

from serving import API, PHOTO, WEB, encoded, finish, run, send, served, start, upload

OTHER = "https://evil.example"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with served(tmp_path_factory.mktemp("web")) as address:
        yield address


def asked(address, headers, method="GET", path="/", **more):
    return WEB.request(method, f"{address}{path}", headers=headers, **more)


def of(address, name):
    """The address under another name."""
    return name.replace("PORT", address.rsplit(":", 1)[1])


@pytest.mark.parametrize("name", ["127.0.0.1:PORT", "localhost:PORT", "[::1]:PORT", "localhost:80"])
def test_the_page_answers_to_the_names_of_this_machine(address, name):
    assert asked(address, {"Host": of(address, name)}).status_code == 200


@pytest.mark.parametrize(
    "name",
    ["evil.example:PORT", "evil.example", "127.0.0.1.evil.example:PORT", "10.0.0.7:PORT", ""],
)
@pytest.mark.parametrize("path", ["/", f"{API}/menu"])
def test_it_answers_to_no_name_that_somebody_lets_point_here(address, name, path):
    answer = asked(address, {"Host": of(address, name)}, path=path)
    assert answer.status_code == 403
    assert "photo" not in answer.text.replace("page", "")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": OTHER},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Origin": "http://evil.example:PORT"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"},
    ],
)
def test_what_other_sites_send_is_refused(address, headers):
    headers = {key: of(address, value) for key, value in headers.items()}
    sent = asked(address, headers, "POST", f"{API}/upload", content=encoded(PHOTO))
    assert sent.status_code == 403
    job = {"photo": None, "scale": 4, "models": ["bilinear"]}
    assert asked(address, headers, "POST", f"{API}/jobs", json=job).status_code == 403
    end = f"{API}/jobs/{'a' * 22}/cancel"
    assert asked(address, headers, "POST", end).status_code == 403


def test_the_page_itself_and_links_to_it_are_answered(address):
    own = {"Origin": address, "Sec-Fetch-Site": "same-origin"}
    sent = asked(address, own, "POST", f"{API}/upload", content=encoded(PHOTO))
    assert sent.status_code == 200
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert asked(address, link).status_code == 200
    drawn = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert asked(address, drawn).status_code == 403


def test_in_a_network_addresses_are_known_and_names_of_others_are_not(tmp_path):
    with served(tmp_path, host="0.0.0.0") as address:
        address = f"http://127.0.0.1:{address.rsplit(':', 1)[1]}"
        for name in ("192.168.1.20:PORT", f"{socket.gethostname()}:PORT", "localhost:PORT"):
            assert asked(address, {"Host": of(address, name)}).status_code == 200
        assert asked(address, {"Host": of(address, "evil.example:PORT")}).status_code == 403
        same = {"Host": "192.168.1.20:1", "Origin": "http://192.168.1.20:1"}
        assert asked(address, same).status_code == 200
        assert asked(address, {**same, "Origin": OTHER}).status_code == 403


def test_uploads_in_all_are_bounded(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (500, 700, 3), np.uint8)  # 1 MB as PNG
    with served(tmp_path, setting="web.MOST_KEPT = 3_000_000") as address:
        sizes = [send(address, encoded(noise)).status_code for _ in range(5)]
        assert sizes[0] == 200
        assert sizes[-1] == 507
        # What is not told ahead is counted as it comes.
        answer = send(address, (bytes(100_000) for _ in range(40)))
        assert answer.status_code == 507
        lying = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
        assert 1_000_000 < lying <= 3_000_000


def test_an_upload_that_does_not_end_is_ended(tmp_path):
    def slowly():
        for _ in range(60):
            time.sleep(1)
            yield b"a"

    with served(tmp_path, setting="web.UPLOAD_SECONDS = 3") as address:
        began = time.monotonic()
        answer = send(address, slowly())
        assert answer.status_code == 408
        assert time.monotonic() - began < 90
        assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_other_requests_are_short(address):
    long = {"data": ["a" * 2_000_000]}
    assert WEB.post(f"{address}{API}/jobs", json=long).status_code == 413


def test_other_requests_are_short_also_where_their_length_is_not_stated(address):
    def pieces():
        yield b'{"data": ["'
        for _ in range(40):
            yield b"a" * 50_000
        yield b'"]}'

    kind = {"Content-Type": "application/json"}
    answer = WEB.post(f"{address}{API}/jobs", content=pieces(), headers=kind)
    assert answer.status_code == 413


SLEEPY = """
import time
import srkit

CARD = srkit.ModelCard(
    name="sleepy", summary="Never comes back.", adapter="sleepy:Sleepy", framework="numpy",
    scales=(4,), default_scale=4, licence="MIT", radius={4: 0},
)
DEADLY = srkit.ModelCard(
    name="deadly", summary="Ends its process.", adapter="sleepy:Deadly", framework="numpy",
    scales=(4,), default_scale=4, licence="MIT", radius={4: 0},
)

class Sleepy(srkit.Upscaler):
    def __init__(self, card, scale, weights=None):
        self.card, self.scale = card, scale

    def run(self, tiles):
        while True:
            time.sleep(1)

class Deadly(Sleepy):
    def run(self, tiles):
        import os
        os._exit(9)
"""


def plugin(folder):
    """A package on a path of its own, with models that misbehave."""
    facts = folder / "sleepy-1.dist-info"
    facts.mkdir()
    (folder / "sleepy.py").write_text(SLEEPY)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: sleepy\nVersion: 1\n")
    points = "[srkit.models]\nsleepy = sleepy:CARD\ndeadly = sleepy:DEADLY\n"
    (facts / "entry_points.txt").write_text(points)
    return folder


def test_no_job_holds_the_place_for_ever(tmp_path):
    paths = [plugin(tmp_path)]
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with served(temporary, setting="web.JOB_SECONDS = 20", paths=paths) as address:
        photo = upload(address, encoded(PHOTO))
        endless = start(address, photo, ["sleepy"])
        deadly = start(address, photo, ["deadly"])
        good = start(address, photo, ["bilinear"])
        event, told = finish(address, endless)
        assert event == "failed"
        assert "longer than" in str(told)
        event, told = finish(address, deadly)
        assert event == "failed"
        assert "was ended" in str(told)
        assert finish(address, good)[0] == "done"
        assert run(address, photo, ["bilinear"])[0] == "done"
