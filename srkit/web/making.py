"""One job: a photo, or a part of it, by some models, into files; in the worker's process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from srkit.evaluation.comparison import Comparison, flat
from srkit.evaluation.gaze import Part
from srkit.imaging.files.formats import DEEP
from srkit.imaging.files.reading import read_image
from srkit.imaging.files.writing import save_image
from srkit.imaging.image import Image
from srkit.models.loading import load
from srkit.upscaling.forecast import seconds_per_pixel
from srkit.upscaling.upscaler import Upscaler

# Pictures of more pixels are shrunk for the browser: a phone holds two of them at once.
MOST_SHOWN = 16_000_000
Told = dict[str, Any]
Tell = Callable[[Told], None]


def made(
    photo: str,
    models: Sequence[tuple[str, dict[str, Any]]],
    scale: int,
    folder: str,
    part: tuple[int, int, int, int],
    only: bool,
    max_pixels: int,
    tell: Tell,
    own: Mapping[str, Upscaler] = MappingProxyType({}),
) -> Told:
    """Upscale a photo by models, and write what came of it.

    Parameters
    ----------
    photo
        A file of at most `max_pixels`.
    models
        Names, and the options of each.
    folder
        Where files are written.
    part
        Left, top, width and height of what is looked at, in pixels of the photo.
    only
        Whether nothing else is upscaled.
    tell
        Called with ``doing``, the name of a model; ``done``, a share of the whole; ``left``, about
        how many seconds, or None.
    own
        Models that were handed over, by their names. All others are loaded.

    Returns
    -------
    dict
        ``before``, ``page``: names of files. ``results``: of each model its name, ``file``,
        ``shown`` (what a browser shows), ``size``, ``seconds`` and what was ``decided``.
    """
    tell({"doing": "reading the photo", "done": 0.0, "left": None})
    image = read_image(photo, max_pixels=max_pixels)
    look = Part(*part)
    if only:
        image, look = _cut(image, look), Part(0, 0, look.width, look.height)
    stem = Path(photo).stem + ("_part" if only else "")
    before = Path(folder, f"{stem}_before.png")
    save_image(Image(flat(image)), before)
    upscalers = {}
    for name, options in models:
        tell({"doing": f"loading {name}", "done": 0.0, "left": None})
        upscalers[name] = own[name] if name in own else load(name, scale=scale, **options)
    clock = _Clock(upscalers, image.pixels.shape[0] * image.pixels.shape[1], tell)
    results, told = {}, []
    for name, upscaler in upscalers.items():
        begun = time.perf_counter()
        results[name] = upscaler.upscale(image, progress=clock.of(name))
        seconds = time.perf_counter() - begun
        clock.finish(name)
        told.append(
            {
                "model": name,
                "seconds": seconds,
                **_written(results[name], stem, name, scale, folder),
            }
        )
    tell({"doing": "writing the page", "done": 1.0, "left": None})
    page = Path(folder, f"{stem}_comparison.html")
    Comparison(image, scale, results, crop=look.box).to_html(page)
    return {
        "before": before.name,
        "page": page.name,
        "page_bytes": page.stat().st_size,
        "look": look.box,
        "size": [image.pixels.shape[1], image.pixels.shape[0]],
        "results": told,
    }


def _cut(image: Image, part: Part) -> Image:
    rows = slice(part.top, part.top + part.height)
    columns = slice(part.left, part.left + part.width)
    return replace(image, pixels=np.ascontiguousarray(image.pixels[rows, columns]))


def _written(image: Image, stem: str, name: str, scale: int, folder: str) -> Told:
    """Write a result; what there is to know of its file."""
    # PNG, but for CMYK.
    suffix = next(form.suffixes[0] for form in DEEP if image.metadata.mode in form.modes)
    file = Path(folder, f"{stem}_{name}_x{scale}{suffix}")
    image.save(file)
    height, width = image.pixels.shape[:2]
    shown = file
    if suffix != ".png" or width * height > MOST_SHOWN:
        shown = Path(folder, f"{stem}_{name}_x{scale}_shown.png")
        picture = Image(flat(image)).to_pil()
        factor = min(1.0, (MOST_SHOWN / (width * height)) ** 0.5)
        size = max(1, int(width * factor)), max(1, int(height * factor))
        save_image(Image(np.asarray(picture.resize(size))), shown)
    return {
        "file": file.name,
        "shown": shown.name,
        "bytes": file.stat().st_size,
        "size": [width, height],
        "decided": dict(image.metadata.decided),
    }


class _Clock:
    """How far a job is, and how long it is still going to take.

    Each model is timed on a tile; what was done then corrects the forecast.
    """

    def __init__(self, upscalers: dict[str, Upscaler], pixels: int, tell: Tell) -> None:
        self._tell, self._begun = tell, 0.0
        self._expected: dict[str, float] = {}
        for name, upscaler in upscalers.items():
            tell({"doing": f"timing {name}", "done": 0.0, "left": None})
            self._expected[name] = max(1e-3, pixels * seconds_per_pixel(upscaler))
        self._whole = sum(self._expected.values())
        self._behind = 0.0
        self._begun = time.perf_counter()

    def of(self, name: str) -> Callable[[int, int], None]:
        """What a model calls with pixels done, and in all."""
        self._say(name, self._behind)

        def advance(done: int, total: int) -> None:
            self._say(name, self._behind + self._expected[name] * done / max(1, total))

        return advance

    def finish(self, name: str) -> None:
        """A model is done."""
        self._behind += self._expected[name]

    def _say(self, name: str, behind: float) -> None:
        share = min(1.0, behind / self._whole)
        # At first the forecast counts, later what it took so far.
        expected, took = self._whole * share, time.perf_counter() - self._begun
        pace = 1.0 if expected == 0 else share * took / expected + (1 - share)
        left = self._whole * (1 - share) * pace
        self._tell({"doing": name, "done": round(share, 4), "left": round(left, 1)})
