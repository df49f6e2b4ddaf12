"""Which files ``srkit upscale`` reads, and which it writes for each."""

from __future__ import annotations

import difflib
import errno
import itertools
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from srkit.errors import OptionError
from srkit.imaging import folders
from srkit.imaging.files import formats

# What is written where the source's format cannot be.
_INSTEAD = ".png"
# How alike a suffix is to one that is written, to be taken for a slip: one letter too many or few.
_NEAR = 0.75
# Kind of the failure of a folder that was found, and has nothing to read.
_NO_IMAGES = FileNotFoundError.__name__
# Endings of files that are read, and of what is written for them; "" stands for all others.
KEPT = {
    **{suffix: suffix for suffix in formats.SUFFIXES},
    **{
        suffix: form.suffixes[0] if form.is_written else _INSTEAD
        for form in formats.FORMATS
        for suffix in (*form.suffixes, *form.aliases)
        if suffix not in formats.SUFFIXES
    },
}


@dataclass(frozen=True)
class Failure:
    """A file, or URL, that could not be upscaled, and why.

    Attributes
    ----------
    kind
        Name of the class of errors, such as ``"ImageError"``, for programs: they last longer than
        the words of a reason.
    """

    path: Path | str
    reason: str
    kind: str = ""

    @classmethod
    def of(cls, path: Path | str, error: Exception, reason: str | None = None) -> Failure:
        """What an error says, unless it is said in other words.

        Examples
        --------
        >>> Failure.of("a.png", FileNotFoundError("it is not there")).kind
        'FileNotFoundError'
        """
        return cls(path, str(error) if reason is None else reason, type(error).__name__)


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
        Whether another format than the source's is written, because that cannot be.
    spare
        Place and name of a result of another format, but for its suffix, where what is read
        turns out not to fit into this one; None where its format was asked for.
    why
        What turned out.
    """

    source: Path
    target: Path
    converted: bool = False
    spare: Path | None = None
    why: str = ""

    def in_format(self, suffix: str, why: str) -> Task:
        """The same with a result of another format."""
        target = self.target if self.spare is None else Path(f"{self.spare}{suffix}")
        return replace(self, target=target, converted=True, why=why)


def misspelt(output: Path) -> str | None:
    """The suffix that was perhaps meant by a name that would become a folder's; or None.

    Examples
    --------
    >>> [misspelt(Path(name)) for name in ("a.jpgg", "a.pgn", "results", "runs.2026", "a.out")]
    ['.jpg', '.png', None, None, None]
    """
    given = output.suffix.lower()
    if not given or is_picture(output) or folders.exists(output):
        return None
    twisted = (suffix for suffix in formats.SUFFIXES if sorted(suffix) == sorted(given))
    near = difflib.get_close_matches(given[1:], [s[1:] for s in formats.SUFFIXES], 1, _NEAR)
    return next(twisted, f".{near[0]}" if near else None)


def is_picture(output: Path) -> bool:
    """Whether an output is the name of a picture, not of a folder."""
    form = formats.named(output)
    return form is not None and (form.folder or not (folders.exists(output) and output.is_dir()))


def find(
    inputs: Sequence[Path],
    output: Path | None,
    endings: Mapping[str, str] = KEPT,
    what: str = "images",
) -> tuple[list[Source], list[Failure]]:
    """All files to upscale, and inputs in which there are none.

    Parameters
    ----------
    inputs
        Files, and folders that are searched to any depth for names of images, also those that
        links lead to. Hidden files and folders are left out.
    output
        Folder of the results. Where it lies in an input folder, it is not searched.
    endings
        Of files that are looked for in folders, as `KEPT` has them.
    what
        These files, as messages name them.

    Returns
    -------
    (sources, failures)
        No file is listed twice.
    """
    sources: dict[str, Source] = {}
    failures: list[Failure] = []

    def unreadable(error: OSError) -> None:
        failures.append(Failure.of(Path(error.filename), error, error.strerror or str(error)))

    for given in inputs:
        if not folders.exists(given):
            found = []
            failures.append(Failure(given, _missing(given), FileNotFoundError.__name__))
        elif given.is_dir() and not formats.of_folder(given):
            found = [
                Source(path, path.parent.relative_to(given), named=False)
                for path in folders.walk(given, tuple(endings), unreadable, output)
            ]
            if not found:
                failures.append(Failure(given, f"the folder holds no {what}", _NO_IMAGES))
        else:
            found = [Source(given, Path(), named=True)]
        for source in found:
            sources.setdefault(folders.identity(source.path), source)
    return list(sources.values()), failures


def _missing(given: Path) -> str:
    told = folders.why_not(given)
    return "no such file or folder" if told in (None, os.strerror(errno.ENOENT)) else str(told)


def assign(
    sources: Sequence[Source],
    tag: str,
    output: Path | None,
    suffix: str | None,
    endings: Mapping[str, str] = KEPT,
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
    endings
        As of `find`.

    Returns
    -------
    list of Task
        Without files, found in folders, that are themselves results of other
        sources: those of an earlier run.

    Raises
    ------
    OptionError
        If two results would have one name, or one would replace a source. Files of one folder
        that differ in their suffix are told apart by it: ``<stem>_<suffix>_<tag>.png``.
    """
    if output is not None and is_picture(output):
        made = [Task(source.path, output) for source in sources]
    else:
        made = [_task(s, s.path.stem, tag, output, suffix, endings) for s in sources]
        for number in _clashing(made):
            source, taken = sources[number], {folders.identity(task.target) for task in made}
            for stem in _further_names(source.path):
                made[number] = _task(source, stem, tag, output, suffix, endings)
                if folders.identity(made[number].target) not in taken:
                    break
    if suffix is None and not (output is not None and is_picture(output)):
        made = _with_spares(made, tag)
    tasks = {folders.identity(task.source): task for task in made}
    found = {folders.identity(source.path) for source in sources if not source.named}
    results = {k: folders.identity(task.target) for k, task in tasks.items()}
    for key, result in results.items():
        if result in found and result != key:
            tasks.pop(result, None)
    _refuse_collisions(tasks)
    return list(tasks.values())


