"""Pictures in folders, of which no entry stops or hides the others."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from srkit.imaging.files import formats

PIPE = (
    "a pipe or device has no name to read it by; give it as standard input (-), or as an open file"
)


def walk(
    folder: Path,
    suffixes: tuple[str, ...],
    unreadable: Callable[[OSError], None],
    avoid: Path | None = None,
) -> Iterator[Path]:
    """Files below a folder whose names have one of these suffixes, and folders that are pictures.

    Folder by folder, in each in the order of names. A folder that is reached by a link comes
    after all others, and no folder comes twice, however many links lead to it.

    Parameters
    ----------
    folder
        Where to look, at any depth. What is hidden is left out.
    suffixes
        In lower case.
    unreadable
        Called for a folder that cannot be looked into.
    avoid
        A folder that is left out.

    Yields
    ------
    Path
        Also links that lead nowhere, pipes and the like: `why_not` tells them apart.
    """
    avoided = None if avoid is None or identity(avoid) == identity(folder) else identity(avoid)
    seen, waiting = {identity(folder)}, [folder]

    def into(here: Path, name: str) -> bool:
        """Whether to look into a folder now; links wait."""
        path = here / name
        place = identity(path)
        if name.startswith(".") or place == avoided or place in seen:
            return False
        if path.is_symlink():
            waiting.append(path)
            return False
        seen.add(place)
        return True

    while waiting:
        start = waiting.pop(0)
        if start is not folder and identity(start) in seen:
            continue
        seen.add(identity(start))
        for place, folders, files in os.walk(start, onerror=unreadable):
            here = Path(place)
            stores = [name for name in folders if formats.of_folder(here / name)]
            folders[:] = [n for n in sorted(folders) if n not in stores and into(here, n)]
            named = [name for name in files if Path(name).suffix.lower() in suffixes]
            for name in sorted(named + stores):
                if name[0] != "." and identity(here / name) != avoided:
                    yield here / name


def why_not(path: Path) -> str | None:
    """Why what a path leads to cannot be read as a file or a folder; None if it can."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return error.strerror or str(error)
    return None if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else PIPE


def exists(path: Path) -> bool:
    """Whether there is something at a path, which may be one that cannot be."""
    try:
        path.stat()
    except (OSError, ValueError):
        return False
    return True


def identity(path: Path) -> str:
    """What all names of one file or folder have in common."""
    return os.path.normcase(os.path.realpath(path))
