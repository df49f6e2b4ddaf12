"""``srkit convert``: weights from one format into another."""

from __future__ import annotations

import argparse

from srkit.cli.console import Commands, examples, local, positive, write, written
from srkit.errors import OptionError


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "convert",
        help="weights in another program's format, or from it",
        description=(
            "Write weights in another format: ESPCN and FSRCNN as frozen graphs (.pb), which "
            "OpenCV's dnn_superres and TensorFlow load; neural-enhance's network as .pkl.bz2; and "
            "either of these as .safetensors."
        ),
        **examples("srkit convert runs/espcn/best.safetensors ESPCN_x2.pb"),
    )
    parser.add_argument("source", type=local, help="checkpoint, .safetensors, .pb or .pkl.bz2")
    parser.add_argument("target", type=written, help="file to write: .pb, .pkl.bz2 or .safetensors")
    parser.add_argument("--scale", type=positive, help="factor, where the weights do not tell")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Convert, and write the path to stdout."""
    if args.target.exists() and not args.overwrite:
        raise OptionError(f"{args.target} exists; use --overwrite")
    # Here, since no other command has a use for the adapters that it imports.
    from srkit.adapters.conversion import convert

    write(str(convert(args.source, args.target, scale=args.scale)))
    return 0
