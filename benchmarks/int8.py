"""What `precision="int8"` loses and saves, and whether it makes bands.

    OMP_NUM_THREADS=1 python benchmarks/int8.py span:4 photo:4:denoise=0.5 --data Set5 Set14

The loss is that of PSNR on luma against float32, in dB, the mean over each folder. Time is CPU
time of scikit-image's astronaut, shrunk to 128x128, in turns, medians of three. Gradients are a
grey ramp and two of skies: most levels between int8 and float32, and the longest run of pixels of
one level in each.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from pathlib import Path

import numpy as np
from skimage import data

import srkit

SIDE, ROUNDS = 128, 3
PRECISIONS = ("float32", "bfloat16", "int8")
RAMPS = {
    "grey": ((0, 0, 0), (255, 255, 255)),
    "sky": ((70, 120, 190), (190, 215, 240)),
    "dusk": ((20, 24, 60), (230, 140, 90)),
}


def main() -> None:
    """Read the command line, measure, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("models", nargs="+", help="name:scale or name:scale:option=value")
    parser.add_argument("--data", nargs="*", default=[], type=Path, help="folders of originals")
    args = parser.parse_args()
    sets = [folder.name for folder in args.data]
    head = [*(f"loss on {name}, dB" for name in sets), *(f"CPU s, {p}" for p in PRECISIONS)]
    head += [f"{name}: levels, runs" for name in RAMPS]
    print("| model | " + " | ".join(head) + " |")
    print("|---" + "|---:" * len(head) + "|")
    for model in args.models:
        models = loaded(model)
        cells = [f"{loss(models, folder):.3f}" for folder in args.data]
        cells += [f"{seconds:.2f}" for seconds in taken(models)]
        cells += [bands(models, *ends) for ends in RAMPS.values()]
        print(f"| {model} | " + " | ".join(cells) + " |", flush=True)


def loaded(model: str) -> dict[str, srkit.Upscaler]:
    """The model in each precision."""
    name, scale, *options = model.split(":")
    given = {key: float(value) for key, value in (option.split("=") for option in options)}
    return {
        p: srkit.load(name, scale=int(scale), runtime="torch", device="cpu", precision=p, **given)
        for p in PRECISIONS
    }


def loss(models: dict[str, srkit.Upscaler], folder: Path) -> float:
    """By how much PSNR falls."""
    full, low = (
        srkit.evaluate(models[p], folder, metrics=["psnr"]).mean.psnr for p in ("float32", "int8")
    )
    return full - low


def taken(models: dict[str, srkit.Upscaler]) -> list[float]:
    """CPU seconds in each precision."""
    photo = srkit.imresize(data.astronaut(), size=(SIDE, SIDE))
    seconds: dict[str, list[float]] = {p: [] for p in models}
    for number in range(ROUNDS + 1):
        for precision, model in models.items():
            begun = time.process_time()
            model.upscale(photo)
            if number:  # the first time, kernels are compiled
                seconds[precision].append(time.process_time() - begun)
    return [statistics.median(times) for times in seconds.values()]


def bands(models: dict[str, srkit.Upscaler], dark: tuple[int, ...], bright: tuple[int, ...]) -> str:
    """Of a gradient: most levels apart, and the longest runs in float32 and in int8."""
    ramp = np.linspace(dark, bright, 256).round().astype(np.uint8)
    picture = np.broadcast_to(ramp, (16, 256, 3))
    full, low = (models[p].upscale(picture).astype(int) for p in ("float32", "int8"))
    middle = full.shape[0] // 2
    runs = [max(longest(made[middle, :, c].tolist()) for c in range(3)) for made in (full, low)]
    return f"{np.abs(full - low).max()}, {runs[0]} and {runs[1]}"


def longest(row: list[int]) -> int:
    """Pixels of one level beside each other, at most."""
    return max(len(list(same)) for _, same in itertools.groupby(row))


if __name__ == "__main__":
    main()
