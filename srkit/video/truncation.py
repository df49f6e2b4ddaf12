"""How much of a video is not in its file, by what its header says: a download that broke off."""

from __future__ import annotations

import logging
from contextlib import suppress
from fractions import Fraction

import av

from srkit.errors import OptionError
from srkit.video.cutting import clock, seconds_of
from srkit.video.pictures import AnySource
from srkit.video.reading import Source

log = logging.getLogger(__name__)

# Seconds and frames by which headers are not exact.
_SECONDS, _FRAMES = Fraction(1, 5), 3


def missing_end(source: AnySource, end: int) -> float:
    """Seconds that are missing at the end, which are told in the log; 0 where none are.

    MPEG streams and files without headers do not tell.

    Parameters
    ----------
    end
        When the last frame goes that is there, in units of the source's time base.
    """
    # Pictures are counted when they are read, or are refused.
    if not isinstance(source, Source):
        return 0.0
    unit = source.facts.time_base
    last, told = end * unit - source.clock, _told_end(source)
    wanted = told if source.cut.end is None or told is None else min(told, source.cut.end)
    least = max(_SECONDS, _FRAMES * source.facts.gap * unit)
    if wanted is None or told is None or wanted - last < least:
        return 0.0
    log.warning(
        "%s ends at %s, but its header says %s: %.2f s are missing; it may be a download that "
        "broke off",
        source.path, clock(last), clock(told), wanted - last,
    )  # fmt: skip
    return float(wanted - last)


def _told_end(source: Source) -> Fraction | None:
    """When the video ends, in seconds, as its header says; None where that is not known."""
    stream, unit = source.stream, source.facts.time_base
    if stream.duration:
        return (stream.duration + (stream.start_time or 0)) * unit - source.clock
    if not source.container.duration:
        return None
    whole = Fraction(source.container.duration, av.time_base)
    tag = next((v for k, v in stream.metadata.items() if k.lower().startswith("duration")), None)
    if tag is not None and (told := _seconds(tag)) is not None:
        return min(told, whole)
    # What lasts longest may be sound, which need not end with the video.
    return None if whole - _last(source) < _SECONDS else whole


def _seconds(tag: str) -> Fraction | None:
    try:
        return seconds_of(tag)
    except OptionError:
        return None


def _last(source: Source) -> Fraction:
    """When the last packet of all streams ends."""
    last = Fraction(0)
    # Damage ends the packets early.
    with source.opened() as container, suppress(av.error.FFmpegError):
        for packet in container.demux():
            if packet.pts is not None and packet.time_base:
                end = packet.pts + (packet.duration or 0)
                last = max(last, end * packet.time_base)
    return last - source.clock
