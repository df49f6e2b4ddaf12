"""Joining: the result's packets and the source's other streams in one file.

The video is not decoded or encoded here. Sound and subtitles are copied packet by packet, but
for sound that no container of players takes.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Iterable, Iterator
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.stream import Stream

from srkit.video.cutting import Cut, PacketsWithin, chapters_within, later_code
from srkit.video.decoding import path_of
from srkit.video.encoding import Encoding
from srkit.video.packets import Coded
from srkit.video.pictures import AnySource
from srkit.video.sound import Conversion, codec_for

log = logging.getLogger(__name__)

# What a muxer writes by itself, and what was true of the old stream alone.
_OWN = ("major_brand", "minor_version", "compatible_brands", "encoder", "timecode")
_OLD = ("encoder", "bps", "duration", "number_of_frames", "number_of_bytes", "_statistics")
# Packets read at most for the first of every stream.
_FAR = 2000


def join(
    target: Any,
    container: str,
    source: AnySource,
    encoding: Encoding,
    streams: list[int],
    packets: Iterable[tuple[Coded, int]],
    converted: Collection[int] = (),
    *,
    cut: Cut | None = None,
    most: int | None = None,
) -> None:
    """Write the result.

    Where the source's times count from some clock, as those of MPEG-TS do, their common start
    is taken off all streams; of a part of the source, the start of it.

    Parameters
    ----------
    target
        Path, or an open file.
    container
        FFmpeg's name of the format.
    streams
        Numbers of the source's streams that are copied.
    packets
        The video, each packet with the time it is decoded at.
    converted
        Numbers of streams of sound that become another codec.
    cut
        The part of the source that the video is of; None for the whole.
    most
        Packets of each other stream after which the rest may be left out; None for all.
    """
    with source.opened() as origin:
        # Packets are read by this container; its streams are therefore the templates.
        numbers = [*streams, *converted]
        taken = {number: origin.streams[number] for number in numbers}
        cut = cut or Cut()
        start = source.clock + cut.start
        output, places, video = _open(target, container, source, encoding, taken, converted, cut)
        with output:
            output.start_encoding()
            ours = _ours(packets, video, source.facts.time_base, start)
            within = None
            if cut:
                within = PacketsWithin(start, cut.end and source.clock + cut.end)
            for packet in _merged(ours, _theirs(origin, places, start, most, within)):
                output.mux_one(packet)


def timecode_of(stream: Stream) -> str | None:
    """The time code that a stream begins with, if it has one."""
    return _timecode_in(stream.metadata)


def _timecode_in(metadata: dict[str, str]) -> str | None:
    return next((code for key, code in metadata.items() if key.lower() == "timecode"), None)


def timecode(
    source: AnySource, encoding: Encoding, container: str, cut: Cut
) -> tuple[str | None, bool]:
    """The time code of a part of the source, and whether a container takes it.

    MOV and MP4 make a track of it, whose frames are dropped, as a semicolon says, at multiples
    of 30 a second alone (SMPTE ST 12-1).
    """
    codes = [*map(timecode_of, source.container.streams), _timecode_in(source.metadata)]
    code = next(filter(None, codes), None)
    dropped = code is not None and any(mark in code for mark in ";.")
    rate = round(encoding.rate)
    if code is not None and cut:
        code = later_code(code, round(cut.start * encoding.rate), rate)
    return code, not (dropped and container in ("mp4", "mov") and rate % 30)


def _open(
    target: Any,
    container: str,
    source: AnySource,
    encoding: Encoding,
    taken: dict[int, Stream],
    converted: Collection[int],
    cut: Cut,
) -> tuple[OutputContainer, dict[int, Stream | Conversion], Any]:
    """An output with all streams in the source's order; those besides the video, and the video."""
    options = {}
    if container in ("mp4", "mov"):
        # These note when a stream begins in a unit of their own: milliseconds, if not told.
        options["movie_timescale"] = str(_timescale(source, taken.values()))
    output = av.open(target, "w", format=container, container_options=options)
    places: dict[int, Stream | Conversion] = {}
    video: Any = None
    try:
        for number in sorted([*taken, source.stream.index]):
            if number == source.stream.index:
                video = _add_video(output, source, encoding)
                if (
                    container in ("mp4", "mov")
                    and video.codec_context.codec.canonical_name == "hevc"
                ):
                    # Apple's programs play no other.
                    video.codec_context.codec_tag = "hvc1"
                _set_timecode(video, *timecode(source, encoding, container, cut))
                continue
            places[number] = _place(output, container, taken[number], number in converted)
    except BaseException:
        # Not closed: that would write a header, which is what may have failed.
        del output
        raise
    output.metadata.update({k: v for k, v in source.metadata.items() if k.lower() not in _OWN})
    if chapters := source.container.chapters():
        output.set_chapters(chapters_within(chapters, cut, source.clock))
    return output, places, video


