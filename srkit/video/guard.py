"""Errors of FFmpeg as srkit's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av

from srkit.errors import VideoError


@contextmanager
def typed_errors(path: Path) -> Iterator[None]:
    """Raise what FFmpeg refuses as a `VideoError` that names the file at work.

    A full disk, a lack of permission or of memory keeps its Python type.

    Parameters
    ----------
    path
        What is named where FFmpeg names no file.
    """
    try:
        yield
    except OSError as error:
        if not isinstance(error.filename, str) or not error.filename.startswith("file:"):
            raise
        # A new one, as PyAV lets nobody change the name in its own.
        name = error.filename.removeprefix("file:")
        raise OSError(error.errno, error.strerror, name) from error
    except MemoryError:
        raise
    except av.error.FFmpegError as error:
        name = (error.filename or str(path)).removeprefix("file:")
        raise VideoError(f"FFmpeg gave up on {name}: {error.strerror}") from error
