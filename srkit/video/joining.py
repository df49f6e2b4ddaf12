"""Joining: the result's packets and the source's other streams in one file.

Nothing is decoded or encoded here. Sound and subtitles are copied packet by packet.
"""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.stream import Stream

from srkit.errors import VideoError
from srkit.video.encoding import CONTAINERS, Encoding
from srkit.video.packets import Coded
from srkit.video.reading import Source, open_input

log = logging.getLogger(__name__)

# What a muxer writes by itself, and what was true of the old stream alone.
_OWN = ("major_brand", "minor_version", "compatible_brands", "encoder")
_OLD = ("encoder", "bps", "duration", "number_of_frames", "number_of_bytes", "_statistics")
# Containers to name where another cannot take a stream, the most usual first.
_OTHERS = ("mp4", "mov", "matroska", "nut")


def check_streams(source: Source, encoding: Encoding, container: str) -> list[int]:
    """Which of the source's other streams are copied, by their numbers.

    Data that no player shows, such as time codes, is left out where the container has no
    place for it.

    Raises
    ------
    VideoError
        If the container cannot hold the video, or a stream of sound or subtitles.
    """
    if not _takes(source, encoding, container, []):
        raise VideoError(
            f"{container} cannot hold {encoding.codec} video; {_advice(source, encoding, [])}"
        )
    kept = []
    for stream in source.container.streams:
        if stream.index == source.stream.index:
            continue
        if _takes(source, encoding, container, [stream.index]):
            kept.append(stream.index)
        elif stream.type in ("audio", "subtitle"):
            raise VideoError(
                f"{container} cannot hold the {_named(stream)}, stream {stream.index} of "
                f"{source.path}; {_advice(source, encoding, _lasting(source))}"
            )
        elif not (stream.type == "data" and source.container.chapters()):
            # In MP4 files such data are the names of chapters, which are copied otherwise.
            log.warning("%s is left out: %s has no place for it", _named(stream), container)
    if not _takes(source, encoding, container, kept):
        raise VideoError(
            f"{container} cannot hold these streams together; "
            f"{_advice(source, encoding, _lasting(source))}"
        )
    return kept


def join(
    target: Any,
    container: str,
    source: Source,
    encoding: Encoding,
    streams: list[int],
    packets: Iterable[tuple[Coded, int]],
) -> None:
    """Write the result.

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
    """
    with open_input(source.path) as origin:
        # Packets are read by this container; its streams are therefore the templates.
        copied = {number: origin.streams[number] for number in streams}
        output, places, video = _open(target, container, source, encoding, copied)
        with output:
            output.start_encoding()
            both = _merged(_ours(packets, video, source.facts.time_base), _theirs(origin, places))
            for packet in both:
                output.mux_one(packet)


def _open(
    target: Any,
    container: str,
    source: Source,
    encoding: Encoding,
    copied: dict[int, Stream],
) -> tuple[OutputContainer, dict[int, Stream], Any]:
    """An output with all streams in the source's order; the copied ones, and the video."""
    options = {}
    if container in ("mp4", "mov"):
        # These note when a stream begins in a unit of their own: milliseconds, if not told.
        options["movie_timescale"] = str(_timescale(source, copied.values()))
    output = av.open(target, "w", format=container, container_options=options)
    places: dict[int, Stream] = {}
    video: Any = None
    try:
        for number in sorted([*copied, source.stream.index]):
            if number == source.stream.index:
                video = _add_video(output, source, encoding)
                continue
            template = copied[number]
            place = output.add_stream_from_template(template, opaque=True)
            place.metadata.update(template.metadata)
            place.disposition = template.disposition
            places[number] = place
    except BaseException:
        # Not closed: that would write a header, which is what may have failed.
        del output
        raise
    output.metadata.update({k: v for k, v in source.metadata.items() if k.lower() not in _OWN})
    if chapters := source.container.chapters():
        output.set_chapters(chapters)
    return output, places, video


def _timescale(source: Source, copied: Iterable[Stream]) -> int:
    """Parts of a second that hold the units of all streams, or at least of the video."""
    least = source.facts.time_base.denominator
    units = (stream.time_base.denominator for stream in copied if stream.time_base)
    both = math.lcm(least, *units)
    return both if both < 1 << 31 else least


def _add_video(output: OutputContainer, source: Source, encoding: Encoding) -> Any:
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


def _ours(
    packets: Iterable[tuple[Coded, int]], video: Any, time_base: Fraction
) -> Iterator[tuple[float, av.Packet[Any]]]:
    for coded, decoded in packets:
        packet: av.Packet[Any] = av.Packet(coded.data)
        packet.stream, packet.time_base = video, time_base
        packet.pts, packet.dts, packet.duration = coded.pts, decoded, coded.duration
        packet.is_keyframe = coded.key
        yield float(decoded * time_base), packet


def _theirs(
    origin: InputContainer, places: dict[int, Stream]
) -> Iterator[tuple[float, av.Packet[Any]]]:
    if not any(stream.type != "attachment" for stream in places.values()):
        return
    wanted = [origin.streams[n] for n in places if origin.streams[n].type != "attachment"]
    last = float("-inf")
    packets = origin.demux(*wanted)
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError as error:
            log.warning("%s: it can be read no further: %s", origin.name, error)
            return
        if packet is None:
            return
        time = packet.pts if packet.dts is None else packet.dts
        if not packet.size and time is None:
            continue  # what flushes a decoder
        if time is not None:
            last = float(time * packet.time_base)
        packet.stream = places[packet.stream_index]
        yield last, packet


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


def _takes(source: Source, encoding: Encoding, container: str, streams: list[int]) -> bool:
    """Whether a container's header can be written for these streams: tried in memory."""
    copied = {number: source.container.streams[number] for number in streams}
    try:
        output, _, _ = _open(io.BytesIO(), container, source, encoding, copied)
        output.start_encoding()
        output.close()
    except (av.error.FFmpegError, ValueError) as error:
        log.debug("%s with streams %s: %s", container, streams, error)
        return False
    return True


def _lasting(source: Source) -> list[int]:
    """Streams that must not be left out."""
    return [s.index for s in source.container.streams if s.type in ("audio", "subtitle")]


def _advice(source: Source, encoding: Encoding, streams: list[int]) -> str:
    for container in _OTHERS:
        if _takes(source, encoding, container, streams):
            suffix = next(s for s, name in CONTAINERS.items() if name == container)
            return f"{container} can: name the output with {suffix}"
    return "no container srkit writes can hold all streams; convert that one first"


def _named(stream: Stream) -> str:
    language = f" ({stream.language})" if stream.language else ""
    return f"{stream.name or 'unknown'} {stream.type}{language}"
