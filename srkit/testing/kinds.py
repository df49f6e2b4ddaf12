"""Checks of what goes in and comes out: sizes, dtypes, layouts, Pillow modes, files."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from srkit.errors import ImageError
from srkit.imaging.image import Image
from srkit.testing.harness import Factory, check, noise, require, require_raises, require_same
from srkit.upscaling.upscaler import Upscaler

# Odd, tiny and lopsided, as (height, width).
SIZES = ((1, 1), (1, 2), (2, 1), (1, 50), (50, 1), (3, 5), (8, 8), (17, 11))
TOPS = {"uint8": 255, "uint16": 65535, "float32": 1, "float64": 1}
LAYOUTS: tuple[tuple[int, ...], ...] = ((), (1,), (3,), (4,))
# What each Pillow mode becomes.
MODES = {
    "1": "L",
    "L": "L",
    "LA": "LA",
    "P": "RGB",
    "P transparent": "RGBA",
    "RGB": "RGB",
    "RGBA": "RGBA",
    "I;16": "I;16",
    "F": "F",
    "CMYK": "CMYK",
}


@check
def check_sizes(factory: Factory) -> None:
    """Every size works: 1x1, odd, very long, very tall.

    Examples
    --------
    >>> import srkit
    >>> def faulty():
    ...     model = srkit.load("nearest", scale=2)
    ...     model.upscale = lambda image: image.repeat(2, axis=0)  # forgets the columns
    ...     return model
    >>> check_sizes(faulty)
    Traceback (most recent call last):
    AssertionError: check_sizes: upscaling uint8 (1, 1, 3) gave the shape (2, 1, 3), not (2, 2, 3)
    """
    upscaler = factory()
    for height, width in SIZES:
        result = upscaler.upscale(noise((height, width, 3), np.uint8))
        _require_kind(result, (height, width, 3), "uint8", upscaler.scale)


@check
def check_arrays(factory: Factory) -> None:
    """Arrays of every dtype and layout come back so, and mean the same picture.

    Examples
    --------
    >>> import srkit
    >>> def faulty():
    ...     model = srkit.load("nearest", scale=2)
    ...     sound = model.upscale
    ...     model.upscale = lambda image: sound(image).astype(np.uint8)
    ...     return model
    >>> check_arrays(faulty)
    Traceback (most recent call last):
    AssertionError: check_arrays: upscaling uint16 (5, 6) gave uint8
    """
    upscaler = factory()
    for layout in LAYOUTS:
        shape = (5, 6, *layout)
        bytes_ = noise(shape, np.uint8)
        if layout == (4,):
            bytes_[0, 0, 3] = 0
        wanted = None
        for dtype, top in TOPS.items():
            given = (bytes_ * (np.float64(top) / 255)).astype(dtype)
            result = upscaler.upscale(given)
            _require_kind(result, shape, dtype, upscaler.scale)
            share = result.astype(np.float64) / top
            wanted = share if wanted is None else wanted
            # The first is the 8-bit result: off by half a level.
            require(
                np.abs(share - wanted).max() < 0.51 / 255 + 1e-5,
                f"{dtype} {shape} gives another picture than uint8",
            )


@check
def check_batch(factory: Factory) -> None:
    """Pictures of a batch come out as each would by itself.

    Examples
    --------
    >>> import srkit
    >>> def faulty():
    ...     model = srkit.load("nearest", scale=2)
    ...     sound = model.run
    ...     model.run = lambda tiles: sound(tiles) - tiles.mean()  # of all in the batch
    ...     return model
    >>> check_batch(faulty)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    AssertionError: check_batch: a batch of (3, 4, 7, 1): ...
    """
    upscaler = factory()
    for channels in (1, 3, 4):
        batch = noise((3, 4, 7, channels))
        together = upscaler.upscale(batch)
        apart = np.stack([upscaler.upscale(picture) for picture in batch])
        require_same(together, apart, f"a batch of {batch.shape}")


@check
def check_pil_modes(factory: Factory) -> None:
    """Every Pillow mode that srkit knows comes back as a Pillow image of the right mode.

    Examples
    --------
    >>> import srkit
    >>> def faulty():
    ...     model = srkit.load("nearest", scale=2)
    ...     sound = model.upscale
    ...     model.upscale = lambda picture: sound(picture).convert("RGB")
    ...     return model
    >>> check_pil_modes(faulty)
    Traceback (most recent call last):
    AssertionError: check_pil_modes: mode 1 gives RGB, not L
    """
    upscaler = factory()
    for name, wanted in MODES.items():
        given = _of_mode(name)
        result = upscaler.upscale(given)
        require(isinstance(result, PILImage.Image), f"{name} gives {type(result)}")
        require(result.mode == wanted, f"mode {name} gives {result.mode}, not {wanted}")
        size = given.width * upscaler.scale, given.height * upscaler.scale
        require(result.size == size, f"mode {name} gives the size {result.size}, not {size}")
        got, expected = np.asarray(result), _expected(upscaler, given, wanted)
        require_same(got[..., 1] if wanted == "LA" else got, expected, f"a picture of mode {name}")


@check
def check_images_and_files(factory: Factory) -> None:
    """`srkit.Image` gives `Image` with its metadata; a path, as text or `Path`, too.

    Examples
    --------
    >>> import srkit
    >>> def faulty():
    ...     model = srkit.load("nearest", scale=2)
    ...     sound = model.upscale
    ...     model.upscale = lambda image: sound(np.asarray(image))
    ...     return model
    >>> check_images_and_files(faulty)
    Traceback (most recent call last):
    AssertionError: check_images_and_files: an Image gives <class 'numpy.ndarray'>
    """
    upscaler = factory()
    for dtype in ("uint8", "uint16", "float32"):
        for layout in ((), (2,), (3,), (4,)):
            given = Image(noise((4, 5, *layout), dtype))
            result = upscaler.upscale(given)
            require(isinstance(result, Image), f"an Image gives {type(result)}")
            _require_kind(result.pixels, (4, 5, *layout), dtype, upscaler.scale)
            require(result.metadata == given.metadata, "metadata of an Image are lost")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        pixels = noise((4, 5, 3), np.uint8)
        PILImage.fromarray(pixels).save(path)
        wanted = upscaler.upscale(pixels)
        for given_path in (path, str(path)):
            result = upscaler.upscale(given_path)
            require(isinstance(result, Image), f"a path gives {type(result)}")
            require_same(result.pixels, wanted, "a picture from a file")


@check
def check_input_untouched(factory: Factory) -> None:
    """The input keeps its values, and the result is no view of it.

    Examples
    --------
    >>> import srkit
    >>> def faulty():
    ...     model = srkit.load("nearest", scale=2)
    ...     model.upscale = lambda image, size: image[:]
    ...     return model
    >>> check_input_untouched(faulty)
    Traceback (most recent call last):
    AssertionError: check_input_untouched: the result is a view of uint8 input
    """
    upscaler = factory()
    for dtype in TOPS:
        given = noise((5, 4, 4), dtype)
        given[0, 0, 3] = 0
        before = given.copy()
        for size in (None, (5, 4), (3, 7)):
            result = upscaler.upscale(given, size=size)
            require(np.array_equal(given, before), f"{dtype} input was modified")
            require(not np.shares_memory(given, result), f"the result is a view of {dtype} input")
    picture = _of_mode("RGB")
    copy = picture.copy()
    upscaler.upscale(picture)
    require(picture == copy, "a Pillow image was modified")


@check
def check_memory_layouts(factory: Factory) -> None:
    """Read-only, strided, turned, Fortran-ordered and byte-swapped arrays are as others.

    Examples
    --------
    >>> import srkit
    >>> check_memory_layouts(lambda: srkit.load("nearest", scale=2))
    """
    upscaler = factory()
    for dtype in ("uint8", "float32"):
        plain = noise((6, 5, 3), dtype)
        wanted = upscaler.upscale(plain)
        for name, given in _layouts(plain).items():
            require(np.array_equal(given, plain), f"the kit made a wrong {name} array")
            require_same(upscaler.upscale(given), wanted, f"a {name} {dtype} array")


@check
def check_invalid_values(factory: Factory) -> None:
    """NaN, infinity and floats beyond [0, 1] are refused with an `ImageError`.

    Examples
    --------
    >>> import srkit
    >>> def faulty():
    ...     model = srkit.load("nearest", scale=2)
    ...     sound = model.upscale
    ...     model.upscale = lambda image: sound(np.nan_to_num(image))
    ...     return model
    >>> check_invalid_values(faulty)
    Traceback (most recent call last):
    AssertionError: check_invalid_values: an image with nan raised nothing; ImageError was expected
    """
    upscaler = factory()
    for value in (np.nan, np.inf, -np.inf, 2.0, -1.0):
        given = noise((4, 4, 3))
        given[2, 1, 0] = value
        require_raises(ImageError, partial(upscaler.upscale, given), f"an image with {value}")


def _require_kind(result: object, shape: tuple[int, ...], dtype: str, scale: int) -> None:
    """Require an array of a dtype, `scale` times as large as `shape`, within its range."""
    what = f"upscaling {dtype} {shape}"
    if not isinstance(result, np.ndarray):
        raise AssertionError(f"{what} gave {type(result).__name__}, not an array")
    wanted = (shape[0] * scale, shape[1] * scale, *shape[2:])
    require(result.shape == wanted, f"{what} gave the shape {result.shape}, not {wanted}")
    require(result.dtype == dtype, f"{what} gave {result.dtype}")
    inside = result.min() >= 0 and result.max() <= TOPS[dtype]
    require(inside, f"{what} gave values from {result.min()} to {result.max()}")


def _expected(upscaler: Upscaler, given: PILImage.Image, mode: str) -> NDArray[Any]:
    """What arrays say a Pillow image of a mode becomes; of LA the alpha alone."""
    if mode == "CMYK":
        inks = np.moveaxis(np.asarray(given), -1, 0)
        return np.stack([upscaler.upscale(np.ascontiguousarray(ink)) for ink in inks], axis=-1)
    if mode == "F":
        grey: NDArray[Any] = upscaler.upscale(np.asarray(given) / np.float32(255))
        return grey * np.float32(255)
    if mode == "LA":
        alpha: NDArray[Any] = upscaler.upscale(np.asarray(given.convert("RGBA")))[..., 3]
        return alpha
    pixels = given if mode == "I;16" else given.convert(mode)
    plain: NDArray[Any] = upscaler.upscale(np.asarray(pixels))
    return plain


def _of_mode(name: str) -> PILImage.Image:
    """A 6x5 Pillow image of a mode."""
    colour = PILImage.fromarray(noise((5, 6, 3), np.uint8))
    if name == "I;16":
        return PILImage.fromarray(noise((5, 6), np.uint16))
    if name == "F":
        return PILImage.fromarray(noise((5, 6), np.float32) * np.float32(255))
    if name.startswith("P"):
        palette = colour.quantize(8)
        if "transparent" in name:
            palette.info["transparency"] = 3
        return palette
    if name.endswith("A"):
        colour.putalpha(PILImage.fromarray(noise((5, 6), np.uint8, seed=1)))
    return colour.convert(name)


def _layouts(plain: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Equal arrays, differently kept in memory."""
    read_only = plain.copy()
    read_only.flags.writeable = False
    wide = np.zeros((plain.shape[0] * 2, plain.shape[1] * 3, *plain.shape[2:]), plain.dtype)
    wide[::2, ::3] = plain
    return {
        "read-only": read_only,
        "strided": wide[::2, ::3],
        "turned": np.ascontiguousarray(plain[::-1, ::-1])[::-1, ::-1],
        "channels-first": np.ascontiguousarray(plain.transpose(2, 0, 1)).transpose(1, 2, 0),
        "Fortran-ordered": np.asfortranarray(plain),
        "byte-swapped": plain.astype(plain.dtype.newbyteorder()),
    }
