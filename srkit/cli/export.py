"""``srkit export``: a model as an ONNX file."""

from __future__ import annotations

import argparse
import sys

from srkit.adapters.onnx import exporting
from srkit.cli.console import (
    Commands,
    examples,
    model,
    notes_of,
    positive,
    share_or_auto,
    write,
    written,
)


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "export",
        help="a model as an ONNX file",
        description=(
            "Write a model as an ONNX file of float32 with free batch, height and width, compared "
            "with torch before it appears. srkit loads it on ONNX Runtime; other programs can, "
            'too. Needs pip install "srkit[torch,onnx]".'
        ),
        **examples(
            "srkit export srresnet model.onnx --scale 4",
            "srkit export photo model.onnx --denoise 1",
        ),
    )
    parser.add_argument("model", type=model, help="a model's name, or a weights file")
    parser.add_argument("target", type=written, help="file to write: .onnx")
    parser.add_argument("--scale", type=positive, help="factor; the model's default if left out")
    parser.add_argument(
        "--denoise",
        type=share_or_auto,
        metavar="0-1",
        help="for photo and realesrgan-general: from keeping noise (0) to taking it away (1)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Export; the path goes to stdout, the difference from torch to stderr."""
    with notes_of(exporting.log):
        made = exporting.export(
            args.model,
            args.target,
            scale=args.scale,
            denoise=args.denoise,
            overwrite=args.overwrite,
        )
    write(str(made.path))
    write(f"at most {made.difference:.2g} from torch, in [0, 1]", to=sys.stderr)
    return 0
