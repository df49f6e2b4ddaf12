"""Draw pictures side by side: whole, and a detail of each enlarged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage
from PIL import ImageDraw, ImageFont

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
        How much it is enlarged.
    """

    columns: int
    column: int
    panel: tuple[int, int]
    box: tuple[int, int, int, int]
    zoom: int

    @property
    def detail(self) -> tuple[int, int]:
        """Width and height of the enlarged detail on the sheet."""
        left, top, right, bottom = self.box
        return min(self.column, (right - left) * self.zoom), (bottom - top) * self.zoom

    @property
    def title_size(self) -> int:
        """Type size of names."""
        return min(max(self.column // 16, 18), 36)

    @property
    def text_size(self) -> int:
        """Type size of everything else."""
        return round(self.title_size * 0.75)


def lay_out(count: int, picture: tuple[int, int], detail_at: NDArray[np.float64]) -> Layout:
    """Choose sizes for `count` pictures of ``(width, height)`` `picture`.

    Parameters
    ----------
    count, picture
        How many, and how large in pixels.
    detail_at
        How much there is to see in each part of the picture, on a grid of any
        resolution: where its sum is largest, the enlarged detail is taken.
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
    zoom = max(ZOOM, 2 * math.ceil(factor))
    size = min(width, math.ceil(column / zoom)), min(height, math.ceil(0.75 * column / zoom))
    left, top = richest(detail_at, picture, size)
    return Layout(columns, column, panel, (left, top, left + size[0], top + size[1]), zoom)


def richest(
    detail: NDArray[np.float64], picture: tuple[int, int], size: tuple[int, int]
) -> tuple[int, int]:
    """Left and top of the part of a picture that has most detail.

    Parameters
    ----------
    detail
        Amount of detail on a grid of any resolution that spans the picture.
    picture, size
        Width and height of the picture, and of the part.

    Examples
    --------
    >>> detail = np.zeros((4, 6))
    >>> detail[2, 4] = 1
    >>> left, top = richest(detail, (60, 40), (20, 20))
    >>> left <= 40 and top <= 20 and left + 20 >= 50 and top + 20 >= 30
    True
    """
    rows, columns = detail.shape
    tall = max(1, size[1] * rows // picture[1])
    wide = max(1, size[0] * columns // picture[0])
    sums = np.pad(detail, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    boxes = sums[tall:, wide:] - sums[:-tall, wide:] - sums[tall:, :-wide] + sums[:-tall, :-wide]
    y, x = np.unravel_index(int(np.argmax(boxes)), boxes.shape)
    left, top = int(x) * picture[0] // columns, int(y) * picture[1] // rows
    return min(left, picture[0] - size[0]), min(top, picture[1] - size[1])


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
    left, top, right, bottom = layout.box
    enlarged = picture.crop(layout.box).resize(
        ((right - left) * layout.zoom, (bottom - top) * layout.zoom), PILImage.Resampling.NEAREST
    )
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
