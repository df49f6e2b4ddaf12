"""What decoders give, and the checks and errors that all of them share."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from srkit.advice import advise
from srkit.errors import CorruptFileError, ImageError, ImageTooLargeError, SrkitError
from srkit.imaging.metadata import Metadata


@dataclass(frozen=True)
class Decoded:
    """Pixels as stored in a file, and which way up they are (EXIF's 1 to 8).

    Of `light`, pixels are linear light of sRGB's primaries, in floats or uint16, and become levels
    of sRGB only when they are exposed.
    """

    pixels: NDArray[Any]
    metadata: Metadata
    orientation: int = 1
    light: bool = False


@contextmanager
def naming(path: str | Path, kind: str) -> Iterator[None]:
    """Name the file in errors, whatever its decoder raises."""
    try:
        yield
    except SrkitError as error:
        raise type(error)(f"{path}: {error}") from error
    except MemoryError:
        raise
    except Exception as error:
        # Decoders raise anything at all when a file is damaged.
        raise CorruptFileError(
            f"{path}: the {kind} file is truncated or damaged: {error}"
        ) from error


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Refuse more than `max_pixels`, before anything is decoded."""
    if width * height > max_pixels:
        number = width * height
        trusted = advise(f"pass max_pixels={number}", f"use --max-pixels={number} of srkit upscale")
        raise ImageTooLargeError(
            f"the image has {width}x{height} = {number} pixels, more than the limit of "
            f"{max_pixels}; if you trust the file, {trusted}"
        )


def refuse_pages(count: int, kind: str) -> None:
    """Refuse a file of several pictures rather than take the first one only."""
    if count > 1:
        how = advise(", e.g. with PIL.ImageSequence", "; what moves is for srkit upscale-video")
        raise ImageError(
            f"the {kind} file holds {count} frames or pages; save each as a file of its own{how}"
        )


def valid_dpi(dpi: Any) -> tuple[float, float] | None:  # a file's claim
    """Return a resolution as two positive numbers, or None if it is not."""
    try:
        across, down = float(dpi[0]), float(dpi[1])
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        return None
    return (across, down) if 0 < across < math.inf and 0 < down < math.inf else None
