"""Where a video is read and its result is written: what is refused before any work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from srkit.advice import advise
from srkit.errors import OptionError, VideoError
from srkit.guard import refuse_pipes
from srkit.video.sequences import check_target, is_sequence, numbers_in, pattern_for


def check_paths(source: Path, target: Path, *, overwrite: bool) -> None:
    """Refuse a source that is not there, or is no file, and a target that is there."""
    check_source(source)
    numbered = is_sequence(target)
    folder = target.parent.parent if numbered and not target.parent.exists() else target.parent
    if not folder.is_dir():
        raise FileNotFoundError(2, os.strerror(2), str(folder))
    same = target.exists() and source.exists() and source.samefile(target)
    if same or source.resolve() == target.resolve():
        raise OptionError(f"the result would replace its source, {source}; name another file")
    if numbered:
        check_target(target, overwrite=overwrite)
    elif target.exists() and not overwrite:
        again = advise("pass overwrite=True", "use --overwrite")
        raise OptionError(f"{target} exists; {again} to replace it")


def check_source(source: Path) -> None:
    """Refuse a source that is not there, or is no file and no numbered pictures."""
    if source.is_dir():
        pattern = pattern_for(source)
        numbered = f": name its pictures as {pattern}" if pattern else ""
        raise VideoError(f"{source} is a folder{numbered}")
    if source.exists():
        refuse_pipes(source, VideoError)
    elif not (is_sequence(source) and numbers_in(source)):
        raise FileNotFoundError(2, os.strerror(2), str(source))


@contextmanager
def folder_for(target: Path) -> Iterator[None]:
    """Have the folder of numbered pictures; one that was made for nothing goes again."""
    made = is_sequence(target) and not target.parent.exists()
    if made:
        target.parent.mkdir()
    try:
        yield
    finally:
        if made:
            with suppress(OSError):
                target.parent.rmdir()
