"""Small clips made for tests, and what independent readers say of files."""

import itertools
import json
import subprocess
from fractions import Fraction

import av
import numpy as np

import srkit

WIDTH, HEIGHT = 64, 48


def moving(count, width=WIDTH, height=HEIGHT):
    """RGB frames of a soft pattern that moves a little."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    for n in range(count):
        waves = [np.sin((x + n + 20 * c) / 9) * np.cos((y - n) / 7) for c in range(3)]
        yield np.rint(127 + 90 * np.stack(waves, axis=-1)).astype(np.uint8)


def plain(*colours, each=5):
    """Frames of plain colours, some of each."""
    for colour in colours:
        for _ in range(each):
            yield np.full((HEIGHT, WIDTH, 3), colour, np.uint8)


def write_clip(
    path, frames, *, times=None, time_base=Fraction(1, 12800), codec="libx264", pix_fmt="yuv420p",
    audio=False, options=None, prepare=lambda container, stream: None, **tags,
):  # fmt: skip
    """A clip of RGB frames; `times` in units of `time_base`, else 25 a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options or {"crf": "5"})
        first = next(frames := iter(frames))
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt, stream.time_base = pix_fmt, time_base
        stream.codec_context.time_base = time_base
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        sound = None
        if audio:
            sound = container.add_stream("aac", rate=48000, layout="stereo")
        prepare(container, stream)
        times = iter(times) if times is not None else itertools.count(0, int(1 / time_base) // 25)
        for rgb, pts in zip(itertools.chain([first], frames), times, strict=False):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=pix_fmt)
            frame.pts, frame.time_base = pts, time_base
            container.mux(stream.encode(frame))
        if sound is not None:
            mux_tone(container, sound, seconds=Fraction(pts) * time_base + Fraction(1, 25))
        container.mux(stream.encode(None))
    return path


def mux_tone(container, stream, seconds):
    rate, size = 48000, 1024
    for start in range(0, int(seconds * rate), size):
        t = np.arange(start, start + size) / rate
        wave = np.stack([np.sin(2 * np.pi * 440 * t), np.sin(2 * np.pi * 550 * t)])
        frame = av.AudioFrame.from_ndarray(wave.astype(np.float32) / 3, "fltp", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def frames_of(path):
    """Decoded frames and their times in seconds."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [(frame, frame.pts * stream.time_base) for frame in container.decode(stream)]


def times_of(path):
    return [time for _, time in frames_of(path)]


def pixels_of(path):
    return [frame.to_ndarray(format="rgb24") for frame, _ in frames_of(path)]


def packets_of(path, kind):
    """Times and bytes of all packets of the streams of a kind."""
    with av.open(str(path)) as container:
        streams = [s for s in container.streams if s.type == kind]
        return [
            (p.stream_index, p.pts * p.time_base, bytes(p))
            for p in container.demux(*streams)
            if p.size
        ]


def probe(path):
    """What ffprobe says, as a dictionary."""
    command = ["ffprobe", "-v", "error", "-of", "json", "-show_streams", "-show_chapters",
               "-show_format", str(path)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def planes_of(frame):
    """The three planes of a planar frame, without padding, as integers."""
    dtype = np.uint8 if frame.format.components[0].bits == 8 else np.uint16
    return [
        np.frombuffer(p, dtype).reshape(p.height, -1)[:, : p.width].astype(int)
        for p in frame.planes
    ]


def upscale(source, target, model="nearest", scale=2, **options):
    return srkit.upscale_video(source, target, model, scale=scale, **options)


def left_behind(folder, *expected):
    return sorted(p.name for p in folder.iterdir() if p.name not in expected)
