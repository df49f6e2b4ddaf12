"""``srkit upscale``: files and folders of images."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from srkit.batch.plan import Failure, Task, assign, find, is_picture, misspelt
from srkit.batch.work import Request, Skipped, attempt
from srkit.cli import piping
from srkit.cli.clips import refuse_videos, without_videos
from srkit.cli.console import (
    DEFAULT_MODEL,
    PIPE,
    Commands,
    byte_count,
    examples,
    model,
    percent,
    place,
    positive,
    result,
    share_or_auto,
    stops_or_auto,
    write,
)
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
from srkit.errors import OptionError
from srkit.imaging import notes
from srkit.imaging.files import formats
from srkit.imaging.files.formats import SUFFIXES
from srkit.imaging.files.reading import MAX_PIXELS
from srkit.models import loading
from srkit.models.options import BORDERS
from srkit.upscaling import decisions
from srkit.upscaling.upscaler import LONGEST_SIDE, Upscaler

FORMATS = tuple(suffix[1:] for suffix in SUFFIXES)
OTHERS = "a drawing? -m realesrgan-anime; other kinds: srkit models"
_LOSSY = formats.listed([form for form in formats.WRITTEN if form.quality], "and")


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
        **examples(
            "srkit upscale portrait.jpg",
            "srkit upscale photos/ -m srresnet -o out/ --skip-existing",
            "srkit upscale - -o - > large.jpg      bytes in by a pipe, bytes out",
            "srkit upscale https://example.org/photo.jpg -o large.jpg",
        ),
    )
    parser.add_argument(
        "inputs",
        nargs="+",
        type=place,
        metavar="INPUT",
        help="image file or folder; - is standard input; or a URL, with srkit[remote]",
    )
    parser.add_argument(
        "-m",
        "--model",
        type=model,
        help=f"name (see srkit models) or weights file (default: {DEFAULT_MODEL})",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=result,
        metavar="FOLDER",
        help="where results go (default: beside each input); for one input file also a file name, "
        "a URL, or - for standard output",
    )
    _add_size(parser)
    _add_work(parser)
    _add_output(parser)
    _add_cluster(parser)
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
        "--precision", help="float32, bfloat16, float16, or int8 for CPUs with VNNI (default: auto)"
    )
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
        "--denoise",
        type=share_or_auto,
        metavar="0-1",
        help="for photo and realesrgan-general: from keeping noise (0) to taking it away (1), or "
        "auto: by each picture's noise, JPEG and sharpness (default: photo's is auto, the "
        "other's 0.5)",
    )
    group.add_argument(
        "--weights",
        metavar="VERSION",
        help="of a model, such as 2025 for photo, so that its pixels stay (default: the newest)",
    )
    _add_sight(group)
    group.add_argument(
        "--consistent",
        action="store_true",
        help="make the result shrink to the input again; for clean inputs",
    )


def _add_sight(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--border",
        choices=BORDERS,
        help="what a network sees beyond the picture: the picture reflected, or what it puts there "
        "itself, mostly zeros, as its own program does (default: the model's)",
    )
    group.add_argument(
        "--halo",
        type=int,
        metavar="PIXELS",
        help="for ONNX files that do not tell: how far around a pixel the network looks",
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("files")
    group.add_argument("--format", choices=FORMATS, help="write this format instead of the input's")
    group.add_argument(
        "--quality",
        type=percent,
        metavar="1-100",
        help=f"of {_LOSSY} (default: 95, and lossless WebP and JPEG XL)",
    )
    group.add_argument(
        "--exposure",
        type=stops_or_auto,
        metavar="EV",
        help="of EXR, Radiance and camera RAW, and of float TIFF and Zarr if given: stops such as "
        "1.5, which brightens, and -1, or auto, which brings the 99.9th percentile to white "
        "(default: auto)",
    )
    group.add_argument(
        "--json",
        action="store_true",
        help="for programs: what was written, and what could not be kept, as JSON",
    )
    existing = group.add_mutually_exclusive_group()
    existing.add_argument(
        "--skip-existing", action="store_true", help="leave out what has a result already"
    )
    existing.add_argument("--overwrite", action="store_true", help="replace existing results")


def _add_cluster(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("many files, or a huge one, on a Dask cluster")
    group.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="work on its workers: tcp://scheduler:8786, or local for this machine's cores; "
        "inputs and output may be URLs such as s3://bucket/photos; given again, it does what "
        "is missing",
    )
    group.add_argument(
        "--manifest",
        type=Path,
        metavar="FILE",
        help="with --dask: a .csv or .parquet file with a line for each image",
    )


def run(args: argparse.Namespace) -> int:
    """Upscale everything; what fails is listed at the end."""
    for given in (args.width, args.height):
        if given and given > LONGEST_SIDE:
            raise OptionError(f"--width and --height are at most {LONGEST_SIDE}, not {given}")
    others = "" if args.model or args.json or args.weights else f"; {OTHERS}"
    args.model = args.model or DEFAULT_MODEL
    places = (*args.inputs, args.output)
    if PIPE in places or (not args.dask and any(isinstance(place, str) for place in places)):
        return piping.run(args, others)
    if args.dask:
        from srkit.cli import cluster  # an extra

        return cluster.run(args)
    if args.manifest:
        raise OptionError("--manifest is for --dask; --dask local uses this machine")
    refuse_videos(args.inputs)
    output: Path | None = args.output
    single = output is not None and is_picture(output)
    if output is not None and single:
        _check_single(output, args)
    elif output is not None:
        _check_folder(output, args)
    upscaler = loading.load(args.model, scale=args.scale, **options_of(args))
    sources, failures = without_videos(*find(args.inputs, output))
    suffix = f".{args.format}" if args.format else None
    request = request_of(args)
    tag = request.tag(upscaler.card.name, upscaler.scale)
    tasks = assign(sources, tag, output, suffix)
    if output is not None and not single:
        output.mkdir(parents=True, exist_ok=True)
    outcome = _Outcome([], [], failures)
    try:
        with telling(upscaler, others):
            _upscale_all(tasks, upscaler, request, args, outcome)
    finally:
        # Who ends it, as by Ctrl-C, is told as well what was written by then.
        if args.json:
            write(outcome.facts(args))
    return summary(len(outcome.done), len(outcome.skipped), failures)


class _Done(NamedTuple):
    """What was written, what could not be kept, and what was decided for it."""

    task: Task
    left_out: list[str]
    decided: dict[str, float]


class _Outcome(NamedTuple):
    """What became of each task, as it is found."""

    done: list[_Done]
    skipped: list[Task]
    failures: list[Failure]

    def facts(self, args: argparse.Namespace) -> str:
        """All of it, for programs."""
        return facts(
            args,
            ((one.task.source, one.task.target, one.left_out, one.decided) for one in self.done),
            ((task.source, task.target) for task in self.skipped),
            self.failures,
        )


def _check_single(output: Path, args: argparse.Namespace) -> None:
    """Check that an output that names a picture makes sense."""
    if len(args.inputs) > 1 or _is_folder(args.inputs[0]):
        raise OptionError(f"-o {output} names a picture; for several inputs name a folder")
    if args.format:
        raise OptionError(f"-o {output} names the format already; leave --format out")
    if output.suffix.lower().lstrip(".") not in FORMATS:
        raise OptionError(f"-o {output}: this format is not written, but {', '.join(FORMATS)} are")


def _check_folder(output: Path, args: argparse.Namespace) -> None:
    """Refuse a slip in the name of a picture, which would become a folder's."""
    meant = misspelt(output)
    if meant and len(args.inputs) == 1 and not _is_folder(args.inputs[0]):
        raise OptionError(
            f"-o {output}: no format ends so; did you mean {output.with_suffix(meant).name}? If it "
            "is to be a folder, make it first"
        )


