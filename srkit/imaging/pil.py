"""Pillow images to arrays and back."""

from __future__ import annotations

import sys
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from srkit.errors import CorruptFileError, ImageError

Mode = Literal["L", "LA", "RGB", "RGBA", "CMYK"]

_PLAIN = ("L", "LA", "RGB", "RGBA", "CMYK", "F")
_DEEP = ("I;16", "I;16L", "I;16B", "I;16N")
_ADVICE = {
    "I": "convert to 'F' within 0-255, or make an array: uint16, or float in [0, 1]",
    "PA": "call image.convert('RGBA')",
    "La": "call image.convert('LA')",
    "RGBa": "call image.convert('RGBA')",
}


def grey_bits(image: PILImage.Image) -> int | None:
    """Bits of the grey levels that a file holds; None once Pillow has loaded them.

    Pillow stretches grey of 2 and 4 bits to 8, but not the level that stands for transparent.
    """
    tiles = getattr(image, "tile", None)
    if not tiles or image.mode != "L":
        return None
    args = tiles[0].args
    raw = args if isinstance(args, str) else args[0] if args else ""
    return {"L;2": 2, "L;4": 4}.get(str(raw), 8)


def settle(image: PILImage.Image, bits: int | None = None) -> PILImage.Image:
    """Load an image and bring it to a mode whose channels can be upscaled.

    Parameters
    ----------
    image
        A single picture of mode 1, L, LA, P, RGB, RGBA, I;16, F or CMYK.
    bits
        From `grey_bits`, where the image has been loaded since.

    Returns
    -------
    PIL.Image.Image
        L, LA, RGB, RGBA, CMYK, I;16 (or its variants) or F; `image` itself
        where nothing had to change. A transparent colour becomes alpha.

    Raises
    ------
    ImageError
        If the image has several frames, no pixels or another mode.
    CorruptFileError
        If its file turns out to be damaged.
    """
    _refuse_frames(image)
    if 0 in image.size:
        raise ImageError(f"the image is empty: its size is {image.size}")
    bits = bits or grey_bits(image)
    try:
        image.load()
    except (OSError, SyntaxError, ValueError, EOFError, IndexError) as error:
        raise CorruptFileError(
            f"the image could not be decoded, its file is truncated or damaged: {error}"
        ) from error
    keyed = image.mode in ("1", "L", "RGB") and "transparency" in image.info
    if image.mode == "P":
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    if keyed and image.mode == "L":
        return _with_level(image, bits)
    if keyed:
        return image.convert("RGBA" if image.mode == "RGB" else "LA")
    if image.mode == "1":
        return image.convert("L")
    if image.mode in _DEEP and "transparency" in image.info:
        raise ImageError(
            "a 16-bit grey image with a transparent colour has no counterpart in Pillow; "
            "read the file with srkit.read_image, or delete image.info['transparency']"
        )
    if image.mode not in _PLAIN and image.mode not in _DEEP:
        advice = _ADVICE.get(image.mode, "call image.convert('RGB')")
        raise ImageError(f"a Pillow image of mode {image.mode!r} cannot be upscaled; {advice}")
    return image


def _with_level(image: PILImage.Image, bits: int | None) -> PILImage.Image:
    """Grey whose level for transparent is stretched as its pixels were, as LA."""
    level, counts = image.info["transparency"], image.histogram()
    if not isinstance(level, int) or not 0 <= level < 256:
        return image.convert("LA")
    steps = {2: 85, 4: 17, 8: 1}
    if bits is None and not counts[level]:
        # Nothing is transparent, unless the file had fewer bits: then all levels are steps.
        fitting = (
            bits
            for bits, step in steps.items()
            if level * step < 256 and counts[level * step] and not _between(counts, step)
        )
        bits = next(fitting, 8)
    stretched = level * steps[bits or 8]
    alpha = image.point([0 if value == stretched else 255 for value in range(256)])
    merged = PILImage.merge("LA", (image, alpha))
    merged.info = {key: value for key, value in image.info.items() if key != "transparency"}
    return merged


def _between(counts: list[int], step: int) -> bool:
    return any(count for value, count in enumerate(counts) if value % step)


def to_array(image: PILImage.Image) -> NDArray[Any]:
    """Pixels of a settled image: uint8, uint16 or, for mode F, float32."""
    if image.mode in ("I;16B", "I;16L", "I;16N"):
        big = image.mode == "I;16B" or (image.mode == "I;16N" and sys.byteorder == "big")
        flat = np.frombuffer(image.tobytes(), ">u2" if big else "<u2")
        return flat.reshape(image.height, image.width).astype(np.uint16)
    return np.asarray(image)


def from_array(pixels: NDArray[Any], *, cmyk: bool = False) -> PILImage.Image:
    """Make an image of uint8 pixels, of uint16 grey (I;16) or of float32 grey (F)."""
    if cmyk:
        height, width = pixels.shape[:2]
        return PILImage.frombytes("CMYK", (width, height), pixels.tobytes())
    return PILImage.fromarray(np.ascontiguousarray(pixels))


def as_uint8(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Bring pixels of any depth to 8 bits, rounded and clipped.

    Parameters
    ----------
    pixels
        uint8, uint16 or float in [0, 1], of any shape.

    Raises
    ------
    ImageError
        If a float is not a number.

    Examples
    --------
    >>> import numpy as np
    >>> as_uint8(np.array([-0.1, 0.5, 1.0, 7.0])).tolist()
    [0, 128, 255, 255]
    """
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.uint16:
        # 65535 is 255 * 257, so dividing by 257 maps the two ranges exactly.
        rounded: NDArray[np.uint8] = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
        return rounded
    if np.isnan(pixels.min()):
        raise ImageError("the image holds NaN, which no integer can stand for")
    scaled: NDArray[Any] = np.rint(np.clip(pixels, 0, 1) * 255)
    return scaled.astype(np.uint8)


def _refuse_frames(image: PILImage.Image) -> None:
    # A phone's JPEG often carries a preview or depth map after the picture
    # (MPO). The picture is what its owner means; see srkit.imaging.files.reading.
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":
        raise ImageError(
            f"the image has {frames} frames or pages; upscale each by itself, e.g. "
            "[upscale(frame.copy()) for frame in PIL.ImageSequence.Iterator(image)]"
        )
