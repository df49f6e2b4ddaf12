"""A comparison as HTML: a before/after slider and zoom in step, by CSS alone."""

from __future__ import annotations

import base64
import hashlib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources

from PIL import Image as PILImage

from srkit.evaluation.sheet import Panel

NOTEBOOK_BYTES = 300_000  # of HTML that a notebook keeps for one comparison
PAGE_PIXELS = 4_000_000  # of one picture on a page of its own; larger ones are shrunk
_PAGE_SIDE = 16_383  # WebP's limit
_SIDES = (640, 512, 400, 320, 256, 192, 128, 96, 64, 48, 32, 16, 8)
_QUALITY = 85
_ZOOMS = (1, 2, 4)
# Places to zoom at: at the highest they still overlap.
_ROWS = ("top", "upper half", "middle", "lower half", "bottom")
_COLUMNS = ("far left", "left", "centre", "right", "far right")
_MAP = 84  # pixels of a screen that their map is high
_STRIP_SIDE, _STRIP_COLUMNS = 160, 6  # of the pictures that are seen without styles
_LONGEST = 80  # characters of a name that are shown
_NARROWEST, _WIDEST = 480, 1100  # pixels of a screen that the slider takes


@dataclass(frozen=True)
class View:
    """What is shown.

    Attributes
    ----------
    title
        What was done.
    panels
        The pictures, of one size; the second and the third begin in the slider.
    note
        What the figures mean.
    centre
        Where zooming begins, as shares of width and height.
    what
        What is there: ``"face"``, ``"middle"`` or ``"part"``.
    shown
        The share of both sides that is to be seen at first; it begins at the highest zoom that
        shows as much.
    """

    title: str
    panels: Sequence[Panel]
    note: str
    centre: tuple[float, float] = (0.5, 0.5)
    what: str = "middle"
    shown: float = 1.0


def for_notebook(view: View) -> str:
    """HTML for a notebook's output, of at most `NOTEBOOK_BYTES` bytes.

    Pictures are WebP of quality 85, shrunk until all fit. (With hundreds of models
    their names alone may take more.)

    Examples
    --------
    >>> import numpy as np
    >>> html = for_notebook(View("x2", [Panel("a<b", np.zeros((8, 8, 3), np.uint8))], ""))
    >>> len(html) < NOTEBOOK_BYTES, "a&lt;b" in html, "<script" in html
    (True, True, False)
    """
    html = ""
    for side in _SIDES:
        pictures = [_webp(_within(panel, side)) for panel in view.panels]
        html = _fragment(view, pictures, side, _unstyled(view.panels, min(_STRIP_SIDE, side)))
        if len(html.encode()) <= NOTEBOOK_BYTES:
            break
    return html


def page(view: View) -> str:
    """A whole page that needs nothing else, with pictures as they are.

    Pictures are lossless WebP. Those of more than `PAGE_PIXELS` pixels are shrunk, and
    the page says so.

    Examples
    --------
    >>> import numpy as np
    >>> html = page(View("x2", [Panel("a", np.zeros((8, 8, 3), np.uint8))], ""))
    >>> html.startswith("<!DOCTYPE html>"), "http" in html.replace("http-equiv", "")
    (True, False)
    """
    height, width = view.panels[0].picture.shape[:2]
    factor = min(1.0, math.sqrt(PAGE_PIXELS / (width * height)), _PAGE_SIDE / max(width, height))
    side = math.floor(max(width, height) * factor)
    pictures = [_webp(_within(panel, side), lossless=True) for panel in view.panels]
    # The policy lets the browser fetch nothing and run nothing, whatever a title holds.
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>srkit: {escape(view.title)}</title>\n"
        "<style>body{margin:0;background:#fff}.srkit-compare{margin:0 auto!important}</style>\n"
        f"</head><body>\n{_fragment(view, pictures, side)}\n</body></html>\n"
    )


