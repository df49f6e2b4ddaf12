"""What a picture is written to: a path or a URL, whole or not at all, or an open file."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, Protocol, TypeAlias, runtime_checkable

from srkit.errors import ImageError
from srkit.imaging.files import remote
from srkit.imaging.files.image_format import ImageFormat
from srkit.imaging.files.sources import label_of


@runtime_checkable
class Writable(Protocol):
    """A file that is open for writing bytes, whether it seeks or not."""

    def write(self, data: Any, /) -> Any:
        """Take bytes; returns how many of them were taken."""


Target: TypeAlias = str | os.PathLike[str] | Writable


def place_of(target: Target) -> PurePath | None:
    """A path, or what of a URL is one; None for an open file.

    Raises
    ------
    ImageError
        If `target` is none of these.
    MissingDependencyError, OptionError
        As `srkit.imaging.files.remote.filesystem`.

    Examples
    --------
    >>> place_of("a/b.png").name, place_of(io.BytesIO())
    ('b.png', None)
    """
    if isinstance(target, str | os.PathLike):
        place = os.fspath(target)
        if not remote.is_url(place):
            return Path(place)
        local = remote.local_path(place)
        return PurePosixPath(remote.shown(place)) if local is None else Path(local)
    if not callable(getattr(target, "write", None)):
        raise ImageError(f"expected a path, a URL or an open file, not {type(target).__name__}")
    if getattr(target, "closed", False):
        raise ImageError(f"{label_of(target)}: the file is closed")
    if isinstance(target, io.TextIOBase):
        raise ImageError(f"{label_of(target)}: the file takes text; open it with mode 'wb'")
    return None


@contextmanager
def writing_to(target: Target, place: PurePath | None, form: ImageFormat) -> Iterator[Any]:
    """What `ImageFormat.write` takes; it reaches the target at the end, if all goes well."""
    if isinstance(place, Path):
        form.check_target(place)
        with form.placed(place) as file:
            yield file
        return
    if form.folder:
        raise ImageError(
            f"{form.title} is written as a folder: name a path, not {label_of(target)}"
        )
    # Encoders go back and forth in what they write.
    encoded = io.BytesIO()
    yield encoded
    data = encoded.getvalue()
    if isinstance(target, str | os.PathLike):
        remote.write(os.fspath(target), data)
    else:
        _hand_over(data, target)


def _hand_over(data: bytes, file: Writable) -> None:
    while data:
        try:
            taken = file.write(data)
        except TypeError as error:
            raise ImageError(f"{label_of(file)}: the file takes no bytes: {error}") from error
        # What has no buffer, such as a socket, may take a part; some tell nothing at all.
        data = data[taken if isinstance(taken, int) else len(data) :]
