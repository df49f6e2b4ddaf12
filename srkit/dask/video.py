"""One long video: segments made by workers, joined where the work was given."""

from __future__ import annotations

import bisect
import functools
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, dropwhile, islice, pairwise
from pathlib import Path
from typing import Any

from av.video.frame import VideoFrame
from distributed import Client

from srkit.atomic import replacing
from srkit.batch.resuming import check_same
from srkit.dask.models import Recipe, budget, model_of, recipe_for
from srkit.dask.tasks import all_done, cluster, resources_for
from srkit.errors import VideoError
from srkit.guard import reading
from srkit.memory import byte_count
from srkit.progress import Meter
from srkit.upscaling.upscaler import Progress
from srkit.video.decoding import url_of
from srkit.video.encoding import Encoding, choose, container_of, encode
from srkit.video.guard import typed_errors
from srkit.video.joining import join
from srkit.video.lock import clear, work_folder
from srkit.video.packets import Coded, Written, read_packets, with_decoding_times, write_packets
from srkit.video.paths import check_paths
from srkit.video.reading import Frame, Source
from srkit.video.rehearsal import Kept, check_streams
from srkit.video.truncation import missing_end
from srkit.video.upscaling import (
    VideoReport,
    decided_for_clip,
    settings_of,
    spare_frames,
    upscaled,
)
from srkit.video.work import MANIFEST, write_manifest

# A segment begins with a key frame of the source, and has at least so many frames.
LEAST = 48


@dataclass(frozen=True)
class Segment:
    """Frames that one worker makes.

    Attributes
    ----------
    number
        Of the segment.
    times
        When its frames are shown, and before them the `spare` ones that they depend on.
    spare
        How many of `times` are not made.
    start
        Time of a key frame to decode from; None for the beginning.
    """

    number: int
    times: tuple[int, ...]
    spare: int
    start: int | None

    @property
    def frames(self) -> int:
        """Frames that are made."""
        return len(self.times) - self.spare


@dataclass(frozen=True)
class _Work:
    """What a worker needs to know, whichever segment it makes, and where it puts it."""

    recipe: Recipe
    source: Path
    folder: Path
    encoding: Encoding
    memory: int | None

    def packets(self, number: int) -> Path:
        """The file of a segment's packets."""
        return self.folder / f"{number:06d}.packets"

    def result(self, number: int) -> Path:
        """The file that is there when a segment is done."""
        return self.folder / f"{number:06d}.json"

    def written(self, number: int) -> tuple[Written, list[int]]:
        """What a finished segment holds, and times of frames that were broken."""
        with reading(self.result(number), "record of a segment"):
            record = json.loads(self.result(number).read_bytes())
            return Written(*record["written"]), record["broken"]

    def delay(self, segments: list[Segment]) -> int:
        """The largest delay of all segments."""
        return max(self.written(segment.number)[0].delay for segment in segments)


