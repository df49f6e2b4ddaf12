"""A page on this machine: choose a photo and a model, see before and after, download.

Needs ``pip install "srkit[web]"``.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import uvicorn

from srkit.errors import OptionError
from srkit.upscaling.upscaler import Upscaler
from srkit.web.desk import Desk
from srkit.web.door import MOST_PORT, Door, Quota
from srkit.web.kinds import SCALES, named, offered
from srkit.web.site import UPLOADS, Bounds, Site

__all__ = ["SCALES", "offered", "serving"]

MAX_BYTES = 20_000_000  # of an upload
MAX_PIXELS = 2_000_000  # that are upscaled at once: at x4 the result has 32 megapixels
MAX_READ = 40_000_000  # pixels of a photo, of which a part is upscaled
MOST_KEPT = 1_000_000_000  # bytes of all photos and results; beyond, no more are taken
UPLOAD_SECONDS = 300  # for an upload
JOB_SECONDS = 1800  # for a job
MOST_WAITING = 10  # jobs in the queue
KEPT = 1800  # seconds that a photo and its results can be downloaded
# Hosts that stand for all addresses of this machine, each with one of documentation elsewhere.
_ANYWHERE = {"0.0.0.0": "192.0.2.1", "::": "2001:db8::1"}  # noqa: S104, nothing listens by it


@contextlib.contextmanager
def serving(
    host: str = "127.0.0.1",
    port: int = 7860,
    *,
    models: Sequence[Upscaler] = (),
    first: Sequence[str] = (),
    kept: int = KEPT,
) -> Iterator[str]:
    """Serve the page while the block runs.

    Parameters
    ----------
    host
        Address to listen at; the default is seen by this machine alone. Requests that other
        sites send, or that come under a name that is not this machine's, are refused.
    port
        Where; no other is taken in its place. 0 takes one that is free.
    models
        Loaded or wrapped ones that the page offers first, under their names. A job with one of
        them is done in this process.
    first
        Names of models that come along, which are offered first, too.
    kept
        Seconds after which photos and results are deleted. All are at the end.

    Yields
    ------
    str
        The page's address; where it listens at all of them, that of this machine in its network.

    Raises
    ------
    OptionError
        If the port is taken, or cannot be listened at; or two models have one name.

    Examples
    --------
    ::

        with serving(port=8000) as address:
            webbrowser.open(address)
            input("Enter ends it")
    """
    own = named(models)
    listening = _listening(host, port)
    with listening, TemporaryDirectory(prefix="srkit-web-") as name:
        folder = Path(name)
        desk = Desk(most=MOST_WAITING, seconds=JOB_SECONDS, own=own)
        quota = Quota(folder, MOST_KEPT)
        bounds = Bounds(MAX_BYTES, MAX_READ, MAX_PIXELS)
        site = Site(folder, desk, bounds=bounds, quota=quota, kept=kept, own=own, first=first)
        door = Door(
            site.app(),
            host=host,
            uploads=UPLOADS,
            quota=quota,
            largest=2 * MAX_BYTES,
            seconds=UPLOAD_SECONDS,
        )
        end = threading.Event()
        sweeper = threading.Thread(target=_sweep, args=(folder, kept, end, site, desk), daemon=True)
        try:
            with _running(door, listening):
                sweeper.start()
                yield _address(host, listening.getsockname()[1])
        finally:
            end.set()
            desk.close()


def _address(host: str, port: int) -> str:
    """Where the page is to be opened.

    Examples
    --------
    >>> _address("127.0.0.1", 8000), _address("::1", 8000)
    ('http://127.0.0.1:8000/', 'http://[::1]:8000/')
    """
    if host in _ANYWHERE:
        host = _of_this_machine(_ANYWHERE[host])
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def _of_this_machine(elsewhere: str) -> str:
    """The address that others in the network have for this machine."""
    family = socket.AF_INET6 if ":" in elsewhere else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as asked:
            # A datagram's connection sends nothing; it chooses the address to send from.
            asked.connect((elsewhere, 9))
            return str(asked.getsockname()[0])
    except OSError:  # in no network
        return "::1" if ":" in elsewhere else "127.0.0.1"


def _listening(host: str, port: int) -> socket.socket:
    if not 0 <= port <= MOST_PORT:  # others are taken modulo 65536
        raise OptionError(f"port is a number from 0 to {MOST_PORT}, not {port}")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        try:
            # A port that was left a moment ago is free; on Windows this would share one in use.
            if hasattr(socket, "AF_UNIX"):
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen()
        except BaseException:
            listening.close()
            raise
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            other = port + 1 if port < MOST_PORT else 7861
            raise OptionError(
                f"the page cannot be served at {host}:{port}: another program has this port; "
                f"choose another one (--port {other})"
            ) from error
        raise OptionError(f"the page cannot be served at {host}:{port}: {error}") from error
    return listening


@contextlib.contextmanager
def _running(door: Door, listening: socket.socket) -> Iterator[None]:
    """Answer requests in a thread while the block runs."""
    config = uvicorn.Config(
        door,
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(30)


def _sweep(folder: Path, kept: int, end: threading.Event, site: Site, desk: Desk) -> None:
    """Delete what is older than `kept` seconds, until the end."""
    while not end.wait(min(60, kept / 2)):
        desk.spare()
        for path in folder.rglob("*"):
            # It may be deleted at this moment; and a folder, while it is not empty, stays.
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_ctime > kept:
                    path.unlink() if path.is_file() else path.rmdir()
        site.forget()
        desk.forget(time.time() - kept)
