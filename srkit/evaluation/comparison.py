"""`compare`: one image by several models, side by side and with figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from srkit.atomic import replacing
from srkit.errors import ImageError, OptionError
from srkit.evaluation import captions, viewer
from srkit.evaluation.gaze import Part, first_look, part_asked_for
from srkit.evaluation.labels import Models, apart, listed
from srkit.evaluation.matching import common_sides
from srkit.evaluation.scores import HEADINGS, Score, ready_together, score
from srkit.evaluation.sheet import Layout, Panel, draw, lay_out
from srkit.imaging import pil
from srkit.imaging.files.formats import named
from srkit.imaging.files.reading import read_image
from srkit.imaging.files.sources import is_encoded
from srkit.imaging.files.writing import save_image
from srkit.imaging.image import Image
from srkit.imaging.planes import read_planes
from srkit.metrics import STANDARD, Protocol
from srkit.tables import text_table
from srkit.upscaling import decisions
from srkit.upscaling.forecast import foretell
from srkit.upscaling.upscaler import Upscaler

# Endings of pages.
PAGES = (".html", ".htm")


@dataclass(frozen=True, repr=False, eq=False)
class Comparison:
    """One image upscaled by several models.

    Attributes
    ----------
    image
        The image that was given; an `Image` where a path was.
    scale
        Factor of both sides.
    results
        What each model made of it, by the model's name, of the image's kind.
    reference
        The original that was given, or None.
    scores
        Figures of each model, by its name; empty without a reference.
    protocol
        What the figures mean.
    crop
        Left, top, width and height, in pixels of `image`, of the part that is enlarged; None for
        where the eye looks first: a face where one is found, else the middle.
    decided
        Options that each model decided by itself, by its name; empty of most models.

    Examples
    --------
    >>> import numpy as np
    >>> import srkit
    >>> ramp = np.add.outer(np.arange(24), np.arange(32)).astype(np.uint8)
    >>> comparison = compare(ramp, ["nearest", "bicubic"], scale=2)
    >>> comparison
    x2, 32x24 to 64x48: nearest, bicubic
    >>> comparison.results["bicubic"].shape
    (48, 64)
    >>> comparison.sheet().mode
    'RGB'
    """

    image: Any
    scale: int
    results: Mapping[str, Any]
    reference: Any | None = None
    scores: Mapping[str, Score] = field(default_factory=dict)
    protocol: Protocol = STANDARD
    crop: tuple[int, int, int, int] | None = None
    decided: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def missing(self) -> str | None:
        """Why ST-LPIPS is missing from the scores, or None where it is not.

        Examples
        --------
        >>> black = np.zeros((24, 24), np.uint8)
        >>> compare(black, ["nearest"], scale=2).missing is None  # no original, so nothing is
        True
        """
        return next((s.missing for s in self.scores.values() if s.missing), None)

    def sheet(self) -> PILImage.Image:
        """Draw all versions side by side, and a part of each enlarged: `crop`, or a face.

        The input, enlarged pixel by pixel, comes first and the original, where it is
        known, last. The best figure of each kind is green. Pictures wider than their
        column are shrunk; the enlarged part shows true pixels, but for a `crop` that is
        wider than its column.

        Returns
        -------
        PIL.Image.Image
            RGB, at most some 4000 pixels wide.

        Examples
        --------
        >>> compare(np.zeros((24, 32), np.uint8), ["nearest", "bicubic"], scale=2).sheet().mode
        'RGB'
        """
        panels = list(self._panels(flat(self.image)))
        height, width = panels[0].picture.shape[:2]
        part = self._part.times(self.scale)
        layout = lay_out(len(panels), (width, height), part, whole=self.crop is not None)
        return draw(panels, layout, self._footer(layout))

    def save(self, path: str | PathLike[str]) -> None:
        """Write the sheet to a file, whole or not at all; the suffix names the format.

        Parameters
        ----------
        path
            The file; an existing one is replaced.

        Raises
        ------
        OptionError
            If it is named as a page, which `to_html` writes.
        ImageError, OSError
            As `srkit.Image.save` raises them.

        Examples
        --------
        >>> import tempfile
        >>> path = tempfile.mkdtemp() + "/sheet.png"
        >>> compare(np.zeros((24, 32), np.uint8), ["nearest", "bicubic"], scale=2).save(path)
        >>> read_image(path).metadata.mode
        'RGB'
        """
        if Path(path).suffix.lower() in PAGES:
            raise OptionError(f"save writes a picture, not {path}; to_html writes a page")
        save_image(Image(np.asarray(self.sheet())), path)

    def to_html(self, path: str | PathLike[str]) -> None:
        """Write a page with a before/after slider and zoom, whole or not at all.

        One file that needs no network, no script and no other file; on a phone the
        slider is swiped. Its pictures are lossless, and shrunk to four megapixels where
        they have more.

        Parameters
        ----------
        path
            The file, such as ``"page.html"``; an existing one is replaced.

        Raises
        ------
        OptionError
            If it is named as a picture, which `save` writes.
        OSError
            As Python raises them; what was at `path` then stays as it was.

        Examples
        --------
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "page.html"
        >>> compare(np.zeros((24, 32), np.uint8), ["nearest", "bicubic"], scale=2).to_html(path)
        >>> path.read_text()[:15]
        '<!DOCTYPE html>'
        """
        if named(Path(path)):
            raise OptionError(f"to_html writes a page, not {path}; save writes a picture")
        html = viewer.page(self._view())
        with replacing(path) as file:
            file.write(html.encode())

    def _repr_html_(self) -> str:
        return viewer.for_notebook(self._view())

    def _view(self) -> viewer.View:
        high, wide = flat(self.image).shape[:2]
        part = self._part
        centre = part.centre[0] / wide, part.centre[1] / high
        # What was asked for is seen at once, what was guessed after the whole.
        shown = 1.0 if self.crop is None else max(part.width / wide, part.height / high)
        panels = list(self._panels(flat(self.image)))
        return viewer.View(self._title(), panels, self._meaning(), centre, part.what, shown)

    @cached_property
    def _part(self) -> Part:
        small = flat(self.image)
        if self.crop is None:
            return first_look(small)
        return part_asked_for(self.crop, (small.shape[1], small.shape[0]))

    def _panels(self, small: NDArray[np.uint8]) -> Iterator[Panel]:
        high, wide = small.shape[:2]
        sides = high * self.scale, wide * self.scale
        original = None if self.reference is None else flat(self.reference)
        if original is not None:
            sides = common_sides(original, small, self.scale)
        shown = slice(sides[0]), slice(sides[1])
        enlarged = small.repeat(self.scale, axis=0).repeat(self.scale, axis=1)
        yield Panel("input", enlarged[shown], ((f"{wide} x {high} pixels", False),))
        best = captions.best_of(list(self.scores.values()))
        for name, result in self.results.items():
            picture = flat(result)
            figures = self.scores.get(name)
            size = f"{picture.shape[1]} x {picture.shape[0]} pixels"
            told = captions.of_figures(figures, best) if figures else ((size, False),)
            lines = (*told, *captions.of_decisions(self.decided.get(name, {})))
            yield Panel(name, picture[shown], lines)
        if original is not None:
            size = f"{sides[1]} x {sides[0]} pixels"
            yield Panel("original", original[shown], ((size, False),))

    def _footer(self, layout: Layout) -> str:
        shown = f"x{self.scale}. Below: the framed part, {layout.enlarged}."
        return f"{shown} {self._meaning()}".strip()

    def _meaning(self) -> str:
        """What the figures are, or nothing where there are none."""
        if not self.scores:
            return ""
        crop = self.protocol.crop(self.scale)
        distance = "" if self.missing else "; ST-LPIPS (AlexNet, RGB): lower is better"
        return (
            f"PSNR in dB and SSIM on luma, protocol {self.protocol.name}, "
            f"{crop} pixels cropped at each side{distance}."
        )

    def _title(self) -> str:
        height, width = read_planes(self.image).shape
        s = self.scale
        return f"x{s}, {width}x{height} to {s * width}x{s * height}"

    def __repr__(self) -> str:
        title = self._title()
        if not self.scores:
            return f"{title}: {', '.join(self.results)}"
        rows = [[name, *figures.cells()] for name, figures in self.scores.items()]
        table = text_table([["model", *HEADINGS], *rows], "lrrr")
        return f"{title}, protocol {self.protocol.name}\n{table}"


def compare(
    image: Any,
    models: Models,
    *,
    scale: int | None = None,
    reference: Any | None = None,
    progress: bool = False,
    crop: tuple[int, int, int, int] | None = None,
) -> Comparison:
    """Upscale one image by several models, and measure them where the original is known.

    Parameters
    ----------
    image
        The low-resolution image, of any kind that `Upscaler.upscale` takes but a batch.
    models
        Names or weights files, as `srkit.load` takes them, also with options behind them, such as
        ``"srgan:perception=0.5"``, or loaded models; or a dict of what to call each, and it.
    scale
        Factor of both sides; by default that of the models: a loaded model or a weights file
        has one, a name its card's default, and of several that differ the first counts that all
        of them exist for.
    reference
        The high-resolution original, of any such kind; what one of it and `scale` times
        the image has beyond the other, at most ``scale - 1`` pixels at the right and bottom, is
        left out. PSNR and SSIM (protocol ``"standard"``), and ST-LPIPS where
        ``srkit[perceptual]`` is installed, are taken between 8-bit versions;
        transparent images are put on white.
    progress
        Show a bar for each model.
    crop
        Left, top, width and height, in pixels of `image`, of the part that sheets and pages
        enlarge. By default a face where one is found, else the middle.

    Returns
    -------
    Comparison
        Settings of one model are told apart by their options, files of one name by their paths;
        what is still alike by ``(2)`` behind the second.

    Raises
    ------
    ImageError
        If an image cannot be read, or the sizes do not fit.
    OptionError
        If there are no models, they have no scale in common, or `crop` is not in the image.
    SrkitError
        As `srkit.load` raises them.

    Examples
    --------
    >>> import numpy as np
    >>> original = np.add.outer(np.arange(48), 2 * np.arange(64)).astype(np.uint8)
    >>> small = STANDARD.low_resolution(original, 2)
    >>> scores = compare(small, ["nearest", "bicubic"], scale=2, reference=original).scores
    >>> scores["nearest"].psnr < scores["bicubic"].psnr
    True
    """
    if isinstance(models, str | Path | Upscaler) or not models:
        raise OptionError(f"models is a list such as ['bicubic', 'srgan'], not {models!r}")
    image, reference = _read(image), _read(reference)
    small = flat(image)
    if crop is not None:
        part_asked_for(crop, (small.shape[1], small.shape[0]))
    asked, labels = listed(models)
    upscalers = ready_together(asked, scale)
    scale = upscalers[0].scale
    original = None if reference is None else flat(reference)
    if original is not None:
        high, wide = common_sides(original, small, scale)
    planes = read_planes(image)
    # Interpolation takes no time, and is not told of.
    seamless = all(one.streams for one in upscalers if one.parameters)
    foretell(upscalers, planes.pixels, planes.shape, seamless=seamless)
    results: dict[str, Any] = {}
    scores: dict[str, Score] = {}
    decided: dict[str, Mapping[str, float]] = {}
    for name, upscaler in zip(labels or apart(asked, upscalers), upscalers, strict=True):
        with decisions.collecting() as found:
            results[name] = upscaler.upscale(image, progress=progress)
        decided[name] = dict(found[-1] if found else ())
        if original is not None:
            both = original[:high, :wide], flat(results[name])[:high, :wide]
            scores[name] = score(name, *both, scale=scale, protocol=STANDARD)
    return Comparison(image, scale, results, reference, scores, crop=crop, decided=decided)


def flat(image: Any) -> NDArray[np.uint8]:
    """Any image as people see it: 8 bits, grey or RGB, on white where transparent.

    Parameters
    ----------
    image
        Of any kind that `Upscaler.upscale` takes but a batch.

    Returns
    -------
    NDArray
        ``(H, W)`` or ``(H, W, 3)``.

    Raises
    ------
    ImageError
        If it is a batch, or as `srkit.imaging.planes.read_planes` raises it.

    Examples
    --------
    >>> flat(np.array([[[0, 0, 0, 0], [255, 0, 0, 255]]], np.uint8)).tolist()
    [[[255, 255, 255], [255, 0, 0]]]
    """
    planes = read_planes(image)
    if len(planes.colour) != 1:
        raise ImageError(f"expected one image, not a batch of {len(planes.colour)}")
    colour = _as_uint8(planes.colour[0], planes.top)
    if planes.layout == "cmyk":
        colour = np.asarray(pil.from_array(colour, cmyk=True).convert("RGB"))
    if planes.alpha is not None:
        cover = planes.alpha[0] / planes.top
        colour = np.rint(cover * colour + (1 - cover) * 255.0).astype(np.uint8)
    return colour[..., 0] if colour.shape[-1] == 1 else colour


def _as_uint8(plane: NDArray[Any], top: float) -> NDArray[np.uint8]:
    return pil.as_uint8(plane / top if plane.dtype.kind == "f" else plane)


def _read(image: Any) -> Any:
    return read_image(image) if is_encoded(image) else image
