"""A part of a video: which frames, sound, subtitles and chapters lie in it, and when."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from srkit.errors import OptionError

if TYPE_CHECKING:
    from av.container.core import Chapter

# A time as people give it: seconds, or hours and minutes before them.
_CLOCK = re.compile(r"(?:(\d+):)?(?:(\d{1,2}):)?(\d+(?:\.\d*)?|\.\d+)", re.ASCII)
Time = float | str | Fraction


@dataclass(frozen=True)
class Cut:
    """A part of a video, in seconds from its beginning.

    Attributes
    ----------
    start
        Where it begins.
    end
        Where it ends; None for the end of the video.

    Examples
    --------
    >>> bool(Cut()), bool(Cut(Fraction(2)))
    (False, True)
    """

    start: Fraction = Fraction(0)
    end: Fraction | None = None

    def __bool__(self) -> bool:
        return self.start > 0 or self.end is not None

    def __str__(self) -> str:
        end = "the end" if self.end is None else clock(self.end)
        return f"{clock(self.start)} to {end}"


def cut_of(start: Time | None, end: Time | None) -> Cut:
    """The part between two times.

    Raises
    ------
    OptionError
        If a time is none, or the end is not after the start.

    Examples
    --------
    >>> cut_of("1:00", 65.5)
    Cut(start=Fraction(60, 1), end=Fraction(131, 2))
    >>> cut_of(3, 2)
    Traceback (most recent call last):
    srkit.errors.OptionError: the end, 0:00:02, is not after the start, 0:00:03
    """
    begin = Fraction(0) if start is None else seconds_of(start, "start")
    stop = None if end is None else seconds_of(end, "end")
    if stop is not None and stop <= begin:
        raise OptionError(f"the end, {clock(stop)}, is not after the start, {clock(begin)}")
    return Cut(begin, stop)


def seconds_of(time: Time, name: str = "time") -> Fraction:
    """Seconds of a time: a number, or a text such as ``"90"``, ``"1:30"`` or ``"0:01:30.5"``.

    Raises
    ------
    OptionError
        If it is no time; `name` is what the message calls it.

    Examples
    --------
    >>> [float(seconds_of(time)) for time in (90, "1:30", "0:01:30.5", "1:00:00")]
    [90.0, 90.0, 90.5, 3600.0]
    """
    # A float is taken as it is written: 0.1 is a tenth.
    match = _CLOCK.fullmatch(time.strip() if isinstance(time, str) else _written(time))
    if match is None:
        raise OptionError(
            f"the {name} is a number of seconds or H:MM:SS, such as 90.5 or 0:01:30.5, not {time!r}"
        )
    first, second, seconds = match.groups()
    # Of two numbers the first are minutes.
    hours, minutes = (first, second) if second is not None else (None, first)
    if (minutes is not None and float(seconds) >= 60) or (hours and int(minutes or 0) >= 60):
        raise OptionError(f"the {name} {time!r} has more than 59 minutes or seconds after a colon")
    return 3600 * int(hours or 0) + 60 * int(minutes or 0) + Fraction(seconds)


def _written(time: Any) -> str:
    if isinstance(time, Fraction):
        time = float(time)
    return f"{time:.9f}" if isinstance(time, int | float) and not isinstance(time, bool) else ""


def clock(seconds: Fraction | float) -> str:
    """A time as H:MM:SS, with thousandths where there are any.

    Examples
    --------
    >>> clock(Fraction(181, 2)), clock(3600)
    ('0:01:30.5', '1:00:00')
    """
    thousandths = round(seconds * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    hours, minutes = divmod(minutes, 60)
    whole, part = divmod(rest, 1000)
    return f"{hours}:{minutes:02}:{whole:02}" + (f".{part:03}".rstrip("0") if part else "")


def shown_within(
    pts: int, duration: int, begin: int, end: int | None, gap: int
) -> tuple[int, int] | None:
    """When a frame is shown in the result of a part, and for how long; None where it hardly is.

    A part begins and ends with whole frames, so that a steady rate stays one: those that are
    nearest to the times asked for. Frames that stand for long, as slides do, are cut instead.

    Parameters
    ----------
    begin, end
        Of the part; None for no end.
    gap
        Time from a frame to the next, as is usual.

    Examples
    --------
    >>> shown_within(0, 40, 10, None, 40), shown_within(0, 40, 30, None, 40)
    ((0, 40), None)
    >>> shown_within(0, 4000, 1000, 2000, 40)
    (1000, 1000)
    """
    first, last = max(pts, begin), pts + duration
    last = last if end is None else min(last, end)
    least = min(gap, duration)
    # A frame that is cut in half belongs to the part that begins there.
    halved = last < pts + duration and 2 * (last - first) == least
    if 2 * (last - first) < least or last <= first or halved:
        return None
    if 2 * (first - pts) <= gap:
        first = pts
    if 2 * (pts + duration - last) < gap:
        last = pts + duration
    return first, last - first


def frames_within(begin: Fraction, end: Fraction, rate: Fraction) -> int:
    """How many frames of a steady rate a part has, by the rule of `shown_within`.

    Parameters
    ----------
    begin, end
        In seconds since the first frame of the video.

    Examples
    --------
    >>> frames_within(Fraction(1, 2), Fraction(3, 2), Fraction(25))
    25
    >>> frames_within(Fraction("0.51"), Fraction(3, 2), Fraction(25))
    24
    """
    half = Fraction(1, 2)
    return max(1, math.ceil(end * rate - half) - max(0, math.ceil(begin * rate - half)))


class PacketsWithin:
    """Which packets of the other streams lie in a part; those of subtitles are shortened to it.

    Sound is kept by whole packets, so that it is a copy: those that begin within the part.

    Parameters
    ----------
    begin, end
        In seconds, as packets count; None for no end.
    """

    def __init__(self, begin: Fraction, end: Fraction | None) -> None:
        self._begin, self._end = begin, end
        self._begun, self._passed = set[int](), set[int]()

    def are_over(self, packet: Any, streams: Iterable[int]) -> bool:
        """Whether some streams lie beyond the end, each by a packet that has come.

        Streams need not lie close together in a file, so each has to be there.
        """
        time = packet.dts
        if self._end is not None and time is not None and time * packet.time_base >= self._end:
            self._passed.add(packet.stream_index)
        return self._end is not None and self._passed.issuperset(streams)

    def keeps(self, packet: Any) -> bool:
        """Whether a packet lies in the part."""
        kind, at = packet.stream.type, packet.pts
        if at is None:
            at = packet.dts
        if at is None:
            return True
        unit = packet.time_base
        begin = -(-self._begin // unit)
        end = None if self._end is None else -(-self._end // unit)
        if kind == "subtitle" and packet.duration and at < begin < at + packet.duration:
            packet.duration -= begin - at
            packet.pts = packet.dts = at = begin
        if at < begin or (end is not None and at >= end):
            return False
        if kind == "subtitle" and packet.duration and end is not None:
            packet.duration = min(packet.duration, end - at)
        if kind == "video" and packet.stream_index not in self._begun:
            # What is before a key frame cannot be decoded.
            if not packet.is_keyframe:
                return False
            self._begun.add(packet.stream_index)
        return True


def chapters_within(chapters: Iterable[Chapter], cut: Cut, clock_start: Fraction) -> list[Chapter]:
    """The chapters of a part, by its times.

    Parameters
    ----------
    clock_start
        Seconds at which the whole file begins.
    """
    kept = list[Any]()
    for chapter in chapters:
        unit = chapter["time_base"] or Fraction(1)
        shift = round((clock_start + cut.start) / unit)
        start, end = max(0, chapter["start"] - shift), max(0, chapter["end"] - shift)
        if cut.end is not None:
            end = min(end, round((cut.end - cut.start) / unit))
        if end > start or not cut:
            kept.append({**chapter, "start": start, "end": end})
    return kept


def later_code(code: str, frames: int, rate: int) -> str:
    """The time code of a later frame (SMPTE ST 12-1); what is none stays as it is.

    Parameters
    ----------
    rate
        Frames a second, rounded. Where a semicolon says so, the numbers 0 and 1 (of 60, 0 to 3)
        are left out at each minute but each tenth.

    Examples
    --------
    >>> later_code("01:00:59:24", 1, 25), later_code("00:00:59;29", 1, 30)
    ('01:01:00:00', '00:01:00;02')
    """
    match = re.fullmatch(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d)", code, re.ASCII)
    if match is None or rate < 1:
        return code
    hours, minutes, seconds, mark, number = match.groups()
    minute = 60 * int(hours) + int(minutes)
    dropped = rate // 15 if mark in ";." else 0
    total = (60 * minute + int(seconds)) * rate + int(number)
    total += frames - dropped * (minute - minute // 10)
    # Back: what is left out of ten minutes, and of each minute but the first.
    tens, rest = divmod(total, 600 * rate - 9 * dropped)
    total += 9 * dropped * tens
    if rest >= 60 * rate:
        total += dropped * ((rest - 60 * rate) // (60 * rate - dropped) + 1)
    whole, number_ = divmod(total, rate)
    minute, second = divmod(whole, 60)
    return f"{minute // 60 % 24:02}:{minute % 60:02}:{second:02}{mark}{number_:02}"
