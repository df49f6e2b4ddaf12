"""``srkit bench``: models measured on folders of high-resolution images."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from srkit.atomic import check_place
from srkit.cli.console import TRIO, Commands, examples, local, model, positive, write, written
from srkit.errors import OptionError
from srkit.evaluation.bench import Benchmark, bench, check_plot, written_as
from srkit.evaluation.measures import BLIND, DEFAULT, MEASURES, asked_for
from srkit.metrics import PROTOCOLS


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "bench",
        help="measure models on high-resolution images",
        description=(
            "Shrink high-resolution images, upscale them by each model, and measure how near "
            "the results are, or how natural they look. What each model takes stands beside: "
            "seconds for a megapixel of results, peak memory, parameters, multiplications (10^9) "
            "for 1280x720. Tables hold means, with 95 % intervals over the images, and "
            "differences to the first model; csv, json and --by-image each image, too."
        ),
        **examples(
            "srkit bench -m bicubic -m srresnet --data originals/ --scale 4",
            "srkit bench -m srgan -m srgan:perception=0.5 --data originals/ --metric psnr niqe",
            "srkit bench --data originals/ -o table.csv --plot plot.svg",
        ),
    )
    parser.add_argument(
        "-m",
        "--model",
        type=model,
        action="append",
        dest="models",
        metavar="MODEL",
        help="name or weights file, or either with options behind it: srgan:perception=0.5; "
        f"once for each (default: {', '.join(TRIO)})",
    )
    parser.add_argument(
        "--data",
        nargs="+",
        type=local,
        required=True,
        metavar="FOLDER",
        help="folders of images, or of HR/ and LR/x4/ in pairs",
    )
    parser.add_argument("--scale", type=positive, default=4, help="factor (default: 4)")
    _add_measuring(parser)
    _add_output(parser)
    parser.set_defaults(run=run)


def _add_measuring(parser: argparse.ArgumentParser) -> None:
    """Declare what is measured, and where."""
    names = [name.replace("_", "-") for name in MEASURES]
    usual = ", ".join(name.replace("_", "-") for name in DEFAULT)
    parser.add_argument(
        "--metric",
        nargs="+",
        action="extend",
        dest="metrics",
        metavar="METRIC",
        help=f"of {', '.join(names)} (default: {usual})",
    )
    parser.add_argument(
        "--protocol",
        default="standard",
        metavar="NAME",
        help=f"colour, crop and rounding: {', '.join(PROTOCOLS)} (default: standard)",
    )
    parser.add_argument("--device", help="for all networks, such as cpu or cuda (default: auto)")


def _add_output(parser: argparse.ArgumentParser) -> None:
    """Declare what is written, and where."""
    parser.add_argument("--format", choices=("table", "markdown", "csv", "json"), default="table")
    parser.add_argument(
        "--json", action="store_const", dest="format", const="json", help="same as --format json"
    )
    parser.add_argument(
        "--by-image", action="store_true", help="a line for each image, too, in tables"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=written,
        metavar="FILE",
        help="write the results to a file as well: .csv, .json, .md or .tex",
    )
    parser.add_argument(
        "--plot",
        type=written,
        metavar="FILE.svg",
        help="draw the first metric against seconds",
    )


def run(args: argparse.Namespace) -> int:
    """Measure all models on all folders, and write the figures to stdout."""
    _check_places(args.output, args.plot)
    if args.metrics and {one.name for one in asked_for(args.metrics)} <= {*BLIND}:
        write(
            "srkit: note: pictures without LR beside them are shrunk first, and what is judged is "
            "enlarged from that; srkit.metrics.niqe(pixels) judges pictures as they are",
            sys.stderr,
        )
    found = bench(
        args.models or list(TRIO),
        args.data,
        scale=args.scale,
        protocol=args.protocol,
        metrics=args.metrics,
        device=args.device,
        progress=sys.stderr.isatty(),
    )
    try:
        if args.output is not None:
            found.save(args.output)
        if args.plot is not None:
            found.plot(args.plot)
    finally:  # what took hours is shown, though a file cannot be written
        write(_shown(found, args))
    return 0


def _shown(found: Benchmark, args: argparse.Namespace) -> str:
    """The results in the form that is asked for."""
    if args.format == "csv":
        return found.to_csv().rstrip("\n")
    if args.format == "json":
        return found.to_json()
    if args.format == "markdown":
        return found.to_markdown(by_image=args.by_image)
    return found.to_text(by_image=args.by_image)


def _check_places(output: Path | None, plot: Path | None) -> None:
    """Refuse files that could not be written, before any work."""
    if output is not None:
        written_as(output)
    if plot is not None:
        check_plot(plot)
    for path in (output, plot):
        if path is not None and check_place(path).is_dir():
            raise OptionError(f"{path} is a folder; give a file")
