"""Files that have a URL: object stores and servers, by fsspec."""

from __future__ import annotations

import errno
import os
import posixpath
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO
from urllib.request import url2pathname

from srkit.errors import ImageError, MissingDependencyError, OptionError, SrkitError
from srkit.extras import missing_extra

# Where a file that is being written is not seen until it is whole.
_OBJECTS = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "memory", "http", "https")

# Seconds in which a server has to take a connection, and to send something. fsspec asks twice for
# a file's size, so it is given up after twice as long.
PATIENCE = 30
_WEB = "http", "https"
_FILE = "file://"


def is_url(place: str | os.PathLike[str]) -> bool:
    """Whether a place is named by a URL.

    Examples
    --------
    >>> is_url("s3://bucket/photos"), is_url("photos/a.jpg")
    (True, False)
    """
    return "://" in os.fspath(place)


def shown(url: str) -> str:
    """A URL as messages and logs show it: without what may be a password or a signature.

    Examples
    --------
    >>> shown("https://me:secret@example.org/a.png?signature=abc")
    'https://example.org/a.png'
    """
    return _discreet(url.partition("?")[0])


def _discreet(text: str) -> str:
    """A text, with the URLs in it as `shown`."""
    return re.sub(r"(://)(?:[^/@\s]*@)?([^\s'\"?]*)(?:\?[^\s'\"]*)?", r"\1\2", text)


def filesystem(place: str) -> tuple[Any, str]:
    """The file system of a path or URL, and the path in it.

    Raises
    ------
    MissingDependencyError
        If fsspec, or the package for this kind of URL, is not installed.
    OptionError
        If there is no such kind.
    """
    try:
        from fsspec.core import url_to_fs
    except ModuleNotFoundError as error:
        need = f"{shown(place)}: URLs need fsspec, which is not installed"
        raise missing_extra(need, "remote") from error
    try:
        system, path = url_to_fs(place, **_patient(place))
    except ImportError as error:
        raise MissingDependencyError(f"{shown(place)}: {error}") from error
    except ValueError as error:
        raise OptionError(f"{shown(place)} is no place that fsspec knows: {error}") from error
    return system, path


def _patient(place: str) -> dict[str, Any]:
    """What fsspec is to be told of a web server: how long to wait, where its user does not say."""
    kind = place.rpartition("::")[2].partition("://")[0]
    if kind not in _WEB:
        return {}
    try:
        from aiohttp import ClientTimeout
        from fsspec.config import conf
    except ImportError:  # as fsspec tells
        return {}
    timeout = ClientTimeout(total=None, sock_connect=PATIENCE, sock_read=PATIENCE)
    told = [conf.get(web, {}).get("client_kwargs", {}) for web in _WEB]
    return {kind: {"client_kwargs": {"timeout": timeout} | told[0] | told[1]}}


def without_scheme(text: str) -> str:
    """The path that a URL such as ``file:///photos/a%20b.png`` stands for; all else as it is.

    Examples
    --------
    >>> without_scheme("file:///photos/a%20b.png"), without_scheme("s3://photos/a%20b.png")
    ('/photos/a b.png', 's3://photos/a%20b.png')
    """
    return url2pathname(text.removeprefix(_FILE)) if text.startswith(f"{_FILE}/") else text


def local_path(url: str) -> str | None:
    """The path that a URL such as ``file:///photos/a.png`` stands for; None for all others.

    Raises
    ------
    MissingDependencyError, OptionError
        As `filesystem`.
    """
    if (path := without_scheme(url)) != url:  # without fsspec, too
        return path
    system, path = filesystem(url)
    return path if "file" in _protocols(system) else None


@contextmanager
def opened(url: str) -> Iterator[BinaryIO]:
    """The bytes of a URL, from the first on; errors name it.

    Raises
    ------
    ImageError
        If it is a folder.
    OSError
        If it cannot be read, for whatever reason.
    MissingDependencyError, OptionError
        As `filesystem`.
    """
    system, path = filesystem(url)
    with _naming(url, "read"):
        try:
            file = system.open(path, "rb")
        except OSError:
            if not system.isdir(path):
                raise
            file = None
        if file is None:
            raise ImageError(f"{shown(url)} is a folder: download it, and name its path")
        with file:
            yield file


def exists(url: str) -> bool:
    """Whether there is something at a URL.

    Raises
    ------
    OSError
        If it cannot be found out.
    MissingDependencyError, OptionError
        As `filesystem`.
    """
    system, path = filesystem(url)
    with _naming(url, "looked for"):
        return bool(system.exists(path))


def write(url: str, data: bytes) -> None:
    """Write a file, which appears whole or not at all.

    Raises
    ------
    OSError
        If it cannot be written, for whatever reason; what was there then stays as it was.
    MissingDependencyError, OptionError
        As `filesystem`.
    """
    system, path = filesystem(url)
    with _naming(url, "written"), placed(system, path) as part:
        system.pipe_file(part, data)


@contextmanager
def placed(system: Any, path: str) -> Iterator[str]:
    """Where to write a file of a file system, so that it appears whole under its name."""
    if any(kind in _OBJECTS for kind in _protocols(system)):
        yield path
        return
    part = posixpath.join(posixpath.dirname(path), f".srkit-{os.urandom(8).hex()}.tmp")
    try:
        yield part
        system.mv(part, path)
    except BaseException:
        if system.exists(part):
            system.rm_file(part)
        raise


def _protocols(system: Any) -> tuple[str, ...]:
    kinds = system.protocol
    return (kinds,) if isinstance(kinds, str) else tuple(kinds)


@contextmanager
def _naming(url: str, done: str) -> Iterator[None]:
    """Make an `OSError` that names the URL of whatever a file system raises."""
    try:
        yield
    except (SrkitError, MemoryError):
        raise
    except FileNotFoundError as error:
        if isinstance(error.__cause__, TimeoutError):
            raise _late(url, done) from error
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), shown(url)) from error
    except TimeoutError as error:
        raise _late(url, done) from error
    except NotImplementedError as error:
        raise OSError(errno.ENOTSUP, f"cannot be {done}", shown(url)) from error
    except Exception as error:
        number = getattr(error, "errno", None) or errno.EIO
        told = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        # Of a number Python makes the kind of error that paths have: PermissionError and so on.
        raise OSError(number, f"cannot be {done}: {_discreet(told)}", shown(url)) from error


def _late(url: str, done: str) -> TimeoutError:
    told = f"cannot be {done}: its server does not answer"
    return TimeoutError(errno.ETIMEDOUT, told, shown(url))
