"""The pictures of docs/results.md: details of scikit-image's photos, enlarged four times.

    python examples/results_pictures.py docs/pictures

The photos are in the public domain or CC0: chelsea by Stefan van der Walt, coffee by Rachel
Michetti, rocket by SpaceX. Needs pip install "srkit[torch]".
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from skimage import data

import srkit

SCALE, SIDE, TIMES = 4, 96, 3
# Where each detail begins in its photo.
DETAILS = {"chelsea": (92, 140), "coffee": (196, 176), "rocket": (220, 280)}
MODELS = ("bicubic", "espcn", "srresnet", "unet", "srgan")


def row(name: str) -> list[NDArray[np.uint8]]:
    """One detail by every model, and the original."""
    photo = getattr(data, name)()
    original = photo[: photo.shape[0] // SCALE * SCALE, : photo.shape[1] // SCALE * SCALE]
    small = srkit.imresize(original, 1 / SCALE)
    top, left = DETAILS[name]
    whole = [srkit.load(model, scale=SCALE).upscale(small) for model in MODELS]
    return [picture[top : top + SIDE, left : left + SIDE] for picture in (*whole, original)]


def main(folder: Path) -> None:
    """Write the sheet."""
    side, gap, foot = SIDE * TIMES, 6, 34
    columns = len(MODELS) + 1
    height = len(DETAILS) * (side + gap) + foot
    page = Image.new("RGB", (columns * (side + gap) - gap, height), "white")
    for y, name in enumerate(DETAILS):
        for x, picture in enumerate(row(name)):
            enlarged = Image.fromarray(picture).resize((side, side), Image.Resampling.NEAREST)
            page.paste(enlarged, (x * (side + gap), y * (side + gap)))
    draw = ImageDraw.Draw(page)
    for x, name in enumerate((*MODELS, "original")):
        draw.text((x * (side + gap) + 4, height - foot + 2), name, "black", font_size=26)
    page.save(folder / "results.webp", quality=90)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
