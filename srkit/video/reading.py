"""Reading a video: what it is, and its frames, each with its time, none left out."""

from __future__ import annotations

import contextlib
import heapq
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from srkit.errors import CorruptFileError, VideoError
from srkit.video.colour import Colour, colour_of
from srkit.video.siting import siting_of
from srkit.video.streams import main_stream

log = logging.getLogger(__name__)

# Duration of a lone frame in a video that does not say.
USUAL_RATE = Fraction(25)


@dataclass(frozen=True)
class VideoFacts:
    """What a video stream says of itself.

    Attributes
    ----------
    width, height
        As coded: a player turns the picture afterwards.
    pix_fmt
        FFmpeg's name of the pixel format.
    colour
        Matrix, range, primaries and transfer.
    time_base
        Seconds of one unit of `Frame.pts`.
    rate
        Average frames a second.
    frames
        How many there are, or an estimate of it.
    aspect
        Width of a pixel by its height; None where not told.
    display_matrix
        Rotation and flips that a player applies, as FFmpeg's nine numbers, or None.
    """

    width: int
    height: int
    pix_fmt: str
    colour: Colour
    time_base: Fraction
    rate: Fraction
    frames: int
    aspect: Fraction | None
    display_matrix: tuple[int, ...] | None

    @property
    def gap(self) -> int:
        """Time from a frame to the next, in `time_base`, where nothing else tells."""
        return max(1, round(1 / (self.rate * self.time_base)))


@dataclass(frozen=True)
class Frame:
    """One frame of a video.

    Attributes
    ----------
    picture
        Decoded, not yet converted.
    pts, duration
        When it is shown and for how long, in `VideoFacts.time_base`.
    broken
        Whether it could not be decoded, and `picture` is its neighbour's.
    """

    picture: VideoFrame
    pts: int
    duration: int
    broken: bool


