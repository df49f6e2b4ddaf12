"""Pictures from URLs and to them."""

import io
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from images import noise
from PIL import Image as PILImage
from test_bytes import PROFILE, encoded, same

import srkit
from srkit.errors import (
    CorruptFileError,
    ImageError,
    ImageTooLargeError,
    MissingDependencyError,
    OptionError,
)
from srkit.imaging.files import remote
from srkit.imaging.metadata import Metadata

fsspec = pytest.importorskip("fsspec")
from fsspec.implementations.memory import MemoryFileSystem  # noqa: E402  an extra


class Server(MemoryFileSystem):
    """Where files appear as they are written, and which can fail in the middle of one."""

    protocol = "srkit-test-server"
    root_marker = ""
    store: dict = {}  # noqa: RUF012  as its parent has it
    pseudo_dirs = [""]  # noqa: RUF012
    fails = None

    def pipe_file(self, path, value, **options):
        half = value[: len(value) // 2] if Server.fails else value
        super().pipe_file(path, half, **options)
        if Server.fails:
            raise Server.fails

    def mv(self, source, target, **options):
        self.store[self._strip_protocol(target)] = self.store.pop(self._strip_protocol(source))


@pytest.fixture
def memory():
    system = fsspec.filesystem("memory")
    yield system
    for store in (MemoryFileSystem, Server):
        store.store.clear()
        store.pseudo_dirs[:] = [""]
    Server.fails = None


@pytest.fixture
def server(memory):
    fsspec.register_implementation(Server.protocol, Server, clobber=True)
    return Server()


IMAGE = srkit.Image(noise((6, 8, 3)))
PNG = Metadata("RGB", format="PNG")


# --- reading ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["png", "jpg", "tif", "webp"])
def test_what_a_url_gives_is_what_the_path_gives(tmp_path, memory, kind):
    data = encoded(kind)
    (tmp_path / f"a.{kind}").write_bytes(data)
    memory.pipe_file(f"/photos/a.{kind}", data)
    wanted = srkit.read_image(tmp_path / f"a.{kind}")
    assert wanted.metadata.icc == PROFILE
    same(srkit.read_image(f"memory://photos/a.{kind}"), wanted)
    same(srkit.read_image((tmp_path / f"a.{kind}").as_uri()), wanted)
    model = srkit.load("nearest", scale=2)
    same(model.upscale(f"memory://photos/a.{kind}"), model.upscale(tmp_path / f"a.{kind}"))


def test_limits_hold_for_urls_too(memory):
    memory.pipe_file("/a.bmp", encoded("bmp"))
    with pytest.raises(ImageTooLargeError, match=r"^memory://a\.bmp: .* more than the limit of 9"):
        srkit.read_image("memory://a.bmp", max_pixels=9)


def test_what_cannot_be_read_is_told(memory):
    memory.pipe_file("/photos/a.png", b"no picture")
    memory.pipe_file("/photos/b.png", encoded("png")[:300])
    for url, kind, told in [
        ("memory://photos/c.png", FileNotFoundError, r"No such file or directory: 'memory://ph"),
        ("memory://photos", ImageError, "memory://photos is a folder: download it"),
        ("memory://photos/a.png", ImageError, r"memory://photos/a\.png: not an image"),
        ("memory://photos/b.png", CorruptFileError, r"memory://photos/b\.png: the PNG file is tr"),
        ("no-such-kind://a.png", OptionError, "is no place that fsspec knows"),
    ]:
        with pytest.raises(kind, match=told):
            srkit.read_image(url)


def test_a_network_that_fails_is_an_oserror_of_the_url(server, monkeypatch):
    failures = []

    def fails(*args, **options):
        raise failures[-1]

    monkeypatch.setattr(Server, "_open", fails)
    url = "srkit-test-server://me:secret@a.png?signature=secret"
    for failure, kind in [
        (RuntimeError("the bucket is gone"), OSError),
        (RuntimeError("403, url='https://me:secret@host/a.png?sig=secret'"), OSError),
        (PermissionError(13, "denied"), PermissionError),
        (TimeoutError("too late"), OSError),
    ]:
        failures.append(failure)
        with pytest.raises(kind, match="cannot be read") as caught:
            srkit.read_image(url)
        assert caught.value.filename == "srkit-test-server://a.png"
        assert "secret" not in str(caught.value)


class Silent(BaseHTTPRequestHandler):
    """Takes what is asked and says nothing, or nothing more."""

    def do_HEAD(self):
        if "half" in self.path:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
        else:
            self.server.over.wait()

    def do_GET(self):
        self.do_HEAD()
        self.wfile.write(encoded("png")[:300])
        self.server.over.wait()

    def log_message(self, *_):
        """Be quiet."""


@pytest.fixture
def silent(monkeypatch):
    """Address of a server that never answers, or stops in the middle."""
    pytest.importorskip("aiohttp")
    monkeypatch.setattr(remote, "PATIENCE", 0.3)
    with ThreadingHTTPServer(("127.0.0.1", 0), Silent) as http:
        http.daemon_threads, http.over = True, threading.Event()
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.over.set()
        http.shutdown()


@pytest.mark.parametrize("name", ["a.png", "half.png"])
def test_a_server_that_does_not_answer_is_given_up(silent, name):
    begun = time.monotonic()
    for read in (srkit.read_image, srkit.load("nearest", scale=2).upscale):
        with pytest.raises(TimeoutError, match="its server does not answer") as caught:
            read(f"{silent}/{name}?signature=secret")
        assert caught.value.filename == f"{silent}/{name}"
    assert time.monotonic() - begun < 30


def test_how_long_to_wait_is_fsspecs_setting_where_it_is_set(silent, monkeypatch):
    import aiohttp

    monkeypatch.setattr(remote, "PATIENCE", 60)
    own = {"timeout": aiohttp.ClientTimeout(total=0.3)}
    monkeypatch.setitem(fsspec.config.conf, "http", {"client_kwargs": own})
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        srkit.read_image(f"{silent}/a.png")
    assert time.monotonic() - begun < 30


def test_a_url_of_a_file_is_what_python_makes_of_its_path(tmp_path):
    """Where a blank is %20, and so on."""
    for name in ("a b.png", "ä#?.png", "100%.png", "100%25.png"):
        url = (tmp_path / name).as_uri()
        IMAGE.save(url)
        assert (tmp_path / name).is_file()
        same(srkit.read_image(url), srkit.read_image(tmp_path / name))
    assert len(list(tmp_path.iterdir())) == 4


def test_passwords_and_signatures_are_not_shown():
    assert remote.shown("https://me:pass@host/a@b.png?X-Signature=1&b=2") == "https://host/a@b.png"
    assert remote.shown("https://host/a b.png?a='b'") == "https://host/a b.png"
    assert remote.shown("s3://bucket/a.png") == "s3://bucket/a.png"


WITHOUT = """
import sys
sys.modules.update(dict.fromkeys(("fsspec", "fsspec.core")))
import numpy, srkit
for call in (
    lambda: srkit.read_image("s3://bucket/a.png"),
    lambda: srkit.upscale("https://example.org/a.png", "nearest", scale=2),
    lambda: srkit.Image(numpy.zeros((2, 2), "uint8")).save("memory://a.png"),
):
    try:
        call()
    except srkit.MissingDependencyError as error:
        print(error)
"""


def test_without_fsspec_the_error_has_the_line_that_installs_it():
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        f'{url}: URLs need fsspec, which is not installed: pip install "srkit[remote]"'
        for url in ("s3://bucket/a.png", "https://example.org/a.png", "memory://a.png")
    ]


