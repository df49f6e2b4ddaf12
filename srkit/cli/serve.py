"""``srkit serve``: the page on this machine."""

from __future__ import annotations

import argparse
import signal
import threading
from contextlib import suppress
from types import FrameType

from srkit.cli.console import Commands, examples, positive, write
from srkit.extras import missing_extra


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "serve",
        help="a page in the browser: choose a photo and a model, see before and after, download",
        description=(
            "Serve a page on which photos are upscaled and compared, until Ctrl-C. It is seen by "
            "this machine alone; nothing is sent anywhere, and photos are deleted afterwards."
        ),
        **examples('srkit serve --port 8000   (needs pip install "srkit[web]")'),
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at; 0.0.0.0 lets everybody in the network upload photos "
        "(default: %(default)s)",
    )
    parser.add_argument("--port", type=positive, default=7860, help="default: %(default)s")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until the process is told to end."""
    try:
        from srkit.web.page import serving
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in ("starlette", "uvicorn"):
            raise
        raise missing_extra(f"the page needs {package}, which is not installed", "web") from error
    # So that the photos are deleted then, too.
    signal.signal(signal.SIGTERM, _interrupt)
    with suppress(KeyboardInterrupt), serving(args.host, args.port) as address:
        write(f"{address}   (Ctrl-C ends it)")
        threading.Event().wait()
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
