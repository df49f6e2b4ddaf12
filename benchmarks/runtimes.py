"""Torch eager, torch.compile, ONNX Runtime and OpenVINO on the same weights, taking turns.

    python benchmarks/runtimes.py --model srresnet --scale 4 --side 256
    python benchmarks/runtimes.py --runtimes "torch strips" "OpenVINO strips" --rows 176

Each runtime has a process of its own, which loads the network, runs it once unmeasured on a
whole image, and then once whenever it is told to: one process works at a time. On a busy machine
CPU time says more than wall time; ratios are of CPU time. Peak memory is the peak of the resident
set minus what was resident before the first run.

In strips, torch remembers what it needs of the strip before, as srkit runs it. Another runtime
cannot: it gets the image in windows of `--rows` rows, which share twice the receptive field.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

Run = Callable[[np.ndarray], np.ndarray]
# "auto" would take bfloat16 where the CPU has units for it, and the others have none of that.
TORCH = {"runtime": "torch", "device": "cpu", "precision": "float32"}


def torch_runner(args: argparse.Namespace, compiled: bool = False) -> Run:
    import torch

    import srkit

    torch.set_num_threads(args.threads)
    net = srkit.load(args.model, scale=args.scale, **TORCH).net
    if compiled:
        net = torch.compile(net)

    def run(tile: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            made = net(torch.from_numpy(tile).permute(0, 3, 1, 2))
            return made.permute(0, 2, 3, 1).numpy()

    return run


def streaming_runner(args: argparse.Namespace) -> Run:
    import torch

    import srkit
    from srkit.upscaling.engine import STRIP_ROWS

    torch.set_num_threads(args.threads)
    model = srkit.load(args.model, scale=args.scale, **TORCH)

    def run(tile: np.ndarray) -> np.ndarray:
        starts = range(0, tile.shape[1], STRIP_ROWS)
        strips = model.run_rows(tile[:, y : y + STRIP_ROWS] for y in starts)
        return filled(strips, tile, args.scale)

    return run


def onnx_runner(args: argparse.Namespace) -> Run:
    import srkit

    return srkit.load(args.network, device="cpu").run


def openvino_runner(args: argparse.Namespace) -> Run:
    import openvino

    core = openvino.Core()
    hints = {"INFERENCE_NUM_THREADS": args.threads, "INFERENCE_PRECISION_HINT": "f32"}
    model = core.compile_model(args.network, "CPU", hints)

    def run(tile: np.ndarray) -> np.ndarray:
        return model(np.ascontiguousarray(tile.transpose(0, 3, 1, 2)))[0].transpose(0, 2, 3, 1)

    return run


def openvino_strips_runner(args: argparse.Namespace) -> Run:
    import srkit

    halo, whole = srkit.load(args.network, device="cpu").radius, openvino_runner(args)

    def rows(tile: np.ndarray) -> Iterator[np.ndarray]:
        height, done, last = tile.shape[1], 0, 0
        while last < height:
            first = max(0, done - halo)
            last = min(first + args.rows, height)
            core = last if last == height else last - halo
            made = whole(tile[:, first:last])
            yield made[:, (done - first) * args.scale : (core - first) * args.scale]
            done = core

    return lambda tile: filled(rows(tile), tile, args.scale)


def filled(parts: Iterable[np.ndarray], tile: np.ndarray, scale: int) -> np.ndarray:
    """Rows put into one result ``(1, scale*H, scale*W, C)`` as they come."""
    _, height, width, channels = tile.shape
    result, at = np.empty((1, scale * height, scale * width, channels), np.float32), 0
    for part in parts:
        result[:, at : at + part.shape[1]] = part
        at += part.shape[1]
    return result


RUNNERS = {
    "torch eager": torch_runner,
    "torch strips": streaming_runner,
    "torch.compile": lambda args: torch_runner(args, compiled=True),
    "ONNX Runtime": onnx_runner,
    "OpenVINO": openvino_runner,
    "OpenVINO strips": openvino_strips_runner,
}


def work(args: argparse.Namespace) -> None:
    """Run one runtime: a line in, a run, a line out."""
    import srkit

    channels = 1 if srkit.card(args.model).colour == "luma" else 3
    tile = np.random.default_rng(0).random((1, args.side, args.side, channels), np.float32)
    run = RUNNERS[args.work](args)
    before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    np.save(Path(args.network).with_name(args.work.replace(" ", "-")), run(tile)[:, :64, :64])
    print("ready", flush=True)
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        run(tile)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
        print(cpu, wall, peak, flush=True)


def start(name: str, network: Path, args: argparse.Namespace) -> subprocess.Popen[str]:
    keys = ("model", "scale", "side", "threads", "rows")
    shape = [f"--{key}={getattr(args, key)}" for key in keys]
    command = [sys.executable, __file__, *shape, f"--work={name}", f"--network={network}"]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    threads = {"OMP_NUM_THREADS": str(args.threads)}
    return subprocess.Popen(command, text=True, env=os.environ | threads, **pipes)


def compare(args: argparse.Namespace, network: Path) -> None:
    workers = {}
    for name in args.runtimes:
        worker = start(name, network, args)
        if worker.stdout.readline() == "ready\n":
            workers[name] = worker
            continue
        print(f"{name} does not run here: {worker.communicate()[1].strip().splitlines()[-1:]}")
    seen = {name: [] for name in workers}
    for _ in range(args.rounds):
        for name, worker in workers.items():
            print("go", file=worker.stdin, flush=True)
            seen[name].append([float(part) for part in worker.stdout.readline().split()])
    for worker in workers.values():
        worker.communicate()
    first, *_ = workers
    base = statistics.median(cpu for cpu, _, _ in seen[first])
    wanted = np.load(network.with_name(f"{first.replace(' ', '-')}.npy"))
    head = ("CPU s, median", "all", "ratio", "wall s, median", "peak MB", "off by")
    print(f"| {args.model} x{args.scale}, {args.side}² |", " | ".join(head), "|")
    print("|---|---:|---|---:|---:|---:|---:|")
    for name, runs in seen.items():
        made = np.load(network.with_name(f"{name.replace(' ', '-')}.npy"))
        cpu, wall, peak = (statistics.median(part) for part in zip(*runs, strict=True))
        every = ", ".join(f"{run[0]:.2f}" for run in runs)
        figures = f"{cpu:.2f} | {every} | {cpu / base:.2f} | {wall:.1f} | {peak / 1e6:.0f}"
        print(f"| {name} | {figures} | {np.abs(made - wanted).max():.1e} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="srresnet")
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("--side", type=int, default=256, help="of LR, in pixels")
    parser.add_argument("--rows", type=int, default=256, help="of a window, halo included")
    for key, default in (("rounds", 3), ("threads", 1)):
        parser.add_argument(f"--{key}", type=int, default=default)
    parser.add_argument("--runtimes", nargs="+", choices=RUNNERS, default=list(RUNNERS))
    parser.add_argument("--work", choices=RUNNERS, help=argparse.SUPPRESS)
    parser.add_argument("--network", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        work(args)
    else:
        import srkit

        with tempfile.TemporaryDirectory() as folder:
            network = Path(folder) / "network.onnx"
            srkit.export(args.model, network, scale=args.scale)
            compare(args, network)


if __name__ == "__main__":
    main()