def _fragment(view: View, pictures: Sequence[bytes], side: int, unstyled: str = "") -> str:
    """The viewer with encoded pictures, whose longer side is at most `side`.

    `unstyled` is what is seen where the styles are taken away.
    """
    height, width = view.panels[0].picture.shape[:2]
    # The name keeps its rules from those of other comparisons in one notebook.
    digest = hashlib.sha256(b"".join(pictures) + repr((view.title, width)).encode())
    name = f"srkit-{digest.hexdigest()[:12]}"
    left, right = _first_two(view.panels)
    note = view.note
    if max(width, height) > side:
        note = f"{note} The pictures are shown shrunk to at most {side} pixels a side.".strip()
    count = range(len(view.panels))
    # dialog: without one around it, sending this form does nothing at all.
    return "\n".join(
        [
            f'<form method="dialog" autocomplete="off" class="srkit-compare {name}">',
            f"<style>{_style()}\n{_rules(name, pictures, (width, height))}\n"
            f"{_places(name, view.centre)}</style>",
            f"<p><strong>{escape(view.title)}</strong></p>",
            unstyled,
            '<div class="controls">',
            _choice("left of the divider", "left", _names(view.panels), "l", left),
            _choice("right of the divider", "right", _names(view.panels), "r", right),
            _choice(
                "zoom, all pictures", "zoom", [f"{z}x" for z in _ZOOMS], "z", _zoom(view), _ZOOMS
            ),
            _map(view.what),
            "</div>",
            '<div class="stage"><div class="frame" tabindex="0">',
            '<div class="right picture"></div>',
            '<div class="cut"><div class="grip"></div>',
            '<div class="half"><div class="left picture"></div></div></div>',
            '<span class="hint drag">drag the yellow line</span></div>',
            *(_tag(view.panels[k], k, which) for which in ("left", "right") for k in count),
            '<span class="hint swipe">swipe the picture to the right and left</span></div>',
            '<div class="panes">',
            *(_pane(view.panels[k], k) for k in count),
            "</div>",
            f'<p class="note">{escape(note)}</p>',
            "</form>",
        ]
    )


