"""Sound that no container of players takes, as that of WMV and RealMedia, in another codec."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
from av.audio.resampler import AudioResampler
from av.container import OutputContainer

# The codec that everybody plays, and that of .webm.
_CODECS = {"webm": "libopus"}
_USUAL = "aac"
TITLES = {"libopus": "Opus", "aac": "AAC"}
# Bits a second of each channel: what is hard to tell from its source.
_BITS = 96_000
_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 6: "5.1", 8: "7.1"}
# Samples a second that both codecs know.
_OPUS_RATE, _MOST_RATE = 48_000, 96_000


def codec_for(container: str) -> str:
    """The encoder of sound that is converted for a container.

    Examples
    --------
    >>> codec_for("matroska"), codec_for("webm")
    ('aac', 'libopus')
    """
    return _CODECS.get(container, _USUAL)


class Conversion:
    """Makes packets of another codec of those of one stream of sound.

    Parameters
    ----------
    output
        Where a stream is added for them.
    template
        The stream of sound, in the file that packets come from.
    codec
        Name of the encoder.
    """

    def __init__(self, output: OutputContainer, template: Any, codec: str) -> None:
        context = template.codec_context
        layout = _LAYOUTS.get(context.layout.nb_channels, "stereo")
        rate = _OPUS_RATE if codec == "libopus" else min(context.sample_rate, _MOST_RATE)
        stream: Any = output.add_stream(codec, rate=rate, layout=layout)
        stream.bit_rate = _BITS * stream.codec_context.layout.nb_channels
        self.stream = stream
        self._form, self._layout, self._rate = stream.format.name, layout, rate
        self._resampler: AudioResampler | None = None

    def packets(self, packet: av.Packet[Any] | None, shift: Fraction) -> Iterator[av.Packet[Any]]:
        """What an old packet becomes; None is the end of them.

        Parameters
        ----------
        shift
            Seconds that are taken off all times.
        """
        if packet is None:
            for last in [] if self._resampler is None else self._resampler.resample(None):
                yield from self.stream.encode(last)
            yield from self.stream.encode(None)
            return
        frames: list[Any]
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            return  # a gap, as players make of it
        for frame in frames:
            if frame.pts is not None and frame.time_base:
                frame.pts -= round(shift / frame.time_base)
            for even in self._even(frame):
                yield from self.stream.encode(even)

    def _even(self, frame: Any) -> list[Any]:
        """Samples in the encoder's kind, and as many at once as it takes."""
        if self._resampler is None:
            self.stream.codec_context.open(strict=False)
            size = self.stream.codec_context.frame_size or None
            self._resampler = AudioResampler(self._form, self._layout, self._rate, size)
        return self._resampler.resample(frame)
