"""Progress: a bar, or a function that is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from srkit.errors import OptionError


def _bar(total: int, done: int, label: str, unit: str, *, in_parts: bool = False) -> Any:
    # Imported when a bar is wanted: it is a quarter of srkit's import time.
    from tqdm import tqdm

    scaled = in_parts or unit == "px"
    return tqdm(total=total, initial=done, desc=label, unit=unit, unit_scale=scaled)


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
    preparing
        Whether something comes before the work, such as to measure how much memory it takes: the
        bar says so, and its time counts from the first call with 0.

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
        *,
        preparing: bool = False,
    ) -> None:
        if not (callable(progress) or isinstance(progress, bool) or progress is None):
            raise OptionError(
                f"progress is True, False, or a function of units done and in all, not {progress!r}"
            )
        self._call = progress if callable(progress) else None
        self._total, self._done = total, done
        self._label, self._preparing = label, preparing
        shown = f"{label}, getting ready" if preparing else label
        self._bar = _bar(total, done, shown, unit) if progress is True else None

    def __enter__(self) -> Callable[[int], None]:
        return self._advance

    def _advance(self, count: int) -> None:
        if self._bar is not None and self._preparing:
            self._bar.set_description(self._label, refresh=False)
            self._bar.unpause()
        self._preparing = False
        if count == 0:
            return
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
            if self._preparing:
                self._bar.set_description(self._label, refresh=False)
            self._bar.close()


@contextmanager
def each_of(
    count: int, progress: bool | Callable[[int, int], None], label: str
) -> Iterator[Callable[[int], bool | Callable[[int, int], None]]]:
    """The progress of each of several images: one bar for all of them, where a bar is wanted.

    Parameters
    ----------
    count
        How many there are.
    progress
        True for a bar; a function is told of each image by itself.
    label
        What the bar says.

    Yields
    ------
    callable
        What an image of a number has for its own progress.

    Examples
    --------
    >>> with each_of(2, False, "blur x2, 2 images") as progress_of:
    ...     progress_of(0)
    False
    """
    if progress is not True or not count:
        yield lambda number: progress
        return
    with closing(_bar(count, 0, label, "image", in_parts=True)) as bar:

        def progress_of(number: int) -> Callable[[int, int], None]:
            return lambda done, total: bar.update(number + done / total - bar.n)

        yield progress_of
        # What sees no pixels, as a size that is no larger, tells nothing.
        bar.update(count - bar.n)
