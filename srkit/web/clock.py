"""How far a job is, and how long it is still going to take."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

Tell = Callable[[dict[str, Any]], None]

# From here on what was done counts, and the forecast no more: a third of a picture.
_ENOUGH = 1 / 3


class Clock:
    """Tells of the models of a job, one after another.

    A network that streams gives its first rows late, and all others soon after. So until there
    are some the forecast counts; then what was done since, and the time until then is no part of
    it. The share that is told is one of time, not of rows, for the same reason.

    Parameters
    ----------
    expected
        Seconds that each model is forecast to take, in the order in which they work.
    tell
        Called with ``doing``, the name of a model; ``done``, a share of the whole; ``left``, about
        how many seconds, or None where the forecast is over and nothing is known.
    now
        Seconds that pass.

    Examples
    --------
    >>> told, at = [], [0.0]
    >>> clock = Clock({"photo": 10.0}, told.append, now=lambda: at[0])
    >>> advance = clock.of("photo")
    >>> at[0] = 8.0
    >>> advance(1, 10)
    >>> at[0] = 9.0
    >>> advance(5, 10)
    >>> [(one["done"], one["left"]) for one in told]
    [(0.0, 10.0), (0.8, 2.0), (0.878, 1.2)]
    """

    def __init__(
        self,
        expected: Mapping[str, float],
        tell: Tell,
        *,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._tell, self._now = tell, now
        self._waiting = dict(expected)
        self._finished = 0.0  # of what was expected
        self._begun = now()
        self._share = 0.0

    def of(self, name: str) -> Callable[[int, int], None]:
        """What the next model calls with pixels done, and in all."""
        expected, begun = self._waiting.pop(name), self._now()
        pace = (begun - self._begun) / self._finished if self._finished else 1.0
        later = pace * sum(self._waiting.values())
        self._finished += expected
        forecast = pace * expected
        first: tuple[float, float] | None = None

        def advance(done: int, total: int) -> None:
            nonlocal first
            share, took = min(1.0, done / max(1, total)), self._now() - begun
            foreseen = forecast - took if took < forecast else None
            first = first or (share, took)
            seen = _left(first, (share, took))
            left = _weighed(foreseen, seen, (share - first[0]) / _ENOUGH)
            self._say(name, None if left is None else left + later)

        self._say(name, forecast + later)
        return advance

    def _say(self, name: str, left: float | None) -> None:
        took = self._now() - self._begun
        if left is not None:
            # An estimate that grew takes nothing back.
            self._share = max(self._share, took / max(took + left, 1e-9))
            left = round(left, 1)
        self._tell({"doing": name, "done": round(self._share, 4), "left": left})


def _left(first: tuple[float, float], last: tuple[float, float]) -> float | None:
    """Seconds left at the pace between two shares and their times; None of one alone."""
    if last[0] >= 1:
        return 0.0
    if last[0] <= first[0]:
        return None
    return (1 - last[0]) * (last[1] - first[1]) / (last[0] - first[0])


def _weighed(foreseen: float | None, seen: float | None, weight: float) -> float | None:
    if foreseen is None or seen is None:
        return seen if foreseen is None else foreseen
    weight = min(1.0, weight)
    return weight * seen + (1 - weight) * foreseen
