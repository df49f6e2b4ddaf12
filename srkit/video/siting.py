"""Where the chroma samples of subsampled video lie: which place it is, and how it is carried on.

Of two pixels that share a colour, MPEG's standards put it on the left one, JPEG between them
(ITU-T H.273, section 8.7; JFIF 1.02). PyAV shows neither; Matroska's muxer does, which notes
it in a file's header.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import av
from av.video.format import VideoFormat
from av.video.stream import VideoStream

# FFmpeg's names by what Matroska says of across and down: 1 is on the first pixel, 2 between
# it and the next, 3 on the next.
_NAMES = {
    (1, 2): "left", (2, 2): "center", (1, 1): "topleft", (2, 1): "top",
    (1, 3): "bottomleft", (2, 3): "bottom",
}  # fmt: skip
USUAL = "left"
# Codecs whose standards put chroma between pixels, and say nothing of it in the stream.
_CENTRED = {"mjpeg", "mpeg1video", "h261", "h263", "flv1", "theora", "webp"}
# What the streams of a codec can say; those of others can be of but one place.
_SAYS = {
    "h264": frozenset(_NAMES.values()), "hevc": frozenset(_NAMES.values()),
    "av1": frozenset({"left", "topleft"}),
}  # fmt: skip
# Codecs of one place, whatever a container says.
_FIXED = {*_CENTRED, "mpeg2video", "mpeg4"}

_SEGMENT, _TRACKS, _ENTRY, _VIDEO, _COLOUR = 0x18538067, 0x1654AE6B, 0xAE, 0xE0, 0x55B0
_ACROSS, _DOWN = 0x55B7, 0x55B8


def is_subsampled(form: str) -> bool:
    """Whether pixels of a format share chroma.

    Examples
    --------
    >>> is_subsampled("yuv420p"), is_subsampled("yuv444p"), is_subsampled("rgb24")
    (True, False, False)
    """
    layout = VideoFormat(form)
    return bool(layout.chroma_width(64) < 64 or layout.chroma_height(64) < 64)


def siting_of(stream: VideoStream) -> str:
    """Where chroma lies in a stream, by FFmpeg's name: left, center, topleft, ...

    What the stream or its container says, else what is usual for its codec.
    """
    return _told(stream) or _usual(stream.codec_context.codec.canonical_name)


def siting_for(codec: str, container: str, wanted: str) -> str:
    """The place nearest to `wanted` that the streams of a codec can say.

    Parameters
    ----------
    codec
        Name of the codec, not of an encoder: h264.
    container
        FFmpeg's name of the format that it is written to.

    Examples
    --------
    >>> siting_for("h264", "mp4", "topleft"), siting_for("mjpeg", "matroska", "left")
    ('topleft', 'center')
    """
    if codec in _FIXED:
        return _usual(codec)
    if codec in _SAYS:
        return wanted if wanted in _SAYS[codec] else USUAL
    return wanted if container in ("matroska", "webm") else USUAL


def _usual(codec: str) -> str:
    return "center" if codec in _CENTRED else USUAL


def _told(stream: VideoStream) -> str | None:
    """What Matroska's muxer makes of a stream's siting; None where that is not told."""
    header = io.BytesIO()
    try:
        output = av.open(header, "w", format="matroska")
        output.add_stream_from_template(stream, opaque=True)
        output.start_encoding()
        output.close()
    except (av.error.FFmpegError, ValueError):
        return None
    places = dict(_leaves(header.getvalue()))
    return _NAMES.get((places.get(_ACROSS, 0), places.get(_DOWN, 0)))


def _leaves(data: bytes) -> Iterator[tuple[int, int]]:
    """The numbers that describe colour in a Matroska header, by their identifiers (RFC 8794)."""
    at = 0
    while at < len(data):
        key, at = _number(data, at, keep=True)
        size, at = _number(data, at, keep=False)
        body = data[at : at + size]
        if key in (_SEGMENT, _TRACKS, _ENTRY, _VIDEO, _COLOUR):
            # A segment that is being written has no size yet: all bits set, beyond the end.
            yield from _leaves(body)
        elif key in (_ACROSS, _DOWN):
            yield key, int.from_bytes(body, "big")
        at += size


def _number(data: bytes, at: int, *, keep: bool) -> tuple[int, int]:
    """A number of variable length, with or without the bit that tells its length."""
    length = 9 - data[at].bit_length()
    value = int.from_bytes(data[at : at + length], "big")
    if not keep:
        value &= (1 << 7 * length) - 1
    return value, at + length
