"""Files opened by FFmpeg, and what is decoded of them, with the times of what cannot be."""

from __future__ import annotations

import contextlib
import heapq
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from srkit.errors import CorruptFileError

log = logging.getLogger(__name__)


def open_input(path: Path) -> InputContainer:
    """Open a file for reading.

    Raises
    ------
    CorruptFileError
        If it is of no format that FFmpeg knows, truncated or damaged.
    OSError
        If the file cannot be opened.
    """
    try:
        return av.open(url_of(path), "r", metadata_errors="replace")
    except av.error.FFmpegError as error:
        # FFmpeg says "Input/output error" of damage, too: Python tells which it is.
        path.open("rb").close()
        raise CorruptFileError(
            f"{path} is not a video, or it is truncated or damaged: {error.strerror}"
        ) from error


def url_of(path: Path) -> str:
    """A path such that FFmpeg takes it for a file, whatever its name looks like.

    Examples
    --------
    >>> url_of(Path("12:30 clip.mp4"))
    'file:12:30 clip.mp4'
    """
    return f"file:{path}"


def path_of(container: InputContainer) -> str:
    """The path of an open file."""
    return container.name.removeprefix("file:")


@dataclass(frozen=True)
class Found:
    """A decoded frame, or the time of one that could not be decoded."""

    picture: VideoFrame | None
    pts: int | None
    duration: int


def decoded(container: InputContainer, stream: VideoStream) -> Iterator[Found]:
    """Decode; times of packets of which no frame came are told in their place."""
    due: list[int] = []

    def in_order(frames: list[VideoFrame]) -> Iterator[Found]:
        for frame in frames:
            # Containers such as AVI tell when a packet is to be decoded, and no more.
            pts = frame.dts if frame.pts is None else frame.pts
            if pts is not None:
                while due and due[0] < pts:
                    yield Found(None, heapq.heappop(due), 0)
                if due and due[0] == pts:
                    heapq.heappop(due)
            yield Found(None if frame.is_corrupt else frame, pts, frame.duration or 0)

    for packet in packets_of(container, stream):
        if packet.pts is not None and packet.size and not packet.is_discard:
            heapq.heappush(due, packet.pts)
        try:
            frames = packet.decode()
        except av.error.FFmpegError as error:
            log.debug("packet at %s: %s", packet.pts, error)
            continue
        yield from in_order(frames)
    with contextlib.suppress(av.error.FFmpegError):
        # Where damage ended the packets early, the decoder still holds some frames.
        yield from in_order(stream.decode(None))
    while due:
        yield Found(None, heapq.heappop(due), 0)


def packets_of(container: InputContainer, stream: VideoStream) -> Iterator[av.Packet[VideoStream]]:
    """Packets, and an empty one that flushes the decoder; damage ends them early."""
    packets = container.demux(stream)
    while True:
        try:
            yield next(packets)
        except StopIteration:
            return
        except av.error.FFmpegError as error:
            log.warning("%s: it can be read no further: %s", path_of(container), error)
            return
