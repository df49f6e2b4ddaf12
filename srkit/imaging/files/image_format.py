"""What there is to say about an image format: one value, which everybody else asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from srkit.atomic import replacing, replacing_folder
from srkit.errors import ImageError
from srkit.imaging.files.decoding import Decoded
from srkit.imaging.files.rows import Rows
from srkit.imaging.metadata import Metadata
from srkit.imaging.pil import Mode

# Parts of `Metadata` that a format has a place for. "cicp" is colour by the code points of ITU-T
# H.273 alone, "color" by all numbers of PNG; "comment" is one text without a keyword, and "ome"
# a description in OME-XML.
Part = Literal[
    "icc", "exif", "xmp", "dpi", "color", "cicp", "texts", "comment", "iptc", "geo", "ome"
]
# Modes of formats with alpha.
WITH_ALPHA: tuple[Mode, ...] = ("L", "LA", "RGB", "RGBA")
METRES_PER_INCH = 0.0254
# Pixels per inch where a field of 32 bits holds those per metre.
PER_METRE = (0.5 * METRES_PER_INCH, (2**31 - 1) * METRES_PER_INCH)

Writer = Callable[[Any, NDArray[Any], Metadata, int | None], None]


def _only_reads(file: Any, pixels: NDArray[Any], metadata: Metadata, quality: int | None) -> None:
    raise ImageError("srkit reads this format, but does not write it")


def _takes_any(path: Path) -> None:
    """What stands at a path may be replaced; `replacing` says where it cannot be."""


@dataclass(frozen=True)
class Places:
    """What of a picture's metadata a format holds, as srkit writes it.

    Parameters
    ----------
    parts
        What it has a place for.
    dpi
        Least and most pixels per inch that its field holds, where it has one.
    longest
        Most bytes of a part, where there is a limit.
    refuses_grey_profiles
        Modes beside which a grey profile is left out, since their pixels become RGB.
    """

    parts: frozenset[Part] = frozenset()
    dpi: tuple[float, float] | None = None
    longest: Mapping[Part, int] = field(default_factory=dict)
    refuses_grey_profiles: tuple[Mode, ...] = ()

    def take(self, part: Part, size: int) -> bool:
        """Whether there is a place for so many bytes of a part."""
        return part in self.parts and size <= self.longest.get(part, size)


class RowWriter(Protocol):
    """A module that writes a format by rows; the file is a folder where the format's are."""

    def rows_per_strip(self, shape: tuple[int, ...], dtype: np.dtype[Any], /) -> int:
        """Rows that a strip has best."""

    def write_rows(
        self,
        file: Any,
        strips: Iterator[NDArray[Any]],
        metadata: Metadata,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        /,
    ) -> None:
        """Write a picture of strips of so many rows."""


@dataclass(frozen=True, eq=False)
class ImageFormat:
    """A format of image files.

    To add one, state its value in a module of its own and list it in
    `srkit.imaging.files.formats`.

    Parameters
    ----------
    name
        As `Metadata.format` has it, in capitals: ``"WEBP"``.
    suffixes
        Endings of its files, in lower case, the usual one first; those that are written, where
        it is.
    sniff
        Tells whether a file is of this format by its first bytes; of a folder there are none,
        and its path tells.
    read
        Decodes a file that is open for reading, of at most so many pixels. A format of folders
        is given the path, and names it in its errors.
    write
        Writes pixels, with metadata that fit, into a file that is open for reading and writing,
        or into an empty folder, at a quality where one was given. Left out where srkit only reads.
    title
        As texts name it: ``"WebP"``.
    aliases
        Further endings under which it is read where folders are upscaled, but not from data
        sets, and not written.
    folder
        Whether a picture is a folder, not a file.
    check_target
        Refuses a path in whose place nothing must be written.
    rows
        What reads it by rows.
    row_writer
        What writes it by rows.
    modes, dtypes, max_side
        Of pixels that it holds, as srkit writes it. Floats are rounded where no dtype is one.
    quality
        Whether there is a quality to choose.
    places
        Of metadata.
    """

    name: str
    suffixes: tuple[str, ...]
    sniff: Callable[[bytes, Path], bool]
    read: Callable[[Any, int], Decoded]
    write: Writer = _only_reads
    title: str = ""
    aliases: tuple[str, ...] = ()
    folder: bool = False
    check_target: Callable[[Path], None] = _takes_any
    rows: type[Rows] | None = None
    row_writer: RowWriter | None = None
    modes: tuple[Mode, ...] = ()
    dtypes: tuple[str, ...] = ("uint8",)
    max_side: int = 2**31 - 1
    quality: bool = False
    places: Places = Places()

    def __post_init__(self) -> None:
        if not self.title:
            object.__setattr__(self, "title", self.name)

    @property
    def is_written(self) -> bool:
        """Whether srkit writes it, or only reads it."""
        return self.write is not _only_reads

    def placed(self, path: Path) -> AbstractContextManager[Any]:
        """What `write` takes, which appears under its name at the end, if all goes well."""
        return replacing_folder(path) if self.folder else replacing(path)


def starts_with(*signatures: bytes) -> Callable[[bytes, Path], bool]:
    """What tells a format whose files begin with one of these.

    Examples
    --------
    >>> starts_with(b"GIF87a", b"GIF89a")(b"GIF89a and more", Path("a.gif"))
    True
    """
    return lambda head, _: head.startswith(signatures)
