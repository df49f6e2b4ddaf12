"""The directories of a TIFF file, followed before a library does.

tifffile reads all of them, and lists of strips whole: a directory that names itself as the next
would never end, and lists that lie upon each other would fill the memory.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any, BinaryIO

from srkit.errors import CorruptFileError, ImageError

if TYPE_CHECKING:
    import tifffile

# A pyramid has some twenty.
MOST_DIRECTORIES = 1000
# Strips or tiles of one picture, and pixels of one tile where that is more than there are.
MOST_PIECES, LARGEST_TILE = 1 << 22, 1 << 24
# Bytes that all tags may take beyond the file's own, which only those that overlap do.
SPARE = 1 << 20
_PIECES = (273, 279, 324, 325)  # offsets and lengths of strips and tiles
_BYTES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)  # of each type of values
_SIDES = ("imagewidth", "imagelength", "imagedepth", "samplesperpixel")
_STRIPS, _TILES = ("rowsperstrip",), ("tilewidth", "tilelength", "tiledepth")


def check(file: BinaryIO) -> None:
    """Follow a file's directories, and refuse what no library should be given.

    Parameters
    ----------
    file
        Open for reading; left at its beginning. What is damaged is left to the library.

    Raises
    ------
    CorruptFileError
        If a directory comes twice, or tags take more than the file has.
    ImageError
        If there are too many directories, or pieces of a picture.
    """
    size = file.seek(0, 2)
    file.seek(0)
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    big = head[2:4] in (b"+\0", b"\0+")
    count, entry, pointer = ("Q", "HHQ8s", "Q") if big else ("H", "HHI4s", "I")
    start = head[8:16] if big else head[4:8]
    seen: set[int] = set()
    left = size + SPARE
    while len(start) == struct.calcsize(f"={pointer}"):
        (at,) = struct.unpack(order + pointer, start)
        if not 0 < at < size:
            break
        if at in seen:
            raise CorruptFileError("the TIFF file names a directory twice: it would never end")
        seen.add(at)
        if len(seen) > MOST_DIRECTORIES:
            raise ImageError(f"the TIFF file holds over {MOST_DIRECTORIES} frames or pages")
        file.seek(at)
        tags = _tags(file, order + count, order + entry)
        left -= sum(_taken(*tag, size) for tag in tags)
        if left < 0:
            raise CorruptFileError("the TIFF file's tags take more than there is: they overlap")
        start = file.read(struct.calcsize(f"={pointer}"))
    file.seek(0)


def _tags(file: BinaryIO, count: str, entry: str) -> list[tuple[int, int, int]]:
    """Code, type and number of values of each tag of the directory at which the file stands."""
    head = file.read(struct.calcsize(count))
    if len(head) < struct.calcsize(count):
        return []
    (number,) = struct.unpack(count, head)
    if number > 4096:  # beyond this tifffile gives up
        file.seek(0, 2)
        return []
    data = file.read(number * struct.calcsize(entry))
    whole = len(data) - len(data) % struct.calcsize(entry)
    return [tag[:3] for tag in struct.iter_unpack(entry, data[:whole])]


def _taken(code: int, kind: int, number: int, size: int) -> int:
    """Bytes that the values of a tag take in a file of a size; those beyond it are not read."""
    if code in _PIECES and number > MOST_PIECES:
        raise ImageError(f"the TIFF file is in {number} pieces; over {MOST_PIECES} are refused")
    taken = number * (_BYTES[kind] if kind < len(_BYTES) else 0)
    return taken if taken <= size else 0


def check_page(page: tifffile.TiffPage) -> None:
    """Refuse a directory whose sides are none, before anything is made of them.

    Raises
    ------
    CorruptFileError, ImageError
    """
    for name in (*_SIDES, *(_TILES if page.is_tiled else _STRIPS)):
        value: Any = getattr(page, name)
        if not isinstance(value, int):
            raise CorruptFileError(f"the TIFF file is damaged: its {name} is no number")
        if value < 1:
            raise ImageError(f"the image is empty: its {name} is {value}")
    if page.imagedepth != 1:
        raise ImageError(f"a TIFF of depth {page.imagedepth} is not a picture")
    if page.is_tiled:
        tile, picture = page.tilewidth * page.tilelength, page.imagewidth * page.imagelength
        if tile > max(LARGEST_TILE, 4 * picture) or page.tiledepth != 1:
            raise CorruptFileError("the TIFF file's tiles are far larger than its picture")
    if math.prod(page.shape) > 4 * page.imagewidth * page.imagelength * page.samplesperpixel:
        raise CorruptFileError(f"the TIFF file is damaged: its shape is {page.shape}")
