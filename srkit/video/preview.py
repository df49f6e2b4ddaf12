"""One frame before and after, as a page, with how long the whole is going to take."""

from __future__ import annotations

import io
import os
import time
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from srkit.advice import advise
from srkit.atomic import replacing
from srkit.errors import OptionError, VideoError
from srkit.evaluation import viewer
from srkit.evaluation.comparison import flat
from srkit.evaluation.gaze import first_look
from srkit.evaluation.sheet import Panel
from srkit.imaging.pil import as_uint8
from srkit.imaging.resize import imresize
from srkit.upscaling.forecast import in_words
from srkit.upscaling.upscaler import Upscaler
from srkit.video import cartoons
from srkit.video.colour import ToRGB
from srkit.video.cutting import Cut, clock
from srkit.video.drawing import Drawing, are_drawn, turned
from srkit.video.encoding import Encoding, container_of, encode
from srkit.video.guard import typed_errors
from srkit.video.paths import check_source
from srkit.video.pictures import AnySource
from srkit.video.planning import Plan, Wish, images_of, plan
from srkit.video.reading import Frame
from srkit.video.upscaling import decided_for_clip, spare_frames, upscaled

# Frames that are made, the first of which takes longer than others; unless it takes so long,
# in seconds, that it alone has to tell.
_FRAMES, _LONG = 3, 20.0
_PAGES = (".html", ".htm")


@dataclass(frozen=True)
class Preview:
    """What `srkit.video.preview_video` found.

    Attributes
    ----------
    path
        The page.
    time
        Of the frame, in seconds from the beginning of the video.
    frames
        Of the whole, or an estimate of it.
    seconds
        That the whole is going to take on this machine.
    width, height
        Of the result.
    looks_drawn
        Whether the frames look like a cartoon's.

    Examples
    --------
    >>> Preview(Path("page.html"), time=2.0, frames=48, seconds=12.0, width=1280, height=720,
    ...         looks_drawn=False).seconds
    12.0
    """

    path: Path
    time: float
    frames: int
    seconds: float
    width: int
    height: int
    looks_drawn: bool


def preview_video(
    src: str | os.PathLike[str],
    page: str | os.PathLike[str],
    model: str | Path | Upscaler,
    *,
    dst: str | os.PathLike[str] | None,
    scale: int | None,
    wish: Wish,
    overwrite: bool,
    memory: int | None,
    options: dict[str, Any],
) -> Preview:
    """See `srkit.video.preview_video`."""
    source_path, path = Path(src), Path(page)
    target = Path("preview.mp4") if dst is None else Path(dst)
    check_source(source_path)
    _check_page(path, overwrite=overwrite)
    if not are_drawn(target):
        container_of(target.suffix)
    with typed_errors(source_path):
        with wish.opened(source_path) as source:
            planned = plan(source, target, model, scale, wish, options)
            drawn = cartoons.offer(source, planned.upscaler)
            middle = _middle(source)
            begin, shown = _beginning(source, middle, planned.upscaler)
        with replace(wish, cut=Cut(begin, wish.cut.end)).opened(source_path) as source:
            before, after, each = _made(replace(planned, source=source), shown, memory)
    seconds = each * planned.source.facts.frames
    facts = planned.source.facts
    told = (
        f"Frame at {clock(middle)} of {source_path.name}. The whole, {facts.frames} frames, is "
        f"going to take {in_words(seconds)} on this machine."
    )
    with replacing(path) as file:
        file.write(viewer.page(_view(planned, before, after, told)).encode())
    size = planned.encoding.width, planned.encoding.height
    return Preview(path, float(middle), facts.frames, seconds, *size, drawn)


def _check_page(path: Path, *, overwrite: bool) -> None:
    if path.suffix.lower() not in _PAGES:
        raise OptionError(f"a preview is a page: name it {path.with_suffix('.html')}, not {path}")
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(2, os.strerror(2), str(path.parent))
    if path.exists() and not overwrite:
        again = advise("pass overwrite=True", "use --overwrite")
        raise OptionError(f"{path} exists; {again} to replace it")


