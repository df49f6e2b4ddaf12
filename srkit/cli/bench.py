"""``srkit bench``: models measured on folders of high-resolution images."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from srkit.cli.console import TRIO, Commands, examples, local, model, positive, write
from srkit.evaluation import costs
from srkit.evaluation.benchmark import Scores, as_csv, evaluate
from srkit.evaluation.scores import HEADINGS, ready
from srkit.tables import markdown_table, text_table


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "bench",
        help="measure models on high-resolution images",
        description=(
            "Shrink high-resolution images, upscale them by each model, and measure how near "
            "the results are: PSNR, SSIM, ST-LPIPS. What each model takes stands beside: seconds "
            "for a megapixel of results, peak memory, parameters, multiplications (10^9) for "
            "1280x720. Tables hold means; csv and json hold each image, too."
        ),
        **examples("srkit bench -m bicubic -m srresnet --data originals/ --scale 4"),
    )
    parser.add_argument(
        "-m",
        "--model",
        type=model,
        action="append",
        dest="models",
        metavar="MODEL",
        help=f"name or weights file; once for each (default: {', '.join(TRIO)})",
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
    parser.add_argument("--format", choices=("table", "markdown", "csv", "json"), default="table")
    parser.add_argument(
        "--json", action="store_const", dest="format", const="json", help="same as --format json"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure all models on all folders, and write the figures to stdout."""
    models = [ready(model, args.scale) for model in args.models or TRIO]
    results = [
        evaluate(model, folder, scale=args.scale, progress=True)
        for folder in args.data
        for model in models
    ]
    if args.format == "csv":
        write(as_csv(results).rstrip("\n"))
    elif args.format == "json":
        write(json.dumps([result.as_dict() for result in results], indent=2))
    else:
        table = text_table if args.format == "table" else markdown_table
        write(table(_means(results), "lllrrrrrrr"))
        for protocol in dict.fromkeys(result.protocol for result in results):
            write(f"\n{protocol.name}: {protocol.description}")
        if missing := results[0].missing:
            write(f"\nwithout ST-LPIPS: {missing}")
    return 0


def _means(results: Sequence[Scores]) -> list[list[str]]:
    body = [
        [
            result.dataset,
            result.model,
            f"x{result.scale}",
            *result.mean.cells(),
            *result.costs.cells(),
        ]
        for result in results
    ]
    return [["data", "model", "scale", *HEADINGS, *costs.HEADINGS], *body]
