"""Who is let in by ``srkit serve``, how much is taken in, and how long a job may take."""

import itertools
import socket
import time

import pytest

pytest.importorskip("gradio", reason="needs pip install 'srkit[web]'")

from serving import API, PHOTO, WEB, encoded, finish, run, served, start, upload

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
@pytest.mark.parametrize("path", ["/", f"{API}/info"])
def test_it_answers_to_no_name_that_somebody_lets_point_here(address, name, path):
    answer = asked(address, {"Host": of(address, name)}, path=path)
    assert answer.status_code == 403
    assert "gradio" not in answer.text


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
    files = {"files": ("photo.png", encoded(PHOTO))}
    sent = asked(address, headers, "POST", f"{API}/upload", files=files)
    assert sent.status_code == 403
    job = {"data": [None, "x4", ["nearest"]]}
    assert asked(address, headers, "POST", f"{API}/call/compare", json=job).status_code == 403


def test_the_page_itself_and_links_to_it_are_answered(address):
    own = {"Origin": address, "Sec-Fetch-Site": "same-origin"}
    files = {"files": ("photo.png", encoded(PHOTO))}
    assert asked(address, own, "POST", f"{API}/upload", files=files).status_code == 200
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
    with served(tmp_path, setting="web.MOST_KEPT = 3_000_000") as address:
        sizes = []
        for number in range(9):
            content = bytes([number]) * 1_000_000
            files = {"files": ("photo.png", content)}
            answer = WEB.post(f"{address}{API}/upload", files=files)
            sizes.append(answer.status_code)
        assert 200 in sizes
        assert sizes[-1] == 507
        # What is not told ahead is counted as it comes.
        head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        parts = itertools.chain([head], (bytes(100_000) for _ in range(40)), [b"\r\n--x--\r\n"])
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        answer = WEB.post(f"{address}{API}/upload", content=parts, headers=kind)
        assert answer.status_code == 507
        lying = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
        assert lying <= 3_000_000


def test_an_upload_that_does_not_end_is_ended(tmp_path):
    def slowly():
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        for _ in range(60):
            time.sleep(1)
            yield b"a"

    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    with served(tmp_path, setting="web.UPLOAD_SECONDS = 3") as address:
        began = time.monotonic()
        answer = WEB.post(f"{address}{API}/upload", content=slowly(), headers=kind)
        assert answer.status_code == 408
        assert time.monotonic() - began < 90


def test_other_requests_are_short(address):
    long = {"data": ["a" * 2_000_000]}
    assert WEB.post(f"{address}{API}/call/compare", json=long).status_code == 413


def test_other_requests_are_short_also_where_their_length_is_not_stated(address):
    def pieces():
        yield b'{"data": ["'
        for _ in range(40):
            yield b"a" * 50_000
        yield b'"]}'

    kind = {"Content-Type": "application/json"}
    answer = WEB.post(f"{address}{API}/call/compare", content=pieces(), headers=kind)
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
        good = start(address, photo, ["nearest"])
        event, told = finish(address, endless)
        assert event == "error"
        assert "longer than" in str(told)
        event, told = finish(address, deadly)
        assert event == "error"
        assert "was ended" in str(told)
        assert finish(address, good)[0] == "complete"
        assert run(address, photo, ["nearest"])[0] == "complete"