def test_what_a_kind_of_url_needs_is_told(memory):
    fsspec.register_implementation("srkit-lacks", "no_such_package.Files", errtxt="Install it")
    with pytest.raises(MissingDependencyError, match=r"^srkit-lacks://a\.png: Install it$"):
        srkit.read_image("srkit-lacks://a.png")


# --- writing ----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_what_is_written_to_a_url_is_the_file_that_a_path_gets(tmp_path, memory, suffix):
    image = srkit.read_image(encoded(suffix))
    image.save(tmp_path / f"a.{suffix}")
    image.save(f"memory://out/a.{suffix}")
    image.save((tmp_path / f"b.{suffix}").as_uri())
    image.save("memory://out/a", format=suffix)
    wanted = (tmp_path / f"a.{suffix}").read_bytes()
    assert memory.cat_file(f"/out/a.{suffix}") == wanted
    assert memory.cat_file("/out/a") == wanted
    assert (tmp_path / f"b.{suffix}").read_bytes() == wanted


def test_a_store_of_zarr_takes_a_path_or_its_url(tmp_path, memory):
    pytest.importorskip("zarr")
    IMAGE.save((tmp_path / "a.zarr").as_uri())
    same(srkit.read_image((tmp_path / "a.zarr").as_uri()), srkit.read_image(tmp_path / "a.zarr"))
    with pytest.raises(ImageError, match="Zarr is written as a folder: name a path, not memory"):
        IMAGE.save("memory://a.zarr")
    assert not memory.store


