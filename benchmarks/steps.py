"""CPU seconds of `upscale` against the same network run whole, idle and beside busy processes.

    python benchmarks/steps.py --model srresnet --scale 4 --sizes 64 128 192 384
    python benchmarks/steps.py --model srresnet --scale 4 --sizes 96 192 --busy 4

Each way has a process of its own that stays, and they take turns on each picture:

srkit
    `upscale`, with the pixels around the picture that the model sees.
whole
    The network alone, on the picture with these pixels; its threads wait as srkit's do.
plain
    The network alone, on the picture without them, as a script does that imports torch and
    knows `no_grad`: threads wait as OpenMP has it.

Medians are printed, and ratios of medians. CPU time suffers less than time from other programs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import IO, cast

WAYS = ("srkit", "whole", "plain")
BUSY = "while True: pass"


def main() -> None:
    """Read the command line; measure, or be one of those that are measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default="srresnet")
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 192, 384])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--busy", type=int, default=0, help="busy processes beside it")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.way:
        serve(args)
        return
    busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(args.busy)]
    try:
        print("| LR | " + " | ".join(f"{way}, CPU s (clock)" for way in args.ways), end=" |")
        print("".join(f" srkit / {way} |" for way in args.ways[1:]))
        print("|---|" + "---:|" * (2 * len(args.ways) - 1), flush=True)
        for size in args.sizes:
            print_row(size, measured(args, size), args.ways)
    finally:
        for process in busy:
            process.kill()


def measured(args: argparse.Namespace, size: int) -> dict[str, list[tuple[float, float]]]:
    """CPU seconds and seconds of all runs of each way, which take turns."""
    command = [sys.executable, *sys.argv, "--sizes", str(size), "--way"]
    # What other benchmarks or shells set would hold for all of them.
    given = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    workers = {
        way: subprocess.Popen(
            [*command, way], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=given
        )
        for way in args.ways
    }
    runs: dict[str, list[tuple[float, float]]] = {way: [] for way in args.ways}
    for _ in range(args.rounds):
        for way, worker in workers.items():
            runs[way].append(asked(worker))
    for worker in workers.values():
        worker.communicate()
    return runs


def asked(worker: subprocess.Popen[str]) -> tuple[float, float]:
    """CPU seconds and seconds of one more run."""
    given, told = cast(IO[str], worker.stdin), cast(IO[str], worker.stdout)
    print("go", file=given, flush=True)
    busy, seconds = map(float, told.readline().split())
    return busy, seconds


def serve(args: argparse.Namespace) -> None:
    """Run once for each line of the input, after a run that does not count."""
    run = prepared(args)
    run()
    for _ in sys.stdin:
        busy, seconds = time.process_time(), time.perf_counter()
        run()
        busy, seconds = time.process_time() - busy, time.perf_counter() - seconds
        print(busy, seconds, flush=True)


def prepared(args: argparse.Namespace) -> Callable[[], object]:
    """What a way does with a picture."""
    if args.way == "plain":
        import torch  # before srkit, which sets how threads wait
    import numpy as np

    import srkit

    where = {"runtime": "torch", "device": "cpu", "precision": args.precision}
    model = srkit.load(args.model, scale=args.scale, **where)
    channels = 1 if model.card.colour == "luma" else 3
    picture = np.random.default_rng(0).random((*args.sizes * 2, channels), np.float32)
    if args.way == "srkit":
        return lambda: model.upscale(picture)
    import torch

    from srkit.upscaling.tiling import rim_of

    rim = rim_of(model) if args.way == "whole" else 0
    given = np.pad(picture, ((rim, rim), (rim, rim), (0, 0)), "reflect")
    planes = torch.from_numpy(given[None]).permute(0, 3, 1, 2)
    return lambda: inferred(model.net, planes)


def inferred(net: Callable[..., object], planes: object) -> object:
    """What a network makes of planes, without gradients."""
    import torch

    with torch.inference_mode():
        return net(planes)


def print_row(
    size: int, runs: dict[str, list[tuple[float, float]]], ways: tuple[str, ...] | list[str]
) -> None:
    """Medians of each way, and of CPU seconds the ratio of the first to the others."""
    busy = {way: statistics.median(one for one, _ in runs[way]) for way in ways}
    clock = {way: statistics.median(one for _, one in runs[way]) for way in ways}
    cells = [f"{busy[way]:.2f} ({clock[way]:.2f})" for way in ways]
    cells += [f"{busy[ways[0]] / busy[way]:.2f}" for way in ways[1:]]
    print(f"| {size}x{size} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
