"""Models that a network learns from: which they are, and their answers."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

import srkit
from srkit.errors import OptionError
from srkit.imaging.resize import imresize
from srkit.upscaler import Upscaler
from srkit.weights import sha256

log = logging.getLogger(__name__)

Pixels = NDArray[np.uint8]

# Deviation, in LR pixels, of the blur below which colours are those of the photo.
EVEN = 4.0
# Files that a weights file is of one piece with, by its suffix.
_COMPANIONS = {".param": ".bin", ".bin": ".param"}


@dataclass(frozen=True)
class Teacher:
    """A model whose answers are learned from.

    Attributes
    ----------
    model
        A model's name, or a weights file of any format that loads.
    weight
        Of its answers, where there are several teachers: the target is their weighted mean.
    precision
        In which it answers: see `srkit.load`. ``"bfloat16"`` halves the time on processors
        that have it, at a level or less of difference.

    Examples
    --------
    >>> Teacher("realesrgan", weight=0.5).model
    'realesrgan'
    """

    model: str
    weight: float = 1.0
    precision: str = "auto"

    def load(self, scale: int, device: str = "auto") -> Upscaler:
        """The model, at the least of its scales that is a multiple of `scale`.

        Raises
        ------
        OptionError
            If it has no such scale.
        SrkitError
            See `srkit.load`.
        """
        options: dict[str, Any] = {"device": device, "precision": self.precision}
        if self.model not in srkit.list_models():
            loaded = srkit.load(Path(self.model).expanduser(), **options)
            self._fitting(scale, (loaded.scale,))
            return loaded
        card = srkit.card(self.model)
        fitting = self._fitting(scale, card.scales)
        # Interpolation has neither device nor precision.
        return srkit.load(
            self.model, scale=fitting, **({} if card.framework == "numpy" else options)
        )

    def _fitting(self, scale: int, scales: Sequence[int]) -> int:
        for known in sorted(scales):
            if known % scale == 0:
                return known
        listed = ", ".join(f"x{known}" for known in scales)
        raise OptionError(f"{self.model} cannot teach at x{scale}: it exists for {listed}")

    def digest(self, scale: int) -> str:
        """What tells its answers from those of others: hexadecimal, of its weights.

        The precision counts, the weight does not: that is of the mean, not of the answers.
        """
        if self.model in srkit.list_models():
            card = srkit.card(self.model)
            known: list[str] = [self.model, *(w.sha256 for _, w in sorted(card.weights.items()))]
        else:
            path = Path(self.model).expanduser()
            beside = path.with_suffix(_COMPANIONS.get(path.suffix, path.suffix))
            if not path.is_file():
                raise OptionError(f"no teacher is named {self.model}, nor is there such a file")
            known = [sha256(file) for file in sorted({path, beside}) if file.is_file()]
        return hashlib.sha256(repr((known, scale, self.precision)).encode()).hexdigest()[:16]


def answer(model: Upscaler, lr: Pixels, hr: Pixels) -> Pixels:
    """What a teacher makes of LR, with the low frequencies of HR.

    Parameters
    ----------
    model
        Of the scale between the two, or a multiple of it: its result is then shrunk by
        MATLAB's antialiased bicubic.
    lr, hr
        ``(h, w, 3)`` and ``(s*h, s*w, 3)``, uint8.

    Returns
    -------
    NDArray
        ``(s*h, s*w, 3)``, uint8.
    """
    made = cast(Pixels, model.upscale(lr))
    if made.shape != hr.shape:
        made = imresize(made, size=(hr.shape[0], hr.shape[1]))
    return with_colours_of(hr, made, hr.shape[0] // lr.shape[0])


def with_colours_of(hr: Pixels, made: Pixels, scale: int) -> Pixels:
    """A picture with another's low frequencies, since teachers shift even colours.

    What lies below a Gaussian of `EVEN` LR pixels is taken from HR.

    Examples
    --------
    >>> hr, made = np.full((24, 24, 3), 250, np.uint8), np.full((24, 24, 3), 244, np.uint8)
    >>> with_colours_of(hr, made, 4)[0, 0]
    array([250, 250, 250], dtype=uint8)
    """
    missing = hr.astype(np.float32) - made
    height, width, channels = missing.shape
    squares = missing.reshape(height // scale, scale, width // scale, scale, channels)
    low = ndimage.gaussian_filter(squares.mean(axis=(1, 3)), (EVEN, EVEN, 0), mode="mirror")
    corrected = made + imresize(low, size=(height, width))
    levels: Pixels = np.clip(np.rint(corrected), 0, 255).astype(np.uint8)
    return levels


def check(teachers: Sequence[Teacher]) -> None:
    """Refuse weights that are none.

    Raises
    ------
    OptionError
    """
    if teachers and not all(0 < teacher.weight < float("inf") for teacher in teachers):
        raise OptionError("weights of teachers are above 0")
    names = [teacher.model for teacher in teachers]
    if len(set(names)) < len(names):
        raise OptionError(f"a teacher is named once, not {names}")


def parse(text: str) -> Teacher:
    """A teacher as the command line names it: ``MODEL`` or ``MODEL=WEIGHT``.

    Raises
    ------
    OptionError
        If the weight is no number.

    Examples
    --------
    >>> parse("realesrgan=0.7"), parse("a=b/model.pth").model
    (Teacher(model='realesrgan', weight=0.7, precision='auto'), 'a=b/model.pth')
    """
    model, equals, weight = text.rpartition("=")
    if not equals or "/" in weight or "\\" in weight:
        return Teacher(text)
    try:
        return Teacher(model, float(weight))
    except ValueError as error:
        raise OptionError(f"a teacher is MODEL or MODEL=WEIGHT, not {text!r}") from error
