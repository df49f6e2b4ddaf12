"""Pictures that are numbered, as the frames of a video: ``frames/%05d.png``."""

from __future__ import annotations

import re
from pathlib import Path

from srkit.advice import advise
from srkit.errors import OptionError, VideoError
from srkit.imaging.files import formats

# Where the number stands in a name, as FFmpeg's tools and many others write it.
_NUMBER = re.compile(r"%(?:0(\d{1,2}))?d")
# Missing pictures that a message names.
_NAMED = 3


def is_sequence(path: Path) -> bool:
    """Whether a path names numbered pictures, of a format that srkit reads.

    Examples
    --------
    >>> is_sequence(Path("frames/%05d.png")), is_sequence(Path("frames/%05d.mp4"))
    (True, False)
    """
    return len(_NUMBER.findall(path.name)) == 1 and formats.named(path) is not None


def numbered(pattern: Path, number: int) -> Path:
    """The picture of a number.

    Examples
    --------
    >>> numbered(Path("frames/%05d.png"), 12).name
    '00012.png'
    """
    match = _NUMBER.search(pattern.name)
    if match is None:
        raise OptionError(f"{pattern} has no place for a number, such as %05d")
    name = pattern.name[: match.start()] + f"{number:0{int(match[1] or 0)}}"
    return pattern.with_name(name + pattern.name[match.end() :])


def numbers_in(pattern: Path) -> list[int]:
    """The numbers of the pictures that are there, in order; none where there is no folder."""
    match = _NUMBER.search(pattern.name)
    if match is None or not pattern.parent.is_dir():
        return []
    before, after = (re.escape(text) for text in _NUMBER.split(pattern.name)[::2])
    fits = re.compile(rf"{before}(\d+){after}", re.ASCII)
    found = [fits.fullmatch(entry.name) for entry in pattern.parent.iterdir()]
    numbers = sorted(int(one[1]) for one in found if one)
    return [n for n in dict.fromkeys(numbers) if numbered(pattern, n).is_file()]


def pictures_of(pattern: Path) -> dict[int, Path]:
    """All pictures of a sequence by their numbers, which need not begin at 1.

    Raises
    ------
    FileNotFoundError
        If there is none.
    VideoError
        If one is missing in between.
    """
    numbers = numbers_in(pattern)
    if not numbers:
        raise FileNotFoundError(2, "No such pictures", str(pattern))
    missing = sorted(set(range(numbers[0], numbers[-1] + 1)) - set(numbers))
    if missing:
        names = ", ".join(numbered(pattern, n).name for n in missing[:_NAMED])
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        raise VideoError(
            f"{pattern} lacks {names}{more}, between {numbered(pattern, numbers[0]).name} and "
            f"{numbered(pattern, numbers[-1]).name}: add what is missing, or number them anew"
        )
    return {n: numbered(pattern, n) for n in numbers}


def check_target(pattern: Path, *, overwrite: bool) -> None:
    """Refuse to write where pictures of the same names are.

    Raises
    ------
    OptionError
        If there are some, or the format is not written.
    """
    if formats.written_as(pattern) is None:
        suffixes = ", ".join(s for s in formats.SUFFIXES if s != ".zarr")
        raise OptionError(f"{pattern}: pictures are written as {suffixes}")
    there = numbers_in(pattern)
    if there and not overwrite:
        again = advise("pass overwrite=True", "use --overwrite")
        raise OptionError(
            f"{pattern.parent} holds {len(there)} pictures of these names, such as "
            f"{numbered(pattern, there[0]).name}; {again} to replace them"
        )


def pattern_for(folder: Path) -> str | None:
    """How the pictures of a folder may be named; None where they have no numbers."""
    for entry in sorted(folder.iterdir()):
        match = re.search(r"\d+(?=\D*$)", entry.stem)
        if match and entry.is_file() and formats.named(entry):
            place = f"%0{len(match[0])}d"
            name = entry.stem[: match.start()] + place + entry.stem[match.end() :] + entry.suffix
            return str(folder / name)
    return None
