"""What the scripts that compare models share: models by name, and sheets of pictures.

Every script takes ``--use NAME=FILE``, as often as needed: weights that stand for a model, such as
newer ones for the default, or files of ``realesrgan-general`` that were not downloaded.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

import srkit
from srkit.imaging.metadata import Metadata

Picture = NDArray[np.uint8]
SCALE = 4
GAP, FOOT, LETTERS = 6, 34, 24


def add_use(parser: argparse.ArgumentParser) -> None:
    """The option, whose value is what `Models` takes."""
    parser.add_argument(
        "--use",
        action="append",
        default=[],
        type=_pair,
        metavar="NAME=FILE",
        help="weights that stand for a model",
    )


def _pair(text: str) -> tuple[str, str]:
    name, equals, file = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=FILE")
    return name, file


def from_jpeg(pixels: Picture, quality: int | None) -> srkit.Image:
    """Pixels with the quality of the file that they came from, by which the default decides."""
    return srkit.Image(pixels, Metadata("RGB", jpeg_quality=quality))


class Models:
    """Models for x4 by name, loaded once each; those for x2 alone run twice.

    A name may end with a dial that would else be set for each picture: ``photo denoise=1``.
    """

    def __init__(self, files: Sequence[tuple[str, str]] = ()) -> None:
        self._files = dict(files)
        self._loaded: dict[str, srkit.Upscaler] = {}

    def __getitem__(self, name: str) -> srkit.Upscaler:
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def _load(self, name: str) -> srkit.Upscaler:
        if name in self._files:
            return srkit.load(self._files[name], scale=SCALE)
        name, _, dial = name.partition(" denoise=")
        options = {"denoise": float(dial)} if dial else {}
        scale = SCALE if SCALE in srkit.card(name).scales else None
        return srkit.load(name, scale=scale, **options)

    def enlarge(self, name: str, small: Picture | srkit.Image) -> Picture:
        """A picture four times as large by the model of that name."""
        height, width = small.shape[:2]
        made = self[name].upscale(small, size=(SCALE * height, SCALE * width))
        return made.pixels if isinstance(made, srkit.Image) else made


def sheet(rows: Sequence[Mapping[str, Picture]], times: int) -> Image.Image:
    """Rows of pictures of one size, pixels as squares of `times`; names below the last row."""
    names = list(rows[0])
    height, width = (times * side for side in rows[0][names[0]].shape[:2])
    size = len(names) * (width + GAP) - GAP, len(rows) * (height + GAP) + FOOT
    page = Image.new("RGB", size, "white")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row.values()):
            large = Image.fromarray(picture).resize((width, height), Image.Resampling.NEAREST)
            page.paste(large, (x * (width + GAP), y * (height + GAP)))
    draw = ImageDraw.Draw(page)
    for x, name in enumerate(names):
        draw.text((x * (width + GAP) + 4, size[1] - FOOT), name, "black", font_size=LETTERS)
    return page
