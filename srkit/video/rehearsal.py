"""Which streams a container can hold: found by writing a result's first moments to memory.

A header that can be written is no promise: a time code's track fails when a file is closed, and
other data at their first packet. So the streams are written as they will be, header, packets
and all, before the first frame is upscaled.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import av
from av.stream import Stream
from av.video.frame import VideoFrame

from srkit.advice import advise
from srkit.errors import SrkitError, VideoError
from srkit.video.encoding import CODECS, Encoding, encode
from srkit.video.joining import join, timecode, timecode_of
from srkit.video.packets import Coded, delay, with_decoding_times
from srkit.video.pictures import AnySource
from srkit.video.sound import TITLES, codec_for
from srkit.video.suffixes import CONTAINERS

log = logging.getLogger(__name__)

# Containers to name where another cannot take a stream, the most usual first.
_PLAYED = ("mp4", "mov", "matroska")
_OTHERS = (*_PLAYED, "nut")
# What may become of sound and of subtitles.
SOUND, SUBTITLES = ("copy", "convert", "none"), ("copy", "none")
# Frames of the rehearsal, and packets of each other stream.
_FRAMES, _PACKETS = 3, 3


class Kept(NamedTuple):
    """What becomes of the streams beside the video.

    Attributes
    ----------
    streams
        Numbers of those that are copied.
    left_out
        Names of the others.
    converted
        Numbers of streams of sound that become another codec.
    """

    streams: list[int]
    left_out: list[str]
    converted: tuple[int, ...] = ()


def check_streams(
    source: AnySource,
    encoding: Encoding,
    container: str,
    sound: str = "copy",
    subtitles: str = "copy",
) -> Kept:
    """Which of the source's other streams are copied.

    Data that no player shows is left out where the container has no place for it, and told in
    the log. A time code is no stream to copy: it is written anew, from the video's metadata.
    Sound that only .nut takes is converted.

    Parameters
    ----------
    sound, subtitles
        As in `srkit.upscale_video`.

    Raises
    ------
    VideoError
        If the container cannot hold the video, or a stream of sound or subtitles.
    """
    stage = _Stage(source, encoding, _blank(encoding, source))
    if not stage.takes(container, []):
        advice = stage.advice([])
        if codec := CODECS.get(container):
            fits = advise(f'codec="{codec}"', f"--codec {codec}")
            advice = f"{codec} fits: {fits}; or {advice}"
        raise VideoError(f"{container} cannot hold {encoding.codec} video; {advice}")
    others = [s for s in source.container.streams if s.index != source.stream.index]
    unwanted = [s for s in others if (sound, s.type) == ("none", "audio")]
    unwanted += [s for s in others if (subtitles, s.type) == ("none", "subtitle")]
    others = [s for s in others if s not in unwanted]
    lasting = [s.index for s in others if s.type in ("audio", "subtitle")]
    code, taken = timecode(source, encoding, container, source.cut)
    kept, left_out = list[int](), [] if taken else [f"time code {code}"]
    converted = list[int]()
    for stream in others:
        if stream.type == "data" and timecode_of(stream):
            continue
        if stage.takes(container, [stream.index]):
            kept.append(stream.index)
        elif stage.converts(container, stream, asked=sound == "convert"):
            converted.append(stream.index)
            lasting.remove(stream.index)
        elif stream.index in lasting:
            raise VideoError(
                f"{container} cannot hold the {_named(stream)}, stream {stream.index} of "
                f"{source.path}; {stage.advice(lasting)}{stage.instead(container, stream)}"
            )
        elif not (stream.type == "data" and source.container.chapters()):
            # In MP4 files such data are the names of chapters, which are copied otherwise.
            left_out.append(_named(stream))
    if not stage.takes(container, kept, converted):
        # Each can be there, but not all: what no player shows goes first.
        left_out += [_named(s) for s in others if s.index in kept and s.index not in lasting]
        kept = lasting
        if not stage.takes(container, kept, converted):
            raise VideoError(
                f"{container} cannot hold these streams together; {stage.advice(lasting)}"
            )
    _tell(left_out, [s for s in others if s.index in converted], container)
    left_out += map(_named, unwanted)
    return Kept(kept, left_out, tuple(converted))


def _tell(left_out: list[str], converted: list[Stream], container: str) -> None:
    for name in left_out:
        log.warning("%s is left out: %s has no place for it", name, container)
    for stream in converted:
        title = TITLES[codec_for(container)]
        log.warning("%s becomes %s: it cannot be copied to %s", _named(stream), title, container)


@dataclass(frozen=True)
class _Stage:
    """Where results are rehearsed."""

    source: AnySource
    encoding: Encoding
    video: list[Coded]

    def takes(self, container: str, streams: list[int], converted: Collection[int] = ()) -> bool:
        """Whether a container can be written with these streams, some of them converted."""
        wait = delay([coded.pts for coded in self.video])
        video = with_decoding_times(self.video, wait, self.source.facts.gap)
        try:
            join(
                io.BytesIO(), container, self.source, self.encoding, streams, video,
                converted, most=_PACKETS,
            )  # fmt: skip
        except (av.error.FFmpegError, ValueError, SrkitError) as error:
            log.debug("%s with streams %s: %s", container, streams, error)
            return False
        return True

    def converts(self, container: str, stream: Stream, *, asked: bool) -> bool:
        """Whether a stream is sound that can be converted, and is to be.

        That is asked for, or no container of players takes it as it is.
        """
        return (
            stream.type == "audio"
            and (asked or not any(self.takes(other, [stream.index]) for other in _PLAYED))
            and self.takes(container, [], [stream.index])
        )

    def instead(self, container: str, stream: Stream) -> str:
        """What else than another container there is for a stream that this one cannot hold."""
        if stream.type == "subtitle":
            return advise('; subtitles="none"', "; --subtitles none") + " leaves it out"
        left_out = advise('sound="none"', "--sound none") + " leaves it out"
        if not self.converts(container, stream, asked=True):
            return f"; {left_out}"
        convert = advise('sound="convert"', "--sound convert")
        return f"; {convert} makes {TITLES[codec_for(container)]} of it, {left_out}"

    def advice(self, streams: list[int]) -> str:
        """Which container takes these streams."""
        for container in _OTHERS:
            if self.takes(container, streams):
                suffix = next(s for s, name in CONTAINERS.items() if name == container)
                rare = ", which few players know; or convert that stream first"
                told = f"{container} can: name the output with {suffix}"
                return told + (rare if container == "nut" else "")
        return "no container srkit writes can hold all streams; convert that one first"


def _blank(encoding: Encoding, source: AnySource) -> list[Coded]:
    """A few coded frames, at the times at which the video begins."""
    begin = source.stream.start_time or 0
    step = source.facts.gap

    def frames() -> Iterator[tuple[VideoFrame, int, int]]:
        for number in range(_FRAMES):
            frame = VideoFrame(encoding.width, encoding.height, encoding.pix_fmt)
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            yield frame, begin + number * step, step

    return list(encode(encoding, frames()))


def _named(stream: Stream) -> str:
    language = f" ({stream.language})" if stream.language else ""
    return f"{stream.name or 'unknown'} {stream.type}{language}"
