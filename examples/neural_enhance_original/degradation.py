"""How neural-enhance makes its LR pictures, step for step.

For other ways, any order of steps among them, see `srkit.training.data.degradations`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage
from PIL import ImageFilter

from srkit.errors import ImageError, OptionError

Floats = NDArray[np.float32]
Photo = PILImage.Image | NDArray[np.uint8]

LANCZOS = PILImage.Resampling.LANCZOS


@dataclass(frozen=True)
class Degradation:
    """What is done to a photo, by the names and defaults of the original's options.

    Attributes
    ----------
    zoom
        The LR picture is smaller by this.
    batch_shape
        Side of the HR crops, in pixels; a multiple of `zoom`.
    train_scales
        Photos are halved so many times at most, as long as a crop fits in.
    train_blur
        Half the largest radius of the blur, in HR pixels; 0 for none.
    train_noise
        Deviation of the noise, in grey levels of 255; 0 for none.
    train_jpeg
        JPEG's quality and how far it varies, as -range <= variation < range; None for none.
    buffer_fraction
        Crops cover one part in so many of a picture.
    """

    zoom: int = 2
    batch_shape: int = 192
    train_scales: int = 0
    train_blur: int = 0
    train_noise: float = 0.0
    train_jpeg: tuple[int, int] | None = None
    buffer_fraction: int = 5

    def __post_init__(self) -> None:
        """Refuse what makes no sense; raises OptionError."""
        for name, least in (("zoom", 1), ("batch_shape", 1), ("buffer_fraction", 1)):
            if getattr(self, name) < least:
                raise OptionError(f"{name} is at least {least}, not {getattr(self, name)}")
        for name in ("train_scales", "train_blur", "train_noise"):
            if getattr(self, name) < 0:
                raise OptionError(f"{name} is at least 0, not {getattr(self, name)}")
        if self.batch_shape % self.zoom:
            raise OptionError(f"batch_shape {self.batch_shape} is no multiple of {self.zoom}")
        if self.train_jpeg and not (1 <= self.train_jpeg[0] <= 100 and self.train_jpeg[1] >= 0):
            raise OptionError(
                f"train_jpeg is a quality from 1 to 100 and a range, not {self.train_jpeg}"
            )


def degrade(photo: Photo, how: Degradation, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """An HR picture and the LR picture made of it.

    The LR picture is blurred, shrunk, compressed and made noisy, in this order. All channels
    get the same noise, so that it is grey, and values beyond [0, 255] stay.

    Parameters
    ----------
    photo
        A PIL image of 8 bits a channel, or ``(H, W, 3)`` of uint8.
    how
        What is done.
    rng
        Decides what is drawn.

    Returns
    -------
    tuple
        ``(h, w, 3)`` and ``(h // zoom, w // zoom, 3)``, in grey levels of 255.

    Raises
    ------
    ImageError
        If it is no picture, or none from which a crop can be cut.

    Examples
    --------
    >>> photo = np.full((40, 60, 3), 100, np.uint8)
    >>> how = Degradation(batch_shape=32, train_noise=2.0, train_jpeg=(30, 15))
    >>> [picture.shape for picture in degrade(photo, how, np.random.default_rng(0))]
    [(40, 60, 3), (20, 30, 3)]
    """
    large = _halved(_opened(photo), how, rng)
    if min(large.size) < how.batch_shape:
        raise ImageError(
            f"a photo of {large.width} x {large.height} pixels is too small for crops of "
            f"{how.batch_shape} x {how.batch_shape}"
        )
    small = large
    if how.train_blur:
        radius = int(rng.integers(0, 2 * how.train_blur, endpoint=True))
        small = small.filter(ImageFilter.GaussianBlur(radius))
    if how.zoom > 1:
        small = small.resize((large.width // how.zoom, large.height // how.zoom), LANCZOS)
    if how.train_jpeg:
        small = _compressed(small, *how.train_jpeg, rng)
    levels = np.asarray(small, np.float32)
    if how.train_noise:
        noise = rng.standard_normal((*levels.shape[:2], 1), np.float32)
        levels = levels + np.float32(how.train_noise) * noise
    return np.asarray(large, np.float32), levels


def crops(
    large: Floats, small: Floats, how: Degradation, rng: np.random.Generator
) -> Iterator[tuple[Floats, Floats]]:
    """Random crops of both pictures, of the same places.

    Parameters
    ----------
    large, small
        What `degrade` made.
    how
        Decides the size of the crops and how many there are.
    rng
        Draws the places.

    Yields
    ------
    tuple
        ``(3, batch_shape, batch_shape)`` and ``(3, batch_shape / zoom, batch_shape / zoom)``
        in [-0.5, 0.5], but for noise: what the network is trained on.

    Examples
    --------
    >>> pictures = np.zeros((40, 60, 3), np.float32), np.zeros((20, 30, 3), np.float32)
    >>> how = Degradation(batch_shape=16, buffer_fraction=3)
    >>> made = list(crops(*pictures, how, np.random.default_rng(0)))
    >>> len(made), made[0][0].shape, made[0][1].shape
    (3, (3, 16, 16), (3, 8, 8))
    """
    side = how.batch_shape // how.zoom
    high, wide, _ = small.shape
    for _ in range(high * wide // (how.buffer_fraction * side**2)):
        top = int(rng.integers(0, high - side, endpoint=True))
        left = int(rng.integers(0, wide - side, endpoint=True))
        yield (
            _planes(large, top * how.zoom, left * how.zoom, how.batch_shape),
            _planes(small, top, left, side),
        )


def _opened(photo: Photo) -> PILImage.Image:
    if isinstance(photo, PILImage.Image):
        if photo.mode.startswith(("I", "F")):
            raise ImageError(f"a photo has 8 bits a channel, not {photo.mode}")
        return photo.convert("RGB")
    if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3:
        raise ImageError(f"a photo is (H, W, 3) of uint8, not {photo.shape} of {photo.dtype}")
    return PILImage.fromarray(photo)


def _halved(picture: PILImage.Image, how: Degradation, rng: np.random.Generator) -> PILImage.Image:
    factor = 2 ** int(rng.integers(0, how.train_scales, endpoint=True))
    size = picture.width // factor, picture.height // factor
    if factor == 1 or min(size) < how.batch_shape:
        return picture
    return picture.resize(size, LANCZOS)


def _compressed(
    picture: PILImage.Image, quality: int, spread: int, rng: np.random.Generator
) -> PILImage.Image:
    drawn = quality + (int(rng.integers(-spread, spread)) if spread else 0)
    file = io.BytesIO()
    # libjpeg has no others; Pillow takes 0 for its default.
    picture.save(file, "JPEG", quality=min(max(drawn, 1), 100))
    return PILImage.open(file)


def _planes(picture: Floats, top: int, left: int, side: int) -> Floats:
    crop = picture[top : top + side, left : left + side].transpose(2, 0, 1)
    return np.ascontiguousarray(crop / np.float32(255) - np.float32(0.5))