def upscale_video(
    src: str | os.PathLike[str],
    dst: str | os.PathLike[str],
    model: str | Path = "espcn",
    *,
    client: Client | str,
    scale: int | None = None,
    codec: str | None = None,
    crf: float | None = 18,
    preset: str | int | None = None,
    pix_fmt: str | None = None,
    resume: bool = True,
    overwrite: bool = False,
    memory: int | str | None = None,
    retries: int = 2,
    resources: Mapping[str, float] | None = None,
    progress: Progress = False,
    **options: Any,
) -> VideoReport:
    """Upscale a video on a cluster; needs ``pip install "srkit[dask,video]"``.

    The frames and times are those of `srkit.upscale_video`. The video is cut where the source
    has key frames; each worker decodes its segment, and the frames around it that a model for
    video looks at, and encodes it. The packets are joined here, with sound and subtitles of
    the source, and counted. Stopped at any moment, the same call goes on where it was.

    Parameters
    ----------
    src, dst, codec, crf, preset, pix_fmt, resume, overwrite
        See `srkit.upscale_video`; both files lie where all workers reach.
    model, scale, options
        As for `srkit.load`; of `options` plain values.
    client
        Where to work; see `cluster`.
    memory
        Bytes for the model to work in; by default within the limit of the worker.
    retries
        How often a segment that fails is tried again.
    resources
        That a worker must have, such as ``{"GPU": 1}``, which is meant by ``device="cuda"``.
    progress
        True for a bar, or a function called with frames done and in all.

    Returns
    -------
    VideoReport

    Raises
    ------
    VideoError
        As `srkit.upscale_video`; also if frames of the source have no times of their own.
    ClusterError
        If the cluster cannot be reached, or is lost; what is done stays done.
    SrkitError
        As `srkit.upscale_video`.

    Examples
    --------
    >>> import tempfile
    >>> import av, numpy as np
    >>> folder = Path(tempfile.mkdtemp())
    >>> with av.open(folder / "small.mkv", "w") as clip:
    ...     stream = clip.add_stream("ffv1", rate=25, width=48, height=32)
    ...     for level in (50, 100, 150):
    ...         picture = np.full((32, 48, 3), level, np.uint8)
    ...         clip.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
    ...     clip.mux(stream.encode(None))
    >>> with Client(processes=False, dashboard_address=":0") as client:
    ...     report = upscale_video(
    ...         folder / "small.mkv", folder / "large.mp4", "bicubic", scale=2, client=client)
    >>> report.frames, report.width, report.height
    (3, 96, 64)

    On a cluster of many machines::

        srkit.dask.upscale_video("in.mp4", "out.mp4", "vsr-small", client="tcp://scheduler:8786")
    """
    begun, memory = time.monotonic(), byte_count(memory)
    source_path, target = Path(src).resolve(), Path(dst).resolve()
    check_paths(source_path, target, overwrite=overwrite)
    container = container_of(target.suffix)
    recipe, upscaler = recipe_for(model, scale, options)
    with work_folder(target) as folder, typed_errors(source_path), Source(source_path) as source:
        wanted: dict[str, Any] = {"codec": codec, "crf": crf, "preset": preset, "pix_fmt": pix_fmt}
        encoding = choose(source.facts, upscaler.scale, container, **wanted)
        kept = check_streams(source, encoding, container)
        segments = list(cut(source.times(), functools.partial(spare_frames, upscaler)))
        settings = settings_of(upscaler, encoding, options, source, recipe.weights)
        settings["segment_frames"] = [segment.frames for segment in segments]
        _open(folder, settings, resume=resume)
        work = _Work(recipe, source_path, folder, encoding, memory)
        missing = [s for s in segments if not work.result(s.number).is_file()]
        make, label = functools.partial(_make, work), f"{recipe.model} x{recipe.scale}"
        with Meter(progress, _count(segments), label, "frame") as advance:
            advance(_count(segments) - _count(missing))
            if missing:
                with cluster(client) as workers:
                    needs = resources_for(workers, resources, options)
                    done = all_done(workers, make, missing, retries=retries, resources=needs)
                    for segment in done:
                        advance(segment.frames)
        _join(work, segments, source, kept, target, container)
        report = _report(target, source, work, kept, segments, missing, time.monotonic() - begun)
        with suppress(OSError):
            clear(folder)
    return report


def cut(times: list[tuple[int, bool]], spare: Callable[[int], int]) -> Iterator[Segment]:
    """Segments of a video that begin with key frames.

    Parameters
    ----------
    times
        See `Source.times`.
    spare
        Tells how many frames before one it depends on.

    Examples
    --------
    >>> clip = [(10 * n, n % 30 == 0) for n in range(200)]
    >>> [(s.times[s.spare], s.frames, s.spare, s.start) for s in cut(clip, lambda n: min(n, 2))]
    [(0, 60, 0, None), (600, 60, 2, 0), (1200, 60, 2, 600), (1800, 20, 2, 1200)]
    """
    shown = [pts for pts, _ in times]
    keys = [number for number, (_, key) in enumerate(times) if key]
    edges = [0]
    for number in keys:
        if number - edges[-1] >= LEAST:
            edges.append(number)
    for count, (first, last) in enumerate(pairwise([*edges, len(times)])):
        back = spare(first)
        # One key frame more than is needed: pictures right before a key frame, in the order
        # of display, may lean on the group before it.
        before = bisect.bisect_right(keys, first - back) - 2
        start = shown[keys[before]] if before >= 0 and first else None
        yield Segment(count, tuple(shown[first - back : last]), back, start)


