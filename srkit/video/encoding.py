"""How the result is encoded: choices, encoders, and one segment of frames."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import cast

import av
from av.codec import Codec, CodecContext
from av.codec.codec import find_best_pix_fmt_of_list
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

from srkit.advice import advise
from srkit.errors import OptionError, VideoError
from srkit.video.colour import BT601, BT709, FULL, LIMITED, RGB, Colour, FromRGB, depth_of
from srkit.video.encoders import (
    check_sides,
    crf_of,
    encoder_named,
    preset_of,
    quality_options,
    why_closed,
)
from srkit.video.packets import Coded
from srkit.video.reading import VideoFacts
from srkit.video.siting import is_subsampled, siting_for
from srkit.video.sizes import Size, result_size
from srkit.video.suffixes import CONTAINERS

log = logging.getLogger(__name__)

USUAL_CODEC = "libx264"
# Where a container does not take it.
CODECS = {"webm": "libvpx-vp9"}
# Codecs that players know with chroma halved both ways, and hardly otherwise.
_PLAYED = {"h264", "hevc", "vp8", "vp9", "av1", "mpeg4", "mpeg2video", "mpeg1video", "theora"}


@dataclass(frozen=True)
class Encoding:
    """What an encoder is set to, for every segment alike.

    Attributes
    ----------
    codec, crf, preset, pix_fmt
        As in `srkit.upscale_video`; `crf` is None where the codec knows none.
    width, height
        Of the result.
    colour, rate, aspect
        As in `VideoFacts`.
    headers_apart
        Whether the container keeps the codec's headers at its beginning.
    """

    codec: str
    crf: float | None
    preset: str | None
    pix_fmt: str
    width: int
    height: int
    colour: Colour
    rate: Fraction
    aspect: Fraction | None
    headers_apart: bool

    def writer(self) -> FromRGB:
        """What makes a frame for `encode` of an upscaled array."""
        return FromRGB(self.pix_fmt, self.colour)

    def configure(self, encoder: VideoCodecContext) -> None:
        """Set an encoder that is not open yet."""
        encoder.width, encoder.height, encoder.pix_fmt = self.width, self.height, self.pix_fmt
        # Frames are counted; their true times are put in when the file is joined, so that
        # codecs with coarse clocks take videos of any frame rate.
        encoder.time_base, encoder.framerate = 1 / self.rate, self.rate
        encoder.colorspace, encoder.color_range = self.colour.matrix, self.colour.range
        encoder.color_primaries = self.colour.primaries
        encoder.color_trc = self.colour.transfer
        if self.aspect is not None:
            encoder.sample_aspect_ratio = self.aspect
        encoder.options = {} if self.crf is None else quality_options(self.codec, self.crf)
        if self.preset is not None:
            encoder.options["preset"] = self.preset
        if is_subsampled(self.pix_fmt):
            encoder.options["chroma_sample_location"] = self.colour.siting
        if self.crf is not None and (self.codec == "libvpx-vp9" or self.codec.endswith("_nvenc")):
            # Without this, crf is but an upper bound of quality.
            encoder.bit_rate = 0
        if self.codec == "libx265":
            # It tells of itself on stderr, twenty lines a segment.
            encoder.options["x265-params"] = "log-level=error"
        if self.headers_apart:
            encoder.flags |= int(Flags.global_header)

    def encoder(self) -> VideoCodecContext:
        """A new, open encoder.

        Raises
        ------
        OptionError
            If the encoder refuses the settings.
        """
        # So does SVT-AV1, which reads how much from here alone.
        os.environ.setdefault("SVT_LOG", "1")
        encoder = cast(VideoCodecContext, CodecContext.create(self.codec, "w"))
        self.configure(encoder)
        try:
            encoder.open()
        except (av.error.FFmpegError, ValueError) as error:
            said = (isinstance(error, OSError) and error.strerror) or str(error)
            raise OptionError(
                f"{self.codec} cannot be opened for {self.width}x{self.height} {self.pix_fmt}: "
                f"{why_closed(self.codec, said)}"
            ) from error
        return encoder


def choose(
    facts: VideoFacts,
    scale: int,
    container: str,
    *,
    codec: str | None,
    crf: float | None,
    pix_fmt: str | None,
    preset: str | int | None = None,
    size: Size | None = None,
) -> Encoding:
    """The encoding of a result, checked by opening an encoder; None is what plays everywhere.

    Raises
    ------
    OptionError
        If there is no such codec, or it cannot do what is asked.
    """
    encoder = encoder_named(codec or CODECS.get(container, USUAL_CODEC))
    codec = encoder.name
    width, height, aspect = result_size(facts, scale, size or Size())
    check_sides(codec, width, height)
    if pix_fmt is None:
        form = _usual_pix_fmt(encoder, facts.pix_fmt, odd=bool(width % 2 or height % 2))
    else:
        form = _pix_fmt(encoder, facts.pix_fmt, pix_fmt)
    _check_chroma(form, width, height)
    taken = crf_of(encoder, crf)
    if crf is not None and taken is None:
        log.info("%s has no crf; it is left out", codec)
    encoding = Encoding(
        codec=codec,
        crf=taken,
        preset=preset_of(encoder, preset),
        pix_fmt=form,
        width=width,
        height=height,
        colour=_colour(facts, form, encoder.canonical_name, container),
        rate=facts.rate.limit_denominator(1001),
        aspect=aspect,
        headers_apart=_headers_apart(container),
    )
    encoding.encoder()
    return encoding


def _usual_pix_fmt(codec: Codec, have: str, *, odd: bool) -> str:
    """What plays everywhere, of the source's depth; for codecs of no player, the source's."""
    kept = _pix_fmt(codec, have, None)
    usual = _halved(codec, depth_of(have))
    if codec.canonical_name not in _PLAYED or usual is None:
        return kept
    if odd and kept != usual:
        log.warning("%s is kept, since a side is odd; few programs play it", kept)
        return kept
    layout = VideoFormat(have)
    finer = layout.chroma_width(64) > 32 or layout.chroma_height(64) > 32
    if kept != usual and finer and len(layout.components) > 2:
        keep = advise(f'pix_fmt="{kept}"', f"--pix-fmt {kept}")
        log.warning(
            "colour is halved, %s for %s, which players know; %s keeps it", usual, have, keep
        )
    _tell_depth(codec, depth_of(have), depth_of(usual))
    return usual


def _halved(codec: Codec, bits: int) -> str | None:
    """The format of an encoder that halves colour both ways, and has the most of these bits."""
    names = [form.name for form in codec.video_formats or ()]
    depths = (12, 10) if bits > 10 else (10,) if bits > 8 else ()
    wanted = (*(f"yuv420p{depth}le" for depth in depths), "yuv420p")
    return next((name for name in wanted if name in names), None)


def _tell_depth(codec: Codec, have: int, kept: int) -> None:
    """Say where depth is lost, or where players do not take it."""
    if kept < min(have, 12):
        log.warning("%d bits become %d: %s has no more here", have, kept, codec.name)
    if kept > 8 and codec.canonical_name == "h264":
        more = advise('codec="libx265"', "--codec libx265")
        less = advise('pix_fmt="yuv420p"', "--pix-fmt yuv420p")
        log.warning(
            "few players know H.264 of %d bits; more know %s, and all know %s, which has 8",
            kept, more, less,
        )  # fmt: skip


def _pix_fmt(codec: Codec, have: str, wanted: str | None) -> str:
    """The pixel format asked for, or that of the codec's that loses least of the source's."""
    names = [form.name for form in codec.video_formats or ()]
    if wanted is not None:
        try:
            VideoFormat(wanted)
        except ValueError as error:
            raise OptionError(f"no pixel format is named {wanted!r}") from error
        if names and wanted not in names:
            raise OptionError(f"{codec.name} does not take {wanted}, but {', '.join(names)}")
        return wanted
    have = have.replace("yuvj", "yuv")
    if have in names or not names:
        return have
    best, _ = find_best_pix_fmt_of_list(names, have)
    return best.name if best is not None else names[0]


def _check_chroma(form: str, width: int, height: int) -> None:
    """Refuse odd sides where two pixels share a colour; encoders say so less clearly."""
    layout = VideoFormat(form)
    odd = (width % 2 and layout.chroma_width(64) < 64, height % 2 and layout.chroma_height(64) < 64)
    if any(odd):
        other = advise('pix_fmt="yuv444p"', "--pix-fmt yuv444p")
        sides = width - width % 2, height - height % 2
        even = advise("width={}, height={}", "--width {} --height {}").format(*sides)
        raise OptionError(
            f"{form} keeps one colour for two pixels, and a side of {width}x{height} is odd; "
            f"give {other}, or an even size: {even}"
        )


def _colour(facts: VideoFacts, form: str, codec: str, container: str) -> Colour:
    """The source's colours; a matrix is found where RGB becomes YUV, or the reverse."""
    have = facts.colour
    if VideoFormat(form).is_rgb:
        return Colour(RGB, FULL, have.primaries, have.transfer)
    siting = siting_for(codec, container, have.siting)
    if have.matrix == RGB:
        matrix = BT709 if facts.height >= 720 else BT601
        have = Colour(matrix, LIMITED, have.primaries, have.transfer)
    # JPEG knows one range.
    range_ = FULL if codec == "mjpeg" else have.range
    return replace(have, range=range_, siting=siting)