def _place(
    output: OutputContainer, container: str, template: Stream, converted: bool
) -> Stream | Conversion:
    """Where packets of a stream go."""
    place: Stream | Conversion
    if converted:
        place = Conversion(output, template, codec_for(container))
        stream = place.stream
    else:
        place = stream = output.add_stream_from_template(template, opaque=True)
    stream.metadata.update(template.metadata)
    stream.disposition = template.disposition
    return place


def _timescale(source: AnySource, copied: Iterable[Stream]) -> int:
    """Parts of a second that hold the units of all streams, or at least of the video."""
    least = source.facts.time_base.denominator
    units = (stream.time_base.denominator for stream in copied if stream.time_base)
    both = math.lcm(least, *units)
    return both if both < 1 << 31 else least


def _add_video(output: OutputContainer, source: AnySource, encoding: Encoding) -> Any:
    """The result's stream: an encoder that encodes nothing, but whose headers fit."""
    video: Any = output.add_stream(encoding.codec, rate=encoding.rate)
    encoding.configure(video.codec_context)
    video.time_base = source.facts.time_base
    old = source.stream.metadata
    video.metadata.update({k: v for k, v in old.items() if not k.lower().startswith(_OLD)})
    video.disposition = source.stream.disposition
    if source.facts.display_matrix is not None:
        video.set_display_matrix(source.facts.display_matrix)
    return video


def _set_timecode(video: Stream, code: str | None, taken: bool) -> None:
    """Put a time code where muxers find it; one that stands there makes them fail."""
    for key in [key for key in video.metadata if key.lower() == "timecode"]:
        del video.metadata[key]
    if code is not None and taken:
        video.metadata["timecode"] = code


def _ours(
    packets: Iterable[tuple[Coded, int]], video: Any, time_base: Fraction, start: Fraction
) -> Iterator[tuple[float, av.Packet[Any]]]:
    shift = round(start / time_base)
    for coded, decoded in packets:
        packet: av.Packet[Any] = av.Packet(coded.data)
        packet.stream, packet.time_base = video, time_base
        packet.pts, packet.dts = coded.pts - shift, decoded - shift
        packet.duration, packet.is_keyframe = coded.duration, coded.key
        yield float(packet.dts * time_base), packet


def _theirs(
    origin: InputContainer,
    places: dict[int, Stream | Conversion],
    start: Fraction,
    most: int | None,
    within: PacketsWithin | None,
) -> Iterator[tuple[float, av.Packet[Any]]]:
    streams = [origin.streams[n] for n in places if origin.streams[n].type != "attachment"]
    # Texts come now and then, and a cover once, so nobody waits for them where there is more.
    lasting = [s.index for s in streams if s.type != "subtitle" and not _is_picture(s)]
    lasting = lasting or [s.index for s in streams]
    last = float("-inf")
    for packet in _demuxed(origin, streams, most):
        place = places[packet.stream_index]
        if within is not None and not _is_picture(packet.stream):
            if within.are_over(packet, lasting):
                break
            if not within.keeps(packet):
                continue
        if isinstance(place, Conversion):
            yield from _timed(place.packets(packet, start))
            continue
        time = packet.pts if packet.dts is None else packet.dts
        shift = round(start / packet.time_base)
        if packet.pts is not None:
            packet.pts -= shift
        if packet.dts is not None:
            packet.dts -= shift
        if time is not None:
            last = float((time - shift) * packet.time_base)
        packet.stream = place
        yield last, packet
    for place in places.values():
        if isinstance(place, Conversion):
            yield from _timed(place.packets(None, start))


def _is_picture(stream: Stream) -> bool:
    """Whether a stream is a cover, which belongs to every part."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _timed(packets: Iterable[av.Packet[Any]]) -> Iterator[tuple[float, av.Packet[Any]]]:
    for packet in packets:
        yield float((packet.dts or 0) * packet.time_base), packet


def _demuxed(
    origin: InputContainer, streams: list[Stream], most: int | None
) -> Iterator[av.Packet[Any]]:
    """The packets of some streams; of each `most`, or fewer where those are far away."""
    if not streams:
        return
    packets = origin.demux(*streams)
    seen = dict.fromkeys((stream.index for stream in streams), 0)
    while most is None or (min(seen.values()) < most and sum(seen.values()) < _FAR):
        try:
            packet = next(packets, None)
        except av.error.FFmpegError as error:
            log.warning("%s: it can be read no further: %s", path_of(origin), error)
            return
        if packet is None:
            return
        if not packet.size and packet.pts is None and packet.dts is None:
            continue  # what flushes a decoder
        seen[packet.stream_index] += 1
        yield packet


def _merged(
    one: Iterator[tuple[float, av.Packet[Any]]], other: Iterator[tuple[float, av.Packet[Any]]]
) -> Iterator[av.Packet[Any]]:
    """Two streams of packets as one, by time; each keeps its own order."""
    left, right = next(one, None), next(other, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left[0] <= right[0]):
            assert left is not None  # noqa: S101 for type checkers
            yield left[1]
            left = next(one, None)
        else:
            yield right[1]
            right = next(other, None)
