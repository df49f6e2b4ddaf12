"""Animations and numbered pictures, read as a video is."""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from srkit.advice import advise
from srkit.batch.identity import fingerprint
from srkit.errors import OptionError, VideoError
from srkit.imaging.files.reading import read_image
from srkit.imaging.image import Image
from srkit.imaging.levels import top_of
from srkit.video.animations import Animation, frames_of, kind_of, read_animation
from srkit.video.colour import FULL, RGB, Colour
from srkit.video.cutting import Cut, shown_within
from srkit.video.reading import USUAL_RATE, Frame, Source, VideoFacts, check_cut
from srkit.video.sequences import is_sequence, pictures_of

log = logging.getLogger(__name__)

# Parts of a second that hold hundredths, thousandths and the usual frame rates.
_UNIT = Fraction(1, 90_000)


def are_pictures(path: Path) -> bool:
    """Whether a path names numbered pictures, or a file that may be an animation."""
    return (is_sequence(path) and not path.exists()) or (path.is_file() and bool(kind_of(path)))


class Pictures:
    """Pictures that are frames; what else a video has, they lack.

    Parameters
    ----------
    path
        An animated GIF, PNG or WebP, or numbered pictures, ``frames/%05d.png``.
    cut
        The part that is read.
    rate
        Frames a second of numbered pictures.

    Attributes
    ----------
    animation
        What a file holds; None of numbered pictures.
    opaque
        Makes arrays for videos of the frames.

    Raises
    ------
    FileNotFoundError, CorruptFileError, ImageError
        As of `srkit.read_image`.
    VideoError
        If numbers are missing, or it is but one picture.
    OptionError
        If animations are given a rate, or the part begins after their end.
    """

    def __init__(self, path: Path, cut: Cut | None = None, rate: Fraction | None = None) -> None:
        self.path, self.cut, self.clock = path, cut or Cut(), Fraction(0)
        self.animation: Animation | None = None
        self.opaque = Opaque(f"{path} is transparent, and put on white: videos are opaque")
        self._files: dict[int, Path] = {}
        if is_sequence(path) and not path.exists():
            self._files = pictures_of(path)
            facts = self._facts_of_files(rate)
        else:
            self.animation = read_animation(path, kind_of(path) or "")
            if rate is not None:
                refuse_rate(path)
            facts = self._facts_of(self.animation)
        duration = facts.frames / facts.rate
        check_cut(path, self.cut, duration)
        self.facts = facts
        if self.cut:
            shown = sum(part is not None for part in self._shown())
            self.facts = replace(facts, frames=max(1, shown))
        self.container = self.opened()
        self.stream: Any = self.container.streams.video[0]

    def __enter__(self) -> Pictures:
        return self

    def __exit__(self, *_: object) -> None:
        self.container.close()

    @property
    def first(self) -> int:
        """The number of the first picture; 1 of an animation's."""
        return next(iter(self._files), 1)

    @property
    def metadata(self) -> dict[str, str]:
        """None: those of pictures stay with them."""
        return {}

    def opened(self) -> InputContainer:
        """A file without sound, subtitles and chapters, as there are none."""
        return av.open(io.BytesIO(_stand_in()), "r")

    def seconds(self, pts: int) -> float:
        """A time in seconds."""
        return float(pts * self.facts.time_base)

    def fingerprint(self) -> str:
        """What tells these pictures from others."""
        if not self._files:
            return fingerprint(self.path)
        digest = hashlib.sha256()
        for file in self._files.values():
            stat = file.stat()
            digest.update(f"{file.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
        return digest.hexdigest()

    def frames(self, start: int | None = None) -> Iterator[Frame]:
        """Every frame of the part, each an `Image`; `start` is of no use here.

        Raises
        ------
        VideoError
            If a picture is of another size than the first.
        """
        shown = self._shown()
        first = next((n for n, part in enumerate(shown) if part is not None), None)
        if first is None:
            raise VideoError(f"{self.path} shows no frame from {self.cut}")
        for image, part in zip(self._images(first), shown[first:], strict=False):
            if part is None:
                return
            yield Frame(image, *part, broken=False)

    def frame_at(self, at: Fraction) -> Frame | None:
        """The frame that is shown at a time, in seconds; None where there is none."""
        begin = round(at / self.facts.time_base)
        for number, (pts, duration) in enumerate(self._times()):
            if pts + duration > begin:
                return Frame(next(self._images(number)), pts, duration, broken=False)
        return None

    def _shown(self) -> list[tuple[int, int] | None]:
        """When each frame is shown in the part, and for how long; None where it is not."""
        begin = round(self.cut.start / self.facts.time_base)
        end = None if self.cut.end is None else round(self.cut.end / self.facts.time_base)
        # Animations have no rate that cutting a frame would break.
        gap = self.facts.gap if self.animation is None else 0
        return [shown_within(*time, begin, end, gap) for time in self._times()]

    def _times(self) -> list[tuple[int, int]]:
        if self.animation is None:
            return [(number, 1) for number in range(len(self._files))]
        begins, at = [0], Fraction(0)
        for duration in self.animation.durations:
            at += duration / 1000
            begins.append(round(at / _UNIT))
        return [(a, b - a) for a, b in pairwise(begins)]

    def _images(self, skip: int) -> Iterator[Image]:
        if self.animation is not None:
            for number, frame in enumerate(frames_of(self.path, self.animation)):
                if number >= skip:
                    yield frame
            return
        size = self.facts.width, self.facts.height
        for file in list(self._files.values())[skip:]:
            image = read_image(file)
            if image.size != size:
                raise VideoError(
                    f"{file} is {image.width}x{image.height}, and the first picture "
                    f"{size[0]}x{size[1]}: frames of a video are of one size"
                )
            yield image

    def _facts_of_files(self, rate: Fraction | None) -> VideoFacts:
        first = read_image(next(iter(self._files.values())))
        if rate is None:
            log.warning(
                "%s is taken for %d frames a second; %s says otherwise",
                self.path, USUAL_RATE, advise("fps", "--fps"),
            )  # fmt: skip
        rate = rate or USUAL_RATE
        deep = first.dtype != np.uint8
        return _facts(first.width, first.height, len(self._files), rate, 1 / rate, deep=deep)

    def _facts_of(self, animation: Animation) -> VideoFacts:
        count = len(animation.durations)
        rate = 1000 * count / sum(animation.durations, Fraction(0))
        return _facts(animation.width, animation.height, count, rate, _UNIT, deep=False)


def open_source(path: Path, cut: Cut | None = None, rate: Fraction | None = None) -> AnySource:
    """A video or pictures, as the file or the name tells; parameters as of `Pictures`.

    Raises
    ------
    OptionError
        If a video is given a rate.
    SrkitError, OSError
        As `Source` and `Pictures`.
    """
    if are_pictures(path):
        return Pictures(path, cut, rate)
    if rate is not None:
        refuse_rate(path)
    return Source(path, cut)


def refuse_rate(path: Path) -> NoReturn:
    """Say that a file has times of its own."""
    given = advise("fps", "--fps")
    raise OptionError(
        f"{path} has times of its own; {given} is for numbered pictures, such as frames/%05d.png"
    )


def _facts(
    width: int, height: int, count: int, rate: Fraction, unit: Fraction, *, deep: bool
) -> VideoFacts:
    form = "rgb48le" if deep else "rgb24"
    return VideoFacts(
        width, height, form, Colour(RGB, FULL), unit, rate, count, aspect=None, display_matrix=None
    )


def _stand_in() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="nut") as output:
        stream = output.add_stream("rawvideo", rate=25, width=16, height=16, pix_fmt="gray")
        output.mux(stream.encode(av.VideoFrame(16, 16, "gray")))
        output.mux(stream.encode(None))
    return file.getvalue()


