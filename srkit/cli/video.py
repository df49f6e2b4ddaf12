"""``srkit upscale-video``: videos, animations and sequences of pictures."""

from __future__ import annotations

import argparse
import functools
import json
import logging
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from srkit.batch.plan import Failure, Task
from srkit.cli.clips import Clips, clips_of, make_folders
from srkit.cli.console import (
    Commands,
    byte_count,
    examples,
    local,
    model,
    notes_of,
    positive,
    write,
    written,
)
from srkit.cli.pictures import summary
from srkit.errors import OptionError, SrkitError
from srkit.upscaling.forecast import in_words
from srkit.video import preview_video, upscale_video
from srkit.video.work import kept_frames

if TYPE_CHECKING:
    from srkit.video.upscaling import VideoReport


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "upscale-video",
        help="upscale video files and folders of them",
        description=(
            "Upscale videos. clip.mp4 becomes clip_MODEL_x2.mp4. Sound, subtitles, chapters and "
            "the times of all frames are kept. Work that is interrupted goes on when the same "
            "command is given again. Animated GIF, PNG and WebP are read and written as well, "
            "and numbered pictures: frames/%05d.png."
        ),
        **examples(
            "srkit upscale-video in.mp4 -m espcn -o out.mp4",
            "srkit upscale-video in.mp4 --start 1:10 --end 1:25 --height 1080 -o part.mp4",
            "srkit upscale-video clips/ --height 1080 -o large/ --skip-existing",
            "srkit upscale-video in.mp4 --preview page.html",
            "srkit upscale-video frames/%05d.png --fps 24 --codec h265 -o film.mkv",
        ),
    )
    parser.add_argument(
        "inputs",
        nargs="+",
        type=local,
        metavar="INPUT",
        help="video file, animation, or folder of them; or numbered pictures such as "
        "frames/%%05d.png",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=written,
        metavar="FILE",
        help="the result; its suffix names the container: .mp4, .mkv, .mov, ..., .gif, .webp, "
        ".apng; or numbered pictures such as out/%%05d.png; or a folder (default: beside each "
        "input)",
    )
    parser.add_argument(
        "-m",
        "--model",
        type=model,
        default="espcn",
        help="name (see srkit models) or weights file (default: %(default)s)",
    )
    parser.add_argument(
        "--scale", type=positive, help="factor of both sides (default: the model's)"
    )
    _add_part(parser)
    _add_encoding(parser)
    _add_work(parser)
    parser.set_defaults(run=run)


