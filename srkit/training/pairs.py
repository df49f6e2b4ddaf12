"""Write degraded pairs to measure on: ``python -m srkit.training.pairs PHOTOS OUT``.

PHOTOS is ``held_out.txt`` of a training run, so that its model is measured on what it
never saw, or a folder of photos, split as runs of the recipe do.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image as PILImage

from srkit.errors import OptionError
from srkit.imaging.atomic import replacing
from srkit.training.degradations import degrade
from srkit.training.photos import Pixels, decode, find_photos, split
from srkit.training.recipe import Recipe, read_recipe, recipe_named


def write_pairs(photos: Path, out: Path, recipe: Recipe, scale: int, side: int = 480) -> int:
    """Write the middle of each held-out photo to ``out/HR``, degraded to ``out/LR/xN``.

    The same call writes the same files: photo n is degraded by draws from seed n.

    Parameters
    ----------
    photos
        The ``held_out.txt`` of a run; or a folder of photos, split as the recipe does.
    out
        A folder that `srkit.evaluate` takes as a dataset.
    recipe
        Whose `degradations` and `held_out` count.
    scale
        Factor between the two.
    side
        Side of the HR pictures, a multiple of `scale`.

    Returns
    -------
    int
        How many pairs were written.

    Raises
    ------
    OptionError
        If the recipe degrades nothing, or `side` is no multiple of `scale`.
    """
    if not recipe.degradations:
        raise OptionError("this recipe has no degradations; LR is made from HR as it is")
    if side % scale:
        raise OptionError(f"side={side} is no multiple of scale={scale}")
    if photos.is_file():
        held = [Path(line) for line in photos.read_text(encoding="utf-8").splitlines()]
    else:
        _, held = split(find_photos(photos), recipe.held_out)
    for number, path in enumerate(held):
        hr = _middle(decode(path), side, scale)
        lr = degrade(hr, scale, recipe.degradations, np.random.default_rng(number))
        # Numbered, since two folders may hold photos of one name.
        name = f"{number:03d}_{path.stem}.png"
        _write(hr, out / "HR" / name)
        _write(lr, out / "LR" / f"x{scale}" / name)
    return len(held)


def _middle(photo: Pixels, side: int, scale: int) -> Pixels:
    height, width = (min(side, n) // scale * scale for n in photo.shape[:2])
    top, left = (photo.shape[0] - height) // 2, (photo.shape[1] - width) // 2
    return np.ascontiguousarray(photo[top : top + height, left : left + width])


def _write(picture: Pixels, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        PILImage.fromarray(picture).save(file, "PNG")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--recipe", default="photo", help="whose degradations (default: photo)")
    parser.add_argument("--config", type=Path, metavar="TOML", help="changes to the recipe")
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("--side", type=int, default=480, help="of HR, in pixels (default: 480)")
    given = parser.parse_args()
    recipe = recipe_named(given.recipe)
    if given.config:
        recipe = read_recipe(given.config, recipe)
    count = write_pairs(given.photos, given.out, recipe, given.scale, given.side)
    sys.stdout.write(f"{count} pairs in {given.out}\n")


if __name__ == "__main__":
    main()
