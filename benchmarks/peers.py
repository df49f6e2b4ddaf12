"""srkit beside the programs that do the same: time, and memory, from picture to picture.

    python benchmarks/peers.py
    python benchmarks/peers.py --sizes espcn:960x540 --peers srkit "PyTorch, no_grad"
    python benchmarks/peers.py --growth
    python benchmarks/peers.py --sizes photo:384x384 --plot peers.svg

Every run has a process of its own, which loads the model, runs it on 64x64, and is then measured
on one random picture of 8 bits in RGB; peers take turns. Sizes are width x height of LR. Peak
memory is the peak of the resident set during the run minus what was resident before it. Ratios
are to the first peer that ran; on a busy machine those of CPU time say more.
`--memory` bounds what a process may take beyond what it holds by then (Linux). ESPCN's graph for
OpenCV and TensorFlow is looked for below SRKIT_DATA. How peers run is said in peers_runners.py.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from peers_chart import picture
from peers_runners import PEERS, Setup, missing

SCALES = {"srresnet": 4, "espcn": 2, "photo": 4, "span": 4, "realesr-animevideo": 4}
SIZES = (
    "srresnet:128x128", "srresnet:512x512", "srresnet:1024x1024",
    "espcn:512x512", "espcn:960x540", "espcn:1920x1080",
    "photo:128x128", "photo:384x384", "span:128x128", "span:384x384", "realesr-animevideo:384x384",
)  # fmt: skip
# Megapixels of LR.
GROWTH = {
    "photo": (0.1, 0.3, 1, 3, 10, 30, 100),
    "espcn": (0.1, 0.3, 1, 3, 10, 30, 100),
    "srresnet": (0.1, 0.3, 1, 2, 4),
}
WARM = 64
OUT_OF_MEMORY = "out of memory"


def main() -> None:
    """Read the command line; measure, or have others measure and print the tables."""
    args = parsed()
    if args.work:
        print(json.dumps(measure(args)))
        return
    sizes = [size_of(text) for text in args.sizes]
    if args.growth:
        sizes = [
            (model, *[round((1e6 * megapixels) ** 0.5)] * 2)
            for model in args.grow or GROWTH
            for megapixels in GROWTH[model]
        ]
    peers = args.peers or (["srkit", "PyTorch, no_grad"] if args.growth else list(PEERS))
    with tempfile.TemporaryDirectory() as folder:
        exported = {} if args.growth and not args.peers else export(sizes, Path(folder))
        found = []
        for model, width, height in sizes:
            rows = compare(model, width, height, peers, exported.get(model, ""), args)
            report(model, width, height, rows, args.growth)
            found.append((f"{model} x{SCALES[model]} of {width}x{height}", rows))
    if args.plot:
        args.plot.write_text(picture(found), encoding="utf-8")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="model:WIDTHxHEIGHT of LR")
    parser.add_argument("--peers", nargs="+", choices=PEERS)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--memory", type=int, help="MB; by default no bound")
    parser.add_argument("--growth", action="store_true", help="time and memory of growing images")
    parser.add_argument(
        "--grow", nargs="+", choices=GROWTH, help="models that grow, instead of all"
    )
    parser.add_argument("--plot", type=Path, help="an SVG of seconds against memory")
    for hidden in ("--work", "--model", "--network"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    for hidden in ("--width", "--height"):
        parser.add_argument(hidden, type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def size_of(text: str) -> tuple[str, int, int]:
    """``"espcn:960x540"`` as model, width and height."""
    try:
        model, sides = text.split(":")
        width, height = (int(side) for side in sides.split("x"))
    except ValueError:
        sys.exit(f"a size is model:WIDTHxHEIGHT, not {text!r}")
    if model not in SCALES or min(width, height) < 1:
        sys.exit(f"models are {', '.join(SCALES)}, and sides at least 1; {text!r} was given")
    return model, width, height


def export(sizes: list[tuple[str, int, int]], folder: Path) -> dict[str, str]:
    """ONNX files of the models; none where they cannot be written here."""
    import srkit

    made = {}
    for model in {model for model, _, _ in sizes}:
        target = folder / f"{model}.onnx"
        try:
            srkit.export(model, target, scale=SCALES[model])
        except srkit.MissingDependencyError as error:
            print(f"no ONNX files: {error}", file=sys.stderr)
            return {}
        made[model] = str(target)
    return made


# --- the parent ---------------------------------------------------------------------------


def compare(
    model: str, width: int, height: int, peers: list[str], network: str, args: argparse.Namespace
) -> dict[str, list[dict[str, float]] | str]:
    """What each peer took in all its runs, or why it has none."""
    found: dict[str, Any] = {}
    for peer in peers:
        if model in PEERS[peer].models:
            found[peer] = missing(peer, network) or []
    for _ in range(args.repeats):
        for peer, runs in found.items():
            if isinstance(runs, str):
                continue
            run = one_run(peer, model, width, height, network, args)
            if isinstance(run, str):
                found[peer] = run
            else:
                runs.append(run)
    return found


def one_run(
    peer: str, model: str, width: int, height: int, network: str, args: argparse.Namespace
) -> dict[str, float] | str:
    """Figures of a run in a process of its own, or what went wrong."""
    told = {"work": peer, "model": model, "network": network, "width": width, "height": height}
    told |= {"threads": args.threads} | ({"memory": args.memory} if args.memory else {})
    command = [sys.executable, __file__, *(f"--{key}={value}" for key, value in told.items())]
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
    threads = dict.fromkeys(names, str(args.threads))
    done = subprocess.run(
        command, env=os.environ | threads, capture_output=True, text=True, check=False
    )
    if done.returncode == -signal.SIGKILL:
        return f"{OUT_OF_MEMORY} (killed)"
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        reasons = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        return "failed: " + reasons[-1][:120].replace("|", "/")
    found: dict[str, float] | str = json.loads(lines[-1])
    return found


def report(model: str, width: int, height: int, rows: dict[str, Any], growth: bool) -> None:
    """Print one table; seconds a megapixel for growth."""
    megapixels = width * height / 1e6
    title = f"{model} x{SCALES[model]}, {width}x{height} ({megapixels:.2f} MP)"
    unit = "s a MP" if growth else "s"
    print(f"\n| {title} | {unit}, median | all | ratio | CPU {unit} | CPU ratio | peak MB |")
    print("|---|---:|---|---:|---:|---:|---:|")
    share = megapixels if growth else 1.0
    first: list[dict[str, float]] = next((r for r in rows.values() if not isinstance(r, str)), [])
    for peer, runs in rows.items():
        if isinstance(runs, str):
            print(f"| {peer} | {runs} | | | | | |")
            continue
        wall, busy = middle(runs, "wall"), middle(runs, "cpu")
        every = ", ".join(f"{run['wall'] / share:.3g}" for run in runs)
        elapsed = f"{wall / share:.3g} | {every} | {wall / middle(first, 'wall'):.2f}"
        figures = f"{elapsed} | {busy / share:.3g} | {busy / middle(first, 'cpu'):.2f}"
        print(f"| {peer} | {figures} | {middle(runs, 'bytes') / 1e6:.0f} |", flush=True)


def middle(runs: list[dict[str, float]], what: str) -> float:
    return statistics.median(run[what] for run in runs)


# --- the child ----------------------------------------------------------------------------


def measure(args: argparse.Namespace) -> dict[str, float] | str:
    """Load a peer, and run it once on a picture; in this process."""
    setup = Setup(args.model, SCALES[args.model], args.threads, args.network)
    upscale: Callable[[np.ndarray], np.ndarray] = PEERS[args.work].load(setup)
    rng = np.random.default_rng(0)
    upscale(rng.integers(0, 256, (WARM, WARM, 3), np.uint8))
    lr = rng.integers(0, 256, (args.height, args.width, 3), np.uint8)
    before = status("VmRSS")
    # What loading took at its most is forgotten (Linux).
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    if args.memory:
        import resource

        bound = status("VmData") + args.memory * 10**6
        resource.setrlimit(resource.RLIMIT_DATA, (bound, bound))
    begun, busy = time.perf_counter(), time.process_time()
    try:
        made = upscale(lr)
    except Exception as error:
        # Frameworks have no exception in common for this.
        signs = ("alloc", "memory")
        if isinstance(error, MemoryError) or any(s in str(error).lower() for s in signs):
            return OUT_OF_MEMORY
        raise
    wall, busy = time.perf_counter() - begun, time.process_time() - busy
    wanted = (args.height * setup.scale, args.width * setup.scale, 3)
    if made.shape != wanted:
        sys.exit(f"{args.work} made {made.shape}, not {wanted}")
    return {"wall": wall, "cpu": busy, "bytes": status("VmHWM") - before}


def status(key: str) -> int:
    """Bytes that Linux tells of this process: VmRSS now, VmHWM at most, VmData."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(key))


if __name__ == "__main__":
    main()
