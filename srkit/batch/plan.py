"""Which files ``srkit upscale`` reads, and which it writes for each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from srkit.errors import OptionError
from srkit.imaging import heif, zarrs
from srkit.imaging.files import SUFFIXES

# Endings of files that are read, and of what is written for them.
KEPT = {
    **{s: s for s in SUFFIXES},
    ".jpe": ".jpg",
    ".jfif": ".jpg",
    ".gif": ".png",
    **dict.fromkeys(heif.SUFFIXES, ".png"),
}


@dataclass(frozen=True)
class Failure:
    """A file, or URL, that could not be upscaled, and why."""

    path: Path | str
    reason: str


@dataclass(frozen=True)
class Source:
    """A file to upscale.

    Attributes
    ----------
    path
        The file.
    below
        Its folder, seen from the input folder in which it was found.
    named
        Whether it was named on the command line, not found in a folder.
    """

    path: Path
    below: Path
    named: bool


@dataclass(frozen=True)
class Task:
    """A file to upscale.

    Attributes
    ----------
    source, target
        The file to read, and the one to write.
    converted
        Whether PNG is written because the source's format cannot be.
    """

    source: Path
    target: Path
    converted: bool = False


def is_picture(output: Path) -> bool:
    """Whether an output is the name of a picture, not of a folder."""
    suffix = output.suffix.lower()
    return suffix == zarrs.SUFFIX or (suffix in KEPT and not output.is_dir())


def find(inputs: Sequence[Path], output: Path | None) -> tuple[list[Source], list[Failure]]:
    """All files to upscale, and inputs in which there are none.

    Parameters
    ----------
    inputs
        Files, and folders that are searched to any depth for names of images. Hidden
        files and folders are left out.
    output
        Folder of the results. Where it lies in an input folder, it is not searched.

    Returns
    -------
    (sources, failures)
        No file is listed twice.
    """
    sources: dict[str, Source] = {}
    failures: list[Failure] = []
    for given in inputs:
        if given.is_dir() and not zarrs.is_store(given):
            found = [
                Source(path, path.parent.relative_to(given), named=False)
                for path in _walk(given, output, failures)
            ]
            if not found:
                failures.append(Failure(given, "the folder holds no images"))
        elif given.exists():
            found = [Source(given, Path(), named=True)]
        else:
            found = []
            pipe = "standard input cannot be read; save it as a file first"
            failures.append(Failure(given, pipe if str(given) == "-" else "no such file or folder"))
        for source in found:
            sources.setdefault(_key(source.path), source)
    return list(sources.values()), failures


def _walk(folder: Path, output: Path | None, failures: list[Failure]) -> Iterator[Path]:
    """Images below a folder, in the order of their names."""
    avoided = None if output is None or _key(output) == _key(folder) else _key(output)

    def unreadable(error: OSError) -> None:
        failures.append(Failure(Path(error.filename), error.strerror or str(error)))

    for place, folders, files in os.walk(folder, onerror=unreadable):
        here = Path(place)
        folders[:] = sorted(
            name for name in folders if name[0] != "." and _key(here / name) != avoided
        )
        stores = [name for name in folders if zarrs.is_store(here / name)]
        folders[:] = [name for name in folders if name not in stores]
        pictures = [name for name in files if Path(name).suffix.lower() in KEPT]
        for name in sorted(pictures + stores):
            if name[0] != ".":
                yield here / name


def assign(
    sources: Sequence[Source], tag: str, output: Path | None, suffix: str | None
) -> list[Task]:
    """Give each file the name of its result, ``<stem>_<tag><suffix>``.

    Parameters
    ----------
    sources
        From `find`.
    tag
        Model and scale.
    output
        Folder of the results, or a picture's name for the only source's; None for
        the folder of each source.
    suffix
        Ending of all results; None for that of the source, or ``.png`` where it
        cannot be written.

    Returns
    -------
    list of Task
        Without files, found in folders, that are themselves results of other
        sources: those of an earlier run.

    Raises
    ------
    OptionError
        If two results would have one name, or one would replace a source.
    """
    tasks = {}
    for source in sources:
        if output is not None and is_picture(output):
            task = Task(source.path, output)
        else:
            ending = suffix or _ending(source.path)
            folder = source.path.parent if output is None else output / source.below
            target = folder / f"{source.path.stem}_{tag}{ending}"
            changed = suffix is None and ending == ".png" != source.path.suffix.lower()
            task = Task(source.path, target, changed)
        tasks[_key(source.path)] = task
    found = {_key(source.path) for source in sources if not source.named}
    for made in {_key(task.target) for key, task in tasks.items() if _key(task.target) != key}:
        if made in found:
            tasks.pop(made, None)
    _refuse_collisions(tasks)
    return list(tasks.values())


def _refuse_collisions(tasks: dict[str, Task]) -> None:
    taken: dict[str, Task] = {}
    for task in tasks.values():
        made = _key(task.target)
        if made in tasks:
            raise OptionError(
                f"{task.target}, which {task.source} would become, is itself to be upscaled; "
                "choose another folder by -o, or leave one of them out"
            )
        if made in taken:
            raise OptionError(
                f"{taken[made].source} and {task.source} would both become {task.target}; "
                "upscale them into different folders"
            )
        taken[made] = task


def _ending(path: Path) -> str:
    kept = KEPT.get(path.suffix.lower(), zarrs.SUFFIX if zarrs.is_store(path) else ".png")
    # As it is written in the name: .JPG stays .JPG.
    return path.suffix if kept == path.suffix.lower() else kept


def _key(path: Path) -> str:
    """What two names of one file have in common."""
    return os.path.normcase(path.resolve())
