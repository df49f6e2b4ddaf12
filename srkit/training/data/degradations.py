"""How an LR picture comes about: an ordered list of what happens to the HR one.

Each kind is a frozen dataclass whose fields are ranges; a strength is drawn uniformly
from the range for each picture. The model is y = JPEG(downsample(x * k) + n), of which
any part may be left out, repeated or moved (Wang, Chen, Hoi, "Deep Learning for Image
Super-resolution: A Survey", 2020, Section 2.1, equations 3 and 4). What Real-ESRGAN adds to
it is in `srkit.training.data.steps`, and its list in `srkit.training.data.two_stage`.

Steps work on floats ``(H, W, 3)`` of 0 to 255 that are neither rounded nor cut off, and are told
the size that LR will have.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from srkit.errors import OptionError
from srkit.imaging.resize import imresize
from srkit.training.data.ranges import Range, uniform
from srkit.training.data.steps import (
    Floats,
    KernelBlur,
    Poisson,
    Resize,
    Sinc,
    Size,
    resized,
)


@dataclass(frozen=True)
class Blur:
    """Gaussian blur.

    Attributes
    ----------
    sigma
        Range of the deviation, in pixels of the picture as it is then.
    """

    kind: Literal["blur"] = "blur"
    sigma: Range = (0.0, 2.0)

    def apply(self, picture: Floats, size: Size, rng: np.random.Generator) -> Floats:
        """Blur ``(H, W, 3)`` in [0, 255]."""
        from scipy import ndimage

        sigma = uniform(self.sigma, rng)
        if sigma <= 0:
            return picture
        blurred: Floats = ndimage.gaussian_filter(picture, (sigma, sigma, 0), mode="mirror")
        return blurred


@dataclass(frozen=True)
class Downsample:
    """Resize to the size of LR, which is the HR picture's by the scale.

    Attributes
    ----------
    kernel
        ``"matlab"`` is the antialiased bicubic of `srkit.imresize`, on which published
        figures rest. ``"nearest"``, ``"area"``, ``"bilinear"``, ``"bicubic"`` and
        ``"lanczos"`` are Pillow's, antialiased but for the first.
    """

    kind: Literal["downsample"] = "downsample"
    kernel: Literal["matlab", "nearest", "area", "bilinear", "bicubic", "lanczos"] = "matlab"

    def apply(self, picture: Floats, size: Size, rng: np.random.Generator) -> Floats:
        """``(H, W, 3)`` to ``(*size, 3)``."""
        if self.kernel == "matlab":
            return imresize(picture, size=size)
        return resized(picture, size, self.kernel)


@dataclass(frozen=True)
class Noise:
    """Gaussian noise.

    Attributes
    ----------
    sigma
        Range of the deviation, in grey levels of 255.
    grey
        Chance that all channels get the same noise.
    """

    kind: Literal["noise"] = "noise"
    sigma: Range = (0.0, 10.0)
    grey: float = 0.4

    def apply(self, picture: Floats, size: Size, rng: np.random.Generator) -> Floats:
        """Add noise to ``(H, W, 3)``."""
        sigma, channels = uniform(self.sigma, rng), 1 if rng.random() < self.grey else 3
        noise = rng.standard_normal((*picture.shape[:2], channels), dtype=np.float32)
        return picture + np.float32(sigma) * noise


# Sides of JPEG's blocks where chroma is halved.
_GRID = 16


@dataclass(frozen=True)
class Jpeg:
    """JPEG, written and read again.

    Attributes
    ----------
    quality
        Range of libjpeg's quality, 1 to 100.
    halved
        Chance that chroma is halved (4:2:0); 4:4:4 otherwise.
    shifted
        Chance that the grid of blocks begins anywhere, as in photos that were cropped
        later; else at the corner.
    """

    kind: Literal["jpeg"] = "jpeg"
    quality: Range = (40.0, 95.0)
    halved: float = 0.7
    shifted: float = 0.0

    def apply(self, picture: Floats, size: Size, rng: np.random.Generator) -> Floats:
        """Compress ``(H, W, 3)``."""
        quality, halved = round(uniform(self.quality, rng)), rng.random() < self.halved
        y, x = rng.integers(_GRID, size=2) if rng.random() < self.shifted else (0, 0)
        levels = np.pad(_levels(picture), ((y, 0), (x, 0), (0, 0)), "symmetric")
        file = io.BytesIO()
        PILImage.fromarray(levels).save(
            file, "JPEG", quality=quality, subsampling=2 if halved else 0
        )
        return np.asarray(PILImage.open(file), np.float32)[y:, x:]


@dataclass(frozen=True)
class Shuffled:
    """Several degradations, in an order that is drawn for each picture.

    Attributes
    ----------
    steps
        The degradations.
    """

    steps: tuple[Degradation, ...] = ()
    kind: Literal["shuffled"] = "shuffled"

    def apply(self, picture: Floats, size: Size, rng: np.random.Generator) -> Floats:
        """Apply all of them, in some order."""
        for n in rng.permutation(len(self.steps)):
            picture = self.steps[n].apply(picture, size, rng)
        return picture


@dataclass(frozen=True)
class OneOf:
    """One of several lists of degradations, drawn for each picture.

    Attributes
    ----------
    shares
        Chance of each list; what the sum lacks of 1 is the chance that nothing happens.
    lists
        The lists.

    Examples
    --------
    Noise in eight pictures of ten:

    >>> often = OneOf(shares=(0.8,), lists=((Noise(sigma=(9.0, 9.0)),),))
    >>> grey = np.full((8, 8, 3), 128, np.uint8)
    >>> made = [degrade(grey, 1, (often,), np.random.default_rng(n)) for n in range(100)]
    >>> sum(np.array_equal(picture, grey) for picture in made)
    22
    """

    shares: tuple[float, ...] = ()
    lists: tuple[tuple[Degradation, ...], ...] = ()
    kind: Literal["one_of"] = "one_of"

    def apply(self, picture: Floats, size: Size, rng: np.random.Generator) -> Floats:
        """Apply one of the lists, or none."""
        drawn = int(np.searchsorted(np.cumsum(self.shares), rng.random(), "right"))
        for step in self.lists[drawn] if drawn < len(self.lists) else ():
            picture = step.apply(picture, size, rng)
        return picture


Degradation = (
    Blur | Downsample | Noise | Jpeg | KernelBlur | Sinc | Resize | Poisson | Shuffled | OneOf
)


def degrade(
    picture: NDArray[np.uint8],
    scale: int,
    degradations: Sequence[Degradation],
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """An LR picture made of an HR one.

    Parameters
    ----------
    picture
        ``(H, W, 3)``, uint8; both sides are multiples of `scale`.
    scale
        Factor between the two.
    degradations
        In their order, such that `check_shrinking` takes them.

    Returns
    -------
    NDArray
        ``(H/scale, W/scale, 3)``, uint8.

    Examples
    --------
    >>> photo = np.full((16, 16, 3), 100, np.uint8)
    >>> steps = (Blur(sigma=(1.0, 1.0)), Downsample("downsample", "area"), Jpeg())
    >>> degrade(photo, 4, steps, np.random.default_rng(0)).shape
    (4, 4, 3)
    """
    size = picture.shape[0] // scale, picture.shape[1] // scale
    floats = picture.astype(np.float32)
    for step in degradations:
        floats = step.apply(floats, size, rng)
    return _levels(floats)


# What each range may hold. Kernels need a width, and a resized picture needs pixels.
_BOUNDS: dict[type, dict[str, Range]] = {
    Blur: {"sigma": (0, 50)},
    Noise: {"sigma": (0, 255)},
    Jpeg: {"quality": (1, 100)},
    KernelBlur: {"sigma": (0.1, 50), "beta": (0.1, 10), "side": (1, 51)},
    Sinc: {"cutoff": (0.1, np.pi), "side": (1, 51)},
    Resize: {"factor": (0.01, 4)},
    Poisson: {"strength": (0, 10)},
}


def check(degradations: Sequence[Degradation]) -> None:
    """Refuse ranges, chances and shares that are none.

    Raises
    ------
    OptionError
    """
    for part in _flat(degradations):
        for name, (least, most) in _BOUNDS.get(type(part), {}).items():
            given = getattr(part, name)
            if not least <= given[0] <= given[1] <= most:
                raise OptionError(
                    f"{part.kind} takes a range within {least:g} to {most:g}, not {given}, "
                    f"as {name}"
                )
        for name in ("grey", "halved", "shifted"):
            if not 0 <= (chance := getattr(part, name, 0.0)) <= 1:
                raise OptionError(f"a chance of {part.kind} is from 0 to 1, not {chance}")
        if isinstance(part, KernelBlur | Sinc) and not all(n % 2 for n in part.side):
            raise OptionError(f"the side of {part.kind} is odd, not {part.side}")
        if isinstance(part, Resize) and not part.kernels:
            raise OptionError("resize needs at least one of the kernels area, bilinear, bicubic")
        if isinstance(part, OneOf):
            _check_shares(part)


def _check_shares(part: OneOf) -> None:
    if len(part.shares) != len(part.lists):
        raise OptionError(
            f"one_of takes one share a list, not {len(part.shares)} for {len(part.lists)}"
        )
    # Shares such as thirds need not add up to the last bit.
    if not all(share >= 0 for share in part.shares) or sum(part.shares) > 1 + 1e-9:
        raise OptionError(f"shares of one_of add up to 1 at most, not {part.shares}")


def check_shrinking(degradations: Sequence[Degradation], scale: int) -> None:
    """Refuse lists that may not end at LR's size: each draw needs one `Downsample`.

    No `Resize` may follow it. At x1 a list without either is right as well.

    Raises
    ------
    OptionError
    """
    if not degradations:
        return
    right = {(1, False)} | ({(0, False)} if scale == 1 else set())
    if not _ends(degradations, {(0, False)}) <= right:
        raise OptionError(
            "degradations need exactly one of kind 'downsample', and no 'resize' after it, "
            "whatever is drawn"
        )


# How many pictures of LR's size were made, up to two, and whether the size is another one now.
_Shape = tuple[int, bool]


def _ends(steps: Sequence[Degradation], shapes: set[_Shape]) -> set[_Shape]:
    """All shapes to which a list may lead from any of some."""
    for step in steps:
        if isinstance(step, Downsample):
            shapes = {(min(2, count + 1), False) for count, _ in shapes}
        elif isinstance(step, Resize):
            shapes = {(count, True) for count, _ in shapes}
        elif isinstance(step, Shuffled):
            # Any two of the steps come in both orders.
            shapes = _ends(step.steps, shapes) | _ends(step.steps[::-1], shapes)
        elif isinstance(step, OneOf):
            ends = [_ends(one, shapes) for one in step.lists]
            shapes = set.union(*ends, shapes if sum(step.shares) < 1 - 1e-9 else set())
    return shapes


def _flat(degradations: Sequence[Degradation]) -> Iterator[Degradation]:
    """All steps of a list, and of the lists within."""
    for step in degradations:
        yield step
        if isinstance(step, Shuffled):
            yield from _flat(step.steps)
        elif isinstance(step, OneOf):
            for one in step.lists:
                yield from _flat(one)


def _levels(picture: Floats) -> NDArray[np.uint8]:
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)
