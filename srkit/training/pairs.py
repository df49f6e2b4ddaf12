"""Write degraded pairs to measure on: ``python -m srkit.training.pairs PHOTOS OUT``.

With ``--set``, PHOTOS is the folder that holds the photos of the named set, and the pairs are
the same for good. Without, it is ``held_out.txt`` of a training run, so that its model is
measured on what it never saw, or a folder of photos, split as runs of the recipe do.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image as PILImage

from srkit.atomic import replacing
from srkit.errors import OptionError, SrkitError
from srkit.training.data.degradations import (
    Blur,
    Degradation,
    Downsample,
    Jpeg,
    Noise,
    Shuffled,
    check_shrinking,
    degrade,
)
from srkit.training.data.photos import Pixels, decode, find_photos, split
from srkit.training.data.reserved import find_reserved
from srkit.training.data.two_stage import TWO_STAGE
from srkit.training.recipe import Recipe, read_recipe
from srkit.training.recipes import recipe_named

log = logging.getLogger(__name__)

# How the photos of each named set are degraded. Figures rest on them: what a recipe learns from
# may change, and these may not.
SETS: Mapping[str, tuple[Degradation, ...]] = {
    # What `photo` was trained on.
    "poor-2026": (
        Shuffled(
            (Blur(sigma=(0.0, 1.5)), Downsample(kernel="bicubic"), Noise("noise", (0.0, 10.0), 0.4))
        ),
        Jpeg(quality=(40.0, 95.0), halved=0.7, shifted=0.0),
    ),
    "poor-two-stage": TWO_STAGE,
    # What `unet-repair` was trained on, at x1.
    "repair-2026": (
        Shuffled((Blur(sigma=(0.0, 1.2)), Noise("noise", (0.0, 8.0), 0.4))),
        Jpeg(quality=(25.0, 90.0), halved=0.7, shifted=0.5),
    ),
}


def write_set(name: str, photos: Path, out: Path, scale: int, side: int = 480) -> int:
    """Write a named set: the middle of each reserved photo, and what it was degraded to.

    Parameters
    ----------
    name
        A name in `SETS`.
    photos
        The folder that holds the photos of `srkit.training.data.reserved`.
    out, scale, side
        See `write_pairs`; published figures are of 480.

    Returns
    -------
    int
        How many pairs were written.

    Raises
    ------
    OptionError
        If there is no set of that name, a photo is missing, or the set has no LR of that
        scale.
    CorruptFileError
        If a photo is another one.
    """
    if name not in SETS:
        raise OptionError(f"no set is named {name!r}; there are {', '.join(SETS)}")
    return _write_all(find_reserved(photos), out, SETS[name], scale, side)


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
        How many pairs were written: photos that cannot be read are skipped with a warning.

    Raises
    ------
    OptionError
        If the recipe degrades nothing, not to LR of that scale, or `side` is no multiple
        of `scale`.
    """
    if not recipe.degradations:
        raise OptionError("this recipe has no degradations; LR is made from HR as it is")
    if photos.is_file():
        held = [Path(line) for line in photos.read_text(encoding="utf-8").splitlines()]
    else:
        _, held = split(find_photos(photos), recipe.held_out)
    return _write_all(held, out, recipe.degradations, scale, side)


def _write_all(
    photos: Sequence[Path], out: Path, steps: Sequence[Degradation], scale: int, side: int
) -> int:
    if side % scale:
        raise OptionError(f"side={side} is no multiple of scale={scale}")
    check_shrinking(steps, scale)
    count = 0
    for number, path in enumerate(photos):
        try:
            hr = _middle(decode(path), side, scale)
        except (SrkitError, OSError) as error:
            log.warning("skipped %s", error)
            continue
        count += 1
        lr = degrade(hr, scale, steps, np.random.default_rng(number))
        # Numbered, since two folders may hold photos of one name.
        name = f"{number:03d}_{path.stem}.png"
        _write(hr, out / "HR" / name)
        _write(lr, out / "LR" / f"x{scale}" / name)
    return count


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
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--set", choices=SETS, help="a named set, the same for good")
    how.add_argument("--recipe", default="photo", help="whose degradations (default: photo)")
    parser.add_argument("--config", type=Path, metavar="TOML", help="changes to the recipe")
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("--side", type=int, default=480, help="of HR, in pixels (default: 480)")
    given = parser.parse_args()
    if given.set and given.config:
        parser.error("argument --config: not allowed with argument --set")
    try:
        count = _write_what(given)
    except (SrkitError, OSError) as error:
        parser.error(str(error))
    sys.stdout.write(f"{count} pairs in {given.out}\n")


def _write_what(given: argparse.Namespace) -> int:
    """Write what the command line asks for; how many pairs."""
    if given.set:
        return write_set(given.set, given.photos, given.out, given.scale, given.side)
    recipe = recipe_named(given.recipe)
    if given.config:
        recipe = read_recipe(given.config, recipe)
    return write_pairs(given.photos, given.out, recipe, given.scale, given.side)


if __name__ == "__main__":
    main()
