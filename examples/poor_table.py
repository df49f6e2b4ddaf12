"""The models for poor photos on the twelve photos that none was trained on, as Markdown.

    python examples/poor_table.py PHOTOS SETS
    python examples/poor_table.py PHOTOS SETS --models photo --use photo=newer.safetensors

PHOTOS is the folder of the photos, SETS where `python -m srkit.training.pairs` put its pairs, as
SETS/poor-2026_x4; those that are missing are written. Needs pip install "srkit[all]".
"""

from __future__ import annotations

import argparse
from pathlib import Path

from side_by_side import SCALE, Models, add_use

import srkit
from srkit.training.pairs import write_set

SETS = ("poor-2026", "poor-two-stage")
MODELS = (
    "bicubic", "photo-2025", "photo", "photo denoise=1", "realesr-animevideo",
    "realesrgan-general", "realesrgan",
)  # fmt: skip


def main() -> None:
    """Read the command line and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    parser.add_argument("sets", type=Path)
    parser.add_argument("--models", nargs="+", default=MODELS)
    add_use(parser)
    given = parser.parse_args()
    models = Models(given.use)
    print("| data | model | PSNR | SSIM | ST-LPIPS |\n|---|---|---:|---:|---:|")
    for name in SETS:
        folder = given.sets / f"{name}_x{SCALE}"
        if not folder.exists():
            write_set(name, given.photos, folder, SCALE)
        for model in given.models:
            cells = srkit.evaluate(models[model], folder, scale=SCALE).mean.cells()
            print(f"| {name} | {model} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