def _headers_apart(container: str) -> bool:
    form = av.ContainerFormat(container, "w")
    return bool(form.flags & cast(int, av.format.Flags.global_header.value))


def container_of(suffix: str) -> str:
    """FFmpeg's name of the container that a file's suffix stands for.

    Raises
    ------
    OptionError
        If it stands for none that is written.

    Examples
    --------
    >>> container_of(".MKV")
    'matroska'
    """
    try:
        return CONTAINERS[suffix.lower()]
    except KeyError:
        raise OptionError(
            f"a video is written as {', '.join(CONTAINERS)}, not as {suffix or 'no suffix'}"
        ) from None


def encode(encoding: Encoding, frames: Iterable[tuple[VideoFrame, int, int]]) -> Iterator[Coded]:
    """Encode frames, each with its time and duration, as a segment that stands alone.

    Yields
    ------
    Coded
        Packets in the order of decoding, with the times of their frames.

    Raises
    ------
    VideoError
        If the encoder makes more packets of the frames than one of each, or fewer.
    """
    encoder, times, numbers = encoding.encoder(), list[tuple[int, int]](), set[int]()

    def coded(frame: VideoFrame | None) -> Iterator[Coded]:
        for packet in encoder.encode(frame):
            number = packet.pts
            if number is None or number in numbers or not 0 <= number < len(times):
                raise VideoError(f"{encoding.codec} loses the times of frames; take another codec")
            numbers.add(number)
            yield Coded(*times[number], packet.is_keyframe, bytes(packet))

    for frame, pts, duration in frames:
        frame.pts, frame.time_base = len(times), encoder.time_base
        times.append((pts, duration))
        yield from coded(frame)
    yield from coded(None)
    if len(numbers) != len(times):
        raise VideoError(f"{encoding.codec} made {len(numbers)} packets of {len(times)} frames")