class Source:
    """A video file, opened for reading.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    CorruptFileError
        If it is no video, or too damaged to be opened.
    VideoError
        If it holds no video stream, or one that cannot be decoded.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with open_input(path) as container:
            self._number = main_stream(container, path).index
        self.container = open_input(path)
        try:
            self.stream = self._stream_of(self.container)
            self.facts = self._facts()
        except BaseException:
            self.container.close()
            raise

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.container.close()

    @property
    def metadata(self) -> dict[str, str]:
        """Of the file."""
        return dict(self.container.metadata)

    def _stream_of(self, container: InputContainer) -> VideoStream:
        """The stream that is upscaled, in this file opened anew."""
        stream = cast(VideoStream, container.streams[self._number])
        # Slices, not frames: where frames are decoded side by side, an error tells less of
        # which of them is broken.
        stream.codec_context.thread_type = "SLICE"
        return stream

    def _facts(self) -> VideoFacts:
        stream = self.stream
        pictures = (frame.picture for frame in _decoded(self.container, stream))
        picture = next((picture for picture in pictures if picture is not None), None)
        if picture is None:
            raise CorruptFileError(f"{self.path} holds no frame that can be decoded")
        colour = colour_of(
            int(picture.colorspace), int(picture.color_range), int(picture.color_primaries),
            int(picture.color_trc), picture.height, picture.format.name, siting_of(stream),
        )  # fmt: skip
        rate = stream.average_rate or stream.guessed_rate or USUAL_RATE
        matrix = picture.side_data.get("DISPLAYMATRIX")
        if picture.interlaced_frame:
            log.warning("%s is interlaced; its frames are upscaled as they are", self.path)
        return VideoFacts(
            picture.width, picture.height, picture.format.name, colour,
            stream.time_base or 1 / USUAL_RATE, rate, self._count(rate),
            stream.sample_aspect_ratio or None,
            tuple(np.frombuffer(bytes(matrix), np.int32).tolist()) if matrix else None,  # type: ignore[call-overload]
        )  # fmt: skip

    def _count(self, rate: Fraction) -> int:
        if self.stream.frames:
            return self.stream.frames
        if self.stream.duration and self.stream.time_base:
            return max(1, round(self.stream.duration * self.stream.time_base * rate))
        seconds = Fraction(self.container.duration or 0, av.time_base)
        return max(1, round(seconds * rate))

    def frames(self, start: int | None = None) -> Iterator[Frame]:
        """Every frame in the order of their times, from the beginning, or from a key frame.

        A frame that is missing or broken comes with its neighbour's picture: the one before
        it, or at the beginning the one after.

        Parameters
        ----------
        start
            Time of a key frame to begin at, in units of the time base. Not all containers lead
            there: some go to one before, or beyond.

        Raises
        ------
        CorruptFileError
            If not one frame can be decoded.
        VideoError
            If frames change their size or format on the way.
        """
        # Opened again: a container that was read from may not be able to go back.
        with open_input(self.path) as container:
            stream = self._stream_of(container)
            if start is not None:
                container.seek(start, stream=stream)
            gap = self.facts.gap
            yield from _timed(self._repaired(container, stream, gap), gap)

    def _repaired(
        self, container: InputContainer, stream: VideoStream, gap: int
    ) -> Iterator[tuple[VideoFrame, int, int, bool]]:
        last: VideoFrame | None = None
        early: list[int] = []
        previous: int | None = None
        for decoded in _decoded(container, stream):
            pts = decoded.pts
            if pts is None:
                pts = 0 if previous is None else previous + gap
            if previous is not None and pts <= previous:
                # No container holds two frames of one time; none is lost for that.
                log.warning("%s: two frames at %.3f s are set apart", self.path, self.seconds(pts))
                pts = previous + 1
            previous = pts
            if decoded.picture is None:
                log.warning("%s: the frame at %.3f s is broken", self.path, self.seconds(pts))
                if last is None:
                    early.append(pts)
                else:
                    yield last, pts, 0, True
                continue
            self._check(decoded.picture, pts)
            last = decoded.picture
            for missed in early:
                yield last, missed, 0, True
            early = []
            yield last, pts, decoded.duration, False
        if last is None:
            raise CorruptFileError(f"{self.path} holds no frame that can be decoded")

    def times(self) -> list[tuple[int, bool]]:
        """When each frame is shown, in order, and whether it is a key frame; nothing is decoded.

        Raises
        ------
        VideoError
            If a frame has no time, or that of another.
        """
        with open_input(self.path) as container:
            packets = _packets(container, self._stream_of(container))
            shown = [(p.pts, bool(p.is_keyframe)) for p in packets if p.size and not p.is_discard]
        times = sorted((pts, key) for pts, key in shown if pts is not None)
        if len({pts for pts, _ in times}) < len(shown):
            raise VideoError(f"{self.path} has frames without times of their own")
        return times

    def seconds(self, pts: int) -> float:
        """A time in seconds."""
        return float(pts * self.facts.time_base)

    def _check(self, picture: VideoFrame, pts: int) -> None:
        facts = self.facts
        if (picture.width, picture.height, picture.format.name) != (
            facts.width, facts.height, facts.pix_fmt,
        ):  # fmt: skip
            raise VideoError(
                f"{self.path} changes from {facts.width}x{facts.height} {facts.pix_fmt} to "
                f"{picture.width}x{picture.height} {picture.format.name} at "
                f"{self.seconds(pts):.3f} s; cut it there and upscale the parts"
            )


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
class _Found:
    """A decoded frame, or the time of one that could not be decoded."""

    picture: VideoFrame | None
    pts: int | None
    duration: int


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[_Found]:
    """Decode; times of packets of which no frame came are told in their place."""
    due: list[int] = []

    def in_order(frames: list[VideoFrame]) -> Iterator[_Found]:
        for frame in frames:
            # Containers such as AVI tell when a packet is to be decoded, and no more.
            pts = frame.dts if frame.pts is None else frame.pts
            if pts is not None:
                while due and due[0] < pts:
                    yield _Found(None, heapq.heappop(due), 0)
                if due and due[0] == pts:
                    heapq.heappop(due)
            yield _Found(None if frame.is_corrupt else frame, pts, frame.duration or 0)

    for packet in _packets(container, stream):
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
        yield _Found(None, heapq.heappop(due), 0)


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[av.Packet[VideoStream]]:
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


def _timed(frames: Iterator[tuple[VideoFrame, int, int, bool]], gap: int) -> Iterator[Frame]:
    """Frames with durations that reach to the next one."""
    waiting: tuple[VideoFrame, int, int, bool] | None = None
    for following in frames:
        if waiting is not None:
            picture, pts, _, broken = waiting
            yield Frame(picture, pts, following[1] - pts, broken)
        waiting = following
    if waiting is not None:
        picture, pts, duration, broken = waiting
        yield Frame(picture, pts, duration or gap, broken)
