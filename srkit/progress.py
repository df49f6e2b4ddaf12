"""Progress: a bar, or a function that is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def _bar(total: int, label: str, unit: str) -> Any:
    # Imported when a bar is wanted: it is a quarter of srkit's import time.
    from tqdm import tqdm

    return tqdm(total=total, desc=label, unit=unit, unit_scale=unit == "px")


class Meter:
    """Reports pixels, or other units, done to a bar or a function, or to nobody."""

    def __init__(
        self,
        progress: bool | Callable[[int, int], None],
        total: int,
        label: str,
        unit: str = "px",
    ) -> None:
        self._call = progress if callable(progress) else None
        self._total, self._done = total, 0
        self._bar = _bar(total, label, unit) if progress is True else None

    def __enter__(self) -> Callable[[int], None]:
        return self._advance

    def _advance(self, count: int) -> None:
        self._done += count
        if self._bar is not None:
            self._bar.update(count)
        if self._call is not None:
            self._call(self._done, self._total)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
