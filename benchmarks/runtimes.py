"""Torch eager, torch.compile, ONNX Runtime and OpenVINO on the same weights, taking turns.

    python benchmarks/runtimes.py --model srresnet --scale 4 --side 256

Each runtime has a process of its own, which loads the network, runs it once unmeasured on a
whole image, and then once whenever it is told to: one process works at a time. Peak memory is
the peak of the resident set minus what was resident before the first run.
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
from collections.abc import Callable
from pathlib import Path

import numpy as np

Run = Callable[[np.ndarray], np.ndarray]


def torch_runner(args: argparse.Namespace, compiled: bool = False) -> Run:
    import torch

    import srkit

    torch.set_num_threads(args.threads)
    net = srkit.load(args.model, scale=args.scale, device="cpu").net
    if compiled:
        net = torch.compile(net)

    def run(tile: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            made = net(torch.from_numpy(tile).permute(0, 3, 1, 2))
            return made.permute(0, 2, 3, 1).numpy()

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


RUNNERS = {
    "torch eager": torch_runner,
    "torch.compile": lambda args: torch_runner(args, compiled=True),
    "ONNX Runtime": onnx_runner,
    "OpenVINO": openvino_runner,
}


def work(args: argparse.Namespace) -> None:
    """Run one runtime: a line in, a run, a line out."""
    tile = np.random.default_rng(0).random((1, args.side, args.side, 3), np.float32)
    run = RUNNERS[args.work](args)
    before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    np.save(Path(args.network).with_name(args.work.replace(" ", "-")), run(tile)[:, :64, :64])
    print("ready", flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        run(tile)
        taken = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
        print(taken, peak, flush=True)


def start(name: str, network: Path, args: argparse.Namespace) -> subprocess.Popen[str]:
    shape = [f"--{key}={getattr(args, key)}" for key in ("model", "scale", "side", "threads")]
    command = [sys.executable, __file__, *shape, f"--work={name}", f"--network={network}"]
    environment = os.environ | {"OMP_NUM_THREADS": str(args.threads)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, env=environment, **pipes)


def compare(args: argparse.Namespace, network: Path) -> None:
    """Let the runtimes take turns, and print a table."""
    workers = {}
    for name in RUNNERS:
        worker = start(name, network, args)
        if worker.stdout.readline() == "ready\n":
            workers[name] = worker
            continue
        reasons = [line for line in worker.communicate()[1].splitlines() if "Error" in line]
        print(f"{name} does not run here: {reasons[-1] if reasons else worker.returncode}")
    times, peaks = {name: [] for name in workers}, dict.fromkeys(workers, 0)
    for _ in range(args.rounds):
        for name, worker in workers.items():
            print("go", file=worker.stdin, flush=True)
            taken, peak = worker.stdout.readline().split()
            times[name].append(float(taken))
            peaks[name] = int(peak)
    for worker in workers.values():
        worker.communicate()
    first, *_ = workers
    base = statistics.median(times[first])
    wanted = np.load(network.with_name(f"{first.replace(' ', '-')}.npy"))
    print(
        f"| {args.model} x{args.scale}, {args.side}² | median, s | all, s | ratio | peak, MB | off by |"
    )
    print("|---|---:|---|---:|---:|---:|")
    for name, taken in times.items():
        made = np.load(network.with_name(f"{name.replace(' ', '-')}.npy"))
        median, each = statistics.median(taken), ", ".join(f"{t:.2f}" for t in taken)
        print(f"| {name} | {median:.2f} | {each} | {median / base:.2f} | {peaks[name] / 1e6:.0f} "
              f"| {np.abs(made - wanted).max():.1e} |")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="srresnet")
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("--side", type=int, default=256, help="of LR, in pixels")
    for key, default in (("rounds", 3), ("threads", 1)):
        parser.add_argument(f"--{key}", type=int, default=default)
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
