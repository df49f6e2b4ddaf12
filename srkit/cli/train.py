"""``srkit train``: a model of one's own from a folder of photos."""

from __future__ import annotations

import argparse
import inspect
import logging
import os
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from srkit.cli.console import Commands, local, model, positive, write, written
from srkit.cli.escaping import PlainFormatter
from srkit.errors import OptionError
from srkit.training import train

EXAMPLES = """\
examples:
  srkit train espcn photos/ -o runs/espcn --scale 2 --steps 3000
  srkit train srresnet portraits/ -o runs/portraits --scale 4 --init srresnet --steps 2000
  srkit train srgan photos/ -o runs/srgan --scale 4 --init runs/mine/best.safetensors
  srkit train srresnet photos/ -o runs/mine --scale 4 --config mine.toml --set batch=8
  srkit train compact photos/ -o runs/fast --scale 4 --teacher realesrgan --set answers=1000

Stop it at any time; the same command goes on where it was. The result is a file for
srkit upscale -m FILE.
"""


# Values of a recipe that are text, which may begin with a bracket.
_TEXTS = {"encoder", "start"}


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "train",
        help="train a model on a folder of photos",
        description="Train a model on a folder of photos of any kind and size.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "recipe",
        help="photo, srresnet, srgan, photo-2025, espcn, fsrcnn, neural-enhance, "
        "neural-enhance-repair, unet, unet-repair, compact, span, vsr, vsr-small, vsr-fg or vsr-p",
    )
    parser.add_argument("photos", type=local, help="folder, searched to any depth")
    parser.add_argument(
        "-o", "--output", type=written, required=True, metavar="FOLDER", help="where results go"
    )
    parser.add_argument("--scale", type=positive, default=4, help="factor (default: 4)")
    parser.add_argument(
        "--init",
        type=model,
        metavar="MODEL",
        help="name or weights file to start from (default: the recipe's)",
    )
    parser.add_argument(
        "--teacher",
        action="append",
        default=[],
        metavar="MODEL[=WEIGHT]",
        help="name or weights file of a model to learn from; once for each",
    )
    parser.add_argument("--steps", type=positive, help="how long (default: the recipe's)")
    parser.add_argument("--config", type=Path, metavar="TOML", help="changes to the recipe")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="changes",
        metavar="KEY=VALUE",
        help="a value of the recipe: rate=1e-4, 'betas=[0.9, 0.99]' (as in TOML); once for each",
    )
    parser.add_argument("--fresh", action="store_true", help="start again, not where it stopped")
    parser.add_argument("--cache", type=Path, help="folder for decoded photos (default: in -o)")
    group = parser.add_argument_group("machine")
    group.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    group.add_argument("--devices", type=positive, default=1, help="how many (default: 1)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train, and write the path of the weights to stdout."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PlainFormatter("%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    changes: dict[str, object] = {}
    for text in args.changes:
        name, equals, value = text.partition("=")
        if not equals:
            raise OptionError(f"--set takes KEY=VALUE, not {text!r}")
        name = name.strip()
        if name in inspect.signature(train).parameters:
            raise OptionError(f"{name} is no value of a recipe: see srkit train --help")
        changes[name] = _value(name, value.strip())
    if args.steps:
        changes["steps"] = args.steps
    path = train(
        args.recipe,
        args.photos,
        args.output,
        scale=args.scale,
        init=args.init,
        resume=not args.fresh,
        teacher=_teachers(args.teacher),
        config=args.config,
        cache=args.cache,
        device=args.device,
        devices=args.devices,
        **changes,
    )
    # Of several processes one speaks.
    if os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0":
        write(str(path))
    return 0


def _value(name: str, text: str) -> Any:
    """A value of the recipe: a list or a table as in a file, all else as it is."""
    if name in _TEXTS or not text.startswith(("[", "{")):
        return text
    try:
        found = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise OptionError(f"--set {name}={text[:80]} is no TOML: {error}") from error
    if len(found) > 1:
        raise OptionError(f"--set takes one value, and {name} is followed by others")
    return found["value"]


def _teachers(texts: Sequence[str]) -> dict[str, float]:
    """Teachers by their models, each with its weight: ``MODEL`` or ``MODEL=WEIGHT``."""
    found: dict[str, float] = {}
    for text in texts:
        model, _, number = text.rpartition("=")
        try:
            weight = float(number)
        except ValueError:
            # No weight, or a sign of equality within a path.
            model, weight = text, 1.0
        if model in found or not model:
            raise OptionError(f"--teacher takes MODEL or MODEL=WEIGHT, each once, not {text!r}")
        found[model] = weight
    return found
