"""Time and memory of a model on one image: in strips, in tiles, and whole.

    python benchmarks/streaming.py --model srresnet --scale 4 --size 256 --memory 500 --rounds 3

Every run has a process of its own, and the ways take turns, so that what else the machine does
falls on all of them. Medians are printed. CPU time suffers less than time from other programs;
peak memory is that of the process less what it held before the run, after the model was loaded
and had run once on a small image.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

WAYS = ("strips", "tiles", "whole")
WARM = 32


def main() -> None:
    """Read the command line; measure, or have others measure and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default="srresnet")
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("--size", type=int, default=256, help="side of the LR image")
    parser.add_argument("--memory", type=int, default=500, help="MB for strips and tiles")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--way", choices=WAYS, help="measure this one, here, and print JSON")
    args = parser.parse_args()
    if args.way:
        print(json.dumps(measure(args)))
        return
    runs: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(args.rounds):
        for way in WAYS:
            command = [sys.executable, *sys.argv, "--way", way]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
            runs[way].append(json.loads(done.stdout))
    print_table(runs, args.size)


def measure(args: argparse.Namespace) -> dict[str, float]:
    """Seconds, CPU seconds and bytes of one run, in this process."""
    import numpy as np

    import srkit
    from srkit.adapters.pytorch.runtime.upscaler import TorchUpscaler

    if args.way == "tiles":
        TorchUpscaler.streams = False  # type: ignore[assignment, method-assign]
    where = {"runtime": "torch", "device": "cpu", "precision": args.precision}
    model = srkit.load(args.model, scale=args.scale, **where)
    if model.streams != (args.way != "tiles"):
        sys.exit(f"{args.model} does not run in strips")
    channels = 1 if model.card.colour == "luma" else 3
    shape = (args.size, args.size, channels)
    image = np.random.default_rng(0).random(shape, np.float32)

    def upscale(image: np.ndarray) -> None:
        if args.way == "whole":
            model.run(image[None])
        else:
            model.upscale(image, memory=args.memory * 10**6)

    upscale(image[:WARM, :WARM])
    before = resident()
    begun, busy = time.perf_counter(), time.process_time()
    upscale(image)
    seconds, busy = time.perf_counter() - begun, time.process_time() - busy
    return {"seconds": seconds, "busy": busy, "bytes": 1024 * peak() - before}


def resident() -> int:
    """Bytes of main memory that this process holds."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def peak() -> int:
    """Most kilobytes of main memory that this process ever held (Linux)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def print_table(runs: dict[str, list[dict[str, float]]], size: int) -> None:
    """Medians of each way, and the CPU time of all its runs."""
    print("| way | s | CPU s | all, CPU s | CPU µs a LR pixel | CPU / strips | peak MB |")
    print("|---|---:|---:|---|---:|---:|---:|")
    for way, found in runs.items():
        busy, times = median(found, "busy"), ", ".join(f"{run['busy']:.1f}" for run in found)
        ratio = busy / median(runs["strips"], "busy")
        print(
            f"| {way} | {median(found, 'seconds'):.1f} | {busy:.1f} | {times} "
            f"| {busy / size**2 * 1e6:.0f} | {ratio:.2f} | {median(found, 'bytes') / 1e6:.0f} |"
        )


def median(found: list[dict[str, float]], what: str) -> float:
    """Of one figure of several runs."""
    return statistics.median(run[what] for run in found)


if __name__ == "__main__":
    main()
