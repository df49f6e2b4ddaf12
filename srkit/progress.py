"""Progress: a bar, or a function that is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from srkit.errors import OptionError


def _bar(total: int, done: int, label: str, unit: str) -> Any:
    # Imported when a bar is wanted: it is a quarter of srkit's import time.
    from tqdm import tqdm

    return tqdm(total=total, initial=done, desc=label, unit=unit, unit_scale=unit == "px")


class Meter:
    """Reports pixels, or other units, done to a bar or a function, or to nobody.

    Parameters
    ----------
    progress
        True for a bar, or a function called with units done and units in all.
    total
        How many there are, perhaps by estimate.
    label, unit
        What the bar says.
    done
        How many are done already; they do not count for the bar's speed.

    Raises
    ------
    OptionError
        If `progress` is none of these.

    Examples
    --------
    >>> with Meter(lambda done, total: print(f"{done} of {total}"), 3, "blur x2") as advance:
    ...     advance(2)
    ...     advance(1)
    2 of 3
    3 of 3
    """

    def __init__(
        self,
        progress: bool | Callable[[int, int], None],
        total: int,
        label: str,
        unit: str = "px",
        done: int = 0,
    ) -> None:
        if not (callable(progress) or isinstance(progress, bool) or progress is None):
            raise OptionError(
                f"progress is True, False, or a function of units done and in all, not {progress!r}"
            )
        self._call = progress if callable(progress) else None
        self._total, self._done = total, done
        self._bar = _bar(total, done, label, unit) if progress is True else None

    def __enter__(self) -> Callable[[int], None]:
        return self._advance

    def _advance(self, count: int) -> None:
        self._done += count
        # An estimate that proves too small grows, so that no share is above one.
        self._total = max(self._total, self._done)
        if self._bar is not None:
            self._bar.total = self._total
            self._bar.update(count)
        if self._call is not None:
            self._call(self._done, self._total)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