def _middle(source: AnySource) -> Fraction:
    """The time in the middle of a part."""
    start, end = source.cut.start, source.cut.end
    middle = start + Fraction(source.facts.frames) / source.facts.rate / 2
    return middle if end is None else min(middle, (start + end) / 2)


def _beginning(source: AnySource, at: Fraction, upscaler: Upscaler) -> tuple[Fraction, int]:
    """Where to read from for the frame that is shown at a time, and the time of that frame.

    That is before it by as many frames as decide on it. Where none is found, as in a file that
    is truncated, it is the first of the part.
    """
    facts, start = source.facts, source.cut.start
    frame = source.frame_at(at)
    if frame is None:
        return start, round((source.clock + start) / facts.time_base)
    earlier = spare_frames(upscaler, facts.frames) * facts.gap
    return max(start, (frame.pts - earlier) * facts.time_base - source.clock), frame.pts


def _made(
    planned: Plan, shown: int, memory: int | None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], float]:
    """The frame that is shown at a time before and after, and the seconds that each frame takes."""
    source, encoding = planned.source, planned.encoding
    to_image = images_of(source, encoding)
    upscaler = decided_for_clip(planned.upscaler, source, to_image)
    begun = time.perf_counter()
    earlier, later = list[Frame](), source.frames()
    for frame in later:
        earlier.append(frame)
        if frame.pts + frame.duration > shown:
            break
    made, times = list[tuple[Any, Frame]](), list[float]()
    results = upscaled(source, chain(earlier, later), upscaler, encoding, len(earlier) - 1, memory)
    for result in islice(results, _FRAMES):
        times.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        made.append(result)
        if sum(times) > _LONG:
            break
    if not made:
        raise VideoError(f"{source.path} holds no frames")
    matrix = source.facts.display_matrix if isinstance(encoding, Encoding) else None
    before = turned(as_uint8(np.asarray(flat(to_image(earlier[-1].picture)))), matrix)
    seen = [_seen(picture, encoding) for picture, _ in made]
    # A frame that repeats the last one is not made again, and tells nothing.
    each = min(
        seconds
        for n, seconds in enumerate(times)
        if n == 0 or not np.array_equal(seen[n], seen[n - 1])
    )
    return before, turned(seen[0], matrix), each + _encoding_seconds(encoding, made)


def _seen(made: Any, encoding: Encoding | Drawing) -> NDArray[np.uint8]:
    """A result as people see it."""
    if isinstance(encoding, Drawing):
        return flat(made)
    picture: VideoFrame = made
    return as_uint8(ToRGB(encoding.colour)(picture))


def _encoding_seconds(encoding: Encoding | Drawing, made: list[tuple[Any, Frame]]) -> float:
    """Seconds that it takes to encode a frame."""
    begun = time.perf_counter()
    frames = ((picture, frame.pts, frame.duration) for picture, frame in made)
    if isinstance(encoding, Drawing):
        packets = list(encoding.packets(frames))
        if encoding.kind:
            encoding.animate(io.BytesIO(), packets, packets[0].pts)
    else:
        list(encode(encoding, frames))
    return (time.perf_counter() - begun) / len(made)


def _view(
    planned: Plan, before: NDArray[np.uint8], after: NDArray[np.uint8], told: str
) -> viewer.View:
    part = first_look(before)
    (high, wide), (height, width) = before.shape[:2], after.shape[:2]
    name = f"{planned.upscaler.card.name} x{planned.upscaler.scale}"
    # As a player enlarges it.
    enlarged = imresize(before, size=(height, width))
    panels = [
        Panel("before", enlarged, ((f"{wide} x {high} pixels", False),)),
        Panel(f"after: {name}", after, ((f"{width} x {height} pixels", False),)),
    ]
    centre = part.centre[0] / wide, part.centre[1] / high
    title = f"{wide}x{high} to {width}x{height}"
    return viewer.View(title, panels, told, centre, part.what)