def test_what_cannot_be_written_leaves_what_was_there(tmp_path, memory, monkeypatch):
    def fails(self, file, *args, **options):
        file.write(b"half")
        raise ValueError("no more")

    (tmp_path / "a.jpg").write_bytes(b"old")
    memory.pipe_file("/a.jpg", b"old")
    monkeypatch.setattr(PILImage.Image, "save", fails)
    for url in ("memory://a.jpg", (tmp_path / "a.jpg").as_uri()):
        with pytest.raises(ImageError, match="no more"):
            IMAGE.save(url)
    with pytest.raises(ImageError, match="cannot tell the format from the name 'a'"):
        IMAGE.save("memory://out/a")
    assert memory.cat_file("/a.jpg") == b"old"
    assert (tmp_path / "a.jpg").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]
    assert list(memory.store) == ["/a.jpg"]


@pytest.mark.parametrize(
    "failure", [ConnectionResetError(104, "reset"), NotImplementedError(), KeyboardInterrupt()]
)
def test_a_server_that_fails_in_the_middle_keeps_what_was_there(server, failure):
    url = "srkit-test-server://out/a.png"
    IMAGE.save(url)
    (before,) = server.store.items()
    Server.fails = failure
    kind = KeyboardInterrupt if isinstance(failure, KeyboardInterrupt) else OSError
    with pytest.raises(kind):
        srkit.Image(noise((60, 80, 3))).save(url)
    assert list(server.store.items()) == [before]
    Server.fails = None
    srkit.Image(IMAGE.pixels[::-1]).save(url)
    assert len(server.store) == 1
    np.testing.assert_array_equal(srkit.read_image(url).pixels, IMAGE.pixels[::-1])


def test_a_server_takes_what_is_put_to_a_signed_address():
    """As object stores sign an address for one upload: its format is that of the name in it."""
    pytest.importorskip("aiohttp")
    put = {}

    class Store(BaseHTTPRequestHandler):
        def do_PUT(self):
            put[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200 if "refused" not in self.path else 403)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            """Be quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Store) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{http.server_port}"
        IMAGE.save(f"{address}/a.png?signature=secret")
        with pytest.raises(OSError, match=r"cannot be written: .*403") as caught:
            IMAGE.save(f"{address}/refused.png?signature=secret")
        http.shutdown()
    assert "secret" not in str(caught.value)
    assert list(put) == ["/a.png?signature=secret", "/refused.png?signature=secret"]
    same(srkit.read_image(put["/a.png?signature=secret"]), srkit.Image(IMAGE.pixels, PNG))


def test_a_file_of_fsspec_is_an_open_file(memory):
    with fsspec.open("memory://a.png", "wb") as file:
        IMAGE.save(file, format="png")
    with fsspec.open("memory://a.png", "rb") as file:
        np.testing.assert_array_equal(srkit.read_image(file).pixels, IMAGE.pixels)
    kept = io.BytesIO(memory.cat_file("/a.png"))
    np.testing.assert_array_equal(srkit.read_image(kept).pixels, IMAGE.pixels)
