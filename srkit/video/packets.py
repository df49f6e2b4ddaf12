"""Files of encoded packets: a segment of the result until it is joined.

A container would round times or ask for headers; here a packet is 21 bytes and its data.
"""

from __future__ import annotations

import heapq
import struct
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from srkit.advice import advise
from srkit.errors import CorruptFileError

_HEAD = struct.Struct("<qq?I")


class Coded(NamedTuple):
    """One encoded frame.

    Attributes
    ----------
    pts, duration
        In units of the source's time base.
    key
        Whether it can be decoded by itself.
    data
        What the encoder made.
    """

    pts: int
    duration: int
    key: bool
    data: bytes


class Written(NamedTuple):
    """What a segment holds.

    Attributes
    ----------
    frames
        Number of packets.
    delay
        Of the packets, see the function `delay`.
    first, end
        When its first frame appears and its last one goes, in the source's time base.
    """

    frames: int
    delay: int
    first: int
    end: int


def write_packets(path: Path, packets: Iterable[Coded]) -> Written:
    """Write a segment of at least one packet."""
    times, ends = list[int](), list[int]()
    with path.open("wb") as file:
        for packet in packets:
            times.append(packet.pts)
            ends.append(packet.pts + packet.duration)
            file.write(_HEAD.pack(packet.pts, packet.duration, packet.key, len(packet.data)))
            file.write(packet.data)
    return Written(len(times), delay(times), min(times), max(ends))


def read_packets(path: Path) -> Iterator[Coded]:
    """Read a segment.

    Raises
    ------
    CorruptFileError
        If it ends within a packet.
    """
    with path.open("rb") as file:
        while head := file.read(_HEAD.size):
            if len(head) == _HEAD.size:
                pts, duration, key, size = _HEAD.unpack(head)
                if len(data := file.read(size)) == size:
                    yield Coded(pts, duration, key, data)
                    continue
            again = advise("resume=False", "--fresh")
            raise CorruptFileError(f"{path} is truncated; start again with {again}")


def delay(times: list[int]) -> int:
    """How many places packets come before their turn, for the sake of those that need them.

    Parameters
    ----------
    times
        When each is shown, in the order of decoding.

    Examples
    --------
    >>> delay([0, 1, 2]), delay([0, 4, 2, 1, 3])
    (0, 2)
    """
    turns = {time: turn for turn, time in enumerate(sorted(times))}
    return max((place - turns[time] for place, time in enumerate(times)), default=0)


def with_decoding_times(
    packets: Iterable[Coded], wait: int, gap: int
) -> Iterator[tuple[Coded, int]]:
    """Packets of the whole video, each with the time it is decoded at.

    Those times rise from packet to packet, and none is after its packet is shown. They are
    the times of the frames themselves, `wait` packets late: so they fit any frame rate.

    Parameters
    ----------
    packets
        In the order of decoding.
    wait
        The largest `delay` of the segments.
    gap
        Time between the first packets, which lie before the first frame: that from a frame to
        the next, as is usual. MP4 takes the sum of all such times for the length of the video.

    Examples
    --------
    >>> times = [0, 40, 20, 10, 30]
    >>> coded = [Coded(time, 10, time == 0, b"") for time in times]
    >>> [decoded for _, decoded in with_decoding_times(coded, 2, 10)]
    [-20, -10, 0, 10, 20]
    """
    queue, times, waiting = deque[Coded](), deque[int](), list[int]()
    begun = False

    def begin() -> None:
        times.extendleft([times[0] - n * gap for n in range(1, wait + 1)])

    for packet in packets:
        queue.append(packet)
        heapq.heappush(waiting, packet.pts)
        # Of wait + 1 frames whose turn has not come, the earliest is known to be next.
        if len(waiting) > wait:
            times.append(heapq.heappop(waiting))
        if not begun and times:
            begin()
            begun = True
        while begun and queue:
            yield queue.popleft(), times.popleft()
    times.extend(sorted(waiting))
    if queue and not begun:
        begin()
    yield from zip(queue, times, strict=False)
