"""Results that are pictures: animated GIF, PNG and WebP, and numbered files."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from srkit.atomic import replacing
from srkit.errors import OptionError
from srkit.imaging.files import formats
from srkit.imaging.image import Image
from srkit.imaging.pil import Mode, as_uint8
from srkit.video.animations import (
    KINDS,
    TITLES,
    as_png,
    check_memory,
    of_png,
    write_animation,
)
from srkit.video.packets import Coded
from srkit.video.pictures import AnySource, Opaque, Pictures
from srkit.video.reading import VideoFacts
from srkit.video.sequences import is_sequence, numbered
from srkit.video.sizes import Size, drawn_size, is_turned
from srkit.video.work import Work

log = logging.getLogger(__name__)

# What pictures become that are put on white.
_OPAQUE: dict[Mode, Mode] = {"LA": "L", "RGBA": "RGB"}


@dataclass(frozen=True)
class Drawing:
    """How frames become pictures, as `srkit.video.encoding.Encoding` is for videos.

    Attributes
    ----------
    width, height
        Of the pictures, upright.
    kind
        GIF, PNG or WEBP, as Pillow names animations; empty for numbered pictures.
    suffix
        Of numbered pictures.
    first
        The number of the first.
    plays
        How often an animation is shown; 0 for ever.
    exact
        Whether durations are those of an animation, and kept however short.
    time_base
        Seconds of a unit of times.
    """

    width: int
    height: int
    kind: str
    suffix: str
    first: int
    plays: int
    exact: bool
    time_base: Fraction

    def writer(self) -> Callable[[Any], Image]:
        """What makes an image for `packets` of an upscaled array or image."""
        form = None if self.kind else formats.written_as(Path(f"a{self.suffix}"))
        dtypes = ("uint8",) if form is None else form.dtypes
        white = f"what is transparent is put on white: {self.title} is opaque"
        opaque, of_print = Opaque(white), Opaque()
        told = list[str]()

        def drawn(made: Any) -> Image:
            image = made if isinstance(made, Image) else Image(made)
            mode = image.metadata.mode
            if form is None and mode == "CMYK":
                image = Image(of_print(image))
            elif form is not None and mode not in form.modes and mode in _OPAQUE:
                pixels = opaque(image)
                metadata = replace(image.metadata, mode=_OPAQUE[mode])
                image = Image(pixels[..., 0] if mode == "LA" else pixels, metadata)
            if image.dtype.name in dtypes:
                return image
            if image.dtype == np.uint16 and not told:
                told.append(f"16 bits become 8: {self.title} has no more")
                log.warning("%s", told[0])
            return Image(as_uint8(image.pixels), image.metadata)

        return drawn

    @property
    def title(self) -> str:
        """The format, as texts name it."""
        return TITLES[self.kind] if self.kind else self.suffix.lstrip(".").upper()

    def packets(self, frames: Iterable[tuple[Image, int, int]]) -> Iterator[Coded]:
        """Files of frames, each with its time and duration."""
        for image, pts, duration in frames:
            if self.kind:
                data = as_png(image)
            else:
                file = io.BytesIO()
                image.save(file, format=self.suffix)
                data = file.getvalue()
            yield Coded(pts, duration, key=True, data=data)

    def finish(
        self, work: Work, target: Path, advance: Callable[[int], None] = lambda _: None
    ) -> None:
        """Write what the result is, of all packets; `advance` is told of frames of an animation."""
        if self.kind:
            self._animate(work, target, advance)
        else:
            self._number(work, target)

    def _animate(self, work: Work, target: Path, advance: Callable[[int], None]) -> None:
        with replacing(target) as file:
            left_out = self.animate(file, work.packets(), work.segments[0].first, advance)
        advance(left_out)
        if left_out:
            log.warning(
                "%d frames are left out: browsers show at most fifty a second of a GIF", left_out
            )

    def animate(
        self,
        file: BinaryIO,
        packets: Iterable[Coded],
        begin: int,
        advance: Callable[[int], None] = lambda _: None,
    ) -> int:
        """Write packets, the first of which is shown at `begin`; returns frames left out."""
        unit = 1000 * self.time_base
        frames = (
            (of_png(packet.data), (packet.pts - begin) * unit, packet.duration * unit)
            for packet in packets
        )
        return write_animation(
            file, self.kind, frames, self.plays, exact=self.exact, advance=advance
        )

    def _number(self, work: Work, target: Path) -> None:
        """Write all files first and give them their names then, which takes but a moment."""
        names, durations = list[tuple[Path, Path]](), list[int]()
        for number, packet in enumerate(work.packets(), self.first):
            durations.append(packet.duration)
            name = numbered(target, number)
            unnamed = work.folder / f"{number}{self.suffix}"
            unnamed.write_bytes(packet.data)
            names.append((unnamed, name))
        for unnamed, name in names:
            unnamed.replace(name)
        # Of the last one, the end of the video decides.
        if len(durations) > 2 and max(durations[:-1]) > 1.5 * min(durations[:-1]):
            log.warning(
                "frames of the source stand for different times, which %s cannot tell", target.name
            )


def drawing_for(
    source: AnySource, scale: int, target: Path, size: Size, given: dict[str, Any]
) -> Drawing:
    """How a source becomes pictures.

    Parameters
    ----------
    scale
        The model's.
    given
        Options of encoders, with their names: there are none here.

    Raises
    ------
    OptionError
        If an option of encoders is given, or an animation would not fit in memory.
    """
    refused = [name for name, value in given.items() if value is not None]
    if refused:
        raise OptionError(f"{target} has no {' and no '.join(refused)}: that is for videos")
    facts = upright(source.facts)
    width, height = drawn_size(facts, scale, size)
    kind = "" if is_sequence(target) else KINDS[target.suffix.lower()]
    animation = source.animation if isinstance(source, Pictures) else None
    if kind:
        check_memory(kind, facts.frames, width, height)
    return Drawing(
        width,
        height,
        kind,
        target.suffix.lower(),
        source.first if isinstance(source, Pictures) and not kind else 1,
        0 if animation is None else animation.plays,
        exact=animation is not None,
        time_base=facts.time_base,
    )


def are_drawn(target: Path) -> bool:
    """Whether a result is pictures.

    Examples
    --------
    >>> are_drawn(Path("a.gif")), are_drawn(Path("frames/%05d.tif")), are_drawn(Path("a.mp4"))
    (True, True, False)
    """
    return is_sequence(target) or target.suffix.lower() in KINDS


def upright(facts: VideoFacts) -> VideoFacts:
    """What a video is once a player has turned it."""
    if is_turned(facts.display_matrix):
        aspect = None if facts.aspect is None else 1 / facts.aspect
        facts = replace(facts, width=facts.height, height=facts.width, aspect=aspect)
    return replace(facts, display_matrix=None)


def turned(pixels: NDArray[Any], matrix: tuple[int, ...] | None) -> NDArray[Any]:
    """Pixels as a player shows them, by the matrix that FFmpeg gives.

    A place (x, y) goes to (a x + c y, b x + d y), of quarter turns and flips.

    Examples
    --------
    >>> row = np.arange(3).reshape(1, 3)
    >>> turned(row, (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)).ravel().tolist()
    [0, 1, 2]
    >>> turned(row, (-65536, 0, 0, 0, -65536, 0, 0, 0, 1 << 30)).tolist()
    [[2, 1, 0]]
    """
    if matrix is None:
        return pixels
    a, b, _, c, d = matrix[:5]
    if is_turned(matrix):
        pixels, across, down = pixels.swapaxes(0, 1), c, b
    else:
        across, down = a, d
    pixels = pixels[:, ::-1] if across < 0 else pixels
    pixels = pixels[::-1] if down < 0 else pixels
    return np.ascontiguousarray(pixels)


def left_out_of(source: AnySource, target: Path) -> list[str]:
    """Names of the streams that pictures have no place for; they are told in the log."""
    names = []
    for stream in source.container.streams:
        if stream.index != source.stream.index:
            language = f" ({stream.language})" if stream.language not in (None, "und") else ""
            names.append(f"{stream.name or 'unknown'} {stream.type}{language}")
    for name in names:
        log.warning("%s is left out: %s has no place for it", name, target.name)
    return names
