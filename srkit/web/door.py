"""Who is let in at the page's door, and how much is taken in.

Any web page that somebody has open can send requests to this machine: under a name of its own
that it lets point here (DNS rebinding), or as forms and scripts of another site. Browsers say
where a request comes from, and under which name it was sent; programs of this machine say
nothing, and are let in.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# The highest port that there is.
MOST_PORT = 65_535
# What a file takes on the disk at least, so that many small ones count, too.
_BLOCK = 65_536
# Bytes of a request that is no upload.
_MOST_ASKED = 1_000_000
_OTHER_SITE = "srkit: requests of other sites are not answered"
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class Door:
    """An ASGI application that lets to another what may come in.

    Parameters
    ----------
    app
        The application behind it.
    host
        Where the page listens. At an address of this machine alone it is known by that and by
        "localhost", else by any address, and by this machine's name.
    uploads
        End of the address at which files are sent.
    quota
        How much may lie there.
    largest
        Bytes of an upload that the application refuses by itself, when they have come.
    seconds
        After which an upload that is not whole is ended.
    """

    def __init__(
        self, app: App, *, host: str, uploads: str, quota: Quota, largest: int, seconds: float
    ) -> None:
        self._app, self._names, self._open = app, _names(host), not _is_local(host)
        self._uploads, self._quota = uploads, quota
        self._largest, self._seconds = largest, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
        elif told := self._stranger(scope):
            await _refuse(scope, send, 403, told)
        elif scope["type"] == "http" and _is_upload(scope, self._uploads):
            await self._take(scope, receive, send)
        elif scope["type"] == "http":
            await self._ask(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _stranger(self, scope: Scope) -> str:
        """Why a request is not let in; empty if it is."""
        headers = {
            key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]
        }
        host = headers.get("host", "")
        if not self._is_known(host):
            return f"srkit: this page is not known as {host!r}; use the address that serve wrote"
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        if origin is not None:
            place = _place(origin)
            same = place is not None and place == _place(f"{urlsplit(origin).scheme}://{host}")
            return "" if same else _OTHER_SITE
        # A link that leads here is a request of another site, too.
        visits = scope.get("method") == "GET" and headers.get("sec-fetch-mode") == "navigate"
        if site in ("same-origin", "none") or visits:
            return ""
        return _OTHER_SITE

    def _is_known(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:
            return False
        # Whoever lets a name point here has no address that is one of ours.
        return name in self._names or (self._open and _is_address(name))

    async def _take(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an upload on, as long as there is room and time."""
        with Reservation(self._quota) as room:
            passage = _Passage(receive, send, room.add)
            try:
                room.add(min(_stated_length(scope), self._largest), ahead=True)
                async with asyncio.timeout(self._seconds):
                    await self._app(scope, passage.receive, passage.send)
            except QuotaError:
                passage.full = True
            except TimeoutError:
                if not passage.answered:
                    await _refuse(scope, send, 408, "srkit: the upload took too long")
                return
        if passage.full and not passage.answered:
            told = "srkit: there is no room for more photos; try again later"
            await _refuse(scope, send, 507, told)

    async def _ask(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request that is no upload, as long as it is short."""
        came = 0

        def take(size: int) -> None:
            nonlocal came
            came += size
            if came > _MOST_ASKED:
                raise QuotaError

        passage = _Passage(receive, send, take)
        try:
            if _stated_length(scope) > _MOST_ASKED:
                raise QuotaError
            await self._app(scope, passage.receive, passage.send)
        except QuotaError:
            passage.full = True
        if passage.full and not passage.answered:
            await _refuse(scope, send, 413, "srkit: this request is too long")


class _Passage:
    """A request on its way to the application, whose bytes are counted by `take`.

    Of one that is cut off the application says what it makes of that, which is not the reason; so
    it is not heard any more.
    """

    def __init__(self, receive: Receive, send: Send, take: Callable[[int], None]) -> None:
        self._receive, self._send, self._take = receive, send, take
        self.full = self.answered = False

    async def receive(self) -> MutableMapping[str, Any]:
        message = await self._receive()
        try:
            self._take(len(message.get("body", b"")))
        except QuotaError:
            self.full = True
            raise
        return message

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if self.answered or not self.full:
            self.answered = True
            await self._send(message)


class QuotaError(Exception):
    """There is no room for what is sent."""


class Quota:
    """How much may lie in a folder, what is on its way included.

    Parameters
    ----------
    folder
        Where it lies, at any depth.
    most
        Bytes.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> quota = Quota(folder, 100_000)
    >>> _ = (folder / "photo.png").write_bytes(bytes(70_000))
    >>> quota.free
    30000
    """

    def __init__(self, folder: Path, most: int) -> None:
        self._folder, self._most = folder, most
        self.coming = 0

    @property
    def free(self) -> int:
        """Bytes that may still come; below zero where results took more."""
        used = 0
        for path in self._folder.rglob("*"):
            try:
                if path.is_file():
                    used += max(_BLOCK, path.stat().st_size)
            except OSError:  # deleted at this moment
                continue
        return self._most - used - self.coming


class Reservation:
    """Room for one upload, until it is over: then it lies in the folder, or nowhere.

    Parameters
    ----------
    quota
        Whose room it is.
    """

    def __init__(self, quota: Quota) -> None:
        self._quota, self._held, self._came = quota, 0, 0

    def __enter__(self) -> Reservation:
        self._hold(_BLOCK)
        return self

    def __exit__(self, *_: object) -> None:
        self._quota.coming -= self._held

    def add(self, size: int, *, ahead: bool = False) -> None:
        """Hold room for bytes that came, or are told of ahead.

        Raises
        ------
        QuotaError
            If there is none.
        """
        self._came += 0 if ahead else size
        self._hold((size if ahead else self._came) - self._held)

    def _hold(self, more: int) -> None:
        if more <= 0:
            return
        if more > self._quota.free:
            raise QuotaError
        self._held += more
        self._quota.coming += more


def _is_upload(scope: Scope, end: str) -> bool:
    return scope.get("method") == "POST" and str(scope["path"]).rstrip("/").endswith(end)


def _stated_length(scope: Scope) -> int:
    stated = dict(scope["headers"]).get(b"content-length", b"0")
    return int(stated) if stated.isdigit() else 0


def _place(url: str) -> tuple[str, int] | None:
    """Name and port of an address; None of what is none, such as ``null``."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.hostname, port) if parts.hostname and port else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_local(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _names(host: str) -> frozenset[str]:
    """What the page may be called."""
    names = {host.lower(), "localhost", "127.0.0.1", "::1"}
    if not _is_local(host):
        own = socket.gethostname().lower()
        names |= {own, f"{own.split('.')[0]}.local"}
    return frozenset(names)


async def _refuse(scope: Scope, send: Send, status: int, told: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": told})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": told.encode()})
