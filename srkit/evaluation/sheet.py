"""Draw pictures side by side: whole, and a detail of each enlarged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage
from PIL import ImageDraw, ImageFont

from srkit.evaluation.gaze import Part

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont

PAPER, INK, FAINT, BEST, MARK = "#ffffff", "#16181d", "#626873", "#0a7a3b", "#ffd400"
MARGIN, GAP = 28, 18
MAX_WIDTH, MAX_HEIGHT = 4000, 2400  # pixels of a sheet's width, and of one panel's height
COLUMNS = 6  # most panels beside each other
NARROWEST = 256  # pixels that a column has at least, for its text
ZOOM = 3


@dataclass(frozen=True)
class Panel:
    """One picture and what is written at it.

    Attributes
    ----------
    title
        Its name.
    picture
        uint8, ``(H, W)`` or ``(H, W, 3)``; all panels of a sheet have one size.
    lines
        Pairs of a line below it, and whether that line is to stand out.
    """

    title: str
    picture: NDArray[np.uint8]
    lines: tuple[tuple[str, bool], ...] = ()


@dataclass(frozen=True)
class Layout:
    """Sizes of everything on a sheet, in pixels.

    Attributes
    ----------
    columns
        Panels in a row.
    column
        Width of a column.
    panel
        Width and height at which the whole pictures are shown.
    box
        Left, top, right and bottom, in the pictures, of the enlarged detail.
    zoom
        How much it is enlarged: whole, so that pixels stay square, or below 1.
    """

    columns: int
    column: int
    panel: tuple[int, int]
    box: tuple[int, int, int, int]
    zoom: float

    @property
    def detail(self) -> tuple[int, int]:
        """Width and height of the enlarged detail on the sheet."""
        wide, tall = self.resized
        return min(self.column, wide), tall

    @property
    def resized(self) -> tuple[int, int]:
        """Width and height of the detail as it is enlarged, which may exceed its column a bit."""
        left, top, right, bottom = self.box
        wide, tall = ((right - left) * self.zoom, (bottom - top) * self.zoom)
        return max(1, round(wide)), max(1, round(tall))

    @property
    def enlarged(self) -> str:
        """What was done to the detail, in words."""
        if self.zoom < 1:
            return f"shrunk to {self.zoom:.0%}"
        return "pixel by pixel" if self.zoom == 1 else f"{self.zoom:.0f} times enlarged"

    @property
    def title_size(self) -> int:
        """Type size of names."""
        return min(max(self.column // 16, 18), 36)

    @property
    def text_size(self) -> int:
        """Type size of everything else."""
        return round(self.title_size * 0.75)


def lay_out(count: int, picture: tuple[int, int], part: Part, *, whole: bool = False) -> Layout:
    """Choose sizes for `count` pictures of ``(width, height)`` `picture`.

    Parameters
    ----------
    count, picture
        How many, and how large in pixels.
    part
        What is to be seen in the enlarged detail. Of a face that is a square, enlarged less where
        eyes and mouth take the room, but always more than the whole picture.
    whole
        Whether the detail is exactly `part`, however large; else its middle is.

    Examples
    --------
    >>> lay_out(2, (600, 400), Part(300, 100, 60, 40), whole=True).box
    (300, 100, 360, 140)
    """
    width, height = picture
    rows = math.ceil(count / COLUMNS)
    columns = math.ceil(count / rows)
    room = (MAX_WIDTH - 2 * MARGIN - (columns - 1) * GAP) // columns
    # Whole pictures shrink to the room, and tiny ones are repeated pixel by pixel.
    factor = min(1.0, room / width, MAX_HEIGHT / height)
    if factor == 1:
        factor = max(1, min(NARROWEST // width, NARROWEST // height))
    panel = max(1, round(width * factor)), max(1, round(height * factor))
    column = max(panel[0], NARROWEST)
    if whole:
        most = min(column / part.width, MAX_HEIGHT / part.height)
        box = (part.left, part.top, part.left + part.width, part.top + part.height)
        return Layout(columns, column, panel, box, math.floor(most) if most > 1 else most)
    zoom, size = _detail(part, column, factor)
    size = min(width, size[0]), min(height, size[1])
    left, top = (
        min(max(0, round(centre - length / 2)), side - length)
        for centre, length, side in zip(part.centre, size, picture, strict=True)
    )
    return Layout(columns, column, panel, (left, top, left + size[0], top + size[1]), zoom)


def _detail(part: Part, column: int, factor: float) -> tuple[int, tuple[int, int]]:
    """How much a detail is enlarged, and its width and height in the picture.

    `factor` is how much the whole picture is.
    """
    zoom = max(ZOOM, 2 * math.ceil(factor))
    face = part.features
    if face is None:
        return zoom, (math.ceil(column / zoom), math.ceil(0.75 * column / zoom))
    least = math.floor(factor) + 1
    while zoom > least and zoom * max(face.width, face.height) > column:
        zoom -= 1
    side = math.ceil(column / zoom)
    return zoom, (side, side)


def draw(panels: Sequence[Panel], layout: Layout, footer: str) -> PILImage.Image:
    """Draw a sheet.

    Parameters
    ----------
    panels
        Pictures of one size.
    layout
        From `lay_out`.
    footer
        What the figures mean, at the foot of the sheet.

    Returns
    -------
    PIL.Image.Image
        RGB.
    """
    title, text = _font(layout.title_size), _font(layout.text_size)
    most = max(len(panel.lines) for panel in panels)
    leading = round(layout.text_size * 1.4)
    head = round(layout.title_size * 1.55)
    cell = head + layout.panel[1] + GAP // 2 + layout.detail[1] + GAP // 2 + most * leading
    rows = math.ceil(len(panels) / layout.columns)
    width = 2 * MARGIN + layout.columns * layout.column + (layout.columns - 1) * GAP
    note = _wrapped(footer, text, width - 2 * MARGIN)
    height = 2 * MARGIN + rows * cell + (2 * rows - 1) * GAP + len(note) * leading
    sheet = PILImage.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(sheet)
    for number, panel in enumerate(panels):
        row, column = divmod(number, layout.columns)
        x = MARGIN + column * (layout.column + GAP)
        y = MARGIN + row * (cell + 2 * GAP)
        pen.text((x, y), _shortened(panel.title, title, layout.column), INK, title)
        bottom = _pictures(sheet, panel, layout, (x, y + head))
        for line, best in panel.lines:
            pen.text((x, bottom), line, BEST if best else INK, text)
            bottom += leading
    for number, line in enumerate(note):
        y = height - MARGIN - (len(note) - number) * leading
        pen.text((MARGIN, y), line, FAINT, text)
    return sheet


def _pictures(sheet: PILImage.Image, panel: Panel, layout: Layout, at: tuple[int, int]) -> int:
    """Put the whole picture and its detail below each other; returns where they end."""
    x, y = at
    picture = PILImage.fromarray(panel.picture).convert("RGB")
    whole, pen = layout.panel, ImageDraw.Draw(sheet)
    factor = whole[0] / picture.width
    shrunk = PILImage.Resampling.LANCZOS if factor < 1 else PILImage.Resampling.NEAREST
    sheet.paste(picture.resize(whole, shrunk), (x, y))
    box = [round(side * factor) for side in layout.box]
    frame = (x + box[0], y + box[1], x + box[2] - 1, y + box[3] - 1)
    pen.rectangle((frame[0] - 1, frame[1] - 1, frame[2] + 1, frame[3] + 1), outline=INK, width=4)
    pen.rectangle(frame, outline=MARK, width=2)
    y += whole[1] + GAP // 2
    wide, tall = layout.detail
    resampling = PILImage.Resampling.LANCZOS if layout.zoom < 1 else PILImage.Resampling.NEAREST
    enlarged = picture.crop(layout.box).resize(layout.resized, resampling)
    sheet.paste(enlarged.crop((0, 0, wide, tall)), (x, y))
    pen.rectangle((x, y, x + wide - 1, y + tall - 1), outline=MARK, width=2)
    return y + tall + GAP // 2


def _font(size: int) -> Font:
    return ImageFont.load_default(size=size)


def _shortened(text: str, font: Font, width: int) -> str:
    """A text that fits into `width`: its middle is left out where it does not."""
    if font.getlength(text) <= width:
        return text
    for kept in range(len(text) // 2, 0, -1):
        short = f"{text[:kept]}…{text[-kept:]}"
        if font.getlength(short) <= width:
            return short
    return "…"


def _wrapped(text: str, font: Font, width: int) -> list[str]:
    """Lines of whole words that fit into `width`."""
    lines: list[str] = []
    for word in text.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
