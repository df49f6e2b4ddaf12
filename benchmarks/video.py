"""Frames a second of a video through a model, beside the network alone on the same frames.

    python benchmarks/video.py clip.mp4 --models espcn:2 realesr-animevideo:2 --frames 50

network
    `upscale` of frames that were decoded before.
video
    `upscale_video` of the clip's first frames: decoding, network, encoding.

Each run is a process of its own, and they take turns. Medians are printed: frames a second, CPU
seconds a frame, and the largest peak of memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import av

import srkit

WAYS = ("network", "video")


class Run(NamedTuple):
    """One run of one way."""

    seconds: float
    cpu: float
    megabytes: float
    frames: int


def main() -> None:
    """Read the command line; measure, or be one of those that are measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("clip", type=Path)
    parser.add_argument("--models", nargs="+", default=["espcn:2"], metavar="NAME:SCALE")
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--preset", help="of the encoder (default: its own)")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.way:
        print(json.dumps(measured(args)))
        return
    titles = [f"{way}, {what}" for way in WAYS for what in ("frames/s", "CPU s a frame", "MB")]
    print("| model | " + " | ".join(titles) + " | video / network |")
    print("|---|" + "---:|" * (len(titles) + 1), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        part = first_frames(args.clip, args.frames, Path(folder) / "part.mkv")
        for model in args.models:
            print_row(args, part, model)


def first_frames(clip: Path, count: int, out: Path) -> Path:
    """The beginning of a clip, its packets copied; a file that all runs read."""
    with av.open(clip) as source, av.open(out, "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        packets = (packet for packet in source.demux(stream) if packet.dts is not None)
        for _, packet in zip(range(count), packets, strict=False):
            packet.stream = copy
            target.mux(packet)
    return out


def print_row(args: argparse.Namespace, clip: Path, model: str) -> None:
    """Let both ways take turns, and print their medians."""
    options = ["--frames", str(args.frames), "--models", model]
    options += ["--preset", args.preset] if args.preset else []
    runs: dict[str, list[Run]] = {way: [] for way in WAYS}
    for _ in range(args.rounds):
        for way in WAYS:
            command = [sys.executable, sys.argv[0], str(clip), *options, "--way", way]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            runs[way].append(Run(*json.loads(done.stdout)))
    rates, cells = [], []
    for way in WAYS:
        rates.append(statistics.median(run.frames / run.seconds for run in runs[way]))
        cpu = statistics.median(run.cpu / run.frames for run in runs[way])
        peak = max(run.megabytes for run in runs[way])
        cells += [f"{rates[-1]:.2f}", f"{cpu:.2f}", f"{peak:.0f}"]
    print(f"| {model} | " + " | ".join(cells) + f" | {rates[1] / rates[0]:.2f} |", flush=True)


def measured(args: argparse.Namespace) -> Run:
    """One run, without the time that it takes to load the model."""
    name, _, scale = args.models[0].partition(":")
    model = srkit.load(name, scale=int(scale) if scale else None)
    if args.way == "network":
        with av.open(args.clip) as clip:
            frames = [frame.to_ndarray(format="rgb24") for frame in clip.decode(video=0)]
    began, cpu = time.perf_counter(), time.process_time()
    if args.way == "network":
        for frame in frames:
            model.upscale(frame)
        count = len(frames)
    else:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "out.mp4"
            count = srkit.upscale_video(args.clip, out, model, preset=args.preset).frames
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Run(seconds, cpu, peak, count)


if __name__ == "__main__":
    main()
