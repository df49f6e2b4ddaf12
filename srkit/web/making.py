"""One job: a photo, or a part of it, by some models, into files; in the worker's process."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from srkit.errors import WeightsError
from srkit.evaluation.comparison import Comparison, flat
from srkit.evaluation.gaze import Part
from srkit.imaging.files.formats import DEEP
from srkit.imaging.files.reading import read_image
from srkit.imaging.files.writing import save_image
from srkit.imaging.image import Image
from srkit.models.loading import card, load
from srkit.models.weights import absent
from srkit.upscaling.forecast import seconds_per_pixel
from srkit.upscaling.upscaler import Upscaler
from srkit.web.clock import Clock, Tell
from srkit.web.kinds import instead_of

log = logging.getLogger(__name__)

# Pictures of more pixels are shrunk for the browser: a phone holds two of them at once.
MOST_SHOWN = 16_000_000
# Where sliders begin: what files need not be told apart by.
_USUAL = {"denoise": "auto", "perception": 1.0}
Told = dict[str, Any]
# What models took last in this process: pixels and seconds, by name and scale. A tile of one
# moment says little on a machine with other work.
_TOOK: dict[tuple[str, int], tuple[int, float]] = {}
# Of a picture of up to so many times as many pixels, or as few, that is a forecast.
_LIKE = 8


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
        how many seconds, or None. And with ``finished`` whenever a model is: what is returned, but
        for ``page``, since what is finished is kept when the job is given up.
    own
        Models that were handed over, by their names. All others are loaded.

    Returns
    -------
    dict
        ``before``, ``page``: names of files. ``results``: of each model its name, ``settings``
        that were chosen, ``file``, which has them in its name, ``shown`` (what a browser shows),
        ``size``, ``seconds`` and what was ``decided``. ``missing``: why some are not there.

    Raises
    ------
    WeightsError
        If no model can be loaded. Where some can, the job goes on with those.
    """
    tell({"doing": "reading the photo", "done": 0.0, "left": None})
    image = read_image(photo, max_pixels=max_pixels)
    look = Part(*part)
    if only:
        image, look = _cut(image, look), Part(0, 0, look.width, look.height)
    stem = Path(photo).stem + ("_part" if only else "")
    before = Path(folder, f"{stem}_before.png")
    save_image(Image(flat(image)), before)
    upscalers, missing = _all_loaded(models, scale, own, tell)
    height, width = image.pixels.shape[:2]
    told: Told = {
        "before": before.name,
        "look": look.box,
        "size": [width, height],
        "missing": missing,
        "results": [],
    }
    pixels = height * width
    clock = Clock(_expected(upscalers, pixels, tell), tell)
    results = {}
    for name, upscaler in upscalers.items():
        settings = _settings(dict(models)[name])
        begun = time.perf_counter()
        results[name] = upscaler.upscale(image, progress=clock.of(name))
        seconds = time.perf_counter() - begun
        _TOOK[name, scale] = pixels, seconds
        called = "_".join([stem, name, *map("".join, settings.items())])
        written = _written(results[name], Path(folder, f"{called}_x{scale}"))
        told["results"].append({"model": name, "settings": settings, "seconds": seconds, **written})
        tell({"finished": told})
    tell({"doing": "writing the page", "done": 1.0, "left": None})
    page = Path(folder, f"{stem}_comparison.html")
    Comparison(image, scale, results, crop=look.box).to_html(page)
    return told | {"page": page.name, "page_bytes": page.stat().st_size}


def _cut(image: Image, part: Part) -> Image:
    rows = slice(part.top, part.top + part.height)
    columns = slice(part.left, part.left + part.width)
    return replace(image, pixels=np.ascontiguousarray(image.pixels[rows, columns]))


def _written(image: Image, path: Path) -> Told:
    """Write a result to a path, which gets its suffix here; what there is to know of its file."""
    # PNG, but for CMYK.
    suffix = next(form.suffixes[0] for form in DEEP if image.metadata.mode in form.modes)
    # Not by with_suffix, as settings have points.
    file = path.with_name(path.name + suffix)
    image.save(file)
    height, width = image.pixels.shape[:2]
    shown = file
    if suffix != ".png" or width * height > MOST_SHOWN:
        shown = path.with_name(f"{path.name}_shown.png")
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


def _settings(options: Mapping[str, Any]) -> dict[str, str]:
    """Options that were chosen, as a result is told apart by them; not those a model begins with.

    Examples
    --------
    >>> _settings({"denoise": "auto", "perception": 1.0}), _settings({"denoise": 0.25})
    ({}, {'denoise': '0.25'})
    """
    chosen = {name: value for name, value in options.items() if value != _USUAL.get(name)}
    return {name: f"{value:g}" for name, value in chosen.items()}


def _all_loaded(
    models: Sequence[tuple[str, dict[str, Any]]],
    scale: int,
    own: Mapping[str, Upscaler],
    tell: Tell,
) -> tuple[dict[str, Upscaler], list[str]]:
    """Models, and why others are missing; an error where all are."""
    upscalers, missing = {}, []
    for name, options in models:
        try:
            upscalers[name] = own[name] if name in own else _loaded(name, scale, options, tell)
        except WeightsError as error:
            missing.append(str(error))
    if not upscalers:
        here = instead_of([name for name, _ in models], scale)
        raise WeightsError(f"{'; '.join(missing)}; tick {here}, which is here")
    return upscalers, missing


def _loaded(name: str, scale: int, options: dict[str, Any], tell: Tell) -> Upscaler:
    """A model; one that is not on this machine is downloaded, or a short word says that it was not.

    Raises
    ------
    WeightsError
        If it cannot be downloaded.
    """
    weights = card(name).weights.get(scale)
    missing = [file for file in absent([weights] if weights else []) if file.downloaded]
    if not missing:
        tell({"doing": f"loading {name}", "done": 0.0, "left": None})
        return load(name, scale=scale, **options)
    size = sum(file.size or 0 for file in missing) / 1e6
    tell({"doing": f"downloading {name}, {size:.0f} MB", "done": 0.0, "left": None})
    try:
        return load(name, scale=scale, **options)
    except WeightsError as error:
        log.warning("%s", error)
        raise WeightsError(f"{name} could not be downloaded") from error


def _expected(upscalers: Mapping[str, Upscaler], pixels: int, tell: Tell) -> dict[str, float]:
    """Seconds that models are going to take, by what they took last, or timed on a tile."""
    expected = {}
    for name, upscaler in upscalers.items():
        before, took = _TOOK.get((name, upscaler.scale), (0, 0.0))
        if before / _LIKE <= pixels <= before * _LIKE:
            expected[name] = max(1e-3, took * pixels / before)
            continue
        tell({"doing": f"timing {name}", "done": 0.0, "left": None})
        expected[name] = max(1e-3, pixels * seconds_per_pixel(upscaler))
    return expected
