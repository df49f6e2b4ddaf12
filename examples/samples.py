"""Pictures of 256x256 pixels to compare models on; sheets show the middle 128x128, or all.

Details of photos that no model of srkit was trained on (those of `srkit.training.data.reserved`,
and scikit-image's), and what is drawn here. Credits stand in docs/which-model.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from skimage import data

import srkit

Picture = NDArray[np.uint8]
SIDE, SHOWN = 256, 128


def middle(picture: Picture) -> Picture:
    """What of a sample is shown."""
    edge = (SIDE - SHOWN) // 2
    return picture[edge : edge + SHOWN, edge : edge + SHOWN]


def _photo(name: str, shrunk: int, top: int, left: int) -> Callable[[Path], Picture]:
    """A detail of a photo of the folder, which is shrunk before."""

    def read(photos: Path) -> Picture:
        whole = np.asarray(Image.open(photos / name).convert("RGB"))
        return _detail(srkit.imresize(whole, 1 / shrunk) if shrunk > 1 else whole, top, left)

    return read


def _grey(read: Callable[[Path], Picture]) -> Callable[[Path], Picture]:
    """The same without colours, as old photos are."""

    def grey(photos: Path) -> Picture:
        return np.asarray(Image.fromarray(read(photos)).convert("L").convert("RGB"))

    return grey


def _scikit(name: str, top: int, left: int) -> Callable[[Path], Picture]:
    """A detail of a photo of scikit-image."""

    def read(photos: Path) -> Picture:
        whole = getattr(data, name)()
        if whole.ndim == 2:
            whole = np.stack([whole] * 3, axis=-1)
        return _detail(whole, top, left)

    return read


def _detail(whole: Picture, top: int, left: int) -> Picture:
    return np.ascontiguousarray(whole[top : top + SIDE, left : left + SIDE])


def _page(photos: Path) -> Picture:
    """Scanned lines, twice as large as they come, so that letters can be read in a quarter."""
    lines = data.page()[18 : 18 + SIDE // 2, 60 : 60 + SIDE // 2]
    return np.stack([srkit.imresize(lines, 2)] * 3, axis=-1)


def _screenshot(photos: Path) -> Picture:
    """A window: title, lines of text, a button, a chart; letters as small as on screens."""
    page = Image.new("RGB", (SIDE, SIDE), "#f4f5f7")
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, SIDE, 56), fill="#2d5d8c")
    draw.text((16, 8), "Export image", "white", font_size=34)
    for number, line in enumerate(("portrait.jpg", "Size: 640 x 480", "Quality: 85 %")):
        draw.text((16, 66 + 38 * number), line, "#202428", font_size=32)
    draw.rounded_rectangle((16, 190, 116, 240), 8, fill="#3d9a50")
    draw.text((30, 194), "Save", "white", font_size=34)
    draw.line((140, 186, 140, 240, 244, 240), "#707880", 2)
    draw.line((140, 236, 164, 208, 188, 220, 212, 192, 240, 200), "#d0402b", 3)
    return np.asarray(page)


def _drawing(photos: Path) -> Picture:
    """A face in lines and flat colours, drawn large and shrunk, so that its edges are smooth."""
    times = 4
    page = Image.new("RGB", (SIDE * times, SIDE * times), "#bfe3ee")
    draw = ImageDraw.Draw(page)

    def at(*points: float) -> list[float]:
        return [times * point for point in points]

    line = {"outline": "#30211c", "width": 2 * times}
    draw.ellipse(at(60, 44, 196, 190), fill="#6b3d2e", **line)
    draw.polygon(at(108, 176, 148, 176, 152, 216, 104, 216), fill="#f3c9a8", **line)
    draw.polygon(at(60, 256, 84, 204, 128, 222, 172, 204, 196, 256), fill="#c8453b", **line)
    draw.ellipse(at(78, 70, 178, 192), fill="#f7d3b5", **line)
    draw.pieslice(at(70, 46, 186, 150), 180, 360, fill="#6b3d2e", **line)
    for hair in range(5):
        left = 84 + 18 * hair
        draw.line(at(left, 96, left + 8, 76, left + 26, 60), "#30211c", times)
    for eye in (104, 152):
        draw.ellipse(at(eye - 12, 112, eye + 12, 138), fill="white", **line)
        draw.ellipse(at(eye - 7, 115, eye + 7, 137), fill="#3a7d6b", **line)
        draw.ellipse(at(eye - 3, 118, eye + 3, 130), fill="#101010")
        draw.ellipse(at(eye - 5, 117, eye - 1, 122), fill="white")
        draw.arc(at(eye - 14, 98, eye + 14, 124), 205, 335, "#30211c", 2 * times)
    draw.line(at(128, 138, 124, 152, 130, 153), "#a8705a", 2 * times)
    draw.arc(at(110, 146, 146, 174), 25, 155, "#8c2f2f", 3 * times)
    return np.asarray(page.resize((SIDE, SIDE), Image.Resampling.BOX))


# How each sample is got, given the folder of photos.
SAMPLES: Mapping[str, Callable[[Path], Picture]] = {
    "astronaut": _scikit("astronaut", 0, 96),
    "freckles": _photo("0036.jpg", 3, 40, 125),
    "old": _grey(_photo("0036.jpg", 2, 70, 270)),
    "sun": _photo("0292.jpg", 1, 0, 80),
    "trees": _photo("0400.jpg", 2, 150, 500),
    "page": _page,
    "graffiti": _photo("0145.jpg", 1, 90, 110),
    "dome": _photo("0220.jpg", 1, 40, 180),
    "city": _photo("0364.jpg", 1, 200, 250),
    "cat": _scikit("chelsea", 20, 80),
    "camera": _scikit("camera", 60, 120),
    "pizza": _photo("0256.jpg", 1, 120, 130),
    "stone": _photo("0328.jpg", 1, 200, 20),
    "coffee": _scikit("coffee", 100, 100),
    "screenshot": _screenshot,
    "drawing": _drawing,
}
