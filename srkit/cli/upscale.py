"""``srkit upscale``: files and folders of images."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

import srkit
from srkit.cli.console import (
    DEFAULT_MODEL,
    Commands,
    byte_count,
    percent,
    positive,
    write,
)
from srkit.cli.plan import Failure, Task, assign, find, is_picture
from srkit.errors import NotByRowsError, OptionError, SrkitError
from srkit.imaging import row_files, zarrs
from srkit.imaging.files import MAX_PIXELS, SUFFIXES, check_fits
from srkit.upscaler import LONGEST_SIDE, Progress, Upscaler

FORMATS = tuple(suffix[1:] for suffix in SUFFIXES)
LOSSY = (".jpg", ".jpeg", ".webp", ".avif")


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "upscale",
        help="upscale image files and folders of them",
        description=(
            "Upscale images. photo.jpg becomes photo_MODEL_x4.jpg, with its format, depth, "
            "transparency, profile and metadata kept. Folders are searched to any depth, and "
            "their structure is kept below the output folder."
        ),
    )
    parser.add_argument(
        "inputs", nargs="+", type=Path, metavar="INPUT", help="image file or folder"
    )
    parser.add_argument(
        "-m",
        "--model",
        default=DEFAULT_MODEL,
        help="name (see srkit models) or weights file (default: %(default)s)",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FOLDER",
        help="where results go (default: beside each input); for one input file also a file name",
    )
    _add_size(parser)
    _add_work(parser)
    _add_output(parser)
    parser.set_defaults(run=run)


def _add_size(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("size")
    group.add_argument("--scale", type=positive, help="factor of both sides (default: the model's)")
    group.add_argument(
        "--width", type=positive, metavar="PIXELS", help="exact width; alone, it keeps proportions"
    )
    group.add_argument(
        "--height", type=positive, metavar="PIXELS", help="exact height; alone, as --width"
    )
    group.add_argument(
        "--max-pixels",
        type=positive,
        default=MAX_PIXELS,
        metavar="N",
        help="refuse inputs with more, but files that are upscaled by rows (default: %(default)s)",
    )


def _add_work(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("work")
    group.add_argument("--device", help="such as cpu or cuda, for models that have a choice")
    group.add_argument(
        "--memory",
        type=byte_count,
        metavar="SIZE",
        help="working memory, such as 500MB or 2GB; the result stays the same, or the log says so",
    )
    group.add_argument(
        "--self-ensemble",
        action="store_true",
        help="mean of 8 flips and turns: a little better, 8 times slower",
    )
    group.add_argument(
        "--perception",
        type=float,
        metavar="0-1",
        help="for srgan: from fidelity (0, as srresnet) to sharpness (1, the default)",
    )
    group.add_argument(
        "--consistent",
        action="store_true",
        help="make the result shrink to the input again; for clean inputs",
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("files")
    group.add_argument("--format", choices=FORMATS, help="write this format instead of the input's")
    group.add_argument(
        "--quality",
        type=percent,
        metavar="1-100",
        help="of JPEG, WebP and AVIF (default: 95, and lossless WebP)",
    )
    existing = group.add_mutually_exclusive_group()
    existing.add_argument(
        "--skip-existing", action="store_true", help="leave out what has a result already"
    )
    existing.add_argument("--overwrite", action="store_true", help="replace existing results")


def run(args: argparse.Namespace) -> int:
    """Upscale everything; what fails is listed at the end."""
    for given in (args.width, args.height):
        if given and given > LONGEST_SIDE:
            raise OptionError(f"--width and --height are at most {LONGEST_SIDE}, not {given}")
    output: Path | None = args.output
    single = output is not None and is_picture(output)
    if output is not None and single:
        _check_single(output, args)
    given = {"device": args.device, "perception": args.perception}
    options = {name: value for name, value in given.items() if value is not None}
    upscaler = srkit.load(args.model, scale=args.scale, **options)
    sources, failures = find(args.inputs, output)
    suffix = f".{args.format}" if args.format else None
    tasks = assign(sources, _tag(upscaler, args), output, suffix)
    if output is not None and not single:
        output.mkdir(parents=True, exist_ok=True)
    written, skipped = _upscale_all(tasks, upscaler, args, failures)
    if skipped or failures:
        counts = {"written": written, "skipped": skipped, "failed": len(failures)}
        told = ", ".join(f"{n} {what}" for what, n in counts.items() if n or what == "written")
        write(f"srkit: {told}{':' if failures else ''}", sys.stderr)
        for failure in failures:
            write(f"  {failure.path}: {failure.reason}", sys.stderr)
    return 1 if failures else 0


def _check_single(output: Path, args: argparse.Namespace) -> None:
    """Check that an output that names a picture makes sense."""
    if len(args.inputs) > 1 or _is_folder(args.inputs[0]):
        raise OptionError(f"-o {output} names a picture; for several inputs name a folder")
    if args.format:
        raise OptionError(f"-o {output} names the format already; leave --format out")
    if output.suffix.lower().lstrip(".") not in FORMATS:
        raise OptionError(f"-o {output}: this format is not written, but {', '.join(FORMATS)} are")


def _is_folder(given: Path) -> bool:
    return given.is_dir() and not zarrs.is_store(given)


def _upscale_all(
    tasks: Sequence[Task], upscaler: Upscaler, args: argparse.Namespace, failures: list[Failure]
) -> tuple[int, int]:
    """Work through the tasks; returns how many were written and skipped, and adds `failures`."""
    written = skipped = 0
    alone = len(tasks) == 1
    with tqdm(
        total=None if alone else len(tasks),
        desc=f"{upscaler.card.name} x{upscaler.scale}",
        unit="px" if alone else "image",
        unit_scale=alone,
        disable=None,  # no bar where stderr is not a terminal
    ) as bar:

        def report(done: int, pixels: int) -> None:
            bar.total = pixels
            bar.update(done - bar.n)

        for task in tasks:
            outcome = _attempt(task, upscaler, args, report if alone else False)
            if isinstance(outcome, Failure):
                failures.append(outcome)
            elif outcome:
                written += 1
                write(str(task.target))
                if task.converted:
                    write(f"srkit: note: {task.source} became PNG", sys.stderr)
            else:
                skipped += 1
            if not alone:
                bar.update()
    return written, skipped


def _attempt(
    task: Task, upscaler: Upscaler, args: argparse.Namespace, progress: Progress
) -> Failure | bool:
    """Do one task: True if it was, False if its result was there already."""
    try:
        if task.target.exists():
            if args.skip_existing:
                return False
            if not args.overwrite:
                reason = f"{task.target} exists; use --overwrite or --skip-existing"
                return Failure(task.source, reason)
        _upscale(task, upscaler, args, progress)
    except MemoryError as error:
        return Failure(task.source, f"out of memory: {error}".removesuffix(": "))
    except OSError as error:
        # Nothing but source and target was touched; a temporary name says little.
        elsewhere = error.filename is not None and str(error.filename) != str(task.source)
        reason = error.strerror or str(error)
        return Failure(task.source, f"{reason}: {task.target}" if elsewhere else reason)
    except SrkitError as error:
        return Failure(task.source, str(error).removeprefix(f"{task.source}: "))
    return True


def _upscale(task: Task, upscaler: Upscaler, args: argparse.Namespace, progress: Progress) -> None:
    if not _upscale_by_rows(task, upscaler, args, progress):
        _upscale_whole(task, upscaler, args, progress)


def _upscale_by_rows(
    task: Task, upscaler: Upscaler, args: argparse.Namespace, progress: Progress
) -> bool:
    """Upscale a file that is too large to be read whole; False if it is not, or has to be."""
    exact = args.width or args.height or args.consistent
    if exact or task.target.suffix.lower() not in row_files.SUFFIXES:
        return False
    if (stated := row_files.size_of(task.source)) is None:
        return False
    height, width, depth = stated
    pixels, memory = height * width, args.memory or upscaler.available_memory()
    if pixels <= args.max_pixels and pixels * depth * (1 + upscaler.scale**2) <= memory:
        return False
    task.target.parent.mkdir(parents=True, exist_ok=True)
    try:
        upscaler.upscale_file(
            task.source,
            task.target,
            memory=args.memory,
            self_ensemble=args.self_ensemble,
            progress=progress,
        )
    except (NotByRowsError, OptionError) as error:
        if pixels <= args.max_pixels:
            return False
        raise type(error)(f"{error} (--max-pixels={pixels} allows to read it whole)") from error
    return True


def _upscale_whole(
    task: Task, upscaler: Upscaler, args: argparse.Namespace, progress: Progress
) -> None:
    image = srkit.read_image(task.source, max_pixels=args.max_pixels)
    size = _size(image, args.width, args.height)
    scaled = (image.height * upscaler.scale, image.width * upscaler.scale)
    check_fits(image, task.target, size or scaled)
    task.target.parent.mkdir(parents=True, exist_ok=True)
    result = upscaler.upscale(
        image,
        size=size,
        memory=args.memory,
        self_ensemble=args.self_ensemble,
        consistent=args.consistent,
        progress=progress,
    )
    lossy = task.target.suffix.lower() in LOSSY
    result.save(task.target, quality=args.quality if lossy else None)


def _size(image: srkit.Image, width: int | None, height: int | None) -> tuple[int, int] | None:
    """Height and width to reach; one that is left out follows from the other."""
    if width and height:
        return height, width
    if width:
        return max(1, round(image.height * width / image.width)), width
    if height:
        return height, max(1, round(image.width * height / image.height))
    return None


def _tag(upscaler: Upscaler, args: argparse.Namespace) -> str:
    """Model and scale, or the size that was asked for, as parts of a file name."""
    name = re.sub(r"[^\w.+-]+", "-", upscaler.card.name)
    if args.width and args.height:
        return f"{name}_{args.width}x{args.height}"
    if args.width:
        return f"{name}_w{args.width}"
    return f"{name}_h{args.height}" if args.height else f"{name}_x{upscaler.scale}"