def _task(
    source: Source,
    stem: str,
    tag: str,
    output: Path | None,
    suffix: str | None,
    endings: Mapping[str, str],
) -> Task:
    ending = suffix or _ending(source.path, endings)
    folder = source.path.parent if output is None else output / source.below
    changed = suffix is None and ending == _INSTEAD != source.path.suffix.lower()
    return Task(source.path, folder / f"{stem}_{tag}{ending}", changed)


def _with_spares(tasks: Sequence[Task], tag: str) -> list[Task]:
    """Tasks with names for results of other formats, which no other task takes."""
    stems = Counter(folders.identity(task.target.with_suffix("")) for task in tasks)
    stems.update(folders.identity(task.source.with_suffix("")) for task in tasks)
    done = []
    for task in tasks:
        spare = task.target.with_suffix("")
        if stems[folders.identity(spare)] > 1:
            stem = next(_further_names(task.source))
            spare = task.target.with_name(f"{stem}_{tag}")
        done.append(replace(task, spare=spare))
    return done


def _clashing(tasks: Sequence[Task]) -> list[int]:
    """Numbers of tasks that need another name, since a file of the same folder has theirs.

    The one whose format is kept has the plain name, as it has without the others.
    """
    by_place: dict[tuple[str, Path], list[int]] = {}
    for number, task in enumerate(tasks):
        place = folders.identity(task.target), task.source.parent
        by_place.setdefault(place, []).append(number)
    clashing = []
    for numbers in by_place.values():
        kept = [n for n in numbers if tasks[n].source.suffix == tasks[n].target.suffix]
        if len(numbers) > 1:
            clashing += [n for n in numbers if n not in kept[:1]]
    return clashing


def _further_names(path: Path) -> Iterator[str]:
    """Stems that tell a file from others of its stem: by its suffix, then by numbers."""
    stem = f"{path.stem}_{path.suffix[1:]}"
    yield stem
    yield from (f"{stem}_{number}" for number in itertools.count(2))


def _refuse_collisions(tasks: dict[str, Task]) -> None:
    taken: dict[str, Task] = {}
    for task in tasks.values():
        made = folders.identity(task.target)
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


def _ending(path: Path, endings: Mapping[str, str]) -> str:
    kept = endings.get(path.suffix.lower())
    if kept is None:  # a folder inside a store, or a file whose name says nothing
        form = formats.of_folder(path)
        kept = form.suffixes[0] if form else endings.get("", _INSTEAD)
    # As it is written in the name: .JPG stays .JPG.
    return path.suffix if kept == path.suffix.lower() else kept
