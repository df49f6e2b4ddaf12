"""Weights are found, downloaded once, and never used unless their checksum is right."""

import dataclasses
import hashlib
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from srkit.card import WeightsFile
from srkit.errors import MissingDependencyError, WeightsError
from srkit.models import weights
from srkit.models.weights import (
    absent,
    are_here,
    cache_folder,
    how_to_get,
    missing_distributions,
    weights_path,
)

CONTENT = bytes(range(256)) * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Answers(BaseHTTPRequestHandler):
    """``/whole`` gives the file; other paths go wrong in their own way."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked.append(self.path)
        self.close_connection = True
        if self.path == "/missing":
            self.send_error(404)
            return
        if self.path == "/hangup":
            return
        chunked = self.path == "/chunked"
        self.send_response(200)
        header = ("Transfer-Encoding", "chunked") if chunked else ("Content-Length", len(CONTENT))
        self.send_header(header[0], str(header[1]))
        self.end_headers()
        if chunked:
            # The last chunk, of length 0, never comes.
            self.wfile.write(b"%x\r\n" % len(CONTENT) + CONTENT[:1000])
        elif self.path == "/cut":
            self.wfile.write(CONTENT[:1000])
        else:
            self.wfile.write(CONTENT[::-1] if self.path == "/other" else CONTENT)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("SRKIT_CACHE", str(folder))
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return folder


def remote(server, path):
    source = f"http://127.0.0.1:{server.server_address[1]}{path}"
    return WeightsFile("net.safetensors", DIGEST, source)


# --- files that are there -----------------------------------------------------------------


@contextmanager
def packaged(folder, monkeypatch, content=CONTENT):
    monkeypatch.setattr(weights, "PACKAGED", folder)
    (folder / "net.safetensors").write_bytes(content)
    yield WeightsFile("net.safetensors", DIGEST)


def test_packaged_weights_are_found(tmp_path, monkeypatch):
    with packaged(tmp_path, monkeypatch) as file:
        assert weights_path(file) == tmp_path / "net.safetensors"


def test_a_users_own_file_is_found_by_its_path(tmp_path):
    (tmp_path / "mine.bin").write_bytes(CONTENT)
    file = WeightsFile("mine.bin", DIGEST, str(tmp_path / "mine.bin"))
    assert weights_path(file) == tmp_path / "mine.bin"


def test_a_wrong_checksum_is_refused_with_both(tmp_path, monkeypatch):
    with packaged(tmp_path, monkeypatch, CONTENT + b"!") as file:
        found = hashlib.sha256(CONTENT + b"!").hexdigest()
        with pytest.raises(WeightsError, match=f"SHA-256 {found}, not {DIGEST}"):
            weights_path(file)


def test_missing_weights_are_named(tmp_path, monkeypatch):
    with packaged(tmp_path, monkeypatch) as file:
        (tmp_path / "net.safetensors").unlink()
        with pytest.raises(WeightsError, match=r"net\.safetensors are missing"):
            weights_path(file)


def test_companions_are_verified_too(tmp_path, monkeypatch):
    with packaged(tmp_path, monkeypatch) as file:
        beside = WeightsFile("net.param", DIGEST)
        pair = dataclasses.replace(file, companions=(beside,))
        assert not are_here(pair)
        with pytest.raises(WeightsError, match=r"net\.param are missing"):
            weights_path(pair)
        (tmp_path / "net.param").write_bytes(CONTENT[::-1])
        assert are_here(pair)
        with pytest.raises(WeightsError, match=r"net\.param has SHA-256"):
            weights_path(pair)
        (tmp_path / "net.param").write_bytes(CONTENT)
        assert weights_path(pair) == tmp_path / "net.safetensors"


@pytest.mark.parametrize(
    ("source", "told"),
    [("packaged", "install srkit again"), ("{}/mine.bin", "put it at {}/mine.bin")],
)
def test_how_a_lost_file_is_got_back_is_told(tmp_path, monkeypatch, source, told):
    monkeypatch.setattr(weights, "PACKAGED", tmp_path)
    file = WeightsFile("mine.bin", DIGEST, source.format(tmp_path))
    assert absent([file]) == [file]
    assert how_to_get(file, "pip install theirs") == told.format(tmp_path)
    (tmp_path / "mine.bin").write_bytes(CONTENT)
    assert absent([file]) == []


# --- files of other distributions -----------------------------------------------------------


@pytest.fixture
def distribution(tmp_path, monkeypatch):
    """A distribution of weights that must not be imported, and what finds a file in it."""
    facts = tmp_path / "their_weights-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: their-weights\nVersion: 1.0\n")
    package = tmp_path / "their_weights"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('it was imported')")
    (package / "net.bin").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(tmp_path)
    return package


THEIRS = WeightsFile("their_weights/net.bin", DIGEST, "distribution:their-weights")


def test_weights_in_a_distribution_are_found_and_nothing_of_it_is_imported(distribution):
    assert weights_path(THEIRS) == distribution / "net.bin"
    assert are_here(THEIRS)
    assert missing_distributions([THEIRS]) == []


def test_other_weights_than_the_published_ones_are_not_used(distribution):
    (distribution / "net.bin").write_bytes(CONTENT + b"!")
    with pytest.raises(WeightsError, match=r"SHA-256.*install their-weights again"):
        weights_path(THEIRS)
    (distribution / "net.bin").unlink()
    with pytest.raises(WeightsError, match=r"net\.bin are missing; install their-weights again"):
        weights_path(THEIRS)


@pytest.mark.parametrize("inside", [".", "src"])
def test_weights_of_a_package_that_is_worked_in_are_found_in_its_folder(
    distribution, tmp_path, monkeypatch, inside
):
    """As `pip install -e` leaves it: what is known of the distribution lies elsewhere."""
    folder = tmp_path / "checkout" / inside
    folder.mkdir(parents=True)
    distribution.rename(folder / distribution.name)
    assert not are_here(THEIRS)
    monkeypatch.syspath_prepend(folder)
    origin = tmp_path / "their_weights-1.0.dist-info" / "direct_url.json"
    for text in ("{", "[]", '{"dir_info": {}}'):  # another package of that name is not the one
        origin.write_text(text)
        assert not are_here(THEIRS)
    origin.write_text('{"url": "file:///anywhere", "dir_info": {"editable": true}}')
    assert weights_path(THEIRS) == folder / "their_weights" / "net.bin"
    assert are_here(THEIRS)
    (folder / "their_weights" / "net.bin").unlink()
    with pytest.raises(WeightsError, match=r"checkout\S+net\.bin are missing; .*packed without"):
        weights_path(THEIRS)


def test_a_distribution_that_is_missing_is_named():
    assert missing_distributions([THEIRS, THEIRS]) == ["their-weights"]
    beside = WeightsFile("net.bin", DIGEST, companions=(THEIRS,))
    assert missing_distributions([beside]) == ["their-weights"]
    assert not are_here(THEIRS)
    with pytest.raises(MissingDependencyError, match=r"their-weights, which carries .*net\.bin"):
        weights_path(THEIRS)


# --- files that are downloaded ------------------------------------------------------------


def test_weights_are_downloaded_once_and_kept(server, cache):
    first = weights_path(remote(server, "/whole"))
    assert first.read_bytes() == CONTENT
    assert first.parent == cache
    assert weights_path(remote(server, "/whole")) == first
    assert server.asked == ["/whole"]
    assert list(cache.iterdir()) == [first]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/missing", "could not be downloaded .*404.*put the file at .*net.safetensors by hand"),
        ("/hangup", "could not be downloaded"),
        ("/chunked", "could not be downloaded"),
        ("/cut", f"gave a file with SHA-256 .* not {DIGEST}"),
        ("/other", f"gave a file with SHA-256 .* not {DIGEST}"),
    ],
)
def test_a_failed_download_leaves_nothing_and_can_be_tried_again(server, cache, path, message):
    with pytest.raises(WeightsError, match=message):
        weights_path(remote(server, path))
    assert list(cache.iterdir()) == []
    assert weights_path(remote(server, "/whole")).read_bytes() == CONTENT


def test_a_failed_download_names_all_files_that_are_wanted_and_a_way_meanwhile(server, cache):
    beside = dataclasses.replace(remote(server, "/chunked"), file="beside.bin")
    pair = dataclasses.replace(remote(server, "/missing"), companions=(beside,))
    put = r"put the file at \S+net.safetensors by hand; put \S+/chunked at \S+beside.bin, too"
    with pytest.raises(WeightsError, match=rf"{put}; or take .* no download, such as 'photo'"):
        weights_path(pair)


@pytest.mark.parametrize("spare", [0, 1])
def test_no_more_is_read_than_the_file_has(server, cache, spare):
    stated = dataclasses.replace(remote(server, "/whole"), size=len(CONTENT) + spare)
    assert weights_path(stated).read_bytes() == CONTENT
    stated = dataclasses.replace(remote(server, "/other"), size=len(CONTENT) - 1 - spare)
    weights_path(remote(server, "/whole")).unlink()
    with pytest.raises(WeightsError, match=f"gave more than {len(CONTENT) - 1 - spare} bytes"):
        weights_path(stated)
    assert list(cache.iterdir()) == []


def test_a_download_is_here_once_it_was_made(server, cache):
    file = remote(server, "/whole")
    beside = dataclasses.replace(remote(server, "/chunked"), file="beside.bin")
    pair = dataclasses.replace(file, companions=(beside,))
    assert not are_here(pair)
    assert server.asked == []
    with pytest.raises(WeightsError, match="chunked could not be downloaded"):
        weights_path(pair)
    assert are_here(file)
    assert not are_here(pair)
    weights_path(dataclasses.replace(beside, source=file.source))
    assert are_here(pair)


def test_no_server_is_a_weights_error(server, cache):
    gone = remote(server, "/whole")
    server.socket.close()
    with pytest.raises(WeightsError, match="could not be downloaded"):
        weights_path(gone)


def test_a_file_spoilt_in_the_cache_is_not_used(server, cache):
    file = weights_path(remote(server, "/whole"))
    file.write_bytes(b"spoilt")
    with pytest.raises(WeightsError, match="delete it and try again"):
        weights_path(remote(server, "/whole"))


def test_a_cache_that_cannot_be_written_says_what_to_do(server, cache):
    cache.write_text("a file where the folder should be")
    with pytest.raises(WeightsError, match="SRKIT_CACHE"):
        weights_path(remote(server, "/whole"))


def test_the_cache_is_the_users_unless_named(tmp_path, monkeypatch):
    monkeypatch.setenv("SRKIT_CACHE", str(tmp_path / "chosen"))
    assert cache_folder() == tmp_path / "chosen"
    monkeypatch.delenv("SRKIT_CACHE")
    for platform, variable, inside in (
        ("linux", "XDG_CACHE_HOME", "srkit"),
        ("win32", "LOCALAPPDATA", "srkit"),
        ("darwin", "HOME", "Library/Caches/srkit"),
    ):
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.setenv(variable, str(tmp_path))
        assert cache_folder() == tmp_path / inside