AnySource: TypeAlias = Source | Pictures


class Opaque:
    """Makes RGB arrays of images: transparent pixels are put on white, and that is told once.

    Parameters
    ----------
    told
        What the log says of that; nothing where it is empty.
    """

    def __init__(self, told: str = "") -> None:
        self._told = told

    def __call__(self, image: Image) -> NDArray[Any]:
        """The image's pixels, ``(H, W, 3)``, uint8 or uint16."""
        pixels = image.pixels
        if pixels.dtype == np.float32:
            pixels = np.rint(np.clip(pixels, 0, 1) * 65535).astype(np.uint16)
        if image.metadata.mode == "CMYK":
            return np.asarray(image.to_pil().convert("RGB"))
        if pixels.ndim == 2:
            pixels = pixels[..., None]
        colour = pixels if pixels.shape[2] in (1, 3) else self._on_white(pixels)
        return np.ascontiguousarray(np.broadcast_to(colour, (*colour.shape[:2], 3)))

    def _on_white(self, pixels: NDArray[Any]) -> NDArray[Any]:
        top = np.float32(top_of(pixels.dtype))
        share = pixels[..., -1:].astype(np.float32) / top
        if self._told and share.min() < 1:
            log.warning("%s", self._told)
            self._told = ""
        mixed = pixels[..., :-1] * share + top * (1 - share)
        result: NDArray[Any] = np.rint(mixed).astype(pixels.dtype)
        return result
