"""Progress: a bar, or a function that is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def _bar(pixels: int, label: str) -> Any:
    # Imported when a bar is wanted: it is a quarter of srkit's import time.
    from tqdm import tqdm

    return tqdm(total=pixels, desc=label, unit="px", unit_scale=True)


class Meter:
    """Reports pixels done to a bar or a function, or to nobody."""

    def __init__(
        self, progress: bool | Callable[[int, int], None], pixels: int, label: str
    ) -> None:
        self._call = progress if callable(progress) else None
        self._pixels, self._done = pixels, 0
        self._bar = _bar(pixels, label) if progress is True else None

    def __enter__(self) -> Callable[[int], None]:
        return self._advance

    def _advance(self, pixels: int) -> None:
        self._done += pixels
        if self._bar is not None:
            self._bar.update(pixels)
        if self._call is not None:
            self._call(self._done, self._pixels)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
