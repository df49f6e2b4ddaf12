"""Reading a video: what it is, and its frames, each with its time, none left out."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from srkit.advice import advise
from srkit.batch.identity import fingerprint
from srkit.errors import CorruptFileError, OptionError, VideoError
from srkit.imaging.image import Image
from srkit.video.colour import Colour, colour_of
from srkit.video.cutting import Cut, clock, frames_within, shown_within
from srkit.video.decoding import decoded, open_input, packets_of
from srkit.video.siting import siting_of
from srkit.video.streams import common_start, main_stream

log = logging.getLogger(__name__)

# Duration of a lone frame in a video that does not say.
USUAL_RATE = Fraction(25)
# Seconds before a part at which decoding begins where no key frame is found nearer.
_FAR_BACK = 10


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
        Decoded, not yet converted; of animations and numbered pictures a `srkit.Image`.
    pts, duration
        When it is shown and for how long, in `VideoFacts.time_base`.
    broken
        Whether it could not be decoded, and `picture` is its neighbour's.
    """

    picture: VideoFrame | Image
    pts: int
    duration: int
    broken: bool


class Source:
    """A video file, opened for reading.

    Parameters
    ----------
    path
        The file.
    cut
        The part of it that is read.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    CorruptFileError
        If it is no video, or too damaged to be opened.
    VideoError
        If it holds no video stream, or one that cannot be decoded.
    OptionError
        If the part begins after the end of the video.
    """

    def __init__(self, path: Path, cut: Cut | None = None) -> None:
        self.path, self.cut = path, cut or Cut()
        with open_input(path) as container:
            self._number = main_stream(container, path).index
        self.container = open_input(path)
        try:
            self.stream = self._stream_of(self.container)
            self.clock = common_start(self.container, self.container.streams)
            check_cut(path, self.cut, self._span()[1])
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

    def opened(self) -> InputContainer:
        """The file, opened anew."""
        return open_input(self.path)

    def fingerprint(self) -> str:
        """What tells this file from others."""
        return fingerprint(self.path)

    def _stream_of(self, container: InputContainer) -> VideoStream:
        """The stream that is upscaled, in this file opened anew."""
        stream = cast(VideoStream, container.streams[self._number])
        # Slices, not frames: where frames are decoded side by side, an error tells less of
        # which of them is broken.
        stream.codec_context.thread_type = "SLICE"
        return stream

    def _facts(self) -> VideoFacts:
        stream = self.stream
        pictures = (frame.picture for frame in decoded(self.container, stream))
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
        if any(component.is_alpha for component in picture.format.components):
            log.warning("%s has an alpha channel, which is left out: videos are opaque", self.path)
        return VideoFacts(
            picture.width, picture.height, picture.format.name, colour,
            stream.time_base or 1 / USUAL_RATE, rate, self._count(rate),
            stream.sample_aspect_ratio or None,
            tuple(np.frombuffer(bytes(matrix), np.int32).tolist()) if matrix else None,  # type: ignore[call-overload]
        )  # fmt: skip

    def _count(self, rate: Fraction) -> int:
        if not self.cut and self.stream.frames:
            return self.stream.frames
        begin, end = self._span()
        if not self.cut:
            return max(1, round((end - begin) * rate))
        if self.cut.end is not None:
            end = min(self.cut.end, end or self.cut.end)
        return frames_within(self.cut.start - begin, end - begin, rate)

    def _span(self) -> tuple[Fraction, Fraction]:
        """When the video begins and ends, in seconds; it ends at 0 where nothing tells."""
        begin, unit = Fraction(0), self.stream.time_base
        if unit and self.stream.start_time is not None:
            begin = self.stream.start_time * unit - self.clock
        if unit and self.stream.duration:
            return begin, begin + self.stream.duration * unit
        return begin, Fraction(self.container.duration or 0, av.time_base)

    def frames(self, start: int | None = None) -> Iterator[Frame]:
        """Every frame of the part in the order of their times, or from a key frame on.

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
        for frame in self._part() if self.cut else self._decoded_from(start):
            if frame.broken:
                at = self.seconds(frame.pts)
                log.warning("%s: the frame at %.3f s is broken", self.path, at)
            yield frame

    def frame_at(self, at: Fraction) -> Frame | None:
        """The frame that is shown at a time, in seconds; None where it is not soon found."""
        begin = round((self.clock + at) / self.facts.time_base)
        near = self._from_before(begin, at_any_price=False)
        shown = (f for f in near if f.pts + f.duration > begin)
        return next(shown, None)

    def _part(self) -> Iterator[Frame]:
        """The frames of the cut, decoded from the key frame before it where that is found."""
        unit, gap = self.facts.time_base, self.facts.gap
        begin = round((self.clock + self.cut.start) / unit)
        end = None if self.cut.end is None else round((self.clock + self.cut.end) / unit)
        empty = True
        for frame in self._from_before(begin):
            if end is not None and frame.pts >= end:
                break
            shown = shown_within(frame.pts, frame.duration, begin, end, gap)
            if shown is not None:
                empty = False
                yield Frame(frame.picture, *shown, frame.broken)
        if empty:
            raise VideoError(f"{self.path} shows no frame from {self.cut}")

    def _from_before(self, begin: int, *, at_any_price: bool = True) -> Iterator[Frame]:
        """Frames from one at `begin` or before it on; of all containers few lead there at once."""
        far = round(_FAR_BACK / self.facts.time_base)
        for start in (begin, begin - far) if begin > 0 else ():
            frames = self._decoded_from(start)
            early = list[Frame]()
            # Some containers lead behind the last key frame, and some of one stream nowhere.
            with suppress(CorruptFileError, av.error.FFmpegError):
                for frame in frames:
                    early.append(frame)
                    if not frame.broken or frame.pts >= begin:
                        break
            if early and not early[-1].broken and early[-1].pts <= begin:
                yield early[-1]
                yield from frames
                return
        if at_any_price or begin <= 0:
            yield from self._decoded_from(None)

    def _decoded_from(self, start: int | None) -> Iterator[Frame]:
        """All frames from a key frame on."""
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
        for found in decoded(container, stream):
            pts = found.pts
            if pts is None:
                pts = 0 if previous is None else previous + gap
            if previous is not None and pts <= previous:
                # No container holds two frames of one time; none is lost for that.
                log.warning("%s: two frames at %.3f s are set apart", self.path, self.seconds(pts))
                pts = previous + 1
            previous = pts
            if found.picture is None:
                if last is None:
                    early.append(pts)
                else:
                    yield last, pts, 0, True
                continue
            self._check(found.picture, pts)
            last = found.picture
            for missed in early:
                yield last, missed, 0, True
            early = []
            yield last, pts, found.duration, False
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
            packets = packets_of(container, self._stream_of(container))
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


def check_cut(path: Path, cut: Cut, duration: Fraction) -> None:
    """Refuse a part that begins after the end, as far as the file tells that."""
    if cut.start and duration and cut.start >= duration:
        given = advise("start", "--start")
        raise OptionError(
            f"{given} {clock(cut.start)} is past the end of {path}, which lasts {clock(duration)}"
        )


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
