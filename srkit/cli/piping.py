"""``srkit upscale - -o -``: one picture from standard input or a URL, or to one of these."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path, PurePath, PurePosixPath
from typing import BinaryIO, TypeAlias

from srkit.atomic import check_place
from srkit.batch.plan import Failure, is_picture
from srkit.batch.work import Request, fitting_suffixes, own_format
from srkit.cli.console import PIPE, write
from srkit.cli.escaping import one_line
from srkit.cli.pictures import (
    facts,
    interrupted,
    options_of,
    progress_bar,
    reporting,
    request_of,
    summary,
    telling,
)
from srkit.errors import ImageError, OptionError, SrkitError
from srkit.imaging import folders, notes
from srkit.imaging.files import formats, remote
from srkit.imaging.files.reading import read_image
from srkit.imaging.files.sources import label_of
from srkit.imaging.files.writing import check_fits, why_unfit
from srkit.imaging.image import Image
from srkit.models import loading
from srkit.upscaling import decisions
from srkit.upscaling.upscaler import Upscaler

# A path, a URL, or a stream.
Source: TypeAlias = Path | str | BinaryIO
Target: TypeAlias = Path | str | BinaryIO


def run(args: argparse.Namespace, others: str) -> int:
    """Upscale one picture; standard output holds its bytes alone, or what is told of a file.

    Parameters
    ----------
    others
        A hint that comes with the first note.
    """
    source, target = _source(args), _target(args)
    named = args.inputs[0] if args.inputs[0] == PIPE else label_of(args.inputs[0])
    request = request_of(args)
    place = _place(target)
    if place and request.existing != "replace" and _exists(target):
        name = label_of(target)
        if request.existing == "skip":
            if args.json:
                write(facts(args, [], [(named, name)], []))
            return summary(0, 1, [])
        exists = FileExistsError(f"{name} exists; use --overwrite or --skip-existing")
        if not args.json:
            raise ImageError(str(exists))
        return _failed(args, named, exists)
    try:
        told, chosen = _work(source, target, request, args, others)
    except OptionError:
        raise
    except KeyboardInterrupt:
        if args.json:
            write(facts(args, [], [], [interrupted(named)]))
        raise
    except (SrkitError, OSError) as error:
        if not args.json:
            raise
        return _failed(args, named, error)
    if place:
        written = [(named, label_of(target), told, chosen)]
        write(facts(args, written, [], []) if args.json else one_line(label_of(target)))
    return 0


def _failed(args: argparse.Namespace, named: str, error: Exception) -> int:
    """Tell a program, on standard output, and a person."""
    failures = [Failure.of(named, error, str(error).removeprefix("<stdin>: "))]
    write(facts(args, [], [], failures))
    return summary(0, 0, failures)


def _work(
    source: Source, target: Target, request: Request, args: argparse.Namespace, others: str
) -> tuple[list[str], dict[str, float]]:
    """Upscale and write; what could not be kept, and what was decided for the picture."""
    upscaler = loading.load(args.model, scale=args.scale, **options_of(args))
    # What a model or a library prints is no part of the picture.
    with (
        redirect_stdout(sys.stderr),
        telling(upscaler, others),
        notes.collecting() as told,
        decisions.collecting() as decided,
    ):
        image = read_image(source, max_pixels=request.max_pixels, exposure=request.exposure)
        suffix = _suffix(image, request.shape(image, upscaler.scale), target, args.format)
        if isinstance(target, Path):
            target.parent.mkdir(parents=True, exist_ok=True)
            check_place(target)
        with progress_bar(upscaler, 1) as bar:
            result = _upscaled(image, upscaler, request, reporting(bar))
        quality = request.quality_of(formats.written_as(Path(f"a{suffix}")))
        result.save(target, format=suffix, quality=quality)
    return told, dict(decided[-1] if decided else ())


def _place(target: Target) -> PurePath | None:
    """A path, or what of a URL is one; None for standard output."""
    if isinstance(target, str):
        return PurePosixPath(remote.shown(target))
    return target if isinstance(target, Path) else None


def _exists(target: Target) -> bool:
    if isinstance(target, str):
        return remote.exists(target)
    return isinstance(target, Path) and folders.exists(target)


def _source(args: argparse.Namespace) -> Source:
    """What is read; more than one picture is refused."""
    if args.dask or args.manifest:
        raise OptionError("- is for this machine: leave --dask and --manifest out")
    if len(args.inputs) > 1:
        raise OptionError(
            f"with - or a URL one picture is upscaled, not {len(args.inputs)}; "
            "--dask local takes many"
        )
    given = args.inputs[0]
    if given == PIPE:
        if sys.stdin.isatty():
            raise OptionError("- reads standard input, which is a terminal: add < photo.jpg")
        return sys.stdin.buffer
    if isinstance(given, str):
        return given
    if given.is_dir() and not formats.of_folder(given):
        raise OptionError(f"{given} is a folder, and -o {args.output} takes one picture")
    path: Path = given
    return path


def _target(args: argparse.Namespace) -> Target:
    """What is written; what belongs to a folder of results is refused."""
    output = args.output
    if output is None:
        told = label_of(args.inputs[0])
        raise OptionError(f"{told} has no folder for its result: add -o - or -o large.png")
    if output == PIPE:
        if args.json:
            raise OptionError("-o - writes the picture where --json writes: give -o a file name")
        if args.skip_existing or args.overwrite:
            raise OptionError("-o - replaces no file: leave --skip-existing and --overwrite out")
        if sys.stdout.isatty():
            raise OptionError("-o - writes to standard output, a terminal: add > large.png")
        return sys.stdout.buffer
    told = label_of(output)
    if (
        formats.written_as(Path(told)) is None
        if isinstance(output, str)
        else not is_picture(output)
    ):
        raise OptionError(
            f"-o {told} is no name of a picture, which - or a URL needs: use -o large.png"
        )
    if args.format:
        raise OptionError(f"-o {told} names the format already; leave --format out")
    target: Target = output
    return target


def _suffix(image: Image, shape: tuple[int, int], target: Target, asked: str | None) -> str:
    """Ending that names the format of the result: the input's, unless it is told or unfit."""
    if isinstance(target, Path):
        check_fits(image, target, shape)
        return target.suffix
    if place := _place(target):
        if reasons := why_unfit(image, place, shape):
            raise ImageError("; ".join(reasons))
        return place.suffix
    if asked:
        if reasons := why_unfit(image, f"a.{asked}", shape):
            raise ImageError("; ".join(reasons))
        return f".{asked}"
    own, fitting = own_format(image), fitting_suffixes(image, shape)
    if own and fitting and fitting[0] in own.suffixes:
        return fitting[0]
    reasons = why_unfit(image, f"a{own.suffixes[0]}", shape) if own else None
    why = f": {reasons[0]}" if reasons else ""
    if not fitting:
        raise ImageError(f"no format holds the result{why}")
    form = formats.named(Path(f"a{fitting[0]}"))
    became = form.title if form else fitting[0]
    write(f"srkit: note: the picture, {image.metadata.format}, became {became}{why}", sys.stderr)
    return fitting[0]


def _upscaled(
    image: Image, upscaler: Upscaler, request: Request, progress: Callable[[int, int], None]
) -> Image:
    try:
        return request.upscale(image, upscaler, progress)
    except MemoryError as error:
        raise SrkitError(f"out of memory: {error}".removesuffix(": ")) from error