def _add_part(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("part and size")
    group.add_argument(
        "--start", metavar="TIME", help="where to begin, in seconds or H:MM:SS (default: 0)"
    )
    group.add_argument("--end", metavar="TIME", help="where to end (default: the end)")
    group.add_argument(
        "--width",
        type=positive,
        metavar="PIXELS",
        help="of the result, such as 1920; --width or --height alone keeps the shape",
    )
    group.add_argument(
        "--height", type=positive, metavar="PIXELS", help="of the result, such as 1080"
    )
    group.add_argument(
        "--fps", metavar="RATE", help="frames a second of numbered pictures (default: 25)"
    )
    group.add_argument(
        "--preview",
        type=written,
        metavar="PAGE",
        help="only write a page (.html) with one frame before and after, and say how long the "
        "whole is going to take",
    )


def _add_encoding(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("encoding")
    group.add_argument(
        "--codec",
        help="h264, h265, av1, vp9, prores, ffv1 (lossless); nvenc, qsv or videotoolbox where "
        "they are there; or FFmpeg's name of an encoder (default: h264; for .webm vp9)",
    )
    group.add_argument(
        "--crf",
        type=float,
        default=18,
        help="quality: less is better and larger (default: %(default)s)",
    )
    group.add_argument(
        "--preset",
        metavar="NAME",
        help="how hard the encoder tries: ultrafast, veryfast, medium, veryslow, ... of H.264 "
        "and H.265; 0 (slowest) to 13 of AV1 (default: the encoder's)",
    )
    group.add_argument(
        "--pix-fmt",
        metavar="FORMAT",
        help="pixel format, such as yuv444p (default: 4:2:0 where players need it, or the input's)",
    )
    group.add_argument(
        "--sound",
        choices=("copy", "convert", "none"),
        help="convert makes AAC (Opus in .webm) of what the container cannot hold (default: copy)",
    )
    group.add_argument(
        "--subtitles", choices=("copy", "none"), help="none leaves them out (default: copy)"
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
        help="working memory, such as 500MB or 2GB; the result stays the same",
    )
    group.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="work on a Dask cluster: tcp://scheduler:8786, or local for this machine's cores",
    )
    existing = group.add_mutually_exclusive_group()
    existing.add_argument("--overwrite", action="store_true", help="replace existing results")
    existing.add_argument(
        "--skip-existing", action="store_true", help="leave out what has a result already"
    )
    group.add_argument(
        "--fresh", action="store_true", help="throw away unfinished work and start again"
    )
    group.add_argument(
        "--json",
        action="store_true",
        help="for programs: what was done, and what is left out, as JSON",
    )


def run(args: argparse.Namespace) -> int:
    """Upscale the videos, and say what was done; what fails of several is listed at the end."""
    where = {"device": args.device, "precision": args.precision}
    wanted: dict[str, Any] = {name: value for name, value in where.items() if value is not None}
    part = {
        name: getattr(args, name)
        for name in ("start", "end", "width", "height", "fps", "sound", "subtitles")
        if getattr(args, name) is not None
    }
    for name in ("scale", "codec", "crf", "preset", "pix_fmt", "overwrite", "memory"):
        wanted[name] = getattr(args, name)
    if args.dask and (args.preview or part):
        names = [f"--{name}" for name in part] or ["--preview"]
        raise OptionError(f"{names[0]} is for this machine, not for --dask")
    with notes_of(logging.getLogger("srkit.video.cartoons")):
        if args.preview:
            return _preview(args, wanted | part)
        clips = clips_of(args)
        if clips.one:
            return _upscale_one(args, clips.tasks[0], wanted | part)
        return _upscale_all(args, clips, wanted | part)


def _preview(args: argparse.Namespace, wanted: dict[str, Any]) -> int:
    """Write the page, and say how long the whole is going to take."""
    source, *others = args.inputs
    if others:
        raise OptionError(f"--preview is of one video, not of {len(args.inputs)}")
    found = preview_video(source, args.preview, args.model, dst=args.output, **wanted)
    if args.json:
        write(json.dumps(asdict(found), indent=2, default=str))
        return 0
    write(str(found.path))
    write(
        f"srkit: {found.frames} frames, {found.width}x{found.height}, are going to take "
        f"{in_words(found.seconds)} on this machine",
        sys.stderr,
    )
    return 0


def _upscale_one(args: argparse.Namespace, task: Task, wanted: dict[str, Any]) -> int:
    if args.skip_existing and task.target.exists():
        return summary(0, 1, [])
    report = _upscaled(args, task, wanted)
    if args.json:
        write(json.dumps(asdict(report), indent=2, default=str))
    else:
        _tell(report)
    return 0


def _upscale_all(args: argparse.Namespace, clips: Clips, wanted: dict[str, Any]) -> int:
    """Upscale one after the other; none stops the others."""
    done: list[tuple[Task, VideoReport]] = []
    skipped, failures = list[Task](), clips.failures
    make_folders(clips.tasks)
    for task in clips.tasks:
        if args.skip_existing and task.target.exists():
            skipped.append(task)
            continue
        try:
            report = _upscaled(args, task, wanted)
        except (SrkitError, OSError) as error:
            failures.append(Failure.of(task.source, error, _reason(error, task)))
            continue
        done.append((task, report))
        if not args.json:
            _tell(report)
    if args.json:
        told = {
            "written": [{"source": task.source, **asdict(report)} for task, report in done],
            "skipped": [{"source": task.source, "target": task.target} for task in skipped],
            "failed": [{"source": f.path, "reason": f.reason, "kind": f.kind} for f in failures],
        }
        write(json.dumps(told, indent=2, default=str))
    return summary(len(done), len(skipped), failures)


def _upscaled(args: argparse.Namespace, task: Task, wanted: dict[str, Any]) -> VideoReport:
    upscale = upscale_video
    if args.dask:
        from srkit import dask  # an extra

        upscale = functools.partial(dask.upscale_video, client=args.dask)
    try:
        return upscale(
            task.source,
            task.target,
            args.model,
            resume=not args.fresh,
            progress=sys.stderr.isatty(),
            **wanted,
        )
    except KeyboardInterrupt:
        _tell_kept(None if args.dask else kept_frames(task.target))
        raise


def _reason(error: Exception, task: Task) -> str:
    """What an error says, without the name of the file, which stands before it."""
    told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return told.removeprefix(f"{task.source} ").removeprefix(f"{task.source}: ")


def _tell_kept(frames: int | None) -> None:
    """Say after Ctrl-C what becomes of the work; None where the number of frames is not known."""
    if frames == 0:
        told = "too few frames were done to be kept; the same command starts again"
    else:
        told = (
            "the same command goes on"
            if frames is None
            else (f"{frames} frames are kept; the same command goes on after them")
        )
    write(f"srkit: {told}", sys.stderr)


def _tell(report: VideoReport) -> None:
    """Name the result, and say what was done; what is left out is in the log."""
    write(str(report.path))
    told = (
        f"srkit: {report.frames} frames, {report.width}x{report.height}, "
        f"{report.duration:.2f} s of video in {report.seconds:.1f} s "
        f"({report.frames_per_second:.2f} frames/s)"
    )
    if report.resumed:
        told += f"; {report.resumed} frames were done before"
    write(told, sys.stderr)
    if report.broken:
        times = ", ".join(f"{time:.3f}" for time in report.broken)
        write(f"srkit: broken frames replaced by their neighbours, at (s): {times}", sys.stderr)
