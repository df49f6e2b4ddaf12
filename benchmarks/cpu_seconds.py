"""CPU seconds that models take for a result of 1280x720, on one thread in float32.

    python benchmarks/cpu_seconds.py --scale 4 fsrcnn srresnet rlfn_x4.pth

CPU time suffers less than time from what else the machine does; the least of two runs is printed.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from skimage import data

import srkit

HEIGHT, WIDTH = 720, 1280


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("models", nargs="+", help="names, or files of weights")
    parser.add_argument("--scale", type=int, default=4)
    args = parser.parse_args()
    torch.set_num_threads(1)
    image = np.tile(data.astronaut(), (2, 2, 1))[: HEIGHT // args.scale, : WIDTH // args.scale]
    for name in args.models:
        model = srkit.load(name, scale=args.scale, device="cpu", runtime="torch")
        taken = []
        for _ in range(2):
            began = time.process_time()
            model.upscale(image)
            taken.append(time.process_time() - began)
        print(f"{model.card.name}: {min(taken):.2f} s", flush=True)


if __name__ == "__main__":
    main()
