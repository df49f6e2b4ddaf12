"""Work side by side: what comes before the model, and what comes after it, in threads.

FFmpeg lets Python go on while it decodes and encodes. The model stays in the thread of the
caller, which Ctrl-C ends.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator
from queue import Empty, Full, Queue
from typing import Any, Generic, TypeVar

T = TypeVar("T")

# Seconds after which who waits looks whether the other side is still there.
_PATIENCE = 0.2


class _End:
    """No more items: all is done, or an error; `abandoned` where what is begun is dropped."""

    def __init__(self, error: BaseException | None = None, *, abandoned: bool = False) -> None:
        self.error, self.abandoned = error, abandoned


class Abandoned(Exception):  # noqa: N818  no error: nobody sees it
    """Ends what a thread has begun, when the work is given up."""


def ahead(items: Iterator[T], most: int) -> Iterator[T]:
    """The same items, which a thread makes ahead of their use, so many at most.

    Examples
    --------
    >>> list(ahead(iter("abc"), 2))
    ['a', 'b', 'c']
    """
    queue, stopped = Queue[Any](most), threading.Event()

    def offer(item: Any) -> bool:
        while not stopped.is_set():
            try:
                queue.put(item, timeout=_PATIENCE)
            except Full:
                continue
            return True
        return False

    def make() -> None:
        try:
            for item in items:
                if not offer(item):
                    break
            offer(_End())
        except BaseException as error:  # noqa: BLE001  raised where the items are wanted
            offer(_End(error))
        finally:
            if close := getattr(items, "close", None):
                close()

    thread = _started(make)
    try:
        while not isinstance(item := queue.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()
        thread.join()


class Behind(Generic[T]):
    """Has a thread use items, up to so many behind.

    At the end of the block all are used. If the block raises, what was given is used, and then
    `Abandoned` is raised where the next item is asked for.

    Parameters
    ----------
    use
        Takes the items, in order. What it raises, who gives items gets.
    most
        Items that may wait.

    Examples
    --------
    >>> used = []
    >>> with Behind(used.extend, 2) as behind:
    ...     for item in range(5):
    ...         behind.give(item)
    >>> used
    [0, 1, 2, 3, 4]
    """

    def __init__(self, use: Callable[[Iterator[T]], None], most: int) -> None:
        self._queue, self._error = Queue[Any](most), list[BaseException]()
        self._thread = _started(lambda: self._run(use))

    def __enter__(self) -> Behind[T]:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._put(_End(abandoned=kind is not None))
        self._thread.join()
        if kind is None and self._error:
            raise self._error[0]

    def give(self, item: T) -> None:
        """Have an item used; waits where too many do."""
        if not self._put(item):
            raise self._error[0] if self._error else RuntimeError("the thread has ended")

    def _put(self, item: Any) -> bool:
        while self._thread.is_alive():
            try:
                self._queue.put(item, timeout=_PATIENCE)
            except Full:
                continue
            return True
        return False

    def _run(self, use: Callable[[Iterator[T]], None]) -> None:
        try:
            use(self._items())
        except Abandoned:
            pass
        except BaseException as error:  # noqa: BLE001  raised where items are given
            self._error.append(error)

    def _items(self) -> Iterator[T]:
        while not isinstance(item := self._next(), _End):
            yield item
        if item.abandoned:
            raise Abandoned

    def _next(self) -> Any:
        while True:
            try:
                return self._queue.get(timeout=_PATIENCE)
            except Empty:
                if not threading.main_thread().is_alive():
                    return _End(abandoned=True)


def _started(run: Callable[[], None]) -> threading.Thread:
    """A thread that runs, in which what the caller has set holds as well."""
    context = contextvars.copy_context()
    thread = threading.Thread(target=lambda: context.run(run), daemon=True)
    thread.start()
    return thread
