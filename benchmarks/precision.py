"""How near a model in reduced precision comes to float32, on one photo.

    python benchmarks/precision.py srresnet:4 espcn:2 srgan:4 unet:4

The photo is scikit-image's astronaut, shrunk to 128x128. Compared are results of 8 bits: PSNR,
the share of values within one level, and whether that is enough for `precision="auto"`, which
takes what a model's card states. Exits with 1 where a card states what was not found. Time is
CPU time, of a second run.
"""

from __future__ import annotations

import argparse
import math
import sys
import time

import numpy as np
from skimage import data

import srkit

SIDE = 128
LEAST_PSNR, LEAST_SHARE = 50.0, 0.995


def main() -> None:
    """Read the command line, measure, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("models", nargs="+", help="name:scale")
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    photo = srkit.imresize(data.astronaut(), size=(SIDE, SIDE))
    print("| model | precision | PSNR, dB | within 1 level | good enough | in its card | CPU s |")
    print("|---|---|---:|---:|---|---|---:|")
    wrong = 0
    for model in args.models:
        name, scale = model.rsplit(":", 1)
        stated = srkit.card(name).precisions.get(int(scale), ())
        full, seconds = upscaled(name, int(scale), args.device, "float32", photo)
        print(f"| {name} x{scale} | float32 | | | | | {seconds:.2f} |")
        for precision in ("bfloat16", "float16"):
            made, seconds = upscaled(name, int(scale), args.device, precision, photo)
            psnr, share = nearness(full, made)
            good = psnr >= LEAST_PSNR and share >= LEAST_SHARE
            wrong += precision in stated and not good
            print(
                f"| {name} x{scale} | {precision} | {psnr:.1f} | {100 * share:.2f} % "
                f"| {'yes' if good else 'no'} | {'yes' if precision in stated else 'no'} "
                f"| {seconds:.2f} |",
                flush=True,
            )
    sys.exit(wrong > 0)


def upscaled(
    name: str, scale: int, device: str, precision: str, photo: np.ndarray
) -> tuple[np.ndarray, float]:
    """The result in 8 bits, and CPU seconds."""
    model = srkit.load(name, scale=scale, runtime="torch", device=device, precision=precision)
    model.upscale(photo[:32, :32])
    begun = time.process_time()
    return model.upscale(photo), time.process_time() - begun


def nearness(full: np.ndarray, made: np.ndarray) -> tuple[float, float]:
    """PSNR in dB, and the share of values that are at most one level apart."""
    apart = np.abs(full.astype(int) - made)
    error = float((apart**2).mean())
    psnr = 10 * math.log10(255**2 / error) if error else math.inf
    return psnr, float((apart <= 1).mean())


if __name__ == "__main__":
    main()
