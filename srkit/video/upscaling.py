"""From video file to video file: read, upscale, encode by segments, join."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import av
import numpy as np

from srkit.batch.identity import FREE_OPTIONS, weights_digest
from srkit.errors import VideoError
from srkit.imaging.image import Image
from srkit.imaging.planes import Planes, read_planes
from srkit.progress import Meter
from srkit.upscaling.decisions import decided
from srkit.upscaling.scenes import MEMORY
from srkit.upscaling.upscaler import Upscaler
from srkit.upscaling.video import scene_windows, upscale_window
from srkit.version import __version__
from srkit.video.cartoons import offer
from srkit.video.colour import ToRGB
from srkit.video.cutting import Cut
from srkit.video.decoding import url_of
from srkit.video.drawing import Drawing, are_drawn
from srkit.video.encoding import Encoding, container_of, encode
from srkit.video.guard import typed_errors
from srkit.video.joining import join
from srkit.video.lock import work_folder
from srkit.video.overlap import Behind, ahead
from srkit.video.packets import with_decoding_times
from srkit.video.paths import check_paths, folder_for
from srkit.video.pictures import AnySource
from srkit.video.planning import Plan, Wish, images_of, plan
from srkit.video.reading import Frame
from srkit.video.truncation import missing_end
from srkit.video.work import Work

Progress = bool | Callable[[int, int], None]

# Frames of a segment: what is lost at most when work is interrupted. A segment begins with a
# key frame, so this is also the distance that players can jump in.
SEGMENT_FRAMES = 24
# Bytes of upscaled frames that wait for the encoder, which makes most of a segment at its end;
# and frames that are decoded ahead.
_WAITING, _AHEAD = 64 << 20, 2


@dataclass(frozen=True)
class VideoReport:
    """What `srkit.upscale_video` did.

    Attributes
    ----------
    path
        The result.
    frames
        In the result, and in the source.
    resumed
        How many of them had been done before.
    broken
        Times, in seconds, of frames that could not be decoded and were replaced by their
        neighbours.
    left_out
        Names of streams that the result's container has no place for, and of whatever else
        of the source is not in the result.
    width, height
        Of the result, in pixels as coded.
    duration
        Of the video, in seconds.
    seconds
        That this call took.
    missing
        Seconds at the end that the source's header tells of and its file does not hold, as
        of a download that broke off.

    Examples
    --------
    >>> VideoReport(Path("large.mkv"), frames=48, resumed=24, broken=(), left_out=(),
    ...             width=1280, height=720, duration=2.0, seconds=12.0).resumed
    24
    """

    path: Path
    frames: int
    resumed: int
    broken: tuple[float, ...]
    left_out: tuple[str, ...]
    width: int
    height: int
    duration: float
    seconds: float
    missing: float = 0.0

    @property
    def frames_per_second(self) -> float:
        """Speed of this call.

        Examples
        --------
        >>> VideoReport(Path("large.mkv"), frames=48, resumed=24, broken=(), left_out=(),
        ...             width=1280, height=720, duration=2.0, seconds=12.0).frames_per_second
        2.0
        """
        return (self.frames - self.resumed) / self.seconds if self.seconds > 0 else 0.0


def upscale_video(
    src: str | os.PathLike[str],
    dst: str | os.PathLike[str],
    model: str | Path | Upscaler,
    *,
    scale: int | None,
    wish: Wish,
    resume: bool,
    overwrite: bool,
    memory: int | None,
    progress: Progress,
    options: dict[str, Any],
) -> VideoReport:
    """See `srkit.upscale_video`."""
    begun = time.monotonic()
    source_path, target = Path(src), Path(dst)
    check_paths(source_path, target, overwrite=overwrite)
    if not are_drawn(target):
        container_of(target.suffix)
    with (
        folder_for(target),
        work_folder(target) as folder,
        typed_errors(source_path),
        wish.opened(source_path) as source,
    ):
        planned = plan(source, target, model, scale, wish, options)
        upscaler, encoding = planned.upscaler, planned.encoding
        settings = settings_of(upscaler, encoding, options, source, weights_digest(model, upscaler))
        work = Work(folder, settings, resume=resume)
        resumed = work.frames
        if not resumed:
            offer(source, upscaler)
        try:
            with _meter(progress, planned, resumed) as advance:
                _upscale(source, upscaler, encoding, work, memory, advance)
                _finish(planned, work, target, advance)
        except BaseException:
            # Without a finished segment there is nothing to go on with.
            if not work.segments:
                work.remove()
            raise
        report = _report(target, planned, work, resumed, time.monotonic() - begun)
        work.remove()
    return report


def _meter(progress: Progress, planned: Plan, resumed: int) -> Meter:
    """What counts frames; those of an animation twice, since to write them takes long as well."""
    upscaler, encoding, frames = planned.upscaler, planned.encoding, planned.source.facts.frames
    label = f"{upscaler.card.name} x{upscaler.scale}"
    if isinstance(encoding, Drawing) and encoding.kind:
        return Meter(progress, 2 * frames, f"{label}, {encoding.title}", "frame", resumed)
    return Meter(progress, frames, label, "frame", resumed)


def _finish(planned: Plan, work: Work, target: Path, advance: Callable[[int], None]) -> None:
    """Make the result of all segments; it appears whole."""
    encoding, kept = planned.encoding, planned.kept
    if isinstance(encoding, Drawing):
        encoding.finish(work, target, advance)
        return
    unfinished = work.folder / f"joined{target.suffix}"
    source, place = planned.source, url_of(unfinished)
    packets = with_decoding_times(work.packets(), work.delay, source.facts.gap)
    join(
        place, planned.container, source, encoding, kept.streams, packets, kept.converted,
        cut=_made_part(source, work),
    )  # fmt: skip
    unfinished.replace(target)


def _made_part(source: AnySource, work: Work) -> Cut | None:
    """The part that the frames are of: it begins and ends with whole ones."""
    if not source.cut:
        return None
    unit, gap = source.facts.time_base, source.facts.gap * source.facts.time_base

    def near(asked: Fraction, pts: int) -> Fraction:
        # Further away, the video begins after the other streams, or ends before them.
        made = pts * unit - source.clock
        return made if abs(made - asked) <= gap else asked

    end = source.cut.end
    return Cut(
        near(source.cut.start, work.segments[0].first),
        None if end is None else near(end, work.segments[-1].end),
    )


def settings_of(
    upscaler: Upscaler,
    encoding: Encoding | Drawing,
    options: dict[str, Any],
    source: AnySource,
    weights: str,
) -> dict[str, Any]:
    """All that the pixels and packets of the result depend on."""
    encoded = {key: repr(value) for key, value in asdict(encoding).items()}
    return {
        "srkit": __version__,
        "ffmpeg": av.ffmpeg_version_info,
        "source": source.fingerprint(),
        "cut": f"{source.cut.start} {source.cut.end}",
        "model": upscaler.card.name,
        "weights": weights,
        "scale": upscaler.scale,
        "window": upscaler.window,
        "options": {k: repr(v) for k, v in sorted(options.items()) if k not in FREE_OPTIONS},
        "segment_frames": SEGMENT_FRAMES,
        **encoded,
    }


def _upscale(
    source: AnySource,
    upscaler: Upscaler,
    encoding: Encoding | Drawing,
    work: Work,
    memory: int | None,
    advance: Callable[[int], None],
) -> None:
    """Make the segments that are not there yet."""
    upscaler = decided_for_clip(upscaler, source, images_of(source, encoding))
    # What the windows and cuts of the first frame depend on is read, and not upscaled again.
    spare = spare_frames(upscaler, work.frames)
    frames_left = islice(source.frames(), work.frames - spare, None)
    results = upscaled(source, frames_left, upscaler, encoding, spare, memory)
    most = max(1, min(SEGMENT_FRAMES, _WAITING // (3 * encoding.width * encoding.height)))
    encoding_behind = Behind[tuple[Any, Frame]](partial(_encode, encoding, work), most)
    with closing(results), encoding_behind as encoder:
        for made in results:
            advance(1)
            encoder.give(made)
    if not work.frames:
        raise VideoError(f"{source.path} holds no frames")


def _encode(encoding: Encoding | Drawing, work: Work, results: Iterator[tuple[Any, Frame]]) -> None:
    """Make segments of upscaled pictures."""
    while (first := next(results, None)) is not None:
        broken: list[int] = []

        def frames(
            first: tuple[Any, Frame] = first, broken: list[int] = broken
        ) -> Iterator[tuple[Any, int, int]]:
            for picture, frame in chain([first], islice(results, SEGMENT_FRAMES - 1)):
                if frame.broken:
                    broken.append(frame.pts)
                yield picture, frame.pts, frame.duration

        if isinstance(encoding, Drawing):
            work.add(encoding.packets(frames()), broken)
        else:
            work.add(encode(encoding, frames()), broken)


def decided_for_clip(
    upscaler: Upscaler, source: AnySource, images: Callable[[Any], Any] | None = None
) -> Upscaler:
    """The upscaler for all frames, by the first of them, wherever work begins.

    Parameters
    ----------
    images
        See `srkit.video.planning.images_of`; by default for videos.
    """
    if not upscaler.decides or (first := next(source.frames(), None)) is None:
        return upscaler
    to_image: Callable[[Any], Any] = images or ToRGB(source.facts.colour)
    planes = read_planes(to_image(first.picture))
    return decided(upscaler, planes.colour[0], planes.top)


def spare_frames(upscaler: Upscaler, start: int) -> int:
    """Frames before one on which its window depends, and where scenes are cut."""
    return min(start, upscaler.window // 2 + MEMORY)


def upscaled(
    source: AnySource,
    frames: Iterable[Frame],
    upscaler: Upscaler,
    encoding: Encoding | Drawing,
    spare: int,
    memory: int | None,
) -> Generator[tuple[Any, Frame], None, None]:
    """Upscaled pictures ready for `encoding`, each with the frame it is of.

    The first `spare` of the frames are there for those after them alone. A frame that repeats
    the last one is made once.
    """
    to_image, write = images_of(source, encoding), encoding.writer()
    size = encoding.height, encoding.width
    scale, coming = upscaler.scale, deque[Frame]()

    def planes() -> Iterator[Planes]:
        last: tuple[Any, Planes] | None = None
        for image, frame in ahead(((to_image(f.picture), f) for f in frames), _AHEAD):
            coming.append(frame)
            # A frame that repeats the last is the same object, so that it is seen to.
            if last is None or not _same(image, last[0]):
                last = image, read_planes(image)
            yield last[1]

    before: tuple[Planes, ...] = ()
    made: Any = None
    for number, window in enumerate(scene_windows(planes(), upscaler.window)):
        frame = coming.popleft()
        if number < spare:
            continue
        if len(before) != len(window) or any(
            a is not b for a, b in zip(before, window, strict=True)
        ):
            have = window[len(window) // 2].shape
            asked = None if (have[0] * scale, have[1] * scale) == size else size
            made = upscale_window(upscaler, window, memory=memory, size=asked)
        before = window
        yield write(made), frame


def _same(one: Any, other: Any) -> bool:
    """Whether two images, arrays or `srkit.Image`s, are equal in all."""
    if isinstance(one, Image) and isinstance(other, Image):
        return one.metadata == other.metadata and _same(one.pixels, other.pixels)
    return type(one) is type(other) and one.dtype == other.dtype and np.array_equal(one, other)


def _report(path: Path, planned: Plan, work: Work, resumed: int, seconds: float) -> VideoReport:
    source = planned.source
    return VideoReport(
        path=path,
        frames=work.frames,
        resumed=resumed,
        broken=tuple(source.seconds(pts) for pts in work.broken),
        left_out=tuple(planned.kept.left_out),
        width=planned.encoding.width,
        height=planned.encoding.height,
        duration=source.seconds(work.segments[-1].end - work.segments[0].first),
        seconds=seconds,
        missing=missing_end(source, work.segments[-1].end),
    )
