"""Any image to planes of its own dtype, and result planes back to that kind of image.

Nothing here makes a float copy of an integer image: whoever works on the planes
converts them piece by piece, so that memory stays bounded.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from srkit.errors import ImageError
from srkit.imaging import pil, tensors
from srkit.imaging.alpha import bleed
from srkit.imaging.files.jpeg_quality import quality_of
from srkit.imaging.files.reading import read_image
from srkit.imaging.files.sources import is_encoded
from srkit.imaging.image import Image
from srkit.imaging.levels import check_range, top_of

Layout = Literal["grey", "rgb", "cmyk"]
Rebuild = Callable[[NDArray[Any], NDArray[Any] | None], Any]


@dataclass(frozen=True)
class Planes:
    """An image as planes of its own dtype.

    Parameters
    ----------
    colour
        ``(N, H, W, C)``; C is 1 for grey, 3 for RGB, 4 for CMYK. Often a view
        of the input: read it, do not write to it.
    alpha
        ``(N, H, W, 1)`` of the same dtype, or None.
    top
        The value that stands for 1.0.
    layout
        What the channels of `colour` mean.
    rebuild
        Takes result planes ``(N, H', W', C)`` and alpha, of the same dtype, and
        returns an image of the input's kind.
    jpeg_quality
        Of the JPEG that it was read from, where that is known.
    """

    colour: NDArray[Any]
    alpha: NDArray[Any] | None
    top: float
    layout: Layout
    rebuild: Rebuild
    jpeg_quality: int | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.colour.shape[1], self.colour.shape[2]

    @property
    def pixels(self) -> int:
        """How many pixels a model is given: of CMYK, whose channels go one by one, all four."""
        count, height, width, channels = self.colour.shape
        return int((channels if self.layout == "cmyk" else count) * height * width)


def read_planes(image: Any) -> Planes:  # the kinds are checked here
    """Take an image of any supported kind apart.

    Parameters
    ----------
    image
        A numpy array ``(H, W)``, ``(H, W, 1)``, ``(H, W, 3)``, ``(H, W, 4)`` or
        a batch ``(N, H, W, C)``, where four channels are RGBA; uint8 and uint16
        use their full range, float32 and float64 [0, 1]. Or a torch tensor, of the
        same kinds or in half precision, with channels before rows and columns. Or a
        Pillow image, an `Image`, or a file, as `read_image` takes it: a path, a URL, bytes, or
        an open file.

    Returns
    -------
    Planes
        Colour under fully transparent pixels is that of the nearest visible one.

    Raises
    ------
    ImageError
        If the image is empty, holds NaN or values out of range, or is of a kind,
        shape, dtype or mode that cannot be upscaled; the message says what to do.
    CorruptFileError
        If a file is damaged.

    Examples
    --------
    >>> import numpy as np
    >>> planes = read_planes(np.zeros((4, 6), np.uint8))
    >>> planes.colour.shape, planes.top, planes.layout
    ((1, 4, 6, 1), 255.0, 'grey')
    >>> planes.rebuild(planes.colour, None).shape
    (4, 6)
    """
    if is_encoded(image):
        image = read_image(image)
    if isinstance(image, Image):
        return _from_image(image)
    if isinstance(image, PILImage.Image):
        return _from_pil(image)
    if isinstance(image, np.ndarray):
        return _from_array(image)
    if tensors.is_tensor(image):
        return _from_tensor(image)
    raise ImageError(_wrong_kind(image))


def check_kind(image: Any) -> None:
    """Refuse what `read_planes` would, as far as that is told without a look at pixels.

    Raises
    ------
    ImageError
        If it is of a kind, shape or dtype that is no image.
    OSError
        If a file is not there.

    Examples
    --------
    >>> import numpy as np
    >>> check_kind(np.zeros((4, 6), np.uint8))
    >>> check_kind(7)
    Traceback (most recent call last):
    srkit.errors.ImageError: expected a numpy array, a torch.Tensor, a PIL.Image, a srkit.Image, \
