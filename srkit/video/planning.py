"""What is made of a video: the part, the size, the model and how the result is written."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from srkit.advice import advise
from srkit.errors import OptionError
from srkit.imaging.image import Image
from srkit.models.loading import card as card_of
from srkit.models.loading import load
from srkit.upscaling.upscaler import Upscaler
from srkit.video.colour import ToRGB
from srkit.video.cutting import Cut, Time, cut_of
from srkit.video.drawing import Drawing, are_drawn, drawing_for, left_out_of, turned
from srkit.video.encoding import Encoding, choose, container_of
from srkit.video.pictures import AnySource, Pictures, open_source
from srkit.video.rehearsal import SOUND, SUBTITLES, Kept, check_streams
from srkit.video.sizes import Size, factor_for, scale_for

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wish:
    """What is asked for, but the model.

    Attributes
    ----------
    cut
        The part of the source.
    size
        Of the result.
    rate
        Frames a second of numbered pictures; None for what is usual.
    codec, crf, preset, pix_fmt, sound, subtitles
        As in `srkit.upscale_video`.
    """

    cut: Cut
    size: Size
    rate: Fraction | None
    codec: str | None
    crf: float | None
    preset: str | int | None
    pix_fmt: str | None
    sound: str = "copy"
    subtitles: str = "copy"

    def opened(self, source: Path) -> AnySource:
        """The part of a source, open for reading."""
        return open_source(source, self.cut, self.rate)


def wish_of(
    *,
    codec: str | None = None,
    crf: float | None = 18,
    preset: str | int | None = None,
    pix_fmt: str | None = None,
    start: Time | None = None,
    end: Time | None = None,
    width: int | None = None,
    height: int | None = None,
    fps: float | str | Fraction | None = None,
    sound: str = "copy",
    subtitles: str = "copy",
) -> Wish:
    """Check what a caller gives; parameters as of `srkit.upscale_video`.

    Raises
    ------
    OptionError
        If something makes no sense by itself.
    """
    rate = None if fps is None else _rate(fps)
    for name, given, known in (("sound", sound, SOUND), ("subtitles", subtitles, SUBTITLES)):
        if given not in known:
            raise OptionError(f"{name} is {' or '.join(known)}, not {given!r}")
    part, size = cut_of(start, end), Size(width, height)
    return Wish(part, size, rate, codec, crf, preset, pix_fmt, sound, subtitles)


def _rate(fps: float | str | Fraction) -> Fraction:
    try:
        rate = Fraction(str(fps))
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= 1000:
        raise OptionError(
            f"{advise('fps', '--fps')} is a number of frames a second, such as 25 or 30000/1001, "
            f"not {fps!r}"
        )
    return rate.limit_denominator(1001)


@dataclass(frozen=True)
class Plan:
    """What is going to be done.

    Attributes
    ----------
    source
        Open.
    upscaler
        The model, of the scale that is nearest to what is wanted.
    encoding
        Of a video, or how pictures are drawn.
    container
        FFmpeg's name of it; empty for pictures.
    kept
        What becomes of the source's other streams.
    """

    source: AnySource
    upscaler: Upscaler
    encoding: Encoding | Drawing
    container: str
    kept: Kept


def plan(
    source: AnySource,
    target: Path,
    model: str | Path | Upscaler,
    scale: int | None,
    wish: Wish,
    options: dict[str, Any],
) -> Plan:
    """Load the model, and check that the result can be written.

    Raises
    ------
    OptionError, VideoError
        As of `srkit.upscale_video`.
    """
    drawn = are_drawn(target)
    container = "" if drawn else container_of(target.suffix)
    factor = factor_for(source.facts, wish.size)
    upscaler = _loaded(model, scale, options, factor)
    if upscaler.scale == 1 and factor is not None and factor > 1:
        log.warning(
            "%s does not enlarge: its result is resized %.3g times, as a player does it",
            upscaler.card.name, factor,
        )  # fmt: skip
    if drawn:
        given = {"codec": wish.codec, "preset": wish.preset, "pix_fmt": wish.pix_fmt}
        drawing = drawing_for(source, upscaler.scale, target, wish.size, given)
        return Plan(source, upscaler, drawing, "", Kept([], left_out_of(source, target)))
    encoding = choose(
        source.facts,
        upscaler.scale,
        container,
        codec=wish.codec,
        crf=wish.crf,
        preset=wish.preset,
        pix_fmt=wish.pix_fmt,
        size=wish.size,
    )
    kept = check_streams(source, encoding, container, wish.sound, wish.subtitles)
    return Plan(source, upscaler, encoding, container, kept)


def _loaded(
    model: str | Path | Upscaler, scale: int | None, options: dict[str, Any], factor: float | None
) -> Upscaler:
    """The model; of the least scale that reaches a factor where none is asked for."""
    if isinstance(model, Upscaler):
        if options or scale not in (None, model.scale):
            raise OptionError("a model that is loaded already takes no scale and no options")
        return model
    if scale is None and factor is not None and not Path(model).exists():
        scale = scale_for(factor, card_of(str(model)).scales)
    return load(model, scale=scale, **options)


def images_of(source: AnySource, encoding: Encoding | Drawing) -> Callable[[Any], Any]:
    """What makes images for a model of a source's pictures: arrays, or `srkit.Image`s."""
    if isinstance(source, Pictures):
        return source.opaque if isinstance(encoding, Encoding) else _itself
    to_rgb = ToRGB(source.facts.colour)
    matrix = source.facts.display_matrix
    if isinstance(encoding, Encoding) or matrix is None:
        return to_rgb
    return lambda picture: turned(to_rgb(picture), matrix)


def _itself(image: Image) -> Image:
    return image
