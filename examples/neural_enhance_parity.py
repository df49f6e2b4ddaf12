"""neural-enhance's own pictures against srkit's, on Lasagne and on torch.

    pip install "srkit[torch,lasagne]"
    python examples/neural_enhance_parity.py enhance_gold/

makes the table of docs/neural-enhance.md. The folder holds weights files, inputs, and what
the original program made of them: ``<weights>.png``, ``<weights>-histogram.png``, ....
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np

import srkit

# What a picture's name says of the options it was made with.
KINDS = {
    "": ("input.png", {}),
    "-tile40-overlap4": ("input.png", {"tile": 40, "overlap": 4}),
    "-small": ("input_small.png", {}),
    "-histogram": ("input_full_range.png", {"match_histograms": True}),
}
SUFFIX = "-0.3.pkl.bz2"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=3, help="of which the median time is told")
    args = parser.parse_args()
    print("| picture | runtime | largest difference | differing values | seconds |")
    print("|---|---|---:|---:|---:|")
    for weights in sorted(args.folder.glob(f"*{SUFFIX}")):
        for kind, (source, options) in KINDS.items():
            name = weights.name.removesuffix(SUFFIX) + kind
            if not (args.folder / f"{name}.png").exists():
                continue
            image = srkit.read_image(args.folder / source).pixels
            wanted = srkit.read_image(args.folder / f"{name}.png").pixels
            for runtime in ("theano", "torch"):
                model = srkit.load(weights, runtime=runtime, tiling="original", **options)
                times = []
                for _ in range(args.rounds):
                    start = time.perf_counter()
                    made = model.upscale(image)
                    times.append(time.perf_counter() - start)
                apart = np.abs(made.astype(int) - wanted)
                share, seconds = np.mean(apart > 0), statistics.median(times)
                print(f"| {name} | {runtime} | {apart.max()} | {share:.4%} | {seconds:.2f} |")


if __name__ == "__main__":
    main()
