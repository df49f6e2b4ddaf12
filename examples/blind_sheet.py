"""A sheet to judge models by without knowing which is which, and its key.

    python examples/blind_sheet.py sheet.png key.json --photos /path/to/photos
    python examples/blind_sheet.py sheet.png key.json mine/*.jpg --models photo realesrgan

Each row is a picture, each column a model, in an order that is drawn anew for each row. Without
pictures of your own there are twelve: details of photos, a scan and a screenshot, made poor as the
named set is, or by what srkit's default learns from, which is harder; --photos is the folder of
those photos. Of your pictures the middle is shown. Needs pip install "srkit[all]".
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import ascii_uppercase

import numpy as np
from PIL import Image, ImageDraw
from samples import SAMPLES, SIDE, middle
from side_by_side import FOOT, GAP, SCALE, Models, Picture, add_use, sheet

from srkit.training.data.degradations import Degradation, degrade
from srkit.training.data.two_stage import EVERYDAY
from srkit.training.pairs import SETS

TWELVE = (
    "astronaut", "freckles", "sun", "trees", "page", "dome",
    "city", "cat", "camera", "pizza", "stone", "screenshot",
)  # fmt: skip
POOR: Mapping[str, Sequence[Degradation]] = {
    **{name: SETS[name] for name in ("poor-2026", "poor-two-stage")},
    "everyday": EVERYDAY,
}
TIMES = 3


def poor_samples(photos: Path, steps: Sequence[Degradation], seed: int) -> dict[str, Picture]:
    """The twelve, each degraded by draws of its own."""
    return {
        name: degrade(SAMPLES[name](photos), SCALE, steps, np.random.default_rng([seed, number]))
        for number, name in enumerate(TWELVE)
    }


def own(path: Path) -> Picture:
    """The middle of a picture, as large as a sample is after it was degraded."""
    whole = np.asarray(Image.open(path).convert("RGB"))
    side = SIDE // SCALE
    if min(whole.shape[:2]) < side:
        raise SystemExit(f"{path} has less than {side}x{side} pixels")
    top, left = ((length - side) // 2 for length in whole.shape[:2])
    return np.ascontiguousarray(whole[top : top + side, left : left + side])


def draw_orders(rows: int, models: Sequence[str], seed: int) -> list[list[str]]:
    """For each row the models in the order of its columns."""
    rng = np.random.default_rng(seed)
    return [[models[n] for n in rng.permutation(len(models))] for _ in range(rows)]


def blind_sheet(
    pictures: Mapping[str, Picture], models: Models, orders: Sequence[Sequence[str]]
) -> Image.Image:
    """The sheet: letters for columns, numbers for rows, no names."""
    rows = []
    for small, order in zip(pictures.values(), orders, strict=True):
        results = [middle(models.enlarge(name, small)) for name in order]
        rows.append(dict(zip(ascii_uppercase, results, strict=False)))
    page = sheet(rows, TIMES)
    draw = ImageDraw.Draw(page)
    height = (page.height - FOOT - GAP * len(rows)) // len(rows) + GAP
    for number in range(len(rows)):
        draw.rectangle((0, number * height, 40, number * height + 30), "white")
        draw.text((4, number * height), str(number + 1), "black", font_size=24)
    return page


def main() -> None:
    """Read the command line, write both files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("sheet", type=Path)
    parser.add_argument("key", type=Path)
    parser.add_argument("pictures", nargs="*", type=Path)
    parser.add_argument("--photos", type=Path)
    parser.add_argument(
        "--models", nargs="+", default=["photo", "photo-2025", "realesr-animevideo"]
    )
    parser.add_argument("--poor", choices=POOR, default="poor-2026")
    parser.add_argument("--seed", type=int, default=1)
    add_use(parser)
    given = parser.parse_args()
    if given.pictures:
        pictures = {str(path): own(path) for path in given.pictures}
    elif given.photos:
        pictures = poor_samples(given.photos, POOR[given.poor], given.seed)
    else:
        parser.error("give pictures, or --photos")
    orders = draw_orders(len(pictures), given.models, given.seed)
    blind_sheet(pictures, Models(given.use), orders).save(given.sheet)
    rows = [
        {"row": number, "picture": name, **dict(zip(ascii_uppercase, order, strict=False))}
        for number, (name, order) in enumerate(zip(pictures, orders, strict=True), 1)
    ]
    given.key.write_text(json.dumps({"seed": given.seed, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
