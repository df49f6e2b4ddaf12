"""From the shell to the file: `srkit upscale` of one small photo, beside `import torch` alone.

    python benchmarks/start.py photo span espcn --rounds 9

Each is a process of its own, and they take turns. Medians are printed of CPU seconds (user and
system, all threads) and of seconds. Of `srkit upscale` the network's own run is a part: the second
`upscale` of that photo by a loaded model.
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
from pathlib import Path

import numpy as np
from skimage import data, transform

import srkit

SHAPE = (100, 115)
RUN = """
import sys, time, srkit
from srkit.imaging.files.reading import read_image
model, picture = srkit.load(sys.argv[1]), read_image(sys.argv[2])
model.upscale(picture)
busy, seconds = time.process_time(), time.perf_counter()
model.upscale(picture)
print(time.process_time() - busy, time.perf_counter() - seconds)
"""
COMMAND = "import sys; from srkit.cli import main; sys.exit(main())"


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("models", nargs="*", default=["photo", "span", "espcn"])
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "small.jpg"
        small = transform.resize(data.astronaut(), SHAPE, anti_aliasing=True)
        srkit.Image(np.rint(255 * small).astype(np.uint8)).save(photo)
        report(args, photo)


def report(args: argparse.Namespace, photo: Path) -> None:
    """Measure, and print a row for each model."""
    out = photo.with_name("large.png")
    commands = {"import torch": ["-c", "import torch"]}
    for model in args.models:
        words = ["upscale", photo, "-m", model, "-o", out, "--overwrite"]
        commands[model] = ["-c", COMMAND, *map(str, words)]
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for turn in range(args.rounds + 1):
        for name, command in commands.items():
            taken = timed(command)
            if turn:  # the first compiles modules
                runs[name].append(taken)
    torch = median(runs.pop("import torch"))
    print(f"import torch: {torch[0]:.2f} CPU s, {torch[1]:.2f} s\n")
    print("| model | CPU s | s | the network's run, CPU s | (CPU s - run) / import torch |")
    print("|---|---:|---:|---:|---:|")
    for model, found in runs.items():
        busy, seconds = median(found)
        own = median([run_of(model, photo) for _ in range(3)])[0]
        ratio = (busy - own) / torch[0]
        print(f"| {model} | {busy:.2f} | {seconds:.2f} | {own:.2f} | {ratio:.2f} |", flush=True)


def timed(command: list[str]) -> tuple[float, float]:
    """CPU seconds and seconds of a Python process."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, capture_output=True, env=environment())
    seconds, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return busy, seconds


def run_of(model: str, photo: Path) -> tuple[float, float]:
    """CPU seconds and seconds of a model that is loaded and has run once."""
    command = [sys.executable, "-c", RUN, model, str(photo)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment())
    busy, seconds = map(float, done.stdout.split())
    return busy, seconds


def environment() -> dict[str, str]:
    """As of a shell: modules are compiled once, and kept."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    # Set by this process's own srkit.
    kept.pop("OMP_WAIT_POLICY", None)
    return kept


def median(runs: list[tuple[float, float]]) -> tuple[float, float]:
    """Of both figures by themselves."""
    return statistics.median(one for one, _ in runs), statistics.median(two for _, two in runs)


if __name__ == "__main__":
    main()
