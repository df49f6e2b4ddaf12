"""Which of a file's video streams is the film, and when a file begins."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from srkit.errors import VideoError

_STILL = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails
# A file whose streams all begin later than this, in seconds, counts from some clock.
_CLOCK = 60
# Packets after which a stream that had no second one is a picture.
_ENOUGH = 50


def main_stream(container: InputContainer, path: Path) -> VideoStream:
    """The video stream that is upscaled.

    Pictures are last: what disposition or MIME type tell is a cover, and what has but one
    frame. Of films the one that players show by default is taken, else the first.

    Parameters
    ----------
    container
        An open file. Where it holds several video streams, packets of it are read.
    path
        Its name, for errors.

    Raises
    ------
    VideoError
        If there is none but covers, or nothing to decode it with.
    """
    found = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not found:
        raise VideoError(f"{path} holds no video")
    readable = [stream for stream in found if stream.codec_context is not None]
    if not readable:
        raise VideoError(f"{path}: this build of FFmpeg cannot decode its video")
    moving = _moving(container, readable) if len(readable) > 1 else set()

    def rank(stream: VideoStream) -> tuple[bool, bool, bool]:
        return (
            _is_still(stream),
            stream.index not in moving,
            not stream.disposition & Disposition.default,
        )

    return min(readable, key=rank)


def _is_still(stream: VideoStream) -> bool:
    """Whether a stream says that it is a picture."""
    tags = {key.lower(): value.lower() for key, value in stream.metadata.items()}
    return bool(stream.disposition & _STILL) or tags.get("mimetype", "").startswith("image/")


def _moving(container: InputContainer, streams: list[VideoStream]) -> set[int]:
    """Numbers of the streams that have more than one frame, as far as the file's begin tells."""
    seen = dict.fromkeys((stream.index for stream in streams), 0)
    packets = container.demux(*streams)
    while max(seen.values()) < _ENOUGH:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:
            break
        if packet is None:
            break
        if packet.size:
            seen[packet.stream_index] += 1
    return {number for number, count in seen.items() if count > 1}


def common_start(origin: InputContainer, streams: Iterable[Stream]) -> Fraction:
    """When the first of these streams begins, in seconds, where the file counts from a clock.

    MPEG's streams do, and recordings that were cut out of them. Other files begin at 0, and
    what is late in them is meant to be.
    """
    starts = [
        stream.start_time * stream.time_base
        for stream in streams
        if stream.start_time is not None
        and stream.time_base
        and not stream.disposition & Disposition.attached_pic
        and stream.type in ("video", "audio", "subtitle")
    ]
    start = min(starts, default=Fraction(0))
    clock = bool(origin.format.flags & cast(int, av.format.Flags.ts_discont.value))
    return start if clock or start > _CLOCK else Fraction(0)
