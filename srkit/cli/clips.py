"""What ``srkit upscale-video`` reads and writes: one video, or several, also in folders."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from srkit.batch.plan import Failure, Source, Task, assign, find
from srkit.batch.work import Request
from srkit.errors import ImageError, OptionError
from srkit.imaging import folders
from srkit.models.loading import card, load
from srkit.video.sequences import is_sequence, pattern_for
from srkit.video.suffixes import ENDINGS, SEARCHED, VIDEOS

_COMMAND = "srkit upscale-video is for these"


class Clips(NamedTuple):
    """What is asked for.

    Attributes
    ----------
    tasks
        Each video, and its result.
    failures
        What cannot be read.
    one
        Whether one file was named: what goes wrong with it is the command's error.
    """

    tasks: list[Task]
    failures: list[Failure]
    one: bool


def clips_of(args: argparse.Namespace) -> Clips:
    """The videos that the arguments name, and their results.

    Without ``-o`` a result lies beside its source, and is named by it, model and scale.

    Raises
    ------
    OptionError
        If the output makes no sense for these inputs.
    """
    inputs, output = list[Path](args.inputs), args.output
    one = len(inputs) == 1 and not inputs[0].is_dir()
    pictures = [path for path in inputs if is_sequence(path) and not path.exists()]
    if one and output is not None and not output.is_dir():
        if not output.suffix:
            raise OptionError(
                f"-o {output} names no container; add a suffix such as .mp4, or make the folder "
                "first"
            )
        return Clips([Task(inputs[0], output)], [], one)
    if pictures:
        alone = "" if one else ", in a command of its own"
        raise OptionError(f"{pictures[0]}: give -o FILE, such as -o out.mp4{alone}")
    if not one and output is not None and _names_a_file(output):
        raise OptionError(f"-o {output} names a video; for several inputs name a folder")
    sources, failures = find(inputs, output, SEARCHED, "videos")
    tasks = assign(sources, _tag(args), output, None, ENDINGS)
    if one and failures:
        raise FileNotFoundError(2, os.strerror(2), str(inputs[0]))
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
    return Clips(tasks, [_with_pictures(failure) for failure in failures], one)


def refuse_videos(inputs: Sequence[Path]) -> None:
    """Refuse inputs of `srkit upscale` that are videos, all of them, before a model is loaded.

    Raises
    ------
    OptionError
        With the command for them.
    """
    if inputs and all(_is_video(path) and path.is_file() for path in inputs):
        what = "is a video" if len(inputs) == 1 else "and the others are videos"
        raise OptionError(f"{inputs[0]} {what}: {_COMMAND}")


def without_videos(
    sources: Sequence[Source], failures: Sequence[Failure]
) -> tuple[list[Source], list[Failure]]:
    """The pictures among what `find` found; failures name the command for videos."""
    told = list[Failure]()
    for failure in failures:
        folder = Path(failure.path)
        # A name may be one that no file can have.
        here = folders.exists(folder) and folder.is_dir()
        if here and any(folders.walk(folder, tuple(VIDEOS), lambda _: None)):
            failure = replace(failure, reason=f"{failure.reason}, but videos: {_COMMAND}")
        told.append(failure)
    videos = [source for source in sources if _is_video(source.path)]
    told += [Failure(s.path, f"it is a video: {_COMMAND}", ImageError.__name__) for s in videos]
    return [source for source in sources if source not in videos], told


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEOS


def make_folders(tasks: Sequence[Task]) -> None:
    """Make the folders of results, which are as those of the sources."""
    for folder in {task.target.parent for task in tasks}:
        folder.mkdir(parents=True, exist_ok=True)


def _names_a_file(output: Path) -> bool:
    return not output.is_dir() and output.suffix.lower() in filter(None, ENDINGS)


def _tag(args: argparse.Namespace) -> str:
    """Model and scale, or the size, as they are in names."""
    request = Request(width=args.width, height=args.height)
    if Path(args.model).exists():
        upscaler = load(args.model, scale=args.scale)
        return request.tag(upscaler.card.name, upscaler.scale)
    found = card(args.model)
    return request.tag(found.name, args.scale or found.default_scale)


def _with_pictures(failure: Failure) -> Failure:
    """What cannot be read; of a folder of numbered pictures, how they are named."""
    path = Path(failure.path)
    pattern = pattern_for(path) if path.is_dir() and os.access(path, os.R_OK) else None
    if pattern is None:
        return failure
    return replace(failure, reason=f"{failure.reason}; name its pictures as {pattern}")