def _open(folder: Path, settings: dict[str, Any], *, resume: bool) -> None:
    """Make the folder of unfinished work, or check that it is of the same."""
    if not resume:
        clear(folder)
    manifest = folder / MANIFEST
    if manifest.is_file():
        with reading(manifest, "manifest"):
            known = json.loads(manifest.read_bytes())["settings"]
        check_same(folder, known, settings, VideoError)
        return
    # Which segments are finished is told by their files: workers write no common one.
    write_manifest(folder, settings, [])


def _make(work: _Work, segment: Segment) -> None:
    """Make a segment, on a worker: its packets, and then a file that says that they are there."""
    broken: list[int] = []
    with (
        model_of(work.recipe) as upscaler,
        typed_errors(work.source),
        Source(work.source) as source,
    ):
        memory = budget(upscaler) if work.memory is None else work.memory
        frames = _frames(source, segment, upscaler.window // 2 + 1)
        model = decided_for_clip(upscaler, source)
        results = upscaled(source, frames, model, work.encoding, segment.spare, memory)

        def pictures() -> Iterator[tuple[VideoFrame, int, int]]:
            for picture, frame in islice(results, segment.frames):
                if frame.broken:
                    broken.append(frame.pts)
                yield picture, frame.pts, frame.duration

        packets = work.packets(segment.number)
        with replacing(packets) as file:
            written = write_packets(Path(file.name), encode(work.encoding, pictures()))
    if written.frames != segment.frames:
        raise VideoError(f"{work.source} gave {written.frames} frames of {segment.frames}")
    with replacing(work.result(segment.number)) as file:
        file.write(json.dumps({"written": written, "broken": broken}).encode())


def _frames(source: Source, segment: Segment, ahead: int) -> Iterator[Frame]:
    """The frames of a segment, and some after it, whatever the container makes of seeking."""
    count = len(segment.times)
    for start in dict.fromkeys((segment.start, None)):
        decoded = dropwhile(lambda frame: frame.pts < segment.times[0], source.frames(start))
        first = next(decoded, None)
        if first is None or first.pts != segment.times[0]:
            continue
        for number, frame in enumerate(islice(chain([first], decoded), count + ahead)):
            if number < count and frame.pts != segment.times[number]:
                break
            yield frame
        else:
            return
        break
    raise VideoError(
        f"{source.path}: frames from {source.seconds(segment.times[0]):.3f} s on are not at the "
        "times that the file states; do it on one machine, without Dask"
    )


def _join(
    work: _Work,
    segments: list[Segment],
    source: Source,
    kept: Kept,
    target: Path,
    container: str,
) -> None:
    """Put the segments together; the result gets its name when all frames are in it."""
    unfinished = work.folder / f"joined{target.suffix}"
    packets = with_decoding_times(_packets(work, segments), work.delay(segments), source.facts.gap)
    place = url_of(unfinished)
    join(place, container, source, work.encoding, kept.streams, packets, kept.converted)
    _check_count(unfinished, segments)
    unfinished.replace(target)


def _packets(work: _Work, segments: list[Segment]) -> Iterator[Coded]:
    """All packets, as long as they are of the frames of the source."""
    for segment in segments:
        shown = []
        for packet in read_packets(work.packets(segment.number)):
            shown.append(packet.pts)
            yield packet
        if tuple(sorted(shown)) != segment.times[segment.spare :]:
            raise VideoError(f"segment {segment.number} in {work.folder} has other frames")


def _count(segments: list[Segment]) -> int:
    """Frames that are made in all."""
    return sum(segment.frames for segment in segments)


def _check_count(path: Path, segments: list[Segment]) -> None:
    """Check that all frames arrived."""
    with Source(path) as result:
        count = len(result.times())
    if count != (expected := _count(segments)):
        raise VideoError(f"{path} has {count} frames instead of {expected}")


def _report(
    path: Path,
    source: Source,
    work: _Work,
    kept: Kept,
    segments: list[Segment],
    missing: list[Segment],
    seconds: float,
) -> VideoReport:
    frames = _count(segments)
    written = [work.written(segment.number) for segment in segments]
    return VideoReport(
        path=path,
        frames=frames,
        resumed=frames - _count(missing),
        broken=tuple(source.seconds(pts) for _, broken in written for pts in broken),
        left_out=tuple(kept.left_out),
        width=work.encoding.width,
        height=work.encoding.height,
        duration=source.seconds(written[-1][0].end - written[0][0].first),
        seconds=seconds,
        missing=missing_end(source, written[-1][0].end),
    )
