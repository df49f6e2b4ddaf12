"""The page of ``srkit serve``, and from Python with models of your own: `serve`.

Needs ``pip install "srkit[web]"``.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING

from srkit.extras import missing_extra

if TYPE_CHECKING:
    from srkit.upscaling.upscaler import Upscaler

__all__ = ["serve", "serving"]

log = logging.getLogger(__name__)


def serve(*models: Upscaler, host: str = "127.0.0.1", port: int = 7860) -> None:
    """Open the page in a browser and serve it, until Ctrl-C or SIGTERM.

    Parameters
    ----------
    *models
        Loaded or wrapped ones that the page offers first, beside all that are installed.
    host, port
        Where it listens; see `serving`, which does not wait and opens no browser.

    Raises
    ------
    MissingDependencyError
        Without ``srkit[web]``.
    OptionError
        If the port is taken, or two models have one name.

    Examples
    --------
    ::

        def fours(tiles):
            return tiles.repeat(2, axis=1).repeat(2, axis=2)


        srkit.web.serve(srkit.wrap(fours, scale=2))

    What is no model is refused before anything is opened:

    >>> serve("photo")  # doctest: +IGNORE_EXCEPTION_DETAIL +SKIP
    Traceback (most recent call last):
    srkit.errors.OptionError: a model is served, not str
    """
    with until_told(), serving(*models, host=host, port=port) as address:
        if not webbrowser.open(address):
            log.warning("open %s in a browser", address)
        wait()


@contextmanager
def until_told() -> Iterator[None]:
    """Run a ``with`` block until Ctrl-C or SIGTERM: both leave it, so that it can tidy up.

    Examples
    --------
    >>> with until_told():
    ...     signal.raise_signal(signal.SIGTERM)
    """
    if threading.current_thread() is not threading.main_thread():  # which alone has signals
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with suppress(KeyboardInterrupt):
            yield
    finally:
        signal.signal(signal.SIGTERM, before)


def wait() -> None:
    """Wait for a signal. On Windows Ctrl-C wakes who sleeps, and nobody who waits for an event."""
    while True:
        time.sleep(3600)


def serving(
    *models: Upscaler, first: Sequence[str] = (), host: str = "127.0.0.1", port: int = 7860
) -> AbstractContextManager[str]:
    """Serve the page while a ``with`` block runs, which gets its address.

    Parameters
    ----------
    *models
        As of `serve`.
    first
        Names of models that come along, which are offered first, at each of their scales.
    host
        Address to listen at; the default is seen by this machine alone.
    port
        Where; no other is taken in its place. 0 takes one that is free, which the address tells.

    Raises
    ------
    MissingDependencyError, OptionError
        As of `serve`.

    Examples
    --------
    ::

        with srkit.web.serving(model, port=8000) as address:
            print(address)
            input("Enter ends it")
    """
    try:
        from srkit.web import page
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in ("starlette", "uvicorn"):
            raise
        raise missing_extra(f"the page needs {package}, which is not installed", "web") from error
    return page.serving(host, port, models=models, first=first)
