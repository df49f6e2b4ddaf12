"""``srkit upscale-video``: one video file."""

from __future__ import annotations

import argparse
import functools
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from srkit.cli.console import Commands, byte_count, examples, local, model, positive, write, written
from srkit.errors import OptionError
from srkit.video import upscale_video

if TYPE_CHECKING:
    from srkit.video.upscaling import VideoReport


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "upscale-video",
        help="upscale a video file",
        description=(
            "Upscale a video. Sound, subtitles, chapters and the times of all frames are kept. "
            "Work that is interrupted goes on when the same command is given again."
        ),
        **examples("srkit upscale-video in.mp4 -m espcn -o out.mp4"),
    )
    parser.add_argument("input", type=local, metavar="INPUT", help="video file")
    parser.add_argument(
        "-o",
        "--output",
        type=written,
        required=True,
        metavar="FILE",
        help="the result; its suffix names the container: .mp4, .mkv, .mov, ...",
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
    _add_encoding(parser)
    _add_work(parser)
    parser.set_defaults(run=run)


def _add_encoding(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("encoding")
    group.add_argument(
        "--codec",
        help="FFmpeg's name of an encoder, such as libx265 or ffv1 (default: libx264; for .webm "
        "libvpx-vp9)",
    )
    group.add_argument(
        "--crf",
        type=float,
        default=18,
        help="quality: less is better and larger (default: %(default)s)",
    )
    group.add_argument(
        "--pix-fmt",
        metavar="FORMAT",
        help="pixel format, such as yuv444p (default: 4:2:0 where players need it, or the input's)",
    )


def _add_work(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("work")
    group.add_argument("--device", help="such as cpu or cuda, for models that have a choice")
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
    group.add_argument("--overwrite", action="store_true", help="replace an existing result")
    group.add_argument(
        "--fresh", action="store_true", help="throw away unfinished work and start again"
    )
    group.add_argument(
        "--json",
        action="store_true",
        help="for programs: what was done, and what is left out, as JSON",
    )


def run(args: argparse.Namespace) -> int:
    """Upscale the video, and say what was done."""
    options = {} if args.device is None else {"device": args.device}
    if not args.output.suffix:
        raise OptionError(f"-o {args.output} names no container; add a suffix such as .mp4")
    upscale = upscale_video
    if args.dask:
        from srkit import dask  # an extra

        upscale = functools.partial(dask.upscale_video, client=args.dask)
    report = upscale(
        args.input,
        args.output,
        args.model,
        scale=args.scale,
        codec=args.codec,
        crf=args.crf,
        pix_fmt=args.pix_fmt,
        resume=not args.fresh,
        overwrite=args.overwrite,
        memory=args.memory,
        progress=sys.stderr.isatty(),
        **options,
    )
    if args.json:
        write(json.dumps(asdict(report), indent=2, default=str))
    else:
        write(str(report.path))
        _tell(report)
    return 0


def _tell(report: VideoReport) -> None:
    """Say what was done, beside the name of the result; what is left out is in the log."""
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