or a file: its path, its bytes, or opened, not builtins.int
    """
    if isinstance(image, np.ndarray):
        _check_array(image)
    elif isinstance(image, str | os.PathLike):
        place = os.fspath(image)
        if isinstance(place, str) and "://" not in place and "\0" not in place:
            Path(place).stat()
    elif not (
        is_encoded(image) or isinstance(image, Image | PILImage.Image) or tensors.is_tensor(image)
    ):
        raise ImageError(_wrong_kind(image))


def _check_array(array: NDArray[Any]) -> None:
    if isinstance(array, np.ma.MaskedArray):
        raise ImageError("a masked array cannot be upscaled; call image.filled(...) first")
    top_of(array.dtype.newbyteorder("="))
    check_shape(array.shape)


def _from_image(image: Image) -> Planes:
    pixels = image.pixels if image.pixels.ndim == 3 else image.pixels[..., None]

    def rebuild(colour: NDArray[Any], alpha: NDArray[Any] | None) -> Image:
        # What was decided for the picture, and how it was packed, does not hold of another.
        metadata = replace(image.metadata, jpeg_quality=None, decided=())
        return Image(_squeeze(_join(colour, alpha)[0]), metadata)

    has_alpha, cmyk = image.metadata.mode in ("LA", "RGBA"), image.metadata.mode == "CMYK"
    planes = _split(pixels[None], has_alpha, top_of(pixels.dtype), rebuild, cmyk=cmyk)
    return replace(planes, jpeg_quality=image.metadata.jpeg_quality)


def _from_pil(image: PILImage.Image) -> Planes:
    settled = pil.settle(image)
    pixels = pil.to_array(settled)
    pixels = pixels if pixels.ndim == 3 else pixels[..., None]
    cmyk = settled.mode == "CMYK"
    # As Pillow's own methods do, the result keeps info; a transparent colour,
    # however, has become alpha.
    info = {key: value for key, value in image.info.items() if key != "transparency"}

    def rebuild(colour: NDArray[Any], alpha: NDArray[Any] | None) -> PILImage.Image:
        result = pil.from_array(_squeeze(_join(colour, alpha)[0]), cmyk=cmyk)
        result.info.update(info)
        return result

    top = 255.0 if settled.mode == "F" else top_of(pixels.dtype)
    planes = _split(pixels[None], settled.mode in ("LA", "RGBA"), top, rebuild, cmyk=cmyk)
    return replace(planes, jpeg_quality=quality_of(getattr(image, "quantization", None)))


def _from_array(array: NDArray[Any]) -> Planes:
    _check_array(array)
    # A plain array of the machine's byte order; copied only if the order differs.
    array = np.asarray(array)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    top = top_of(array.dtype)
    ndim = array.ndim
    batch = array[None] if ndim < 4 else array
    batch = batch[..., None] if ndim == 2 else batch

    def rebuild(colour: NDArray[Any], alpha: NDArray[Any] | None) -> NDArray[Any]:
        result = _join(colour, alpha)
        if ndim == 4:
            return result
        return result[0, ..., 0] if ndim == 2 else result[0]

    return _split(batch, batch.shape[-1] == 4, top, rebuild)


def _from_tensor(tensor: Any) -> Planes:
    array, like = tensors.as_array(tensor)
    planes = _from_array(array)

    def rebuild(colour: NDArray[Any], alpha: NDArray[Any] | None) -> Any:
        return like(planes.rebuild(colour, alpha))

    return replace(planes, rebuild=rebuild)


def _split(
    pixels: NDArray[Any], has_alpha: bool, top: float, rebuild: Rebuild, *, cmyk: bool = False
) -> Planes:
    if pixels.dtype.kind == "f":
        check_range(pixels, top)
    colour, alpha = pixels, None
    if has_alpha:
        alpha = pixels[..., -1:]
        colour = bleed(pixels[..., :-1], alpha)
    layout: Layout = "cmyk" if cmyk else "rgb" if colour.shape[-1] == 3 else "grey"
    return Planes(colour, alpha, top, layout, rebuild)


def _join(colour: NDArray[Any], alpha: NDArray[Any] | None) -> NDArray[Any]:
    return colour if alpha is None else np.concatenate([colour, alpha], axis=-1)


def _squeeze(pixels: NDArray[Any]) -> NDArray[Any]:
    return pixels[..., 0] if pixels.shape[-1] == 1 else pixels


def check_shape(shape: tuple[int, ...]) -> None:
    """Refuse arrays that are no image and no batch of images."""
    expected = "expected (H, W), (H, W, 1), (H, W, 3), (H, W, 4) or a batch (N, H, W, C)"
    if 0 in shape:
        raise ImageError(f"the image is empty: its shape is {shape}")
    if len(shape) == 2 or (len(shape) in (3, 4) and shape[-1] in (1, 3, 4)):
        return
    hint = ""
    if len(shape) in (3, 4) and shape[-3] in (1, 3, 4):
        axes = (1, 2, 0) if len(shape) == 3 else (0, 2, 3, 1)
        hint = f"; if channels come first, pass image.transpose{axes}"
    elif len(shape) == 3 and shape[-1] == 2:
        hint = "; for grey with alpha pass srkit.Image(array)"
    elif len(shape) == 3:
        hint = "; for a batch of grey images pass images[..., None]"
    raise ImageError(f"an array of shape {shape} is not an image: {expected}{hint}")


def _wrong_kind(image: object) -> str:
    kind = type(image)
    accepted = (
        "a numpy array, a torch.Tensor, a PIL.Image, a srkit.Image, or a file: its path, its "
        "bytes, or opened"
    )
    hint = ""
    if isinstance(image, list | tuple):
        hint = "; pass numpy.asarray(...) of it, with a dtype"
    return f"expected {accepted}, not {kind.__module__}.{kind.__qualname__}{hint}"
