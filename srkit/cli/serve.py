"""``srkit serve``: the page on this machine."""

from __future__ import annotations

import argparse

from srkit.cli.console import Commands, examples, model, positive, write
from srkit.models import loading
from srkit.web import serving, until_told, wait
from srkit.web.door import MOST_PORT
from srkit.web.kinds import comes_along


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "serve",
        help="a page in the browser: choose a photo and a model, see before and after, download",
        description=(
            "Serve a page on which photos are upscaled and compared, until Ctrl-C. It is seen by "
            "this machine alone; nothing is sent anywhere, and photos are deleted afterwards."
        ),
        **examples(
            'srkit serve --port 8000   (needs pip install "srkit[web]")',
            "srkit serve -m runs/mine/best.safetensors",
        ),
    )
    parser.add_argument(
        "-m",
        "--model",
        type=model,
        action="append",
        default=[],
        dest="models",
        metavar="MODEL",
        help="weights file or name of a model that comes first on the page; may be given often",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at; 0.0.0.0 lets everybody in the network upload photos "
        "(default: %(default)s)",
    )
    parser.add_argument("--port", type=port, default=7860, help="default: %(default)s")
    parser.set_defaults(run=run)


def port(text: str) -> int:
    """Where to listen, for argparse."""
    number = positive(text)
    if number > MOST_PORT:
        raise argparse.ArgumentTypeError(f"expected a number from 1 to {MOST_PORT}, not {text!r}")
    return number


def run(args: argparse.Namespace) -> int:
    """Serve until the process is told to end."""
    # All are loaded, so that what cannot be is told now.
    loaded = {name: loading.load(name) for name in args.models}
    first = [name for name in loaded if comes_along(name)]
    own = [model for name, model in loaded.items() if name not in first]
    page = serving(*own, first=first, host=args.host, port=args.port)
    with until_told(), page as address:
        write(f"{address}   (Ctrl-C ends it)")
        wait()
    return 0