def _unstyled(panels: Sequence[Panel], side: int) -> str:
    """All pictures on one strip: Jupyter shows no styles of notebooks that it does not trust."""
    small = [_within(panel, side) for panel in panels]
    columns = min(len(small), _STRIP_COLUMNS)
    width, height = small[0].size
    strip = PILImage.new("RGB", (width * columns, height * math.ceil(len(small) / columns)), "#fff")
    for k, picture in enumerate(small):
        strip.paste(picture, (k % columns * width, k // columns * height))
    data = base64.b64encode(_webp(strip)).decode()
    names = escape(", ".join(_names(panels)))
    return (
        f'<p class="unstyled"><img src="data:image/webp;base64,{data}" alt="{names}"><br>'
        f"{names}. For the slider trust this notebook, or run the cell.</p>"
    )


def _style() -> str:
    return resources.files("srkit.evaluation").joinpath("viewer.css").read_text(encoding="utf-8")


def _rules(name: str, pictures: Sequence[bytes], size: tuple[int, int]) -> str:
    """What is of this comparison alone: its shape, its pictures, each of them once."""
    width, height = size
    widest = min(_WIDEST, max(_NARROWEST, width))
    ratio = width / height
    rules = [
        f".{name}{{--tall:calc(100cqw / {ratio:.6f})}}",
        # Not higher than a screen.
        f".{name} .stage{{max-width:min({widest}px, calc(85vh * {ratio:.6f}))}}",
        f".{name} .pane{{aspect-ratio:{width}/{height}}}",
        f".{name} .map{{--wide:{_MAP * min(1.5, max(0.8, ratio)):.0f}px;"
        f"--high:{_MAP * min(1.0, max(0.7, 1.5 / ratio)):.0f}px}}",
    ]
    for k, picture in enumerate(pictures):
        chosen = [f".{name}:has(.l{k}:checked) .left", f".{name}:has(.r{k}:checked) .right"]
        data = base64.b64encode(picture).decode()
        small = [f".{name} .map"] if k == 0 else []
        where = ",".join([f".{name} .p{k}", *chosen, *small])
        rules.append(f'{where}{{background-image:url("data:image/webp;base64,{data}")}}')
        tags = [f".{name}:has(.{c}{k}:checked) .{c}tag{k}" for c in "lr"]
        rules.append(f"{','.join(tags)}{{display:block}}")
    return "\n".join(rules)


def _choice(
    legend: str,
    name: str,
    labels: Sequence[str],
    css: str,
    chosen: int,
    values: Sequence[int] | None = None,
) -> str:
    """Radio buttons in a row, of classes `css` and a value."""
    buttons = "".join(
        f'<label><input type="radio" name="{name}" class="{css}{value}"'
        f"{' checked' if k == chosen else ''}>{escape(label)}</label>"
        for k, (label, value) in enumerate(zip(labels, values or range(len(labels)), strict=True))
    )
    return f'<fieldset><legend>{legend}</legend><div class="row">{buttons}</div></fieldset>'


def _zoom(view: View) -> int:
    """Which zoom it begins with."""
    return max(k for k, zoom in enumerate(_ZOOMS) if zoom == 1 or 1 / zoom >= view.shown)


def _map(what: str) -> str:
    """Radio buttons for where to zoom at: where it begins, and places in a square."""
    buttons = "".join(
        f'<input type="radio" name="where" class="x{x} y{y}" '
        f'title="{row}, {column}" aria-label="{row}, {column}">'
        for y, row in enumerate(_ROWS)
        for x, column in enumerate(_COLUMNS)
    )
    first = f'<label><input type="radio" name="where" class="here" checked>{escape(what)}</label>'
    return (
        '<fieldset><legend>zoom at</legend><div class="row where">'
        f'{first}<div class="map">{buttons}</div></div></fieldset>'
    )


def _places(name: str, centre: tuple[float, float]) -> str:
    """At each zoom, where pictures lie for what it begins with to be in the middle."""
    rules = []
    for zoom in _ZOOMS[1:]:
        shown = 1 / zoom
        across, down = (
            100 * min(max((share - shown / 2) / (1 - shown), 0.0), 1.0) for share in centre
        )
        chosen = f".{name}:has(.here:checked):has(.z{zoom}:checked)"
        rules.append(f"{chosen}{{--x:{across:.2f}%;--y:{down:.2f}%}}")
    return "\n".join(rules)


def _tag(panel: Panel, k: int, which: str) -> str:
    return f'<span class="tag at-{which} {which[0]}tag{k}">{escape(_short(panel.title))}</span>'


def _pane(panel: Panel, k: int) -> str:
    title = escape(_short(panel.title))
    lines = "".join(
        f"<span{' class=best' if best else ''}>{escape(line)}</span>" for line, best in panel.lines
    )
    return (
        f'<figure><div class="pane picture p{k}" role="img" aria-label="{title}"></div>'
        f"<figcaption><b>{title}</b>{lines}</figcaption></figure>"
    )


def _names(panels: Sequence[Panel]) -> list[str]:
    return [_short(panel.title) for panel in panels]


def _short(name: str) -> str:
    if len(name) <= _LONGEST:
        return name
    half = _LONGEST // 2
    return f"{name[:half]}…{name[-half:]}"


def _first_two(panels: Sequence[Panel]) -> tuple[int, int]:
    """Where the slider begins: behind the input, which comes first, where there are two more."""
    last = len(panels) - 1
    return (1, 2) if last > 1 else (0, last)


def _within(panel: Panel, side: int) -> PILImage.Image:
    """The picture, shrunk where its longer side is more than `side`."""
    picture = PILImage.fromarray(panel.picture).convert("RGB")
    longer = max(picture.size)
    if longer <= side:
        return picture
    # Rounded down, or there would be more pixels than were asked for.
    width, height = (max(1, length * side // longer) for length in picture.size)
    return picture.resize((width, height), PILImage.Resampling.LANCZOS)


def _webp(picture: PILImage.Image, *, lossless: bool = False) -> bytes:
    file = io.BytesIO()
    # Lossless, quality is the effort: little, since most of the gain comes first.
    options = {"quality": 25, "method": 2} if lossless else {"quality": _QUALITY, "method": 4}
    picture.save(file, "WEBP", lossless=lossless, **options)
    return file.getvalue()
