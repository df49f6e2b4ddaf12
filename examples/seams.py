"""What tiles cost when they see too little of their neighbours: the table of docs/exact-tiling.md.

    python examples/seams.py

Cuts scikit-image's astronaut into tiles of 64 pixels, upscales each by SRResNet x4 with more and
more of its neighbours around it, and compares with the whole picture. Needs
pip install "srkit[torch]".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage import data

import srkit

TILE, SCALE = 64, 4
OVERLAPS = (0, 4, 8, 16, 24, 32, 40)
Floats = NDArray[np.float32]


def tiled(model: srkit.Upscaler, image: Floats, overlap: int) -> Floats:
    """Upscale tiles one by one; of each, what its neighbours own is thrown away."""
    height, width, _ = image.shape
    result = np.empty((height * SCALE, width * SCALE, 3), np.float32)
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            first, last = max(0, top - overlap), min(height, top + TILE + overlap)
            start, end = max(0, left - overlap), min(width, left + TILE + overlap)
            made = model.run(np.ascontiguousarray(image[None, first:last, start:end]))[0]
            y, x = (top - first) * SCALE, (left - start) * SCALE
            rows = slice(top * SCALE, (top + TILE) * SCALE)
            columns = slice(left * SCALE, (left + TILE) * SCALE)
            side = TILE * SCALE
            result[rows, columns] = made[y : y + side, x : x + side]
    return result


def main() -> None:
    """Write the table."""
    model = srkit.load("srresnet", scale=SCALE, precision="float32")
    image = srkit.imresize(data.astronaut(), 1 / 2) / np.float32(255)
    whole = model.run(image[None])[0]
    print(f"radius of the receptive field: {model.radius} pixels\n")
    print("| overlap | largest difference, levels of 255 | values that change a level |")
    print("|---:|---:|---:|")
    for overlap in OVERLAPS:
        apart = np.abs(np.clip(tiled(model, image, overlap), 0, 1) - np.clip(whole, 0, 1)) * 255
        print(f"| {overlap} | {apart.max():.4f} | {(apart > 0.5).mean():.3%} |")


if __name__ == "__main__":
    main()
