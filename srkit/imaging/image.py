"""The image that srkit reads and writes: pixels of any depth, with their metadata."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from srkit.errors import ImageError
from srkit.imaging import pil
from srkit.imaging.files import color_tags
from srkit.imaging.metadata import Metadata
from srkit.imaging.pil import Mode

if TYPE_CHECKING:
    from PIL import Image as PILImage

    from srkit.imaging.files.targets import Target

_PREVIEW_SIDE = 1024
_CHANNELS: dict[str, int] = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}
_MODES: dict[int, Mode] = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


@dataclass(frozen=True, eq=False, repr=False)
class Image:
    """Pixels and metadata of one picture.

    Two are equal if their pixels, of the same dtype, and their metadata are.

    Parameters
    ----------
    pixels
        ``(H, W)`` grey, ``(H, W, 2)`` grey and alpha, ``(H, W, 3)`` RGB or
        ``(H, W, 4)`` RGBA or CMYK; uint8, uint16 or float32 in [0, 1].
    metadata
        Made from the number of channels if left out; four mean RGBA.

    Raises
    ------
    ImageError
        If `pixels` is empty, of another shape or dtype, or does not fit
        ``metadata.mode``.

    Examples
    --------
    >>> import numpy as np
    >>> image = Image(np.zeros((4, 6, 3), np.uint8))
    >>> image
    <srkit.Image 6x4 RGB uint8>
    >>> image.shape, image.size
    ((4, 6, 3), (6, 4))
    """

    pixels: NDArray[Any]
    # Never None after construction; the default only says "left out".
    metadata: Metadata = cast(Metadata, None)  # noqa: RUF009

    def __post_init__(self) -> None:
        channels = _checked_channels(self.pixels)
        if self.metadata is None:
            object.__setattr__(self, "metadata", Metadata(_MODES[channels]))
        elif _CHANNELS.get(self.metadata.mode) != channels:
            raise ImageError(
                f"pixels of shape {self.pixels.shape} do not fit the mode {self.metadata.mode!r}"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the pixels: height, width and, unless grey, channels.

        Examples
        --------
        >>> Image(np.zeros((4, 6, 3), np.uint8)).shape
        (4, 6, 3)
        """
        return self.pixels.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the pixels.

        Examples
        --------
        >>> Image(np.zeros((4, 6), np.uint16)).dtype
        dtype('uint16')
        """
        return self.pixels.dtype

    @property
    def height(self) -> int:
        """Number of rows.

        Examples
        --------
        >>> Image(np.zeros((4, 6, 3), np.uint8)).height
        4
        """
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Number of columns.

        Examples
        --------
        >>> Image(np.zeros((4, 6, 3), np.uint8)).width
        6
        """
        return int(self.pixels.shape[1])

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, in Pillow's order.

        Examples
        --------
        >>> Image(np.zeros((4, 6, 3), np.uint8)).size
        (6, 4)
        """
        return self.width, self.height

    def with_pixels(self, pixels: NDArray[Any]) -> Image:
        """Return another image of these pixels with the same metadata.

        Parameters
        ----------
        pixels
            As `Image` takes them, of any size, and of as many channels as the metadata are for.

        Raises
        ------
        ImageError
            As `Image`.

        Examples
        --------
        >>> image = Image(np.zeros((4, 6), np.uint8), Metadata("L", dpi=(300.0, 300.0)))
        >>> image.with_pixels(image.pixels[:2]).metadata.dpi
        (300.0, 300.0)
        """
        return replace(self, pixels=pixels)

    def to_pil(self) -> PILImage.Image:
        """Convert to a Pillow image, with profile, EXIF, XMP and DPI in its ``info``.

        Returns
        -------
        PIL.Image.Image
            Grey uint16 becomes I;16 and grey float F (0 to 255), both exactly.
            Pillow knows no other mode deeper than 8 bits, so colour, and grey
            with alpha, is rounded to 8 bits.

        Raises
        ------
        ImageError
            If float pixels hold NaN.

        Examples
        --------
        >>> picture = Image(np.full((4, 6), 1000, np.uint16)).to_pil()
        >>> picture.mode, picture.size, picture.getpixel((0, 0))
        ('I;16', (6, 4), 1000)
        """
        if self.metadata.mode == "L" and self.dtype == np.uint16:
            result = pil.from_array(self.pixels)
        elif self.metadata.mode == "L" and self.dtype == np.float32:
            result = pil.from_array(self.pixels * np.float32(255))
        else:
            result = self._to_pil8()
        meta = self.metadata
        profile = meta.icc or color_tags.to_profile(meta.color, grey=meta.mode in ("L", "LA"))
        info = {"icc_profile": profile, "exif": meta.exif, "xmp": meta.xmp, "dpi": meta.dpi}
        result.info.update({key: value for key, value in info.items() if value})
        return result

    def save(
        self,
        path: Target,
        *,
        quality: int | None = None,
        format: str | None = None,  # noqa: A002  Pillow's name for it
    ) -> None:
        """Write a file, in the place of an older one of that name, or to one that is open.

        At a path or a URL it appears whole or not at all. See
        `srkit.imaging.files.writing.save_image`.

        Parameters
        ----------
        path
            A path or a URL, whose suffix names the format: png, jpg, tif, webp, avif, jxl,
            bmp or zarr; or a file that is open for writing bytes.
        format
            One of these, whatever the name. An open file needs it.
        quality
            1 to 100, for JPEG, WebP, AVIF and JPEG XL.

        Raises
        ------
        ImageError
            If the format is not known, or cannot hold such pixels.
        OptionError
            If `quality` is out of range, or the format has none; if `format` is not known, or
            left out for an open file.
        MissingDependencyError
            If fsspec, or its package for such URLs, is not installed.
        OSError
            As Python raises them; what was at a path or a URL then stays as it was.

        Examples
        --------
        >>> import tempfile
        >>> from srkit import read_image
        >>> path = tempfile.mkdtemp() + "/grey.png"
        >>> Image(np.array([[0, 1000, 65535]], np.uint16)).save(path)
        >>> read_image(path).pixels
        array([[    0,  1000, 65535]], dtype=uint16)
        >>> file = io.BytesIO()
        >>> Image(np.zeros((4, 6), np.uint8)).save(file, format="png")
        >>> read_image(file)
        <srkit.Image 6x4 L uint8>
        """
        # The one arrow up in imaging: what reads files makes images, so files come above them.
        from srkit.imaging.files.writing import save_image

        save_image(self, path, quality=quality, format=format)

    def show(self) -> None:
        """Show the picture: in a notebook below the cell, else in the system's viewer.

        At 8 bits; the viewer is that of `PIL.Image.Image.show`, which gets a temporary file.

        Raises
        ------
        ImageError
            If there is no viewer, as on a server.

        Examples
        --------
        With a viewer of one's own, in the place of the system's:

        >>> from PIL import ImageShow
        >>> class Told(ImageShow.Viewer):
        ...     def show(self, image, **options):
        ...         print("shown:", image.size)
        ...         return True
        >>> ImageShow.register(Told(), order=0)
        >>> Image(np.zeros((2, 3, 3), np.uint8)).show()
        shown: (3, 2)
        >>> del ImageShow._viewers[0]
        """
        if _in_notebook():
            from IPython.display import display

            display(self)
            return
        from PIL import ImageShow

        if not ImageShow.show(self._shown(), title=repr(self)):
            raise ImageError(
                "there is no program here that shows pictures; "
                "write a file instead: image.save('picture.png')"
            )

    def _to_pil8(self) -> PILImage.Image:
        return pil.from_array(pil.as_uint8(self.pixels), cmyk=self.metadata.mode == "CMYK")

    def _shown(self) -> PILImage.Image:
        """The picture for screens, with its profile; CMYK has become RGB."""
        picture = self._to_pil8()
        if self.metadata.mode == "CMYK":
            return picture.convert("RGB")
        if self.metadata.icc:
            picture.info["icc_profile"] = self.metadata.icc
        return picture

    def _repr_png_(self) -> bytes:
        preview = self._shown()
        preview.thumbnail((_PREVIEW_SIDE, _PREVIEW_SIDE))
        file = io.BytesIO()
        preview.save(file, "PNG", icc_profile=preview.info.get("icc_profile"))
        return file.getvalue()

    def __array__(
        self, dtype: np.dtype[Any] | None = None, copy: bool | None = None
    ) -> NDArray[Any]:
        if copy is False and dtype is not None and self.dtype != dtype:
            raise ValueError(f"the pixels are {self.dtype}, and {dtype} would need a copy")
        return self.pixels.astype(dtype or self.dtype, copy=bool(copy))

    @property
    def __array_interface__(self) -> Any:
        # Pillow's fromarray asks for it, and would lose the profile; numpy goes on to __array__.
        raise AttributeError(
            "of a srkit.Image Pillow's is made by image.to_pil(), which keeps its colour profile"
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Image):
            return NotImplemented
        same = self.dtype == other.dtype and self.metadata == other.metadata
        return same and np.array_equal(self.pixels, other.pixels)

    # As of Pillow's images, whose pixels can be written to, too.
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<srkit.Image {self.width}x{self.height} {self.metadata.mode} {self.dtype}>"


def _in_notebook() -> bool:
    """Whether this runs in a kernel of Jupyter, which shows pictures itself."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None


def _checked_channels(pixels: object) -> int:
    if not isinstance(pixels, np.ndarray):
        raise ImageError(f"Image takes a numpy array, not {type(pixels).__name__}")
    if pixels.dtype not in (np.uint8, np.uint16, np.float32):
        raise ImageError(
            f"Image holds uint8, uint16 or float32 in [0, 1], not {pixels.dtype}; "
            "convert with pixels.astype(...)"
        )
    channels = 1 if pixels.ndim == 2 else pixels.shape[-1]
    if pixels.ndim not in (2, 3) or channels not in _MODES or pixels.shape[2:] == (1,):
        raise ImageError(
            "Image takes (H, W), (H, W, 2), (H, W, 3) or (H, W, 4), not "
            f"{pixels.shape}" + ("; drop the last axis" if pixels.shape[2:] == (1,) else "")
        )
    if pixels.size == 0:
        raise ImageError(f"the image is empty: its shape is {pixels.shape}")
    return int(channels)
