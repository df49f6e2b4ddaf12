"""Time and peak memory of the command line on one large grey file, by rows.

    python benchmarks/disk.py --width 4096 --height 2441 --model espcn --scale 2 --memory 500MB

The file is made by rows as well, so neither it nor the result is ever whole in memory: noise on
a ramp, another in each strip. `srkit upscale` runs in a process of its own, which imports all that
it needs: seconds and the peak resident memory are those of that whole process, as Linux tells them.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from srkit.imaging.files.by_rows import placed, writer
from srkit.imaging.metadata import Metadata

DTYPE = np.dtype(np.uint8)


def main() -> None:
    """Read the command line, make the file, upscale it and print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--width", type=int, default=4096)
    parser.add_argument("--height", type=int, default=2441, help="10 megapixels by default")
    parser.add_argument("--model", default="espcn")
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument("--memory", default="500MB", help="as of srkit upscale")
    parser.add_argument("--source", choices=("tif", "zarr", "png"), default="tif")
    parser.add_argument("--target", choices=("tif", "zarr", "png"), default="tif")
    parser.add_argument("--folder", type=Path, help="where both files lie for a while")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        source = Path(folder) / f"source.{args.source}"
        make(source, args.height, args.width)
        target = Path(folder) / f"target.{args.target}"
        seconds, peak, busy = upscale(source, target, args)
    megapixels = args.width * args.height / 1e6
    print("| files | LR megapixels | s | CPU s | megapixels/CPU s | peak MB |")
    print("|---|---:|---:|---:|---:|---:|")
    print(
        f"| {args.source} to {args.target} | {megapixels:.1f} | {seconds:.1f} | {busy:.1f} "
        f"| {megapixels / busy:.2f} | {peak / 1e6:.0f} |"
    )


def make(path: Path, height: int, width: int) -> None:
    """Write a grey picture strip by strip."""
    with placed(path) as file:
        form = writer(path, DTYPE)
        step = form.rows_per_strip((height, width), DTYPE)
        form.write_rows(file, strips(height, width, step), Metadata("L"), (height, width), DTYPE)


def strips(height: int, width: int, step: int) -> Iterator[NDArray[np.uint8]]:
    """Rows ``(h, W, 1)`` of a ramp with some noise, which packs as badly as a photo."""
    random = np.random.default_rng(0)
    ramp = np.linspace(20, 220, width, dtype=np.uint8)[:, None]
    for first in range(0, height, step):
        rows = min(step, height - first)
        yield ramp + random.integers(0, 16, (rows, width, 1), np.uint8)


def upscale(source: Path, target: Path, args: argparse.Namespace) -> tuple[float, int, float]:
    """Seconds, bytes of memory at the peak and CPU seconds of the command."""
    start = "import sys; from srkit.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", start, "upscale", str(source), "-o", str(target)]
    command += ["-m", args.model, "--scale", str(args.scale), "--memory", args.memory]
    # Whatever its size, the file is to go by rows.
    command += ["--max-pixels", "1"]
    begun = time.perf_counter()
    done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - begun
    if done.returncode:
        sys.exit(done.returncode)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, 1024 * used.ru_maxrss, used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
