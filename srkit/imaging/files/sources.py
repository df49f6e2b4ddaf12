"""What a picture is read from besides paths: bytes, open files and URLs, as files that seek."""

from __future__ import annotations

import inspect
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeAlias, TypeGuard, cast, runtime_checkable

from srkit.errors import CorruptFileError, ImageError, ImageTooLargeError
from srkit.imaging.files import formats, remote
from srkit.imaging.files.image_format import ImageFormat

_PIECE = 2**20
_IN_MEMORY = 2**26  # bytes of a stream that is copied; what is longer goes on to the disk
# More bytes than any format takes for a pixel, four floats, and for all that is no pixel.
_PER_PIXEL, _BESIDE = 16, 2**26


@runtime_checkable
class Readable(Protocol):
    """A file that is open for reading bytes, whether it seeks or not."""

    def read(self, size: int = ..., /) -> bytes:
        """At most so many bytes; none at the end."""


# What a file of a picture is named by, or what it holds.
Encoded: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | Readable


def is_encoded(image: object) -> TypeGuard[Encoded]:
    """Whether an image is a file: a path, a URL, bytes, or an open file.

    Examples
    --------
    >>> is_encoded("a.png"), is_encoded(b"..."), is_encoded(io.BytesIO()), is_encoded([1, 2])
    (True, True, True, False)
    """
    return isinstance(image, str | os.PathLike) or is_stream(image)


def is_stream(source: object) -> bool:
    """Whether a source is no path and no URL: bytes, or an open file."""
    return isinstance(source, bytes | bytearray | memoryview) or callable(
        getattr(source, "read", None)
    )


def label_of(source: Any) -> str:
    """How messages name a source.

    Examples
    --------
    >>> label_of("a.png"), label_of(b"..."), label_of(io.BytesIO())
    ('a.png', '<bytes>', '<BytesIO>')
    """
    if isinstance(source, str | os.PathLike):
        place = os.fspath(source)
        return remote.shown(place) if remote.is_url(place) else place
    name = getattr(source, "name", None)
    return name if isinstance(name, str) and name else f"<{type(source).__name__}>"


@contextmanager
def seekable(source: Any, max_pixels: int) -> Iterator[BinaryIO]:
    """The bytes of a source that is no path, as a file that seeks and is at its start.

    Parameters
    ----------
    source
        Bytes, an open file, or a URL. A file that seeks is read from its start, any other from
        where it is, to its end; neither is closed.
    max_pixels
        Streams that are longer than any picture of so many pixels are refused.

    Raises
    ------
    ImageError
        If a file gives text, or is closed, or not open for reading; or a URL is a folder.
    ImageTooLargeError
        If a stream is too long.
    OSError
        As the file raises them.
    """
    if isinstance(source, str | os.PathLike):
        with remote.opened(os.fspath(source)) as file, _copied(file, source, max_pixels) as copy:
            yield copy
    elif isinstance(source, bytes | bytearray | memoryview):
        yield io.BytesIO(source)
    elif _seeks(source):
        source.seek(0)
        yield cast(BinaryIO, source)
    else:
        with _copied(source, source, max_pixels) as copy:
            yield copy


def _seeks(file: Any) -> bool:
    """Whether a file seeks; one that cannot be read is refused."""
    label = label_of(file)
    if getattr(file, "closed", False):
        raise ImageError(f"{label}: the file is closed; read the picture while it is open")
    if isinstance(file, io.IOBase) and not file.readable():
        raise ImageError(f"{label}: the file is not open for reading; open it with mode 'rb'")
    try:
        if not file.seekable():
            return False
    except AttributeError:
        return False
    _checked(file.read(0), label)
    return True


@contextmanager
def _copied(file: Any, source: Any, max_pixels: int) -> Iterator[BinaryIO]:
    """A copy of a stream, for as long as it is needed; what is no picture is not read on."""
    label = label_of(source)
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as copy:
        size, most = 0, _BESIDE + max_pixels * _PER_PIXEL
        while piece := _checked(file.read(_PIECE), label):
            copy.write(piece)
            if size < formats.HEAD <= size + len(piece):
                copy.seek(0)
                sniff(copy.read(formats.HEAD), label)
                copy.seek(0, io.SEEK_END)
            size += len(piece)
            if size > most:
                raise ImageTooLargeError(
                    f"{label}: it goes on beyond {most} bytes, more than any picture of "
                    f"{max_pixels} pixels takes; if you trust it, raise max_pixels"
                )
        copy.seek(0)
        yield cast(BinaryIO, copy)


def _checked(piece: object, label: str) -> bytes:
    if isinstance(piece, bytes | bytearray | memoryview):
        return bytes(piece)
    if isinstance(piece, str):
        raise ImageError(f"{label}: the file gives text; open it with mode 'rb', for bytes")
    if inspect.iscoroutine(piece):
        piece.close()
        raise ImageError(
            f"{label}: the file has to be awaited; pass what `await file.read()` gives"
        )
    raise ImageError(f"{label}: the file gives {type(piece).__name__}, and bytes were expected")


def sniff(head: bytes, label: str) -> ImageFormat:
    """The format of a file by its first bytes.

    Raises
    ------
    CorruptFileError
        If there are none.
    ImageError
        If srkit reads no such format.
    """
    if not head:
        raise CorruptFileError(f"{label}: the file is empty")
    if form := formats.of_file(head, Path(label)):
        return form
    known = ", ".join(form.title for form in formats.FORMATS if not form.folder)
    raise ImageError(f"{label}: not an image that srkit reads ({known})")
