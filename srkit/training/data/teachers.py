"""Models that a network learns from: which they are, and their answers."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from srkit.errors import OptionError
from srkit.imaging.color import rgb_to_ycbcr
from srkit.imaging.resize import imresize
from srkit.models import loading
from srkit.models.weights import sha256
from srkit.upscaling.upscaler import Upscaler

Pixels = NDArray[np.uint8]

# Deviation, in LR pixels, of the blur below which colours are those of LR.
EVEN = 4.0
# What answers are kept by, so that those with colours of another making are not taken.
COLOURS = ("of LR", EVEN)
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
        that have it, and changes one value of a hundred by some levels.

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
        if self.model not in loading.list_models():
            path = Path(self.model).expanduser()
            try:
                loaded = loading.load(path, **options)
            except OptionError:
                # Some files do not tell their scale.
                loaded = loading.load(path, scale=scale, **options)
            self._fitting(scale, (loaded.scale,))
            return loaded
        card = loading.card(self.model)
        fitting = self._fitting(scale, card.scales)
        # Interpolation has neither device nor precision.
        return loading.load(
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
        if self.model in loading.list_models():
            card = loading.card(self.model)
            known: list[str] = [self.model, *(w.sha256 for _, w in sorted(card.weights.items()))]
            known += [] if card.weights else [card.adapter, _version(card.adapter)]
        else:
            path = Path(self.model).expanduser()
            if not path.is_file():
                near = difflib.get_close_matches(self.model, loading.list_models(), 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise OptionError(f"{self.model!r} is neither a model nor a weights file{hint}")
            beside = path.with_suffix(_COMPANIONS.get(path.suffix, path.suffix))
            known = [sha256(file) for file in sorted({path, beside}) if file.is_file()]
        return hashlib.sha256(repr((known, scale, self.precision)).encode()).hexdigest()[:16]


def _version(adapter: str) -> str:
    """Of the distribution that an adapter is in, as far as that is known."""
    package = adapter.partition(":")[0].partition(".")[0]
    names = metadata.packages_distributions().get(package, [])
    return " ".join(metadata.version(name) for name in sorted(set(names)))


def answers(model: Upscaler, lr: Sequence[Pixels], hr: Sequence[Pixels]) -> list[Pixels]:
    """What a teacher makes of pictures, or windows, of one size, all at once; see `answer`."""
    made = cast(Pixels, model.upscale(np.stack([*map(_seen, lr, hr)])))
    return [_fitted(*pair) for pair in zip(made, hr, lr, strict=True)]


def answer(model: Upscaler, lr: Pixels, hr: Pixels) -> Pixels:
    """What a teacher makes of LR, with its low frequencies.

    Of a window of frames it sees the one in the middle, in grey, and luma of what it makes
    is its answer.

    Parameters
    ----------
    model
        Of the scale between the two, or a multiple of it: its result is then shrunk by
        MATLAB's antialiased bicubic.
    lr, hr
        ``(h, w, 3)`` and ``(s*h, s*w, 3)``, or luma, ``(h, w, frames)`` and
        ``(s*h, s*w, 1)``; uint8.

    Returns
    -------
    NDArray
        Of HR's shape, uint8.
    """
    return _fitted(cast(Pixels, model.upscale(_seen(lr, hr))), hr, lr)


def _is_luma(hr: Pixels) -> bool:
    return bool(hr.shape[-1] == 1)


def _seen(lr: Pixels, hr: Pixels) -> Pixels:
    """What a teacher, which is for pictures in colour, is shown."""
    return _middle(lr).repeat(3, axis=-1) if _is_luma(hr) else lr


def _middle(window: Pixels) -> Pixels:
    """Of frames the one that is upscaled, ``(h, w, 1)``."""
    return window[..., window.shape[-1] // 2, None]


def _fitted(made: Pixels, hr: Pixels, lr: Pixels) -> Pixels:
    if _is_luma(hr):
        made = np.rint(255 * rgb_to_ycbcr(made / 255)[..., :1]).astype(np.uint8)
    if made.shape != hr.shape:
        made = imresize(made, size=(hr.shape[0], hr.shape[1]))
    return with_colours_of(_middle(lr) if _is_luma(hr) else lr, made)


def with_colours_of(lr: Pixels, made: Pixels) -> Pixels:
    """A picture with the low frequencies of what it was made of: teachers shift even colours.

    What lies below a Gaussian of `EVEN` LR pixels is taken from LR. HR has others where LR is
    noisy, and no network can know them.

    Examples
    --------
    >>> lr, made = np.full((6, 6, 3), 250, np.uint8), np.full((24, 24, 3), 244, np.uint8)
    >>> with_colours_of(lr, made)[0, 0]
    array([250, 250, 250], dtype=uint8)
    """
    height, width, channels = made.shape
    scale = height // lr.shape[0]
    squares = made.reshape(height // scale, scale, width // scale, scale, channels)
    missing = lr - squares.mean(axis=(1, 3), dtype=np.float32)
    low = ndimage.gaussian_filter(missing, (EVEN, EVEN, 0), mode="mirror")
    corrected = made + imresize(low, size=(height, width))
    levels: Pixels = np.clip(np.rint(corrected), 0, 255).astype(np.uint8)
    return levels


def check(teachers: Sequence[Teacher]) -> None:
    """Refuse weights that are none.

    Raises
    ------
    OptionError
    """
    if not all(0 < teacher.weight < float("inf") for teacher in teachers):
        raise OptionError("weights of teachers are above 0")
    names = [teacher.model for teacher in teachers]
    if len(set(names)) < len(names):
        raise OptionError(f"a teacher is named once, not {names}")


Named = str | Path | Teacher | Sequence[str | Path | Teacher] | Mapping[str, float]


def teachers(named: Named) -> list[Teacher]:
    """Teachers as a call names them: one, several, or each with its weight.

    Examples
    --------
    >>> [teacher.model for teacher in teachers("srresnet")], teachers({"unet": 0.3})[0].weight
    (['srresnet'], 0.3)
    """
    if isinstance(named, Mapping):
        return [Teacher(str(model), weight) for model, weight in named.items()]
    several = [named] if isinstance(named, str | Path | Teacher) else named
    return [one if isinstance(one, Teacher) else Teacher(str(one)) for one in several]