def _is_folder(given: Path) -> bool:
    return given.is_dir() and not formats.of_folder(given)


def _upscale_all(
    tasks: Sequence[Task],
    upscaler: Upscaler,
    request: Request,
    args: argparse.Namespace,
    outcome: _Outcome,
) -> None:
    """Work through the tasks, and note what becomes of each."""
    alone = len(tasks) == 1
    with progress_bar(upscaler, len(tasks)) as bar:
        report = reporting(bar)
        for number, task in enumerate(tasks):
            try:
                with notes.collecting() as told, decisions.collecting() as decided:
                    made = attempt(task, upscaler, request, report if alone else False)
            except KeyboardInterrupt:
                outcome.failures.extend(map(interrupted, (t.source for t in tasks[number:])))
                raise
            if isinstance(made, Failure):
                outcome.failures.append(made)
            elif isinstance(made, Skipped):
                outcome.skipped.append(made.task)
            else:
                outcome.done.append(_Done(made, told, dict(decided[-1] if decided else ())))
                _tell(made, args)
            if not alone:
                bar.update()


def _tell(task: Task, args: argparse.Namespace) -> None:
    """Name a result, and say why it is of another format."""
    if not args.json:
        write(one_line(task.target))
    if task.converted:
        form = formats.written_as(task.target)
        became = f"{one_line(task.source)} became {form.title if form else task.target.suffix}"
        write(
            f"srkit: note: {became}" + (f": {one_line(task.why)}" if task.why else ""), sys.stderr
        )
