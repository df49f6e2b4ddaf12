"""``srkit compare``: one photo by several models, on one sheet."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from srkit.cli.console import (
    DEFAULT_MODEL,
    Commands,
    examples,
    local,
    model,
    positive,
    write,
    written,
)
from srkit.cli.pictures import notes_of_work
from srkit.errors import ImageError, OptionError
from srkit.evaluation.comparison import PAGES, Comparison, compare, flat
from srkit.evaluation.gaze import part_asked_for
from srkit.evaluation.labels import apart
from srkit.evaluation.scores import ready_together
from srkit.imaging.files.reading import read_image
from srkit.metrics import STANDARD, mod_crop

# What models are compared where none is named: the baseline, the default, and two for clean photos.
SHOWN = ("bicubic", DEFAULT_MODEL, "srresnet", "srgan")


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "compare",
        help="draw a photo by several models side by side",
        description=(
            "Upscale a photo by several models and draw the results on one sheet, with a "
            "detail of each enlarged: --crop, or a face where one is found, else the middle. Where "
            "the original is known (--reference, --downscale, --sample), PSNR, SSIM and the "
            "perceptual distance ST-LPIPS are written below. With -o page.html it is a page with a "
            "before/after slider and zoom instead, one file that works offline."
        ),
        **examples(
            "srkit compare photo.png -m bicubic -m srresnet --downscale -o page.html",
            "srkit compare photo.png -m srgan:perception=0.5 -m srgan -o sheet.png",
            "srkit compare photo.png --crop 420,180,160,120 -o sheet.png",
            "srkit compare --sample --json",
        ),
    )
    parser.add_argument("photo", nargs="?", type=local, help="the photo to upscale")
    parser.add_argument(
        "--sample",
        action="store_true",
        help="instead of a photo: scikit-image's astronaut, made small and upscaled again",
    )
    parser.add_argument(
        "-m",
        "--model",
        type=model,
        action="append",
        dest="models",
        metavar="MODEL",
        help="name or weights file, or either with options behind it: srgan:perception=0.5; "
        f"once for each (default: {', '.join(SHOWN)})",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=written,
        metavar="SHEET",
        help="picture or page (.html) to write, or to replace",
    )
    parser.add_argument("--scale", type=positive, help="factor (default: the models')")
    _add_crop(parser)
    _add_original(parser)
    parser.add_argument(
        "--json", action="store_true", help="for programs: the figures as JSON; -o may be left out"
    )
    parser.set_defaults(run=run)


def _add_crop(parser: argparse.ArgumentParser) -> None:
    """Declare what is enlarged."""
    parser.add_argument(
        "--crop",
        type=_crop,
        metavar="X,Y,WIDTH,HEIGHT",
        help="the part to enlarge, in pixels of the photo (default: a face, else the middle)",
    )


def _add_original(parser: argparse.ArgumentParser) -> None:
    """Declare how the original comes, which figures are taken against."""
    original = parser.add_mutually_exclusive_group()
    original.add_argument(
        "--reference", type=local, metavar="FILE", help="the photo's high-resolution original"
    )
    original.add_argument(
        "--downscale",
        action="store_true",
        help="take the photo as the original: shrink it (MATLAB's bicubic), then upscale that",
    )


def _crop(text: str) -> tuple[int, ...]:
    """Four whole numbers, for argparse; whether the photo has them is seen when it is read."""
    numbers = text.split(",")
    if len(numbers) != 4 or not all(re.fullmatch(r"\s*-?\d{1,9}\s*", one) for one in numbers):
        raise argparse.ArgumentTypeError(
            f"expected left, top, width and height in pixels, such as 420,180,160,120, not {text!r}"
        )
    return tuple(int(one) for one in numbers)


def run(args: argparse.Namespace) -> int:
    """Compare, draw, and write the figures to stdout."""
    if (args.photo is None) != args.sample:
        raise OptionError("give one photo, or --sample instead")
    if args.sample and args.reference:
        raise OptionError("--sample knows its original; leave --reference out")
    _check_output(args)
    asked = args.models or list(SHOWN)
    models = ready_together(asked, args.scale)
    image, reference, crop = _images(args, models[0].scale)
    with notes_of_work():
        result = compare(
            image,
            dict(zip(apart(asked, models), models, strict=True)),
            scale=models[0].scale,
            reference=reference,
            progress=sys.stderr.isatty(),
            crop=crop,
        )
    if args.output is not None:
        if args.output.suffix.lower() in PAGES:
            result.to_html(args.output)
        else:
            result.save(args.output)
    if args.json:
        write(json.dumps(_facts(result, args.output), indent=2))
        return 0
    write(repr(result))
    if result.missing:
        write(f"without ST-LPIPS: {result.missing}")
    write(str(args.output))
    return 0


def _check_output(args: argparse.Namespace) -> None:
    """Refuse a sheet that could not be written, before any work."""
    if args.output is None:
        if not args.json:
            raise OptionError("give -o SHEET, such as -o sheet.png or -o page.html, or --json")
        return
    for source in (args.photo, args.reference):
        if source is not None and source.resolve() == args.output.resolve():
            raise OptionError(f"the sheet would replace {source}; give -o another name")
    if not args.output.resolve().parent.is_dir():
        raise OptionError(f"there is no folder {args.output.parent} to write the sheet to")


def _facts(result: Comparison, sheet: Path | None) -> dict[str, Any]:
    """What a program reads: of each model the figures, if the original is known, and decisions."""
    return {
        "scale": result.scale,
        "models": {
            name: result.scores[name].as_dict() if name in result.scores else None
            for name in result.results
        },
        "decided": {name: dict(options) for name, options in result.decided.items()},
        "without_st_lpips": result.missing,
        "sheet": str(sheet) if sheet else None,
    }


def _images(args: argparse.Namespace, scale: int) -> tuple[Any, Any, Any]:
    """The image to upscale, its original or None, and the part of the image to enlarge or None."""
    if not (args.sample or args.downscale):
        return read_image(args.photo), args.reference, args.crop
    original = _sample() if args.sample else flat(args.photo)
    if min(original.shape[:2]) < scale:
        raise ImageError(f"{args.photo} is too small to be shrunk {scale} times")
    crop = args.crop and _shrunk(args.crop, original.shape[:2], scale)
    return STANDARD.low_resolution(original, scale), mod_crop(original, scale), crop


def _shrunk(crop: tuple[int, ...], shape: tuple[int, int], scale: int) -> tuple[int, int, int, int]:
    """The pixels of the shrunk photo that show a part of the photo."""
    part = part_asked_for(crop, (shape[1], shape[0]))
    columns = _covering(part.left, part.width, shape[1], scale)
    rows = _covering(part.top, part.height, shape[0], scale)
    return columns[0], rows[0], columns[1], rows[1]


def _covering(start: int, length: int, side: int, scale: int) -> tuple[int, int]:
    """First and number of the shrunk pixels that cover some; those cut off at the end excepted."""
    most = side // scale
    first = min(start // scale, most - 1)
    return first, min(-(-(start + length) // scale), most) - first


def _sample() -> Any:
    # Here, since it takes a second that other commands need not spend.
    from skimage import data

    astronaut: Callable[[], Any] = data.astronaut
    return astronaut()
